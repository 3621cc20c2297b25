//! The parameters of Loki's API: in the address, or as a form in the body.

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use crate::{
    app::App,
    engine::{
        logql,
        query::{Order, TimeRange},
        record::timestamp::Timestamp,
    },
    http::{body, error::Error, gate::NoAnalytics, params},
};

const MAX_FORM_BYTES: usize = 60_000;

const SECOND_NS: i64 = 1_000_000_000;
const HOUR_NS: i64 = 3_600 * SECOND_NS;

/// Points of a chart for which no step is given.
const USUAL_POINTS: i64 = 250;

/// Lines that are given where no number is, and at the most.
const LIMIT: usize = 100;
pub(super) const MAX_LIMIT: usize = 5_000;

/// A form that was sent as a body.
#[derive(Clone)]
pub(super) struct Form(pub(super) String);

impl Form {
    pub(super) async fn read(headers: &HeaderMap, sent: Body) -> Result<Self, Error> {
        let form = body::read_any(headers, sent, MAX_FORM_BYTES).await?;
        let text = String::from_utf8(form.to_vec());
        text.map(Self).map_err(|_| Error::invalid("invalid_parameter", "body", "expected a form in UTF-8"))
    }
}

pub(in crate::http) struct Params {
    pairs: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// Not where a tenant has switched counts off.
    pub(super) may_count: bool,
    now: Timestamp,
}

impl FromRequestParts<App> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let mut pairs = params::pairs(&parts.uri)?;
        if let Some(Form(text)) = parts.extensions.get() {
            pairs.extend(params::form(text)?);
        }
        let may_count = parts.extensions.get::<NoAnalytics>().is_none();
        Ok(Self { pairs, headers: std::mem::take(&mut parts.headers), may_count, now: app.now() })
    }
}

impl Params {
    /// The first of this name that says something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter(move |(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn query(&self) -> Result<&str, Error> {
        self.get("query")
            .ok_or_else(|| Error::invalid("invalid_parameter", "query", "expected a query, got none"))
    }

    /// From `start` to before `end`: the last hour, or what `since` says.
    pub(super) fn range(&self) -> Result<(i64, i64), Error> {
        let end = self.time("end")?.unwrap_or(self.now.as_ns());
        let since = self.duration("since")?.unwrap_or(HOUR_NS);
        let start = self.time("start")?.unwrap_or_else(|| end.min(self.now.as_ns()).saturating_sub(since));
        if end < start {
            let message = format!("end timestamp must not be before or equal to start time: {end} < {start}");
            return Err(Error::invalid("invalid_parameter", "end", message));
        }
        Ok((start, end))
    }

    /// The same as a range of records.
    pub(super) fn records(&self) -> Result<TimeRange, Error> {
        let (start, end) = self.range()?;
        Ok(records(start, end))
    }

    pub(super) fn at(&self) -> Result<i64, Error> {
        Ok(self.time("time")?.unwrap_or(self.now.as_ns()))
    }

    /// How far apart the points of a chart are.
    pub(super) fn step(&self, start: i64, end: i64) -> Result<i64, Error> {
        let usual = (end - start) / USUAL_POINTS / SECOND_NS * SECOND_NS;
        Ok(self.duration("step")?.unwrap_or_else(|| usual.max(SECOND_NS)))
    }

    pub(super) fn order(&self) -> Result<Order, Error> {
        match self.get("direction").map(str::to_ascii_lowercase).as_deref() {
            None | Some("backward") => Ok(Order::Newest),
            Some("forward") => Ok(Order::Oldest),
            Some(other) => {
                let message = format!("expected forward or backward, got {other:?}");
                Err(Error::invalid("invalid_parameter", "direction", message))
            }
        }
    }

    pub(super) fn limit(&self) -> Result<usize, Error> {
        match self.get("limit").and_then(|text| text.parse::<usize>().ok()) {
            Some(number) if number > MAX_LIMIT => Err(Error::invalid(
                "invalid_parameter",
                "limit",
                format!(
                    "max entries limit per query exceeded, limit > max_entries_limit_per_query ({number} > {MAX_LIMIT})"
                ),
            )),
            _ => self.number("limit", LIMIT, MAX_LIMIT),
        }
    }

    pub(super) fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize, Error> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        match text.parse() {
            Ok(0) => Ok(usual),
            Ok(number) if number <= most => Ok(number),
            _ => {
                let message = format!("expected a number from 0 to {most}, got {text:?}");
                Err(Error::invalid("invalid_parameter", name, message))
            }
        }
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Error> {
        let read = |text| {
            time_ns(text, self.now).filter(|ns| *ns >= 0).ok_or_else(|| {
                let message = format!("expected ns or s since 1970, or RFC 3339, got {text:?}");
                Error::invalid("invalid_parameter", name, message)
            })
        };
        self.get(name).map(read).transpose()
    }

    fn duration(&self, name: &str) -> Result<Option<i64>, Error> {
        let read = |text| {
            duration_ns(text).filter(|ns| *ns > 0).ok_or_else(|| {
                let message =
                    format!("expected a time such as 30s, 1.5h or 15 (in seconds), above zero, got {text:?}");
                Error::invalid("invalid_parameter", name, message)
            })
        };
        self.get(name).map(read).transpose()
    }
}

/// Records from `start` to before `end`.
pub(super) fn records(start: i64, end: i64) -> TimeRange {
    TimeRange { start: Timestamp::from_ns(start), end: Timestamp::from_ns(end.saturating_sub(1)) }
}

/// Whole numbers of up to ten digits are seconds, others ns; with a fraction they are seconds.
fn time_ns(text: &str, now: Timestamp) -> Option<i64> {
    if text == "now" {
        return Some(now.as_ns());
    }
    if let Ok(number) = text.parse::<i64>() {
        return if text.len() <= 10 { number.checked_mul(SECOND_NS) } else { Some(number) };
    }
    seconds(text).or_else(|| Timestamp::parse_text(text).ok().map(Timestamp::as_ns))
}

fn duration_ns(text: &str) -> Option<i64> {
    seconds(text).or_else(|| logql::parse_duration(text))
}

#[expect(clippy::cast_possible_truncation, reason = "held to the range")]
fn seconds(text: &str) -> Option<i64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    let ns = seconds * 1e9;
    (ns < 9.2e18).then_some(ns as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_loki_reads_them() {
        let now = Timestamp::from_ms(5);
        for (text, expected) in [
            ("1700000000", Some(1_700_000_000_000_000_000)),
            ("1700000000.5", Some(1_700_000_000_500_000_000)),
            ("1700000000000000001", Some(1_700_000_000_000_000_001)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000_000_000)),
            ("now", Some(5_000_000)),
            ("yesterday", None),
            ("1e99", None),
        ] {
            assert_eq!(time_ns(text, now), expected, "{text}");
        }
        for (text, expected) in [
            ("15", Some(15 * SECOND_NS)),
            ("0.5", Some(SECOND_NS / 2)),
            ("15000ms", Some(15 * SECOND_NS)),
            ("x", None),
        ] {
            assert_eq!(duration_ns(text), expected, "{text}");
        }
    }
}
