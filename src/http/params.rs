//! Query parameters: every spelling of the services that this one replaces, and no others. An unknown
//! name is an error, because a misspelt filter would silently show too much.

use axum::http::Uri;

use super::error::Error;
use crate::{
    app::search::{MAX_LIMIT, MAX_OFFSET, Search},
    engine::{
        query::{Filter, Position, TimeRange},
        record::{model::Level, timestamp::Timestamp},
    },
};

const DEFAULT_LIMIT: usize = 100;

/// What a listing takes, by the first name of each.
const LISTING: [&str; 9] =
    ["service", "level", "start_time", "end_time", "q", "limit", "cursor", "offset", "page and page_size"];

/// What the caller asked to be shown.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) search: Search,
    /// The page's number and size, when it was asked for by number.
    pub(super) page: Option<(usize, usize)>,
}

/// Reads the parameters of a listing.
pub(super) fn listing(uri: &Uri, now: Timestamp) -> Result<Listing, Error> {
    let mut filter = Filter::all();
    let (mut limit, mut offset, mut page, mut page_size, mut after) = (None, None, None, None, None);
    for (name, value) in pairs(uri)? {
        // No text and no cursor yet: the first page of everything.
        if value.is_empty() && matches!(name.as_str(), "q" | "query" | "search" | "cursor") {
            continue;
        }
        // A variable of a script that is not set: to take it for no filter would show everything.
        if value.is_empty() {
            let message = format!("`{name}` is empty; leave it out to search without it");
            return Err(Error::invalid("invalid_parameter", &name, message));
        }
        match name.as_str() {
            "service" | "service_name" | "serviceName" => filter.services.extend(words(&value)),
            "level" | "severity" => {
                for word in words(&value) {
                    filter.levels.push(level(&name, &word)?);
                }
            }
            "start_time" | "startTime" | "start" | "from" => filter.time.start = time(&name, &value, now)?,
            "end_time" | "endTime" | "end" | "to" => filter.time.end = time(&name, &value, now)?,
            "q" | "query" | "search" => {
                filter.terms = Filter::parse_terms(&value)
                    .map_err(|error| Error::invalid("invalid_query", &name, error.to_string()))?;
            }
            "limit" => limit = Some(number(&name, &value, 1, MAX_LIMIT)?),
            "offset" => offset = Some(number(&name, &value, 0, MAX_OFFSET)?),
            "page" => page = Some(number(&name, &value, 1, MAX_OFFSET)?),
            "page_size" | "pageSize" => page_size = Some(number(&name, &value, 1, MAX_LIMIT)?),
            "cursor" => {
                let expected = "expected the next_cursor of an earlier answer";
                let read = Position::from_cursor(&value);
                after = Some(read.ok_or_else(|| Error::invalid("invalid_cursor", &name, expected))?);
            }
            _ => return Err(unknown(&name, &LISTING)),
        }
    }
    let TimeRange { start, end } = filter.time;
    if start > end {
        let message = format!("the range ends ({end}) before it begins ({start})");
        return Err(Error::invalid("invalid_time_range", "end_time", message));
    }
    let page = page.or(page_size.map(|_| 1)).map(|page| (page, page_size.or(limit).unwrap_or(DEFAULT_LIMIT)));
    let limit = page.map_or(limit.unwrap_or(DEFAULT_LIMIT), |(_, size)| size);
    let skipped = page.map_or(offset.unwrap_or(0), |(page, size)| (page - 1).saturating_mul(size));
    if skipped > MAX_OFFSET {
        let message = format!("pages by number end {MAX_OFFSET} rows in; go on with `cursor`");
        return Err(Error::invalid("invalid_parameter", "page", message));
    }
    Ok(Listing { search: Search { filter, limit, offset: skipped, after }, page })
}

/// Refuses parameters where none are known.
pub(super) fn none(uri: &Uri) -> Result<(), Error> {
    pairs(uri)?.first().map_or(Ok(()), |(name, _)| Err(unknown(name, &[])))
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Error> {
    let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    read.map(|query| query.0).map_err(|_| {
        Error::invalid("invalid_parameter", "query string", "the query string is not URL-encoded")
    })
}

fn unknown(name: &str, known: &[&str]) -> Error {
    let there_are = match known {
        [] => "it takes none".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    let message = format!("this path knows no parameter {name:?}; {there_are}");
    Error::invalid("unknown_parameter", name, message)
}

/// Several values are separated by commas.
fn words(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned)
}

fn level(name: &str, word: &str) -> Result<Level, Error> {
    let expected = "expected DEBUG, INFO, WARN, ERROR or CRITICAL";
    Level::parse(word)
        .ok_or_else(|| Error::invalid("invalid_level", name, format!("{expected}, got {word:?}")))
}

fn time(name: &str, value: &str, now: Timestamp) -> Result<Timestamp, Error> {
    if let Some(ago) = ago_ms(value) {
        return Ok(Timestamp::from_ms(now.as_ms().saturating_sub(ago)));
    }
    // A `+` in a URL is a space, and clients forget to encode the one of an offset.
    let value = if value.len() > 6 {
        value.replace(' ', "+").replacen('+', " ", usize::from(date_then_space(value)))
    } else {
        value.to_owned()
    };
    Timestamp::parse_text(&value)
        .map_err(|error| Error::invalid("invalid_timestamp", name, error.to_string()))
}

/// `15m` or `-15m`: so long ago, in s, m, h or d.
fn ago_ms(value: &str) -> Option<i64> {
    let value = value.strip_prefix('-').unwrap_or(value);
    let (at, unit) = value.char_indices().next_back()?;
    let ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    value.get(..at)?.parse::<i64>().ok().filter(|n| *n >= 0)?.checked_mul(ms)
}

/// Whether the first space stands between a date and a time of day.
fn date_then_space(value: &str) -> bool {
    value.find(' ') == Some("2026-01-01".len())
}

fn number(name: &str, value: &str, min: usize, max: usize) -> Result<usize, Error> {
    value.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| {
        let message = format!("expected a whole number from {min} to {max}, got {value:?}");
        Error::invalid("invalid_parameter", name, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Listing, Error> {
        listing(&format!("/logs?{query}").parse().unwrap(), Timestamp::from_ms(1_767_225_600_000))
    }

    #[test]
    fn every_spelling_is_understood() {
        let a =
            read("service_name=api&severity=warning,ERR&startTime=1763682436&endTime=2026-01-01T00:00:00Z")
                .unwrap();
        let b = read("service=api&level=WARN&level=ERROR&start_time=1763682436000&end=1767225600").unwrap();
        assert_eq!(a.search.filter, b.search.filter);
        assert_eq!(a.search.limit, 100);
    }

    #[test]
    fn an_offset_survives_a_plus_that_was_not_encoded() {
        for query in [
            "from=2026-01-01T02:00:00+02:00",
            "from=2026-01-01T02:00:00%2B02:00",
            "from=2026-01-01%2002:00:00+02:00",
            "from=2026-01-01+00:00:00Z",
            "from=2026-01-01T00:00:00",
        ] {
            let start = read(query).unwrap().search.filter.time.start;
            assert_eq!(start.to_string(), "2026-01-01T00:00:00Z", "{query}");
        }
    }

    #[test]
    fn a_time_may_be_so_long_ago() {
        for (query, start) in [
            ("start_time=15m", "2025-12-31T23:45:00Z"),
            ("start_time=-15m", "2025-12-31T23:45:00Z"),
            ("from=90s", "2025-12-31T23:58:30Z"),
            ("from=2h&to=1h", "2025-12-31T22:00:00Z"),
            ("from=1d", "2025-12-31T00:00:00Z"),
        ] {
            assert_eq!(read(query).unwrap().search.filter.time.start.to_string(), start, "{query}");
        }
        for query in ["from=m", "from=1w", "from=--1m", "from=9999999999999999999d", "from=1.5h"] {
            assert!(read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_page_by_number_is_an_offset() {
        let listing = read("page=3&page_size=20").unwrap();
        assert_eq!((listing.search.offset, listing.search.limit, listing.page), (40, 20, Some((3, 20))));
    }

    #[test]
    fn a_wrong_parameter_is_refused_by_name() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("offset=-1", "offset"),
            ("page=0", "page"),
            ("page=200&page_size=100", "page"),
            ("level=LOUD", "level"),
            ("start_time=yesterday", "start_time"),
            ("start=20&end=10", "end_time"),
            ("cursor=abc", "cursor"),
            ("q=%22open", "q"),
            ("servce=api", "servce"),
            ("service=&level=ERROR", "service"),
            ("q=&cursor=&start_time=", "start_time"),
        ] {
            let error = format!("{:?}", read(query).unwrap_err());
            assert!(error.contains(&format!("field: Some({field:?})")), "{query}: {error}");
        }
    }
}
