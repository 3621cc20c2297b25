//! What belongs to one request, whichever services have logged it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    App, Error, Reader,
    search::{self, Page, Search},
};
use crate::engine::{
    block::{Corrupt, words},
    query::{Expr, Field, Filter, Match, Test, TimeRange},
    record::{model::Level, row::RowHead, timestamp::Timestamp},
};

/// What can be told of the records of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub services: BTreeSet<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub logs: usize,
    pub errors: usize,
}

impl Summary {
    #[expect(clippy::cast_precision_loss, reason = "a trace takes no years")]
    pub fn duration_ms(&self) -> Option<f64> {
        let (start, end) = self.start.zip(self.end)?;
        Some((end.as_ns() - start.as_ns()) as f64 / 1e6)
    }
}

/// Rows whose trace or correlation id is this one, in capitals or not.
pub fn filter(id: &str) -> Filter {
    let of = |field: &str| {
        let test = Test::Value(words::fold(id).into_owned());
        Expr::Match(Match { field: Field::Named(field.to_owned()), test })
    };
    Filter { time: TimeRange::ALL, expr: Expr::or(vec![of("trace_id"), of("correlation_id")]) }
}

pub async fn trace(app: &App, reader: &Reader, asked: &Search) -> Result<(Page, Summary), Error> {
    let page = search::search(app, reader, asked).await?;
    let mut summary = Summary { logs: page.rows.len(), ..Summary::default() };
    for row in &page.rows {
        let head = RowHead::parse(&row.line).map_err(|error| Corrupt::damaged("row", error))?;
        summary.start = summary.start.or(Some(head.timestamp));
        summary.end = Some(head.timestamp);
        summary.errors += usize::from(head.level >= Level::Error);
        if !summary.services.contains(&*head.service) {
            summary.services.insert(head.service.into_owned());
        }
    }
    Ok((page, summary))
}
