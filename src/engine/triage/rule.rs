//! A rule as it is sent, kept and shown.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::engine::{
    query,
    record::{model::Level, stored_name},
    retention::Class,
};

const MAX_NAME: usize = 64;
const MAX_WHEN: usize = 4_096;
const MAX_TEXT: usize = 200;
const MAX_ACTIONS: usize = 10;
/// A window is kept in memory, which lives no longer than this when nothing happens.
const MAX_WINDOW_S: u64 = 3_600;
const MAX_THRESHOLD: u32 = 100_000;
/// Different values are kept one by one.
const MAX_DISTINCT: u32 = 1_000;
/// One in so many.
const MAX_SAMPLE: u32 = 1_000_000;

/// A rule that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Refused {
    pub field: String,
    pub message: String,
}

impl Refused {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// An expression of the search language over the record as it would be stored.
    pub when: String,
    /// Seconds, or `5m`: the actions are taken from the `threshold`-th record within it on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "window")]
    pub window: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// Fields whose values are counted apart, each by itself; the service where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    /// Counts different values of this field instead of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    pub then: Vec<Action>,
    /// No later rule is asked once this one has held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// What is done with a record for which a rule holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    Tag {
        tag: String,
    },
    SetLevel {
        level: Level,
    },
    SetCategory {
        category: String,
    },
    RouteClass {
        class: Class,
    },
    /// One in so many is kept; errors are all kept, unless they are named.
    Sample {
        one_in: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        errors: bool,
    },
    Drop {},
    /// The last three tell others; delivery is not this room's.
    Alert {
        #[serde(default)]
        severity: Severity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    Webhook {
        url: String,
    },
    Notify {
        channel: String,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Action {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tag { .. } => "tag",
            Self::SetLevel { .. } => "set_level",
            Self::SetCategory { .. } => "set_category",
            Self::RouteClass { .. } => "route_class",
            Self::Sample { .. } => "sample",
            Self::Drop {} => "drop",
            Self::Alert { .. } => "alert",
            Self::Webhook { .. } => "webhook",
            Self::Notify { .. } => "notify",
        }
    }

    /// Whether it tells others, and changes nothing.
    pub const fn is_event(&self) -> bool {
        matches!(self, Self::Alert { .. } | Self::Webhook { .. } | Self::Notify { .. })
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let text = |name, text: &str, max| {
            let plain = !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
            let message = format!("expected 1 to {max} bytes without control characters, got {}", text.len());
            if plain { Ok(()) } else { Err((name, message)) }
        };
        match self {
            Self::Tag { tag } => text("tag", tag, MAX_NAME),
            Self::SetCategory { category } => text("category", category, MAX_NAME),
            Self::Notify { channel } => text("channel", channel, MAX_TEXT),
            Self::Alert { title: Some(title), .. } => text("title", title, MAX_TEXT),
            Self::Webhook { url } if !url.starts_with("https://") => {
                Err(("url", format!("expected an https URL, got {url:?}")))
            }
            Self::Webhook { url } => text("url", url, 2_000),
            Self::Sample { one_in, .. } if !(2..=MAX_SAMPLE).contains(one_in) => {
                Err(("one_in", format!("expected a whole number from 2 to {MAX_SAMPLE}, got {one_in}")))
            }
            _ => Ok(()),
        }
    }
}

impl Rule {
    /// What is wrong with it besides its expression.
    pub(super) fn check(&self) -> Result<(), Refused> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            let expected = format!("expected 1 to {MAX_NAME} letters, digits, '.', '_' and '-'");
            return Err(Refused::new("name", format!("{expected}, got {:?}", self.name)));
        }
        if self.description.len() > MAX_TEXT {
            return Err(Refused::new("description", format!("expected at most {MAX_TEXT} bytes")));
        }
        if self.when.len() > MAX_WHEN {
            return Err(Refused::new("when", format!("expected at most {MAX_WHEN} bytes")));
        }
        match (self.window, self.threshold) {
            (None, None) => {}
            (Some(_), None) => {
                return Err(Refused::new("threshold", "expected one beside the window, got none"));
            }
            (None, Some(_)) => {
                return Err(Refused::new("window", "expected one beside the threshold, got none"));
            }
            (Some(window), Some(threshold)) => {
                if !(1..=MAX_WINDOW_S).contains(&window) {
                    let message = format!("expected 1 to {MAX_WINDOW_S} seconds, got {window}");
                    return Err(Refused::new("window", message));
                }
                let most = if self.distinct.is_some() { MAX_DISTINCT } else { MAX_THRESHOLD };
                if !(1..=most).contains(&threshold) {
                    let message = format!("expected a whole number from 1 to {most}, got {threshold}");
                    return Err(Refused::new("threshold", message));
                }
            }
        }
        for (name, fields) in
            [("group_by", &self.group_by), ("distinct", &self.distinct.iter().cloned().collect())]
        {
            if !fields.is_empty() && self.window.is_none() {
                return Err(Refused::new(name, "expected a window and a threshold beside it, got none"));
            }
            if fields.len() > 4 || fields.iter().any(|field| field.is_empty() || field.len() > MAX_TEXT) {
                return Err(Refused::new(name, "expected at most 4 names of fields"));
            }
        }
        if !(1..=MAX_ACTIONS).contains(&self.then.len()) {
            return Err(Refused::new(
                "then",
                format!("expected 1 to {MAX_ACTIONS} actions, got {}", self.then.len()),
            ));
        }
        for (nth, action) in self.then.iter().enumerate() {
            action.check().map_err(|(name, message)| Refused::new(format!("then[{nth}].{name}"), message))?;
        }
        Ok(())
    }

    pub(super) fn expression(&self) -> Result<query::Expr, Refused> {
        query::parse(&self.when).map_err(|error| Refused::new("when", error.to_string()))
    }
}

/// The path in a stored row that a name leads to.
pub(super) fn path_of(name: &str) -> String {
    match stored_name(name) {
        Some(stored) => stored.to_owned(),
        None if name.starts_with("metadata.") || name.starts_with("login.") => name.to_owned(),
        None => format!("metadata.{name}"),
    }
}

/// Seconds, as a number or as `90s`, `5m`, `1h`.
fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Window {
        Seconds(u64),
        Text(String),
    }
    match Option::<Window>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Window::Seconds(seconds)) => Ok(Some(seconds)),
        Some(Window::Text(text)) => {
            let ms = query::stat::interval_ms(&text).map_err(D::Error::custom)?;
            Ok(Some(ms.unsigned_abs() / 1_000))
        }
    }
}
