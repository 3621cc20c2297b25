//! What a log is about, by one table of rules: the first rule that fits decides.
//!
//! The table is `rules`; docs/categories.md shows it. Invariant: a category depends on what is `Seen` and on
//! nothing else.

mod rules;
pub(super) mod scan;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::engine::record::model::Level;
use scan::Words;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Authentication,
    Authorization,
    ApiRequest,
    Database,
    Network,
    Performance,
    Billing,
    Workflow,
    AiGeneration,
    Infrastructure,
    Deployment,
    Security,
    Audit,
    Application,
}

impl Category {
    pub const ALL: [Self; 14] = [
        Self::Authentication,
        Self::Authorization,
        Self::ApiRequest,
        Self::Database,
        Self::Network,
        Self::Performance,
        Self::Billing,
        Self::Workflow,
        Self::AiGeneration,
        Self::Infrastructure,
        Self::Deployment,
        Self::Security,
        Self::Audit,
        Self::Application,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::ApiRequest => "api_request",
            Self::Database => "database",
            Self::Network => "network",
            Self::Performance => "performance",
            Self::Billing => "billing",
            Self::Workflow => "workflow",
            Self::AiGeneration => "ai_generation",
            Self::Infrastructure => "infrastructure",
            Self::Deployment => "deployment",
            Self::Security => "security",
            Self::Audit => "audit",
            Self::Application => "application",
        }
    }

    /// Reads what `as_str` answers.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == name)
    }
}

/// What a category is decided by; each is the text of the field or `None`.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub service: &'a str,
    pub level: Level,
    pub message: &'a str,
    pub component: Option<&'a str>,
    pub endpoint: Option<&'a str>,
    pub method: Option<&'a str>,
    pub status: Option<i64>,
    pub error_type: Option<&'a str>,
    pub logger: Option<&'a str>,
    pub is_attack: bool,
}

/// Where a rule looks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The record was recognised as an attack.
    Attack,
    /// Whole words of the message; none but the first rules look into the line of a request.
    Message,
    /// Words of the component's or the logger's name, between separators or changes of case.
    Source,
    /// Anywhere in the error's type.
    ErrorType,
    /// Whole segments of the endpoint.
    Endpoint,
    /// The status, as a number.
    Status,
    /// Both a method and an endpoint, or the line of a request as the message.
    Request,
    /// An endpoint, without a method.
    Path,
    /// Words of the service's name.
    Service,
    /// Whatever is left.
    Anything,
}

impl Field {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Message => "message",
            Self::Source => "component or logger",
            Self::ErrorType => "error_type",
            Self::Endpoint => "endpoint",
            Self::Status => "status",
            Self::Request => "method and endpoint",
            Self::Path => "endpoint alone",
            Self::Service => "service",
            Self::Anything => "anything",
        }
    }
}

/// One line of the table: the category of what has one of the words in the field.
#[derive(Clone, Copy, Debug)]
pub struct CategoryRule {
    pub category: Category,
    pub field: Field,
    /// In lower case; none where the field's being there is enough.
    pub words: &'static [&'static str],
    pub reason: &'static str,
}

/// The table as it is enforced, in its order.
pub fn category_rules() -> &'static [CategoryRule] {
    rules::RULES
}

static WORDS: LazyLock<Option<Words>> = LazyLock::new(|| Words::new(rules::RULES));

pub fn category(seen: &Seen<'_>) -> Category {
    let Some(words) = WORDS.as_ref() else { return Category::Application };
    let rule = words.first_rule(seen);
    rules::RULES.get(rule).map_or(Category::Application, |rule| rule.category)
}

#[cfg(test)]
mod tests;
