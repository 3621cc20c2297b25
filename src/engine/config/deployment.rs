//! The deployment's variables.

use crate::engine::{
    auth::jwt::{MIN_SECRET_BYTES, Rules, Secret},
    limit::Policy,
};

/// Days that logs are kept at the most; a longer TTL is refused.
pub const MAX_TTL_DAYS: u32 = 3_650;

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `LOG_SERVICE_API_KEY`; without it nobody is let in by a key.
    pub api_key: Option<String>,
    /// `API_KEY_HEADER`: the header, beside `Authorization`, that carries a key; in lower case.
    pub api_key_header: String,
    /// `JWT_…`: which tokens are taken; `None` when there is neither `JWT_SECRET` nor `JWT_JWKS_URL`.
    pub jwt: Option<Rules>,
    /// `DEFAULT_TTL_DAYS`: how long logs of the standard class are kept, where neither tenant nor service says so.
    pub default_ttl_days: u32,
    /// `CLEANUP_BATCH_SIZE`: segments that the expiry handles in one transaction.
    pub cleanup_batch_size: usize,
    /// `SHARDS_PER_TENANT`: a shard takes about 1,000 requests a second.
    pub shards_per_tenant: u32,
    /// `SCANNERS_PER_TENANT`: objects that share the work of a large query; with 0 there are none.
    pub scanners_per_tenant: u32,
    /// `MAX_SUBREQUESTS`: what the plan lets one request ask of the platform's services.
    pub max_subrequests: u32,
    pub rate_limits: RateLimits,
    /// `AI_TIMEOUT` in seconds: how long a language model is waited for.
    pub ai_timeout_ms: u64,
    /// `ANOMALY_FALSE_ALARMS_PER_DAY`: how many anomalies of a tenant may be chance.
    pub false_alarms_per_day: f64,
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
#[error("{name} must be {expected}, not {got}")]
pub struct BadSetting {
    pub name: &'static str,
    pub expected: String,
    /// The value, or what may be told of it.
    pub got: String,
}

impl Settings {
    /// Reads the variables through `get`; one that is not set takes its default.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let number = |name: &'static str, default: u32, min: u32, max: u32| match get(name) {
            None => Ok(default),
            Some(got) => got.trim().parse().ok().filter(|n| (min..=max).contains(n)).ok_or(BadSetting {
                name,
                expected: format!("a whole number from {min} to {max}"),
                got: format!("{got:?}"),
            }),
        };
        let switch = |name: &'static str, default: bool| match get(name) {
            None => Ok(default),
            Some(got) => match got.trim() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(BadSetting { name, expected: "true or false".to_owned(), got: format!("{got:?}") }),
            },
        };
        let share = |name: &'static str, default: f64, max: f64| match get(name) {
            None => Ok(default),
            Some(got) => got.trim().parse().ok().filter(|n| (0.0..=max).contains(n)).ok_or(BadSetting {
                name,
                expected: format!("a number from 0 to {max}"),
                got: format!("{got:?}"),
            }),
        };
        let window_ms = u64::from(number("RATE_LIMIT_WINDOW", 60, 1, 86_400)?) * 1_000;
        let policy = |name, default| {
            Ok::<_, BadSetting>(Policy { limit: number(name, default, 1, 10_000_000)?, window_ms })
        };
        Ok(Self {
            api_key: text(&get, "LOG_SERVICE_API_KEY"),
            api_key_header: text(&get, "API_KEY_HEADER")
                .map_or_else(|| "x-api-key".to_owned(), |name| name.to_ascii_lowercase()),
            jwt: rules(&get)?,
            default_ttl_days: number("DEFAULT_TTL_DAYS", 365, 1, MAX_TTL_DAYS)?,
            cleanup_batch_size: number("CLEANUP_BATCH_SIZE", 100, 1, 1_000)? as usize,
            shards_per_tenant: number("SHARDS_PER_TENANT", 1, 1, 64)?,
            scanners_per_tenant: number("SCANNERS_PER_TENANT", 8, 0, 64)?,
            max_subrequests: number("MAX_SUBREQUESTS", 1_000, 10, 10_000_000)?,
            rate_limits: RateLimits {
                enabled: switch("RATE_LIMIT_ENABLED", true)?,
                requests: policy("RATE_LIMIT_REQUESTS", 100)?,
                batches: policy("RATE_LIMIT_BATCHES", 20)?,
            },
            ai_timeout_ms: u64::from(number("AI_TIMEOUT", 30, 1, 120)?) * 1_000,
            false_alarms_per_day: share("ANOMALY_FALSE_ALARMS_PER_DAY", 1.0, 100.0)?,
        })
    }
}

/// Nothing but blanks is as good as not set.
fn text(get: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn rules(get: impl Fn(&str) -> Option<String>) -> Result<Option<Rules>, BadSetting> {
    let text = |name| text(&get, name);
    let secret = text("JWT_SECRET").map(|secret| {
        Secret::new(&secret).ok_or_else(|| BadSetting {
            name: "JWT_SECRET",
            expected: format!("a secret of {MIN_SECRET_BYTES} bytes at least"),
            got: format!("one of {}", secret.len()),
        })
    });
    let jwks_url = text("JWT_JWKS_URL").map(|url| {
        if is_safe_url(&url) {
            return Ok(url);
        }
        let expected = "an https URL (http only of localhost or 127.0.0.1)".to_owned();
        Err(BadSetting { name: "JWT_JWKS_URL", expected, got: format!("{url:?}") })
    });
    let (secret, jwks_url) = (secret.transpose()?, jwks_url.transpose()?);
    if secret.is_none() && jwks_url.is_none() {
        return Ok(None);
    }
    let default = Rules::default();
    Ok(Some(Rules {
        secret,
        jwks_url,
        issuer: text("JWT_ISSUER"),
        audience: text("JWT_AUDIENCE"),
        tenant_claim: text("JWT_TENANT_CLAIM").unwrap_or(default.tenant_claim),
        role_claim: text("JWT_ROLE_CLAIM").unwrap_or(default.role_claim),
        services_claim: text("JWT_SERVICES_CLAIM").unwrap_or(default.services_claim),
    }))
}

/// Whether nobody on the way can change what comes from this URL: keys that somebody else has put there would let
/// him in. On the machine itself there is no way.
fn is_safe_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let is_graphic = url.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let is_url = is_graphic && !host.is_empty() && host.bytes().all(is_name) && port.parse::<u16>().is_ok();
    is_url && (scheme == "https" || scheme == "http" && matches!(host, "localhost" | "127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        let value =
            |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned());
        Settings::read(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_out_of_range_is_refused_by_name() {
        let read = |name: &'static str, value: &'static str| {
            Settings::read(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(read("DEFAULT_TTL_DAYS", "7").map(|s| s.default_ttl_days), Ok(7));
        assert_eq!(read("SHARDS_PER_TENANT", " 4 ").map(|s| s.shards_per_tenant), Ok(4));
        assert_eq!(read("AI_TIMEOUT", "5").map(|s| s.ai_timeout_ms), Ok(5_000));
        let alarms = |value| read("ANOMALY_FALSE_ALARMS_PER_DAY", value).map(|s| s.false_alarms_per_day);
        assert_eq!((alarms("0"), alarms("0.5")), (Ok(0.0), Ok(0.5)));
        assert!(["-1", "NaN", "many", "101"].into_iter().all(|value| alarms(value).is_err()));
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
        let error = read("DEFAULT_TTL_DAYS", "0").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("DEFAULT_TTL_DAYS must be a whole number from 1 to 3650, not \"0\"".to_owned())
        );
    }

    #[test]
    fn tokens_are_taken_where_there_is_something_to_check_them_with() {
        let secret = "0123456789abcdef0123456789abcdef";
        assert_eq!(read(&[]).unwrap().jwt, None);
        assert_eq!(
            read(&[("JWT_ISSUER", "i"), ("JWT_SECRET", " "), ("JWT_JWKS_URL", "")]).unwrap().jwt,
            None
        );
        let plain = Rules { secret: Secret::new(secret), ..Rules::default() };
        // What a terminal puts behind a secret is not of it.
        let spaced = format!("{secret}\n");
        assert_eq!(read(&[("JWT_SECRET", &spaced)]).unwrap().jwt, Some(plain));
        let all = read(&[
            ("JWT_SECRET", secret),
            ("JWT_JWKS_URL", "https://a.example/jwks.json"),
            ("JWT_ISSUER", "issuer"),
            ("JWT_AUDIENCE", "logs"),
            ("JWT_TENANT_CLAIM", "https://a.example/tenant"),
            ("JWT_ROLE_CLAIM", "access.role"),
            ("JWT_SERVICES_CLAIM", "s"),
        ]);
        let expected = Rules {
            secret: Secret::new(secret),
            jwks_url: Some("https://a.example/jwks.json".to_owned()),
            issuer: Some("issuer".to_owned()),
            audience: Some("logs".to_owned()),
            tenant_claim: "https://a.example/tenant".to_owned(),
            role_claim: "access.role".to_owned(),
            services_claim: "s".to_owned(),
        };
        assert_eq!(all.unwrap().jwt, Some(expected));
    }

    #[test]
    fn a_secret_is_long_enough_and_never_shown() {
        let short = "0123456789abcdef0123456789abcde";
        assert_eq!(
            read(&[("JWT_SECRET", short)]),
            Err("JWT_SECRET must be a secret of 32 bytes at least, not one of 31".to_owned())
        );
        let long = format!("{short}f");
        let settings = read(&[("JWT_SECRET", &long)]).unwrap();
        assert!(!format!("{settings:?}").contains(short));
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        let check = |url: &str, good: bool| {
            assert_eq!(read(&[("JWT_JWKS_URL", url)]).is_ok(), good, "{url}");
        };
        check("https://a.example/.well-known/jwks.json", true);
        check("https://a.example:8443?x=1", true);
        check("http://localhost:8080/jwks", true);
        check("http://127.0.0.1/jwks", true);
        check("http://a.example/jwks", false);
        check("http://localhost.a.example/", false);
        check("http://127.0.0.1.a.example/", false);
        // A name in front of the host, and other ways to write one host and mean another.
        check("http://localhost@a.example/", false);
        check("http://localhost:80@a.example/", false);
        check("http://localhost\\@a.example/", false);
        check("https://", false);
        check("https:///jwks", false);
        check("https://a.example:x/", false);
        check("https://a.example/a b", false);
        check("HTTPS//a.example", false);
        check("ftp://localhost/jwks", false);
        check("jwks.json", false);
        let error = read(&[("JWT_JWKS_URL", "http://a.example/")]).unwrap_err();
        assert_eq!(
            error,
            "JWT_JWKS_URL must be an https URL (http only of localhost or 127.0.0.1), not \"http://a.example/\""
        );
    }
}
