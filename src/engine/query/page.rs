//! Pages: the total order of rows, positions in it, and the collector of a page's rows.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::engine::record::timestamp::Timestamp;

/// Bytes of rows that a page holds while it is collected; a page that would hold more ends earlier.
pub const MAX_PAGE_BYTES: usize = 16 << 20;

/// A place in the order: rows before it are newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub time: Timestamp,
    pub id: Uuid,
}

impl Position {
    /// Prints it for a client: opaque, URL-safe, 48 hex digits behind a version letter.
    pub fn to_cursor(self) -> String {
        format!("a{:016x}{:032x}", self.time.as_ns(), self.id.as_u128())
    }

    /// Reads what `to_cursor` printed.
    pub fn from_cursor(cursor: &str) -> Option<Self> {
        let digits = cursor.strip_prefix('a').filter(|d| d.len() == 48 && d.is_ascii())?;
        let (time, id) = digits.split_at_checked(16)?;
        Some(Self {
            time: Timestamp::from_ns(i64::from_str_radix(time, 16).ok()?),
            id: Uuid::from_u128(u128::from_str_radix(id, 16).ok()?),
        })
    }
}

/// Keeps the newest rows offered, `limit` of them and no more bytes than a page may hold. A row offered
/// twice is kept once.
#[derive(Debug)]
pub struct Collector<T> {
    limit: usize,
    bytes: usize,
    rows: BTreeMap<Position, (usize, T)>,
    overflowed: bool,
}

impl<T> Collector<T> {
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, rows: BTreeMap::new(), overflowed: false }
    }

    /// Whether a row at this position would be kept.
    fn wants(&self, at: Position) -> bool {
        self.rows.len() < self.limit || self.oldest().is_some_and(|oldest| at > oldest)
    }

    /// Whether nothing as old as this can be kept any more.
    pub fn is_full_before(&self, newest: Timestamp) -> bool {
        self.rows.len() >= self.limit && self.oldest().is_none_or(|oldest| oldest.time > newest)
    }

    /// Offers a row that takes `bytes` of memory, made only if it is kept.
    pub fn offer<E>(
        &mut self,
        at: Position,
        bytes: usize,
        row: impl FnOnce() -> Result<Option<T>, E>,
    ) -> Result<(), E> {
        if self.rows.contains_key(&at) || !self.wants(at) {
            return Ok(());
        }
        let Some(row) = row()? else { return Ok(()) };
        self.bytes += bytes;
        self.rows.insert(at, (bytes, row));
        while self.rows.len() > self.limit || (self.bytes > MAX_PAGE_BYTES && self.rows.len() > 1) {
            if self.rows.len() <= self.limit {
                // What has been let go once must stay gone, or the page would have a hole.
                self.limit = self.rows.len() - 1;
                self.overflowed = true;
            }
            if let Some((_, (bytes, _))) = self.rows.pop_first() {
                self.bytes -= bytes;
            }
        }
        Ok(())
    }

    /// Lets go of every row as old as this or older.
    pub fn keep_newer_than(&mut self, time: Timestamp) {
        self.rows.retain(|at, _| at.time > time);
    }

    /// Whether the page ends before its limit because it would hold too many bytes.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The rows, newest first.
    pub fn into_rows(self) -> Vec<(Position, T)> {
        self.rows.into_iter().rev().map(|(at, (_, row))| (at, row)).collect()
    }

    fn oldest(&self) -> Option<Position> {
        self.rows.first_key_value().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64, id: u128) -> Position {
        Position { time: Timestamp::from_ms(ms), id: Uuid::from_u128(id) }
    }

    #[test]
    fn a_cursor_reads_back_as_the_position_it_was_printed_from() {
        for position in [at(0, 0), at(1_763_682_436_123, 7), at(1, u128::MAX)] {
            assert_eq!(Position::from_cursor(&position.to_cursor()), Some(position));
        }
        for bad in ["", "a", "b00", &"a".repeat(49), &"é".repeat(25), &format!("b{}", "0".repeat(48))] {
            assert_eq!(Position::from_cursor(bad), None, "{bad}");
        }
    }

    fn offer<T>(page: &mut Collector<T>, at: Position, bytes: usize, row: T) {
        page.offer(at, bytes, || Ok::<_, ()>(Some(row))).unwrap();
    }

    #[test]
    fn the_newest_rows_are_kept_in_order() {
        let mut page = Collector::new(3);
        for (ms, id) in [(1, 1), (5, 1), (3, 1), (5, 2), (5, 2), (4, 1)] {
            offer(&mut page, at(ms, id), 1, (ms, id));
        }
        assert!(!page.has_overflowed());
        assert!(page.is_full_before(Timestamp::from_ms(3)));
        assert!(!page.is_full_before(Timestamp::from_ms(4)));
        let rows: Vec<_> = page.into_rows().into_iter().map(|(_, row)| row).collect();
        assert_eq!(rows, [(5, 2), (5, 1), (4, 1)]);
    }

    #[test]
    fn a_page_of_large_rows_ends_early_and_without_a_hole() {
        let mut page = Collector::new(10);
        for ms in 1..=5 {
            offer(&mut page, at(ms, 0), MAX_PAGE_BYTES / 2, ms);
        }
        // Older than what was let go: it must not fill the gap.
        offer(&mut page, at(2, 1), 1, 2);
        assert!(page.has_overflowed());
        let rows: Vec<_> = page.into_rows().into_iter().map(|(_, row)| row).collect();
        assert_eq!(rows, [5, 4]);
    }
}
