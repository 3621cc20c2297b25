//! How long a log is kept: retention classes, and what of a segment has expired.

mod class;

pub use class::{Class, Days, Place, Retention, kept_days};

use crate::engine::{block::Summary, record::timestamp::Timestamp};

pub const DAY_MS: i64 = 86_400_000;

/// Audit records are kept for twelve months at least, whatever a TTL says; a month more than that.
pub const AUDIT_TTL_DAYS: u32 = 396;

/// The least that audit records are kept.
pub const AUDIT_MIN_DAYS: u32 = 365;

/// The class that segments of a service with this TTL are kept in.
pub fn class_of(ttl_days: u32) -> String {
    format!("d{ttl_days}")
}

/// Whether a log of this time is past its TTL.
pub fn is_expired(time: Timestamp, ttl_days: u32, now: Timestamp) -> bool {
    time.as_ms() + i64::from(ttl_days) * DAY_MS < now.as_ms()
}

/// Whether the addresses in a row of this time, and in all before it, are to be those of networks.
pub fn is_anonymous(time: Timestamp, after_days: u32, now: Timestamp) -> bool {
    is_expired(time, after_days, now)
}

/// What an expiry run does with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    /// Some rows are past their service's TTL, others are not: write it anew without them.
    Rewrite,
    Delete,
}

/// Judges a segment by its summary. `ttl_days` gives each service's TTL as it is now: a TTL that was
/// shortened takes effect on what is stored already.
pub fn judge(services: &Summary, now: Timestamp, ttl_days: impl Fn(&str) -> u32) -> Verdict {
    let verdicts = services.iter().map(|(service, summary)| {
        let ttl = ttl_days(service);
        (is_expired(summary.first, ttl, now), is_expired(summary.last, ttl, now))
    });
    let (any_first, all_last) =
        verdicts.fold((false, true), |(any, all), (first, last)| (any || first, all && last));
    match (all_last, any_first) {
        (true, _) => Verdict::Delete,
        (false, true) => Verdict::Rewrite,
        (false, false) => Verdict::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{block::summary, record::model::Level};

    #[test]
    fn a_segment_goes_when_its_last_row_has_expired() {
        let at = |day: i64| Timestamp::from_ms(day * DAY_MS);
        let check = |rows: &[(&str, i64)], today: i64, expected| {
            let mut services = Summary::new();
            for (service, day) in rows {
                summary::count(&mut services, service, Level::Info, at(*day), 1, 1);
            }
            let ttl = |service: &str| if service == "brief" { 1 } else { 30 };
            assert_eq!(judge(&services, at(today), ttl), expected, "{rows:?} on day {today}");
        };
        check(&[("brief", 10)], 11, Verdict::Keep);
        check(&[("brief", 10)], 12, Verdict::Delete);
        check(&[("brief", 10), ("long", 10)], 12, Verdict::Rewrite);
        check(&[("brief", 10), ("long", 10)], 41, Verdict::Delete);
        check(&[("long", 10), ("long", 20)], 45, Verdict::Rewrite);
        check(&[("long", 10), ("long", 20)], 40, Verdict::Keep);
        check(&[], 40, Verdict::Delete);
    }
}
