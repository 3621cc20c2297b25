//! Numbers about rows: groups of rows by the values of fields and by time, and what is measured of each group.
//!
//! Invariant: a block says of its rows what the rows would say one by one.

mod column;
mod groups;
mod state;
mod sum;
mod wire;

pub use column::Coded;
pub use groups::{Groups, GroupsPart};
pub use state::{Number, State};

use serde::{Deserialize, Serialize};

use super::expr::Field;
use crate::engine::block::Kind;

/// What a row is grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// The value of a field; a row with several is in several groups.
    Field(String),
    /// Stretches of so many milliseconds since the epoch.
    Time(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Measure {
    Count,
    Sum(String),
    Avg(String),
    Min(String),
    Max(String),
    Quantile(String, f64),
    Uniq(String),
}

/// One value of a field, or where a stretch of time begins, in ms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    Time(i64),
    Text(String),
    /// As it is in JSON.
    Json(String),
    Absent,
}

/// Fields of a row's head have a value of their own in nearly every row.
const NO_GROUPS: [&str; 3] = ["id", "timestamp", "received_at"];

impl By {
    /// `service`, or `time:5m`. The error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(interval) = text.strip_prefix("time:") {
            return interval_ms(interval).map(Self::Time);
        }
        field(text).map(Self::Field)
    }
}

/// `30s`, `5m`, `1h` or `1d`, in milliseconds.
pub fn interval_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("expected an interval such as 30s, 5m, 1h or 1d, got {text:?}");
    let (at, unit) = text.char_indices().next_back().ok_or_else(wrong)?;
    let unit = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let number = text.get(..at).and_then(|number| number.parse::<i64>().ok()).filter(|number| *number > 0);
    number.and_then(|number| number.checked_mul(unit)).filter(|ms| *ms <= 366 * 86_400_000).ok_or_else(wrong)
}

fn field(text: &str) -> Result<String, String> {
    match Field::named(text) {
        Ok(Field::Named(name)) if NO_GROUPS.contains(&name.as_str()) => {
            Err(format!("expected a field other than {name}, whose values are all different"))
        }
        Ok(Field::Named(name)) if !text.is_empty() => Ok(name),
        Ok(_) => Err("expected the name of a field".to_owned()),
        Err(instead) => Err(format!("expected {instead}, got {text:?}")),
    }
}

impl Measure {
    /// `count`, `sum(duration_ms)`, `p95(duration_ms)`, `quantile(duration_ms,0.95)`. The error says what is
    /// expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "count" || text == "count()" {
            return Ok(Self::Count);
        }
        let wrong = || {
            format!(
                "expected count, sum(f), avg(f), min(f), max(f), p50(f), quantile(f,0.95) or uniq(f), got {text:?}"
            )
        };
        let (name, rest) = text.split_once('(').ok_or_else(wrong)?;
        let inner = rest.strip_suffix(')').ok_or_else(wrong)?;
        if name == "quantile" {
            let (of, share) = inner.rsplit_once(',').ok_or_else(wrong)?;
            let share = share.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            return Ok(Self::Quantile(field(of.trim())?, share.ok_or_else(wrong)?));
        }
        let of = field(inner.trim())?;
        Ok(match name {
            "sum" => Self::Sum(of),
            "avg" => Self::Avg(of),
            "min" => Self::Min(of),
            "max" => Self::Max(of),
            "uniq" => Self::Uniq(of),
            _ => {
                let percent = name.strip_prefix('p').and_then(|n| n.parse::<f64>().ok());
                let percent = percent.filter(|n| (0.0..=100.0).contains(n)).ok_or_else(wrong)?;
                Self::Quantile(of, percent / 100.0)
            }
        })
    }

    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Count => None,
            Self::Sum(of)
            | Self::Avg(of)
            | Self::Min(of)
            | Self::Max(of)
            | Self::Quantile(of, _)
            | Self::Uniq(of) => Some(of),
        }
    }
}

impl Key {
    /// `null`, `{}` and `[]` are no values.
    pub fn of(kind: Kind, value: &str) -> Option<Self> {
        match kind {
            Kind::Text => Some(Self::Text(value.to_owned())),
            Kind::Raw if !matches!(value, "true" | "false") => None,
            Kind::Number | Kind::Raw => Some(Self::Json(value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_read() {
        assert_eq!(Measure::parse("count"), Ok(Measure::Count));
        assert_eq!(Measure::parse("sum(durationMs)"), Ok(Measure::Sum("duration_ms".into())));
        assert_eq!(
            Measure::parse("p75(cart.total)"),
            Ok(Measure::Quantile("metadata.cart.total".into(), 0.75))
        );
        assert_eq!(Measure::parse("quantile(status, 0.5)"), Ok(Measure::Quantile("status".into(), 0.5)));
        for wrong in ["", "sum", "sum()", "p101(x)", "median(x)", "uniq(id)", "quantile(x)", "avg(x"] {
            assert!(Measure::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(By::parse("time:5m"), Ok(By::Time(300_000)));
        assert_eq!(By::parse("userId"), Ok(By::Field("user_id".into())));
        for wrong in ["time:", "time:0s", "time:5", "timestamp", ""] {
            assert!(By::parse(wrong).is_err(), "{wrong}");
        }
    }
}
