//! Which rows are wanted: a range of time and an expression.

use super::expr::{Expr, Field, Match, Test};
use crate::engine::{
    block::{Kind, ServiceSummary, Summary},
    record::{model::Level, row::RowHead, timestamp::Timestamp},
};

/// From `start` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl TimeRange {
    pub const ALL: Self = Self { start: Timestamp::EPOCH, end: Timestamp::MAX };

    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time <= self.end
    }

    pub fn overlaps(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= max && min <= self.end
    }

    /// Whether it holds everything from `min` to `max`.
    pub fn covers(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= min && max <= self.end
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub time: TimeRange,
    pub expr: Expr,
}

impl Filter {
    pub fn all() -> Self {
        Self { time: TimeRange::ALL, expr: Expr::All }
    }

    /// Rows that have one of these values in a field, as they are.
    pub fn exactly<'a>(field: &str, values: impl IntoIterator<Item = &'a str>) -> Expr {
        let one = |value: &str| {
            Expr::Match(Match { field: Field::Named(field.to_owned()), test: Test::Exact(value.to_owned()) })
        };
        Expr::or(values.into_iter().map(one).collect())
    }

    /// Rows of one of these services.
    pub fn services(names: &[String]) -> Expr {
        Self::exactly("service", names.iter().map(String::as_str))
    }

    /// Rows of one of these levels.
    pub fn levels(levels: &[Level]) -> Expr {
        Self::exactly("level", levels.iter().map(|level| level.as_str()))
    }

    /// Whether it holds for every or for no row of a service and level; `None` when other fields count.
    pub fn decide(&self, service: &str, level: Level) -> Option<bool> {
        self.expr.decide(&mut |found| match found.field.name() {
            Some("service") => Some(found.holds("service", Kind::Text, service)),
            Some("level") => Some(found.holds("level", Kind::Text, level.as_str())),
            _ => None,
        })
    }

    /// Whether a set of rows with this summary can hold a wanted one.
    pub fn may_match(&self, services: &Summary) -> bool {
        services.iter().any(|(service, summary)| {
            self.time.overlaps(summary.first, summary.last)
                && levels_of(summary).any(|level| self.decide(service, level) != Some(false))
        })
    }

    /// Whether service and level alone decide, for every row of a set with this summary.
    pub fn is_by_summary(&self, services: &Summary) -> bool {
        services
            .iter()
            .all(|(service, summary)| levels_of(summary).all(|level| self.decide(service, level).is_some()))
    }

    /// Whether a row is wanted, its head read.
    pub fn matches(&self, head: &RowHead<'_>, line: &[u8]) -> Result<bool, crate::engine::block::Corrupt> {
        if !self.time.contains(head.timestamp) {
            return Ok(false);
        }
        match self.decide(&head.service, head.level) {
            Some(decided) => Ok(decided),
            None => self.expr.matches_row(line),
        }
    }
}

fn levels_of(summary: &ServiceSummary) -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().zip(summary.levels).filter(|(_, count)| *count > 0).map(|(level, _)| level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::parse;

    #[test]
    fn a_range_holds_its_ends() {
        let at = Timestamp::from_ms;
        let range = TimeRange { start: at(10), end: at(20) };
        assert!(range.contains(at(10)) && range.contains(at(20)));
        assert!(!range.contains(at(9)) && !range.contains(at(21)));
        assert!(range.overlaps(at(0), at(10)) && range.overlaps(at(20), at(30)));
        assert!(!range.overlaps(at(0), at(9)) && !range.overlaps(at(21), at(30)));
        assert!(
            range.covers(at(10), at(20)) && !range.covers(at(9), at(20)) && !range.covers(at(10), at(21))
        );
    }

    #[test]
    fn a_summary_tells_what_service_and_level_decide() {
        let first = Timestamp::from_ms(10);
        let levels = [0, 1, 0, 1, 0];
        let api = ServiceSummary { rows: 2, bytes: 9, first, last: first, levels, stored: None };
        let summary = Summary::from([("api".to_owned(), api)]);
        let check = |query: &str, may: bool, decides: bool| {
            let filter = Filter { time: TimeRange::ALL, expr: parse(query).unwrap() };
            assert_eq!(filter.may_match(&summary), may, "{query}");
            assert_eq!(filter.is_by_summary(&summary), decides, "{query}");
        };
        check("", true, true);
        check("service:api", true, true);
        check("service:shop", false, true);
        check("level:warn", false, true);
        check("level:>=warn -service:shop", true, true);
        check("timeout", true, false);
        check("level:warn timeout", false, true);
        check("level:error timeout", true, false);
    }
}
