//! A scan for a reader who is shown no personal data: what it looks for must stand in what it would be shown. So each
//! row that may be wanted is put together, masked, and asked again.

use std::sync::Arc;

use async_trait::async_trait;

use super::Sink;
use crate::{
    app::Error,
    engine::{
        block::{Block, Corrupt, rows::Row},
        query::{Expr, Mask, Order},
        record::{row::RowHead, timestamp::Timestamp},
        redact,
    },
};

pub(super) struct Masked<'s> {
    sink: &'s mut dyn Sink,
    expr: &'s Expr,
    order: Order,
    pub(super) matched: u64,
}

impl<'s> Masked<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink, expr: &'s Expr, order: Order) -> Self {
        Self { sink, expr, order, matched: 0 }
    }
}

#[async_trait]
impl Sink for Masked<'_> {
    fn row(&mut self, row: &Row<'_>, key: Option<&Arc<str>>) -> Result<(), Error> {
        let line = redact::mask_row(row.line).ok_or_else(|| Corrupt::damaged("row", "it is no object"))?;
        if !self.expr.matches_row(&line)? {
            return Ok(());
        }
        self.matched += 1;
        self.sink.row(&Row { head: row.head.clone(), line: &line }, key)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, key: &Arc<str>) -> Result<(), Error> {
        let rows: Vec<u32> = wanted.rows().filter_map(|row| u32::try_from(row).ok()).collect();
        let mut lines: Vec<String> = Vec::with_capacity(rows.len());
        block.render(&rows, |_, _, _, line| lines.push(line.to_owned()))?;
        // The newest are at the end.
        if self.order == Order::Newest {
            lines.reverse();
        }
        for line in &lines {
            let head = RowHead::parse(line.as_bytes()).map_err(|error| Corrupt::damaged("row", error))?;
            self.row(&Row { head, line: line.as_bytes() }, Some(key))?;
        }
        Ok(())
    }

    fn is_full(&self, from: Timestamp, to: Timestamp) -> bool {
        self.sink.is_full(from, to)
    }

    fn skips(&self, from: Timestamp, to: Timestamp) -> bool {
        self.sink.skips(from, to)
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.sink.pause().await
    }
}
