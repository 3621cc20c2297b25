//! What users say of a pattern.

use serde::{Deserialize, Serialize};

use super::PatternId;

/// How a pattern is shown in lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Normal,
    /// Before all others.
    Pinned,
    /// Only when it is asked for.
    Ignored,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "State::is_normal")]
    pub state: State,
    /// In place of the one that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The pattern that this one counts as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<PatternId>,
}

impl State {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

impl Own {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
