//! What decides over a line: matchers, filters of lines and filters of labels.

use std::net::IpAddr;

use regex::Regex;
use timberline::engine::logql::ast::{
    CompareOp, LabelFilter, LineFilter, LineMatch, LineOp, MatchOp, Matcher,
};

use super::{parsers, stages::Labels, units};

pub(super) fn matches(matcher: &Matcher, value: &str) -> bool {
    let is_match = || Regex::new(&format!("^(?s:{})$", matcher.value)).unwrap().is_match(value);
    match matcher.op {
        MatchOp::Equal => value == matcher.value,
        MatchOp::NotEqual => value != matcher.value,
        MatchOp::Regex => is_match(),
        MatchOp::NotRegex => !is_match(),
    }
}

pub(super) fn line_passes(filter: &LineFilter, line: &str) -> bool {
    let is_in = |wanted: &LineMatch| match (filter.op, wanted) {
        (LineOp::Contains | LineOp::NotContains, LineMatch::Text(text)) => line.contains(text),
        (LineOp::Regex | LineOp::NotRegex, LineMatch::Text(regex)) => {
            Regex::new(regex).unwrap().is_match(line)
        }
        (LineOp::Pattern | LineOp::NotPattern, LineMatch::Text(pattern)) => fits(pattern, line),
        (_, LineMatch::Ip(pattern)) => has_ip(pattern, line),
    };
    let found = filter.any.iter().any(is_in);
    match filter.op {
        LineOp::Contains | LineOp::Regex | LineOp::Pattern => found,
        LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern => !found,
    }
}

/// Whether the whole line is the pattern's text with something, and not nothing, in each place of `<_>`.
fn fits(pattern: &str, line: &str) -> bool {
    if line.is_empty() || pattern.is_empty() {
        return false;
    }
    let parts: Vec<&str> = pattern.split("<_>").collect();
    let Some(mut rest) = line.strip_prefix(parts[0]) else { return false };
    if parts.len() == 1 {
        return rest.is_empty();
    }
    for (index, part) in parts.iter().enumerate().skip(1) {
        if part.is_empty() {
            // Only at the end: two captures never stand side by side.
            assert_eq!(index, parts.len() - 1, "not covered: the pattern {pattern:?}");
            return !rest.is_empty();
        }
        // The capture ends where the text after it first stands.
        let Some(at) = rest.find(part) else { return false };
        if at == 0 {
            return false;
        }
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// Whether an address of the pattern stands anywhere in the text.
fn has_ip(pattern: &str, text: &str) -> bool {
    let is_v4 = |c: char| c.is_ascii_digit() || c == '.';
    let is_v6 = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let mut candidates: Vec<&str> = text.split(|c| !is_v4(c)).collect();
    candidates.extend(text.split(|c| !is_v6(c)));
    candidates.iter().filter_map(|word| word.parse().ok()).any(|address| ip_matches(pattern, address))
}

fn ip_matches(pattern: &str, address: IpAddr) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => (4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (6, v6.to_bits()),
    };
    let (family, bits) = number(address);
    if let Some((network, length)) = pattern.split_once('/') {
        let (network_family, network) = number(network.parse().unwrap());
        let width = if network_family == 4 { 32 } else { 128 };
        let shift = width - length.parse::<u32>().unwrap();
        let prefix = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        return family == network_family && prefix(bits) == prefix(network);
    }
    if let Some((first, last)) = pattern.split_once('-') {
        let first = number(first.trim().parse().unwrap());
        let last = number(last.trim().parse().unwrap());
        return first <= (family, bits) && (family, bits) <= last;
    }
    address == pattern.parse::<IpAddr>().unwrap()
}

/// A filter that cannot read its label marks the line and lets it pass; one with an error passes all but the
/// filters of text.
pub(super) fn labels_pass(filter: &LabelFilter, labels: &mut Labels) -> bool {
    match filter {
        LabelFilter::Text(matcher) => matches(matcher, labels.get(&matcher.name).unwrap_or("")),
        LabelFilter::Number { label, op, value } => {
            let read = |text: &str| parsers::float(text);
            typed(labels, label, read, |found| compares(*op, found.partial_cmp(value)))
        }
        LabelFilter::Duration { label, op, ns } => {
            typed(labels, label, units::duration_ns, |found| compares(*op, Some(found.cmp(ns))))
        }
        LabelFilter::Bytes { label, op, bytes } => {
            typed(labels, label, units::bytes, |found| compares(*op, Some(found.cmp(bytes))))
        }
        LabelFilter::Ip { label, negated, pattern } => {
            let read = |text: &str| Some(has_ip(pattern, text));
            typed(labels, label, read, |found| found != *negated)
        }
        LabelFilter::And(filters) => {
            let mut passes = true;
            for filter in filters {
                passes &= labels_pass(filter, labels);
            }
            passes
        }
        LabelFilter::Or(filters) => {
            for filter in filters {
                if labels_pass(filter, labels) {
                    return true;
                }
            }
            false
        }
    }
}

fn typed<T>(
    labels: &mut Labels,
    label: &str,
    read: impl Fn(&str) -> Option<T>,
    passes: impl Fn(T) -> bool,
) -> bool {
    if labels.error.is_some() {
        return true;
    }
    let Some(text) = labels.get(label) else { return false };
    let Some(value) = read(text) else {
        labels.fail("LabelFilterErr");
        return true;
    };
    passes(value)
}

fn compares(op: CompareOp, order: Option<std::cmp::Ordering>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match op {
        CompareOp::Equal => order == Some(Equal),
        CompareOp::NotEqual => order != Some(Equal),
        CompareOp::Greater => order == Some(Greater),
        CompareOp::GreaterEqual => matches!(order, Some(Greater | Equal)),
        CompareOp::Less => order == Some(Less),
        CompareOp::LessEqual => matches!(order, Some(Less | Equal)),
    }
}
