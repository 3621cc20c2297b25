//! The promises of the ports as one suite, kept by the fakes natively and by the platform on workerd:
//! a fake is trusted as far as this goes. Not part of what ships; on wasm it is built with the feature
//! `contract` only.

mod accounts;
mod analyses;
mod anomalies;
mod catalog;
mod events;
mod limit_log;
mod limits;
mod objects;
mod partitions;
mod patterns;
mod shard_log;
mod statements;

use std::fmt::Debug;

pub use accounts::{accounts, copies};
pub use analyses::analyses;
pub use anomalies::anomalies;
pub use catalog::catalog;
pub use events::events;
pub use limit_log::limit_log;
pub use limits::limits;
pub use objects::objects;
pub use partitions::partitions;
pub use patterns::patterns;
pub use shard_log::shard_log;
pub use statements::{Sent, statements};

use crate::{engine::block::Corrupt, ports::PortError};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl From<PortError> for Broken {
    fn from(error: PortError) -> Self {
        Self(error.to_string())
    }
}

impl From<Corrupt> for Broken {
    fn from(corrupt: Corrupt) -> Self {
        Self(corrupt.to_string())
    }
}

/// An error and not a panic: on wasm a panic would take the isolate with its answer.
#[expect(clippy::needless_pass_by_value, reason = "promises read as one line")]
fn same<T: Debug + PartialEq>(promise: &str, got: T, expected: T) -> Result<(), Broken> {
    if got == expected {
        return Ok(());
    }
    Err(Broken(format!("{promise}: expected {expected:?}, got {got:?}")))
}
