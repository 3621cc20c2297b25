//! Query parameters: every spelling of the services that this one replaces, and no others. An unknown
//! name is an error, because a misspelt filter would silently show too much.

use std::collections::BTreeMap;

use axum::http::Uri;

use super::error::Error;
use crate::{
    app::search::{MAX_LIMIT, MAX_OFFSET, Search, Sort},
    engine::{
        query::{Cursor, Expr, Filter, Order, TimeRange, parse},
        record::{model::Level, stored_name, timestamp::Timestamp},
    },
};

const DEFAULT_LIMIT: usize = 100;

/// Fields that can be filtered by their whole values, each under every spelling that producers may use.
pub(super) const FIELDS: [&str; 18] = [
    "service",
    "level",
    "environment",
    "component",
    "endpoint",
    "method",
    "category",
    "source_type",
    "correlation_id",
    "trace_id",
    "span_id",
    "user_id",
    "error_type",
    "logger",
    "thread",
    "status",
    "host",
    "tags",
];

const START: [&str; 4] = ["start_time", "startTime", "start", "from"];
const END: [&str; 4] = ["end_time", "endTime", "end", "to"];
const QUERY: [&str; 3] = ["q", "query", "search"];

/// What the caller asked to be shown.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) search: Search,
    /// The page's number and size, when it was asked for by number.
    pub(super) page: Option<(usize, usize)>,
}

/// The parameters of a request, until somebody has taken them.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    now: Timestamp,
    /// What can be taken, for those who ask for something else.
    known: Vec<&'static str>,
}

impl Params {
    pub(super) fn read(uri: &Uri, now: Timestamp) -> Result<Self, Error> {
        let mut pairs = pairs(uri)?;
        // No text and no cursor yet: the first page of everything.
        pairs.retain(|(name, value)| {
            !value.is_empty() || !(QUERY.contains(&name.as_str()) || name == "cursor")
        });
        // A variable of a script that is not set: to take it for no filter would show everything.
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.is_empty()) {
            let message = format!("`{name}` is empty; leave it out to search without it");
            return Err(Error::invalid("invalid_parameter", name, message));
        }
        Ok(Self { pairs, now, known: Vec::new() })
    }

    /// Takes the parameter that has one of these names, with the name it came under.
    pub(super) fn take(&mut self, names: &[&'static str]) -> Result<Option<(String, String)>, Error> {
        self.known.extend(names.first());
        let mut found = None;
        while let Some(at) = self.pairs.iter().position(|(name, _)| names.contains(&name.as_str())) {
            let pair = self.pairs.swap_remove(at);
            if found.replace(pair).is_some() {
                let name = names.first().copied().unwrap_or_default();
                return Err(Error::invalid(
                    "invalid_parameter",
                    name,
                    format!("`{name}` is given more than once"),
                ));
            }
        }
        Ok(found)
    }

    pub(super) fn take_number(
        &mut self,
        names: &[&'static str],
        min: usize,
        max: usize,
    ) -> Result<Option<usize>, Error> {
        let Some((name, value)) = self.take(names)? else { return Ok(None) };
        let read = value.parse().ok().filter(|n| (min..=max).contains(n));
        let message = || format!("expected a whole number from {min} to {max}, got {value:?}");
        read.map(Some).ok_or_else(|| Error::invalid("invalid_parameter", &name, message()))
    }

    pub(super) fn take_switch(&mut self, name: &'static str) -> Result<Option<bool>, Error> {
        self.take(&[name])?.map(|(_, value)| switch(name, &value)).transpose()
    }

    /// Takes all that says which rows are wanted.
    pub(super) fn take_filter(&mut self) -> Result<Filter, Error> {
        let mut asked = Asked::default();
        let pairs = std::mem::take(&mut self.pairs);
        for (name, value) in pairs {
            match field_of(&name) {
                Some(field) => {
                    for word in words(&value) {
                        asked.add(field, &name, &word)?;
                    }
                }
                None => self.pairs.push((name, value)),
            }
        }
        self.known.extend(FIELDS);
        asked.time = self.take_range()?;
        if let Some((name, value)) = self.take(&QUERY)? {
            asked.query(&name, &value)?;
        }
        asked.filter("end_time")
    }

    /// Takes when a range begins and ends; all times where nothing is said.
    pub(super) fn take_range(&mut self) -> Result<TimeRange, Error> {
        let mut range = TimeRange::ALL;
        for (names, of_range) in [(START, 0), (END, 1)] {
            if let Some((name, value)) = self.take(&names)? {
                let time = time(&name, &value, self.now)?;
                if of_range == 0 { range.start = time } else { range.end = time }
            }
        }
        Ok(range)
    }

    /// Refuses what nobody has taken.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name, &self.known)),
        }
    }
}

/// What is asked for, however it is said: every way leads to one expression.
pub(super) struct Asked {
    fields: BTreeMap<&'static str, Vec<String>>,
    expr: Expr,
    pub(super) time: TimeRange,
}

impl Default for Asked {
    fn default() -> Self {
        Self { fields: BTreeMap::new(), expr: Expr::All, time: TimeRange::ALL }
    }
}

impl Asked {
    /// One of the values that a field may have. `name` is what the caller calls it.
    pub(super) fn add(&mut self, field: &'static str, name: &str, value: &str) -> Result<(), Error> {
        let value = match field {
            "level" => {
                let level = Level::parse(value).ok_or_else(|| {
                    let expected = "expected DEBUG, INFO, WARN, ERROR or CRITICAL";
                    Error::invalid("invalid_level", name, format!("{expected}, got {value:?}"))
                })?;
                level.as_str().to_owned()
            }
            "source_type" if !["http", "tail"].contains(&value) => {
                let message = format!("expected http or tail, got {value:?}");
                return Err(Error::invalid("invalid_parameter", name, message));
            }
            _ => value.to_owned(),
        };
        self.fields.entry(field).or_default().push(value);
        Ok(())
    }

    pub(super) fn query(&mut self, name: &str, text: &str) -> Result<(), Error> {
        self.expr = parse(text)
            .map_err(|error| Error::invalid("invalid_query", name, error.to_string()).at(error.at))?;
        Ok(())
    }

    /// `end` is what the caller calls the end of the range.
    pub(super) fn filter(self, end: &str) -> Result<Filter, Error> {
        let TimeRange { start, end: until } = self.time;
        if start > until {
            let message = format!("the range ends ({until}) before it begins ({start})");
            return Err(Error::invalid("invalid_time_range", end, message));
        }
        let fields = self.fields.iter();
        let mut exprs: Vec<Expr> =
            fields.map(|(field, values)| Filter::exactly(field, values.iter().map(String::as_str))).collect();
        exprs.push(self.expr);
        Ok(Filter { time: self.time, expr: Expr::and(exprs) })
    }
}

/// The field of `FIELDS` that a name leads to.
pub(super) fn field_of(name: &str) -> Option<&'static str> {
    let stored = if name == "source_type" { Some("source_type") } else { stored_name(name) };
    FIELDS.into_iter().find(|field| Some(*field) == stored)
}

/// What a sorting is called.
pub(super) fn sort(name: &str, text: &str) -> Result<Sort, Error> {
    match text {
        "timestamp:desc" | "newest" => Ok(Sort::By(Order::Newest)),
        "timestamp:asc" | "oldest" => Ok(Sort::By(Order::Oldest)),
        "relevance" => Ok(Sort::Relevance),
        _ => {
            let expected = "expected timestamp:desc, timestamp:asc or relevance";
            Err(Error::invalid("invalid_parameter", name, format!("{expected}, got {text:?}")))
        }
    }
}

/// How a list is cut into pages.
#[derive(Default)]
pub(super) struct Paging {
    pub(super) sort: Option<Sort>,
    pub(super) cursor: Option<(String, String)>,
    pub(super) limit: Option<usize>,
    pub(super) offset: Option<usize>,
    pub(super) page: Option<usize>,
    pub(super) page_size: Option<usize>,
}

impl Paging {
    pub(super) fn of(self, filter: Filter) -> Result<Listing, Error> {
        let size = self.page_size.or(self.limit).unwrap_or(DEFAULT_LIMIT);
        let page = self.page.or(self.page_size.map(|_| 1)).map(|page| (page, size));
        let limit = page.map_or(self.limit.unwrap_or(DEFAULT_LIMIT), |(_, size)| size);
        let mut offset =
            page.map_or(self.offset.unwrap_or(0), |(page, size)| (page - 1).saturating_mul(size));
        let sort = self.sort.unwrap_or(Sort::By(Order::Newest));
        let mut after = None;
        if let Some((name, text)) = self.cursor {
            let wrong = |message| Error::invalid("invalid_cursor", &name, message);
            let cursor =
                Cursor::read(&text).ok_or_else(|| wrong("expected the next_cursor of an earlier answer"))?;
            match (cursor, sort) {
                (Cursor::After(order, at), Sort::By(wanted)) if order == wanted => after = Some(at),
                (Cursor::Offset(rows), Sort::Relevance) => offset = rows,
                _ => return Err(wrong("this cursor is of a search that is sorted otherwise")),
            }
        }
        if offset > MAX_OFFSET {
            let (name, instead) = match sort {
                Sort::Relevance => ("offset", "ask for what is more relevant"),
                Sort::By(_) => ("page", "go on with `cursor`"),
            };
            let message = format!("pages by number end {MAX_OFFSET} rows in; {instead}");
            return Err(Error::invalid("invalid_parameter", name, message));
        }
        Ok(Listing { search: Search { filter, sort, limit, offset, after }, page })
    }
}

/// Reads the parameters of a listing.
pub(super) fn listing(uri: &Uri, now: Timestamp) -> Result<Listing, Error> {
    let mut params = Params::read(uri, now)?;
    let filter = params.take_filter()?;
    let paging = Paging {
        limit: params.take_number(&["limit"], 1, MAX_LIMIT)?,
        offset: params.take_number(&["offset"], 0, MAX_OFFSET)?,
        page: params.take_number(&["page"], 1, MAX_OFFSET)?,
        page_size: params.take_number(&["page_size", "pageSize"], 1, MAX_LIMIT)?,
        sort: params.take(&["sort"])?.map(|(name, value)| sort(&name, &value)).transpose()?,
        cursor: params.take(&["cursor"])?,
    };
    params.finish()?;
    paging.of(filter)
}

/// Refuses parameters where none are known.
pub(super) fn none(uri: &Uri) -> Result<(), Error> {
    pairs(uri)?.first().map_or(Ok(()), |(name, _)| Err(unknown(name, &[])))
}

pub(super) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Error> {
    let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    read.map(|query| query.0).map_err(|_| {
        Error::invalid("invalid_parameter", "query string", "the query string is not URL-encoded")
    })
}

/// The pairs of a form.
pub(super) fn form(text: &str) -> Result<Vec<(String, String)>, Error> {
    let uri: Result<Uri, _> = format!("/?{text}").parse();
    let uri = uri.map_err(|_| Error::invalid("invalid_parameter", "body", "expected a form, URL-encoded"))?;
    pairs(&uri)
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
pub(super) fn words(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned)
}

pub(super) fn switch(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => {
            let message = format!("expected true or false, got {value:?}");
            Err(Error::invalid("invalid_parameter", name, message))
        }
    }
}

pub(super) fn time(name: &str, value: &str, now: Timestamp) -> Result<Timestamp, Error> {
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
            ("limit=1&limit=2", "limit"),
            ("sort=best", "sort"),
            ("source_type=mail", "source_type"),
            ("message=x", "message"),
        ] {
            let error = format!("{:?}", read(query).unwrap_err());
            assert!(error.contains(&format!("field: Some({field:?})")), "{query}: {error}");
        }
    }
}
