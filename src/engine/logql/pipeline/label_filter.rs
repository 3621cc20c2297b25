//! Filters of labels by text, number, duration, size and address.

use super::{
    super::{
        ast::{CompareOp, LabelFilter},
        unit::{parse_bytes, parse_duration},
    },
    Row, Step,
    ip::IpPattern,
    labels::Labels,
    matcher::LabelMatcher,
};

pub(super) enum Filter {
    Text(LabelMatcher),
    Number { label: String, op: CompareOp, value: f64 },
    Duration { label: String, op: CompareOp, ns: i64 },
    Bytes { label: String, op: CompareOp, bytes: u64 },
    Ip { label: String, negated: bool, pattern: IpPattern },
    And(Vec<Filter>),
    Or(Vec<Filter>),
}

impl Filter {
    pub(super) fn new(filter: &LabelFilter) -> Result<Self, String> {
        let all = |filters: &[LabelFilter]| filters.iter().map(Self::new).collect::<Result<Vec<_>, _>>();
        Ok(match filter {
            LabelFilter::Text(matcher) => Self::Text(LabelMatcher::new(matcher)?),
            LabelFilter::Number { label, op, value } => {
                Self::Number { label: label.clone(), op: *op, value: *value }
            }
            LabelFilter::Duration { label, op, ns } => {
                Self::Duration { label: label.clone(), op: *op, ns: *ns }
            }
            LabelFilter::Bytes { label, op, bytes } => {
                Self::Bytes { label: label.clone(), op: *op, bytes: *bytes }
            }
            LabelFilter::Ip { label, negated, pattern } => {
                Self::Ip { label: label.clone(), negated: *negated, pattern: IpPattern::parse(pattern)? }
            }
            LabelFilter::And(filters) => Self::And(all(filters)?),
            LabelFilter::Or(filters) => Self::Or(all(filters)?),
        })
    }

    pub(super) fn passes(&self, labels: &mut Labels<'_>) -> bool {
        match self {
            Self::Text(matcher) => matcher.matches(labels.get(&matcher.name).unwrap_or_default()),
            Self::Number { label, op, value } => {
                measured(labels, label, |text| text.parse().ok(), |found: f64| compare(*op, &found, value))
            }
            Self::Duration { label, op, ns } => {
                measured(labels, label, parse_duration, |found| compare(*op, &found, ns))
            }
            Self::Bytes { label, op, bytes } => {
                measured(labels, label, parse_bytes, |found| compare(*op, &found, bytes))
            }
            Self::Ip { label, negated, pattern } => {
                labels.has_error() || labels.get(label).is_some_and(|value| pattern.is_in(value) != *negated)
            }
            Self::And(filters) => filters.iter().all(|filter| filter.passes(labels)),
            Self::Or(filters) => filters.iter().any(|filter| filter.passes(labels)),
        }
    }
}

impl Step for Filter {
    fn run(&self, row: &mut Row<'_>) -> bool {
        self.passes(&mut row.labels)
    }
}

/// Decides over a value that must be read first. A line with an error passes: it has no value to decide over, and
/// only a filter of the error itself may take it away.
fn measured<T>(
    labels: &mut Labels<'_>,
    label: &str,
    read: impl Fn(&str) -> Option<T>,
    decide: impl Fn(T) -> bool,
) -> bool {
    if labels.has_error() {
        return true;
    }
    let Some(text) = labels.get(label) else { return false };
    if let Some(value) = read(text) {
        return decide(value);
    }
    let details = format!("{text:?} of label {label} cannot be compared");
    labels.fail("LabelFilterErr", details);
    true
}

fn compare<T: PartialOrd>(op: CompareOp, found: &T, wanted: &T) -> bool {
    match op {
        CompareOp::Equal => found == wanted,
        CompareOp::NotEqual => found != wanted,
        CompareOp::Greater => found > wanted,
        CompareOp::GreaterEqual => found >= wanted,
        CompareOp::Less => found < wanted,
        CompareOp::LessEqual => found <= wanted,
    }
}
