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

/// Which rows come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

impl Order {
    /// Whether a row at `a` comes before one at `b`.
    pub fn puts_first<T: Ord + Copy>(self, a: T, b: T) -> bool {
        match self {
            Self::Newest => a > b,
            Self::Oldest => a < b,
        }
    }
}

/// Where a list goes on; each way of sorting has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    After(Order, Position),
    /// So many rows in: of a list that is sorted by relevance.
    Offset(usize),
}

impl Cursor {
    /// Prints it for a client: opaque and URL-safe, a letter for the sorting and hex digits.
    pub fn print(self) -> String {
        let position =
            |letter: char, at: Position| format!("{letter}{:016x}{:032x}", at.time.as_ns(), at.id.as_u128());
        match self {
            Self::After(Order::Newest, at) => position('a', at),
            Self::After(Order::Oldest, at) => position('b', at),
            Self::Offset(rows) => format!("c{rows:08x}"),
        }
    }

    /// Reads what `print` printed.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.get(1..).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let position = || {
            let (time, id) = digits.split_at_checked(16).filter(|_| digits.len() == 48)?;
            let time = Timestamp::from_ns(i64::from_str_radix(time, 16).ok()?);
            Some(Position { time, id: Uuid::from_u128(u128::from_str_radix(id, 16).ok()?) })
        };
        match text.get(..1)? {
            "a" => position().map(|at| Self::After(Order::Newest, at)),
            "b" => position().map(|at| Self::After(Order::Oldest, at)),
            "c" if digits.len() == 8 => usize::from_str_radix(digits, 16).ok().map(Self::Offset),
            _ => None,
        }
    }
}

/// Keeps the rows offered that come first, `limit` of them and no more bytes than a page may hold. A row offered
/// twice is kept once.
#[derive(Debug)]
pub struct Collector<T> {
    order: Order,
    limit: usize,
    bytes: usize,
    rows: BTreeMap<Position, (usize, T)>,
    overflowed: bool,
}

impl<T> Collector<T> {
    pub fn new(order: Order, limit: usize) -> Self {
        Self { order, limit, bytes: 0, rows: BTreeMap::new(), overflowed: false }
    }

    pub fn order(&self) -> Order {
        self.order
    }

    /// How many rows it keeps.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a row at this position would be kept.
    pub fn wants(&self, at: Position) -> bool {
        self.rows.len() < self.limit || self.last().is_some_and(|last| self.order.puts_first(at, last))
    }

    /// Whether no row from `min` to `max` can be kept any more.
    pub fn is_full(&self, min: Timestamp, max: Timestamp) -> bool {
        let first = if self.order == Order::Newest { max } else { min };
        self.rows.len() >= self.limit
            && self.last().is_none_or(|last| self.order.puts_first(last.time, first))
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
            let gone = match self.order {
                Order::Newest => self.rows.pop_first(),
                Order::Oldest => self.rows.pop_last(),
            };
            if let Some((_, (bytes, _))) = gone {
                self.bytes -= bytes;
            }
        }
        Ok(())
    }

    /// Keeps the rows that come before all of this time.
    pub fn keep_before(&mut self, time: Timestamp) {
        let order = self.order;
        self.rows.retain(|at, _| order.puts_first(at.time, time));
    }

    /// Whether the page ends before its limit because it would hold too many bytes.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The rows in their order.
    pub fn into_rows(self) -> Vec<(Position, T)> {
        let mut rows: Vec<_> = self.rows.into_iter().map(|(at, (_, row))| (at, row)).collect();
        if self.order == Order::Newest {
            rows.reverse();
        }
        rows
    }

    fn last(&self) -> Option<Position> {
        let last = match self.order {
            Order::Newest => self.rows.first_key_value(),
            Order::Oldest => self.rows.last_key_value(),
        };
        last.map(|(at, _)| *at)
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
            for cursor in [Cursor::After(Order::Newest, position), Cursor::After(Order::Oldest, position)] {
                assert_eq!(Cursor::read(&cursor.print()), Some(cursor));
            }
        }
        assert_eq!(Cursor::read(&Cursor::Offset(300).print()), Some(Cursor::Offset(300)));
        let minus = format!("a-{}", "0".repeat(47));
        for bad in ["", "a", "b00", "c1", &minus, &"é".repeat(25), &format!("d{}", "0".repeat(48))] {
            assert_eq!(Cursor::read(bad), None, "{bad}");
        }
    }

    fn offer<T>(page: &mut Collector<T>, at: Position, bytes: usize, row: T) {
        page.offer(at, bytes, || Ok::<_, ()>(Some(row))).unwrap();
    }

    #[test]
    fn the_newest_rows_are_kept_in_order() {
        for (order, full, expected) in [
            (Order::Newest, (0, 3), [(5, 2), (5, 1), (4, 1)]),
            (Order::Oldest, (5, 9), [(1, 1), (3, 1), (4, 1)]),
        ] {
            let mut page = Collector::new(order, 3);
            for (ms, id) in [(1, 1), (5, 1), (3, 1), (5, 2), (5, 2), (4, 1)] {
                offer(&mut page, at(ms, id), 1, (ms, id));
            }
            assert!(!page.has_overflowed());
            assert!(page.is_full(Timestamp::from_ms(full.0), Timestamp::from_ms(full.1)));
            assert!(!page.is_full(Timestamp::from_ms(0), Timestamp::from_ms(4)));
            assert!(!page.is_full(Timestamp::from_ms(4), Timestamp::from_ms(9)));
            let rows: Vec<_> = page.into_rows().into_iter().map(|(_, row)| row).collect();
            assert_eq!(rows, expected);
        }
    }

    #[test]
    fn a_page_of_large_rows_ends_early_and_without_a_hole() {
        let mut page = Collector::new(Order::Newest, 10);
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
