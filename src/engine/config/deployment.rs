//! The deployment's variables.

use crate::engine::limit::Policy;

/// Days that logs are kept at the most; a longer TTL is refused.
pub const MAX_TTL_DAYS: u32 = 3_650;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `LOG_SERVICE_API_KEY`; without it nobody is let in.
    pub api_key: Option<String>,
    /// `DEFAULT_TTL_DAYS`: how long logs of a service without a TTL of its own are kept.
    pub default_ttl_days: u32,
    /// `CLEANUP_BATCH_SIZE`: segments that the expiry handles in one transaction.
    pub cleanup_batch_size: usize,
    /// `SHARDS_PER_TENANT`: a shard takes about 1,000 requests a second.
    pub shards_per_tenant: u32,
    /// `SCANNERS_PER_TENANT`: objects that share the work of a large query; with 0 there are none.
    pub scanners_per_tenant: u32,
    pub rate_limits: RateLimits,
}

/// How often a key, and an address, may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// `RATE_LIMIT_ENABLED`.
    pub enabled: bool,
    /// `RATE_LIMIT_REQUESTS` in each `RATE_LIMIT_WINDOW` seconds.
    pub requests: Policy,
    /// `RATE_LIMIT_BATCHES` in the same window.
    pub batches: Policy,
}

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be a whole number from {min} to {max}, not {got:?}")]
pub struct BadSetting {
    pub name: &'static str,
    pub min: u32,
    pub max: u32,
    pub got: String,
}

impl Settings {
    /// Reads the variables through `get`; one that is not set takes its default.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let number = |name: &'static str, default: u32, min: u32, max: u32| match get(name) {
            None => Ok(default),
            Some(got) => got.trim().parse().ok().filter(|n| (min..=max).contains(n)).ok_or(BadSetting {
                name,
                min,
                max,
                got,
            }),
        };
        let switch = |name: &'static str, default: bool| match get(name) {
            None => Ok(default),
            Some(got) => match got.trim() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(BadSetting { name, min: 0, max: 1, got }),
            },
        };
        let window_ms = u64::from(number("RATE_LIMIT_WINDOW", 60, 1, 86_400)?) * 1_000;
        let policy = |name, default| {
            Ok::<_, BadSetting>(Policy { limit: number(name, default, 1, 10_000_000)?, window_ms })
        };
        Ok(Self {
            api_key: get("LOG_SERVICE_API_KEY")
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty()),
            default_ttl_days: number("DEFAULT_TTL_DAYS", 30, 1, MAX_TTL_DAYS)?,
            cleanup_batch_size: number("CLEANUP_BATCH_SIZE", 100, 1, 1_000)? as usize,
            shards_per_tenant: number("SHARDS_PER_TENANT", 1, 1, 64)?,
            scanners_per_tenant: number("SCANNERS_PER_TENANT", 8, 0, 64)?,
            rate_limits: RateLimits {
                enabled: switch("RATE_LIMIT_ENABLED", true)?,
                requests: policy("RATE_LIMIT_REQUESTS", 100)?,
                batches: policy("RATE_LIMIT_BATCHES", 20)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_out_of_range_is_refused_by_name() {
        let read = |name: &'static str, value: &'static str| {
            Settings::read(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(read("DEFAULT_TTL_DAYS", "7").map(|s| s.default_ttl_days), Ok(7));
        assert_eq!(read("SHARDS_PER_TENANT", " 4 ").map(|s| s.shards_per_tenant), Ok(4));
        assert_eq!(read("SCANNERS_PER_TENANT", "0").map(|s| s.scanners_per_tenant), Ok(0));
        assert_eq!(read("SCANNERS_PER_TENANT", "65").map_err(|e| e.name), Err("SCANNERS_PER_TENANT"));
        let limits = |name, value| read(name, value).map(|s| s.rate_limits);
        let requests = Policy { limit: 100, window_ms: 60_000 };
        let default = RateLimits { enabled: true, requests, batches: Policy { limit: 20, ..requests } };
        assert_eq!(limits("OTHER", ""), Ok(default));
        let hour = |policy| Policy { window_ms: 3_600_000, ..policy };
        let hourly = RateLimits { requests: hour(requests), batches: hour(default.batches), ..default };
        assert_eq!(limits("RATE_LIMIT_WINDOW", "3600"), Ok(hourly));
        let requests = Policy { limit: 7, ..requests };
        assert_eq!(limits("RATE_LIMIT_REQUESTS", "7"), Ok(RateLimits { requests, ..default }));
        assert_eq!(limits("RATE_LIMIT_ENABLED", "false"), Ok(RateLimits { enabled: false, ..default }));
        for name in ["RATE_LIMIT_ENABLED", "RATE_LIMIT_REQUESTS", "RATE_LIMIT_WINDOW", "RATE_LIMIT_BATCHES"] {
            assert_eq!(limits(name, "-1").map_err(|e| e.name), Err(name));
        }
        assert_eq!(read("LOG_SERVICE_API_KEY", "").map(|s| s.api_key), Ok(None));
        for bad in ["0", "-1", "x", "", "9999999"] {
            assert_eq!(read("DEFAULT_TTL_DAYS", bad).map_err(|e| e.name), Err("DEFAULT_TTL_DAYS"));
        }
    }
}
