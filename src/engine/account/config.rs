//! A tenant's own settings, as they are sent, kept and shown.

use serde::{Deserialize, Serialize};

use super::Refused;
use crate::engine::config::deployment::MAX_TTL_DAYS;

/// D1 and JSON carry numbers as doubles: the largest that they keep exactly.
const MAX_NUMBER: u64 = 1 << 53;
const MAX_ORIGINS: usize = 50;

/// Requests that a key may make, and its batch requests, in any stretch of time as long as the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    pub requests: u32,
    #[serde(default = "a_minute")]
    pub window_seconds: u32,
    /// The deployment's, when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<u32>,
}

fn a_minute() -> u32 {
    60
}

/// Version 1 of a tenant's settings. What is absent is as the deployment has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TenantConfig {
    /// Days that logs of services without a TTL of their own are kept.
    pub retention_days: Option<u32>,
    /// Of all services together.
    pub max_logs_per_day: Option<u64>,
    /// Whether counts, histograms and facets are answered.
    pub enable_analytics: bool,
    /// Origins whose pages may call the service from a browser.
    pub allowed_origins: Vec<String>,
    /// For each key that has none of its own.
    pub rate_limit: Option<RateLimit>,
}

impl Default for TenantConfig {
    fn default() -> Self {
        Self {
            retention_days: None,
            max_logs_per_day: None,
            enable_analytics: true,
            allowed_origins: Vec::new(),
            rate_limit: None,
        }
    }
}

impl TenantConfig {
    /// These settings with those that `change` names; one that is `null` is as the deployment has it again.
    pub fn changed(&self, change: &serde_json::Map<String, serde_json::Value>) -> Result<Self, Refused> {
        let broken = |error: serde_json::Error| Refused::new("config", error.to_string());
        let serde_json::Value::Object(mut fields) = serde_json::to_value(self).map_err(broken)? else {
            return Ok(self.clone());
        };
        for (name, value) in change {
            if !fields.contains_key(name) {
                let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                return Err(Refused::new(
                    format!("config.{name}"),
                    format!("there is no such setting; there are {}", known.join(", ")),
                ));
            }
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
            // Each by itself, so that the error names it.
            let one = serde_json::Map::from_iter([(name.clone(), value.clone())]);
            if !value.is_null() {
                serde_json::from_value::<Self>(one.into())
                    .map_err(|error| Refused::new(format!("config.{name}"), error.to_string()))?;
            }
        }
        let changed: Self = serde_json::from_value(fields.into()).map_err(broken)?;
        changed.check()?;
        Ok(changed)
    }

    fn check(&self) -> Result<(), Refused> {
        let refused = |field: &str, message: String| Err(Refused::new(format!("config.{field}"), message));
        if let Some(days) = self.retention_days.filter(|days| !(1..=MAX_TTL_DAYS).contains(days)) {
            let message = format!("expected a whole number from 1 to {MAX_TTL_DAYS}, got {days}");
            return refused("retentionDays", message);
        }
        if let Some(logs) = self.max_logs_per_day.filter(|logs| !(1..=MAX_NUMBER).contains(logs)) {
            return refused("maxLogsPerDay", format!("expected a whole number from 1, got {logs}"));
        }
        if self.allowed_origins.len() > MAX_ORIGINS {
            return refused("allowedOrigins", format!("expected at most {MAX_ORIGINS} origins"));
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let message = format!("expected origins as https://app.example.com, got {origin:?}");
            return refused("allowedOrigins", message);
        }
        self.rate_limit.map_or(Ok(()), |limit| limit.check("config.rateLimit"))
    }
}

impl RateLimit {
    /// Whether it lets no more through, in any time, than another one.
    fn rate_is_within(self, other: Self) -> bool {
        let (own, others) = (u64::from(self.requests), u64::from(other.requests));
        own <= others && own * u64::from(other.window_seconds) <= others * u64::from(self.window_seconds)
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        let most = other.batches.unwrap_or(other.requests);
        self.rate_is_within(other) && self.batches.is_none_or(|batches| batches <= most)
    }

    pub fn check(&self, field: &str) -> Result<(), Refused> {
        let check = |name: &str, value: u32, max: u32| {
            let message = format!("expected a whole number from 1 to {max}, got {value}");
            if (1..=max).contains(&value) {
                Ok(())
            } else {
                Err(Refused::new(format!("{field}.{name}"), message))
            }
        };
        check("requests", self.requests, 1_000_000_000)?;
        check("windowSeconds", self.window_seconds, 86_400)?;
        self.batches.map_or(Ok(()), |batches| check("batches", batches, 1_000_000_000))
    }
}

/// A scheme and a host, and nothing behind them.
fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c);
    host.is_some_and(|host| !host.is_empty() && host.len() <= 255 && host.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(value: &Value) -> Result<TenantConfig, String> {
        TenantConfig::default().changed(value.as_object().unwrap()).map_err(|refused| refused.field)
    }

    #[test]
    fn settings_are_changed_by_name_and_reset_by_null() {
        let config = change(&json!({"retentionDays": 7, "enableAnalytics": false})).unwrap();
        assert_eq!((config.retention_days, config.enable_analytics), (Some(7), false));
        let reset = config.changed(json!({"retentionDays": null}).as_object().unwrap()).unwrap();
        assert_eq!((reset.retention_days, reset.enable_analytics), (None, false));
        let limit = change(&json!({"rateLimit": {"requests": 10}})).unwrap().rate_limit.unwrap();
        assert_eq!((limit.requests, limit.window_seconds, limit.batches), (10, 60, None));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (value, field) in [
            (json!({"retention": 7}), "config.retention"),
            (json!({"retentionDays": 0}), "config.retentionDays"),
            (json!({"retentionDays": "7"}), "config.retentionDays"),
            (json!({"retentionDays": 3651}), "config.retentionDays"),
            (json!({"maxLogsPerDay": -1}), "config.maxLogsPerDay"),
            (json!({"maxLogsPerDay": 0}), "config.maxLogsPerDay"),
            (json!({"enableAnalytics": 1}), "config.enableAnalytics"),
            (json!({"allowedOrigins": ["*"]}), "config.allowedOrigins"),
            (json!({"allowedOrigins": ["https://a.example/path"]}), "config.allowedOrigins"),
            (json!({"rateLimit": {"requests": 0}}), "config.rateLimit.requests"),
            (json!({"rateLimit": {"requests": 1, "per": 2}}), "config.rateLimit"),
            (json!({"rateLimit": {"requests": 1, "windowSeconds": 0}}), "config.rateLimit.windowSeconds"),
        ] {
            assert_eq!(change(&value), Err(field.to_owned()), "{value}");
        }
    }
}
