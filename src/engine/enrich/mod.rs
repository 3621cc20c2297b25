//! What a log's text tells and its sender did not say: fields inside the message, the level, the endpoint
//! without its ids, the family of a user agent, the category.
//!
//! It reads texts and answers values; it neither knows how a record is stored nor changes one. Invariant: every
//! function is total, deterministic, and linear in a bounded beginning of what it reads.

mod agent;
pub mod category;
mod endpoint;
mod label;
mod level;
mod message;
#[cfg(test)]
mod tests;

pub use agent::user_agent_family;
pub use category::{Category, CategoryRule, Field, Seen, category, category_rules};
pub use endpoint::endpoint;
pub use label::{component, environment};
pub use level::level_of;
pub use message::{Form, Parsed, may_have_fields, parse_message};
