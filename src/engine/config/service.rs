//! A service's own settings: how long its logs are kept, how many it may send, whether errors alert.

use serde::{Deserialize, Serialize};

use super::deployment::MAX_TTL_DAYS;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceConfig {
    pub service: String,
    /// Its own; absent where its policy says how long.
    #[serde(default)]
    pub ttl_days: Option<u32>,
    pub retention_policy: RetentionPolicy,
    pub alert_on_errors: bool,
    #[serde(default)]
    pub max_logs_per_day: Option<u64>,
    /// RFC 3339; absent for a service that was never configured.
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// How long a service's logs are kept when it names no TTL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetentionPolicy {
    /// The deployment's default.
    #[default]
    Standard,
    /// 90 days, or the deployment's default where that is longer.
    Extended,
    /// 7 days, or the deployment's default where that is shorter.
    Minimal,
}

impl RetentionPolicy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Extended => "extended",
            Self::Minimal => "minimal",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Standard, Self::Extended, Self::Minimal].into_iter().find(|policy| policy.as_str() == name)
    }

    /// What it says; the standard one says nothing of its own.
    fn ttl_days(self, default_ttl_days: u32) -> Option<u32> {
        match self {
            Self::Standard => None,
            Self::Extended => Some(default_ttl_days.max(90)),
            Self::Minimal => Some(default_ttl_days.min(7)),
        }
    }
}

/// A change to a service's settings, as it is sent; what is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfigChange {
    /// May be sent for good order; it must then be the service of the path.
    pub service: Option<String>,
    pub ttl_days: Option<i64>,
    pub retention_policy: Option<String>,
    pub alert_on_errors: Option<bool>,
    /// `null` takes the limit away.
    #[serde(default, deserialize_with = "present")]
    pub max_logs_per_day: Option<Option<i64>>,
}

/// Tells `null`, which takes a setting away, from silence.
#[expect(clippy::option_option, reason = "absent, null and a number are three things")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

/// A setting that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {expected}, not {got}")]
pub struct BadChange {
    pub field: &'static str,
    pub expected: String,
    pub got: String,
}

impl ServiceConfig {
    /// The settings of a service that has none of its own.
    pub fn default_for(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            ttl_days: None,
            retention_policy: RetentionPolicy::Standard,
            alert_on_errors: false,
            max_logs_per_day: None,
            created_at: None,
            updated_at: None,
        }
    }

    /// How long its logs are kept, where it says so itself.
    pub fn own_days(&self, default_ttl_days: u32) -> Option<u32> {
        self.ttl_days.or_else(|| self.retention_policy.ttl_days(default_ttl_days))
    }

    /// As it is shown: with the days that hold today.
    #[must_use]
    pub fn resolved(self, default_ttl_days: u32) -> Self {
        let days = self.own_days(default_ttl_days).unwrap_or(default_ttl_days);
        Self { ttl_days: Some(days), ..self }
    }

    /// These settings with a change made at `now` (RFC 3339).
    pub fn change(mut self, change: &ServiceConfigChange, now: &str) -> Result<Self, BadChange> {
        if let Some(service) = change.service.as_ref().filter(|service| **service != self.service) {
            let expected = format!("the service of the path, {:?}", self.service);
            return Err(BadChange { field: "service", expected, got: format!("{service:?}") });
        }
        if let Some(name) = &change.retention_policy {
            self.retention_policy = RetentionPolicy::parse(name).ok_or_else(|| BadChange {
                field: "retention_policy",
                expected: "standard, extended or minimal".into(),
                got: format!("{name:?}"),
            })?;
            self.ttl_days = None;
        }
        if let Some(days) = change.ttl_days {
            let own = u32::try_from(days).ok().filter(|days| (1..=MAX_TTL_DAYS).contains(days));
            self.ttl_days = Some(own.ok_or_else(|| BadChange {
                field: "ttl_days",
                expected: format!("a whole number from 1 to {MAX_TTL_DAYS}"),
                got: days.to_string(),
            })?);
        }
        if let Some(alert) = change.alert_on_errors {
            self.alert_on_errors = alert;
        }
        if let Some(limit) = change.max_logs_per_day {
            self.max_logs_per_day = limit
                .map(|n| {
                    // D1 carries numbers as doubles: 2^53 is the largest it keeps exactly.
                    u64::try_from(n).ok().filter(|n| (1..=1 << 53).contains(n)).ok_or_else(|| BadChange {
                        field: "max_logs_per_day",
                        expected: "a whole number from 1, or null for no limit".into(),
                        got: n.to_string(),
                    })
                })
                .transpose()?;
        }
        self.created_at.get_or_insert_with(|| now.to_owned());
        self.updated_at = Some(now.to_owned());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> Result<ServiceConfig, BadChange> {
        let change = serde_json::from_str(json).unwrap();
        ServiceConfig::default_for("api").change(&change, "2026-01-01T00:00:00Z")
    }

    #[test]
    fn a_policy_sets_the_ttl_and_a_ttl_of_its_own_wins() {
        for (json, days) in [
            ("{}", 30),
            (r#"{"retention_policy":"minimal"}"#, 7),
            (r#"{"retention_policy":"extended"}"#, 90),
            (r#"{"retention_policy":"extended","ttl_days":45}"#, 45),
        ] {
            assert_eq!(change(json).map(|config| config.resolved(30).ttl_days), Ok(Some(days)), "{json}");
        }
        // What follows from the default follows it when it changes.
        let minimal = change(r#"{"retention_policy":"minimal"}"#).unwrap();
        assert_eq!((minimal.own_days(30), minimal.own_days(3)), (Some(7), Some(3)));
        assert_eq!(change("{}").unwrap().own_days(30), None);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (json, field) in [
            (r#"{"ttl_days":0}"#, "ttl_days"),
            (r#"{"ttl_days":-3}"#, "ttl_days"),
            (r#"{"ttl_days":3651}"#, "ttl_days"),
            (r#"{"retention_policy":"forever"}"#, "retention_policy"),
            (r#"{"max_logs_per_day":0}"#, "max_logs_per_day"),
            (r#"{"service":"web"}"#, "service"),
        ] {
            assert_eq!(change(json).map_err(|e| e.field), Err(field), "{json}");
        }
    }

    #[test]
    fn a_limit_is_taken_away_by_null_and_kept_by_silence() {
        let limited = change(r#"{"max_logs_per_day":5}"#).unwrap();
        assert_eq!(limited.max_logs_per_day, Some(5));
        for (json, left) in [("{}", Some(5)), (r#"{"max_logs_per_day":null}"#, None)] {
            let change = serde_json::from_str(json).unwrap();
            let after = limited.clone().change(&change, "2026-01-02T00:00:00Z").unwrap();
            assert_eq!(after.max_logs_per_day, left, "{json}");
            assert_eq!(after.created_at.as_deref(), Some("2026-01-01T00:00:00Z"));
        }
    }
}
