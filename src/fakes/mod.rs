//! The platform in memory, for tests: ports that count what they are asked, can be told to fail before
//! or after a write took effect, and a clock that is turned by hand.

mod accounts;
mod analyses;
mod anomalies;
mod catalog;
mod events;
mod limits;
mod model;
mod objects;
mod outbound;
mod partitions;
mod patterns;
mod scanners;
mod shards;
mod world;

pub use model::{Asked, FakeModel};
pub use world::World;
