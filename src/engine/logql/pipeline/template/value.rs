//! The values of templates, and what each is as another.

use std::fmt::{self, Display, Formatter};

use super::date;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds since 1970.
    Time(i64),
}

impl Value {
    /// Whether a condition holds: an empty text and zero are false.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Bool(value) => *value,
            Value::Time(_) => true,
        }
    }

    /// A text that is no number is zero.
    #[expect(clippy::cast_possible_truncation)]
    pub(super) fn int(&self) -> i64 {
        match self {
            Value::Text(text) => text.trim().parse().unwrap_or(0),
            Value::Int(value) => *value,
            Value::Float(value) => *value as i64,
            Value::Bool(value) => i64::from(*value),
            Value::Time(ns) => *ns,
        }
    }

    /// A text that is no number is zero.
    #[expect(clippy::cast_precision_loss)]
    pub(super) fn float(&self) -> f64 {
        match self {
            Value::Text(text) => text.trim().parse().unwrap_or(0.0),
            Value::Float(value) => *value,
            other => other.int() as f64,
        }
    }

    /// What it takes beside its place.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            _ => 0,
        }
    }

    pub(super) fn text(&self) -> String {
        self.to_string()
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => f.write_str(&print_float(*value)),
            Value::Bool(value) => value.fmt(f),
            Value::Time(ns) => f.write_str(&date::format("2006-01-02 15:04:05.999999999 -0700 MST", *ns)),
        }
    }
}

/// A number as Go's `%v` prints it: with an exponent if it is very large or very small.
pub(super) fn print_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    if value == 0.0 || (1e-4..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let printed = format!("{value:e}");
    let (digits, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}
