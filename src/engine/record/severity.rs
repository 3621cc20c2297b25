//! Levels as producers write them: every common name and number, folded into the five of `Level`.
//!
//! The numbers of syslog, OTLP, pino and Python overlap, so a number alone says nothing: the name of the
//! field it stands in decides which scale it is read on.

use std::fmt;
use std::str::FromStr;

use super::model::Level;

impl Level {
    /// Reads a name in any case (`warn`, `WARNING`, `W`), OTLP's numbered ones (`INFO2`), or a number as
    /// text, which is read as `from_number`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::from_number(number);
        }
        let mut buffer = [0; 16];
        let name = buffer.get_mut(..text.len())?;
        name.copy_from_slice(text.as_bytes());
        name.make_ascii_uppercase();
        match &*name {
            [base @ .., b'2'..=b'4'] => Self::named(base).filter(|_| is_otlp_range(base)),
            name => Self::named(name),
        }
    }

    /// A number in a field called `level` or `severity`.
    ///
    /// * 0 to 7 are syslog's, 0 the worst: emergency, alert, critical → CRITICAL, 3 ERROR, 4 WARN, notice
    ///   and informational → INFO, 7 DEBUG.
    /// * 10, 20, … 60 are pino's and bunyan's: trace and debug → DEBUG, 30 INFO, 40 WARN, 50 ERROR,
    ///   60 fatal → CRITICAL. Python's `logging` counts 10 to 50 one step higher (20 is its INFO, 30 its
    ///   WARNING); nothing tells the two apart, so a Python number is read one step milder than it was
    ///   meant. Python's level names are read exactly.
    ///
    /// Anything else is no level: in particular 8 to 24, where OTLP's numbers would lie.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0..=2 | 60 => Some(Self::Critical),
            3 | 50 => Some(Self::Error),
            4 | 40 => Some(Self::Warn),
            5 | 6 | 30 => Some(Self::Info),
            7 | 10 | 20 => Some(Self::Debug),
            _ => None,
        }
    }

    /// A number in a field called `severity_number` or `severityNumber`: OTLP's 1 to 24, four to a level
    /// (TRACE and DEBUG → DEBUG, INFO, WARN, ERROR, FATAL → CRITICAL). Its 0 is "unspecified": INFO, as
    /// though no level had been sent.
    pub const fn from_otlp(number: i64) -> Option<Self> {
        match number {
            1..=8 => Some(Self::Debug),
            0 | 9..=12 => Some(Self::Info),
            13..=16 => Some(Self::Warn),
            17..=20 => Some(Self::Error),
            21..=24 => Some(Self::Critical),
            _ => None,
        }
    }

    const fn named(upper: &[u8]) -> Option<Self> {
        match upper {
            b"DEBUG" | b"TRACE" | b"VERBOSE" | b"FINE" | b"FINER" | b"FINEST" | b"DBG" | b"TRC" | b"T"
            | b"D" => Some(Self::Debug),
            b"INFO" | b"INFORMATION" | b"INFORMATIONAL" | b"NOTICE" | b"LOG" | b"CONFIG" | b"SUCCESS"
            | b"DEFAULT" | b"INF" | b"I" => Some(Self::Info),
            b"WARN" | b"WARNING" | b"WRN" | b"W" => Some(Self::Warn),
            // java.util.logging's highest level is what others call an error.
            b"ERROR" | b"ERR" | b"SEVERE" | b"E" => Some(Self::Error),
            b"CRITICAL" | b"CRIT" | b"FATAL" | b"ALERT" | b"EMERG" | b"EMERGENCY" | b"PANIC" | b"FTL"
            | b"C" | b"F" => Some(Self::Critical),
            _ => None,
        }
    }
}

/// The names that OTLP divides in four.
const fn is_otlp_range(upper: &[u8]) -> bool {
    matches!(upper, b"TRACE" | b"DEBUG" | b"INFO" | b"WARN" | b"ERROR" | b"FATAL")
}

/// A name or number that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a level such as DEBUG, INFO, WARN, ERROR or CRITICAL")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::parse(text).ok_or(UnknownLevel)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str, expected: Option<Level>) {
        for name in names.split_whitespace() {
            for spelling in [name.to_owned(), name.to_lowercase(), format!(" {name} ")] {
                assert_eq!(Level::parse(&spelling), expected, "{spelling:?}");
            }
        }
    }

    #[test]
    fn every_common_name_is_folded_into_five_levels() {
        check("TRACE DEBUG FINE FINER FINEST VERBOSE DBG TRC T D TRACE2 DEBUG4", Some(Level::Debug));
        check(
            "INFO INFORMATION INFORMATIONAL NOTICE LOG CONFIG SUCCESS DEFAULT INF I INFO3",
            Some(Level::Info),
        );
        check("WARN WARNING WRN W WARN2", Some(Level::Warn));
        check("ERROR ERR SEVERE E ERROR4", Some(Level::Error));
        check("CRITICAL CRIT FATAL ALERT EMERG EMERGENCY PANIC FTL C F FATAL2", Some(Level::Critical));
        check("LOUD INFO1 INFO5 WARNING2 ERRORS X 2INFO ÉRROR an-extremely-long-name", None);
        assert_eq!(Level::parse(""), None);
    }

    #[test]
    fn a_number_in_level_is_syslogs_or_pinos() {
        for (number, expected) in [
            (0, Some(Level::Critical)),
            (1, Some(Level::Critical)),
            (2, Some(Level::Critical)),
            (3, Some(Level::Error)),
            (4, Some(Level::Warn)),
            (5, Some(Level::Info)),
            (6, Some(Level::Info)),
            (7, Some(Level::Debug)),
            (10, Some(Level::Debug)),
            (20, Some(Level::Debug)),
            (30, Some(Level::Info)),
            (40, Some(Level::Warn)),
            (50, Some(Level::Error)),
            (60, Some(Level::Critical)),
            (-1, None),
            (8, None),
            (9, None),
            (17, None),
            (35, None),
            (70, None),
            (i64::MAX, None),
        ] {
            assert_eq!(Level::from_number(number), expected, "{number}");
            assert_eq!(Level::parse(&number.to_string()), expected, "{number} as text");
        }
    }

    #[test]
    fn a_number_in_severity_number_is_otlps() {
        for number in -1..=25 {
            let expected = match number {
                0 | 9..=12 => Some(Level::Info),
                1..=8 => Some(Level::Debug),
                13..=16 => Some(Level::Warn),
                17..=20 => Some(Level::Error),
                21..=24 => Some(Level::Critical),
                _ => None,
            };
            assert_eq!(Level::from_otlp(number), expected, "{number}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!("loud".parse::<Level>(), Err(UnknownLevel));
        assert_eq!(format!("{:<8}|", Level::Warn), "WARN    |");
    }
}
