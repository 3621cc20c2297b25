//! The analysis by rules: a pure function of the evidence that always works. It claims no cause: it puts facts that stand
//! next to each other beside each other, with their numbers.

use super::clean::line;
use super::facts::{Facts, differs, real, share};
use super::pattern::{self, Change};
use super::{Analysis, Evidence, PatternNote, PatternSeen, Severity, advice, families, limits, severity};
use crate::engine::prose::{counted, latency, list, minute, number, percent, span, times};

/// Names of a list before the rest is only counted.
const SHOWN: usize = 3;
/// Characters of a template and of a name within a sentence.
pub(super) const QUOTED: usize = 120;
pub(super) const NAMED: usize = 80;

/// Describes what the evidence shows. The same evidence always gives the same analysis.
pub fn builtin(evidence: &Evidence) -> Analysis {
    let facts = Facts::new(evidence);
    let severity = severity::severity(&facts);
    let patterns = by_interest(evidence);
    let mut analysis = Analysis {
        service_name: line(&evidence.service, limits::NAME),
        severity,
        summary: summary(&facts, &patterns, severity),
        patterns: patterns.iter().take(limits::PATTERNS).map(|seen| note(evidence, seen)).collect(),
        recommendations: advice::advice(&facts, &patterns),
        evidence_ids: Vec::new(),
        notes: Vec::new(),
    };
    analysis.evidence_ids = examples(evidence, &patterns);
    analysis
}

pub(super) fn note(evidence: &Evidence, seen: &PatternSeen) -> PatternNote {
    PatternNote {
        id: line(&seen.id, limits::ID),
        template: line(&seen.template, limits::TEMPLATE),
        count: seen.count,
        what: line(&pattern::what(evidence, seen), limits::WHAT),
    }
}

/// New ones first, then those that grew, errors before warnings, the most frequent first.
pub(super) fn by_interest(evidence: &Evidence) -> Vec<&PatternSeen> {
    let mut patterns: Vec<&PatternSeen> = evidence.patterns.iter().collect();
    patterns.sort_by_cached_key(|seen| {
        let mild = !pattern::is_error(&seen.level);
        (mild, pattern::rank(evidence, seen), std::cmp::Reverse(seen.count))
    });
    patterns
}

/// An example of each pattern, the most interesting first, then the worst of the others.
fn examples(evidence: &Evidence, patterns: &[&PatternSeen]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let of_patterns = patterns.iter().take(limits::PATTERNS).filter_map(|seen| {
        evidence.examples.iter().find(|example| example.pattern_id.as_deref() == Some(seen.id.as_str()))
    });
    let errors = evidence.examples.iter().filter(|example| pattern::is_error(&example.level));
    for example in of_patterns.chain(errors).chain(&evidence.examples) {
        if ids.len() >= limits::EVIDENCE_IDS {
            break;
        }
        // An id that would have to be changed to be shown is none.
        if !example.id.is_empty() && line(&example.id, limits::ID) == example.id && !ids.contains(&example.id)
        {
            ids.push(example.id.clone());
        }
    }
    ids
}

fn summary(facts: &Facts<'_>, patterns: &[&PatternSeen], severity: Severity) -> String {
    let mut sentences = vec![records(facts), compared(facts)];
    let start = sentences.len();
    sentences.extend(new_patterns(facts.evidence, patterns));
    sentences.extend(grown_patterns(facts.evidence, patterns));
    sentences.extend(release(facts));
    sentences.extend(endpoint(facts));
    sentences.extend(slower(facts));
    sentences.extend(causes(facts.evidence));
    sentences.extend(anomalies(facts.evidence));
    sentences.extend(attacks(facts.evidence));
    sentences.extend(users(facts.evidence));
    if sentences.len() == start && severity == Severity::Low && facts.total > 0 {
        sentences.push("Nothing stands out.".to_owned());
    }
    let mut text = String::new();
    let mut length = 0;
    for sentence in sentences.iter().map(|one| line(one, limits::SUMMARY)).filter(|one| !one.is_empty()) {
        let longer = sentence.chars().count() + 1;
        if length + longer > limits::SUMMARY {
            break;
        }
        length += longer;
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&sentence);
    }
    text
}

fn period(evidence: &Evidence) -> String {
    span(evidence.to_ms.saturating_sub(evidence.from_ms))
}

fn records(facts: &Facts<'_>) -> String {
    let evidence = facts.evidence;
    let service = line(&evidence.service, NAMED);
    let (from, to) = (minute(evidence.from_ms), pattern::short(evidence.to_ms, evidence));
    if facts.total == 0 {
        return format!("{service} logged nothing from {from} to {to}.");
    }
    let records = counted(real(facts.total), "record", "records");
    let errors = match facts.errors {
        0 => "no errors".to_owned(),
        errors => format!("{} ({})", counted(real(errors), "error", "errors"), percent(facts.share())),
    };
    let critical = match facts.critical {
        0 => String::new(),
        critical => format!(", {} of them critical,", number(real(critical))),
    };
    let warnings = match facts.warnings {
        0 => "no warnings".to_owned(),
        warnings => counted(real(warnings), "warning", "warnings"),
    };
    format!("{service} logged {records} from {from} to {to}: {errors}{critical} and {warnings}.")
}

fn compared(facts: &Facts<'_>) -> String {
    let period = period(facts.evidence);
    if facts.before_total == 0 {
        let none = if facts.total == 0 { "It logged nothing in the" } else { "Nothing was logged in the" };
        return format!("{none} {period} before.");
    }
    let records = counted(real(facts.before_total), "record", "records");
    if facts.total == 0 {
        return format!("In the {period} before it logged {records}.");
    }
    let errors = counted(real(facts.before_errors), "error", "errors");
    let mut text =
        format!("The {period} before had {errors} in {records} ({})", percent(facts.before_share()));
    if let Some(ratio) = facts.grown() {
        text.extend([": the share of errors is ", &times(ratio), " as large"]);
    }
    let volume = real(facts.total) / real(facts.before_total);
    if differs(facts.total, facts.before_total) && !(0.5..2.0).contains(&volume) {
        let change = if volume > 1.0 { times(volume) } else { percent(volume) };
        let of = if volume > 1.0 { "as many records as before" } else { "of the number of records before" };
        text.extend([". It logged ", &change, " ", of]);
    }
    text.push('.');
    text
}

fn quoted(seen: &PatternSeen) -> String {
    format!(
        "\"{}\" ({}, pattern {})",
        line(&seen.template, QUOTED),
        line(&seen.level, 16),
        line(&seen.id, 40)
    )
}

fn new_patterns(evidence: &Evidence, patterns: &[&PatternSeen]) -> Option<String> {
    let new: Vec<&&PatternSeen> =
        patterns.iter().filter(|seen| matches!(pattern::change(evidence, seen), Change::New(_))).collect();
    let first = new.first()?;
    let records = counted(real(first.count), "record", "records");
    let what = pattern::what(evidence, first);
    Some(match new.len() {
        1 => format!("One pattern is new: {}, {records}, {what}.", quoted(first)),
        many => format!(
            "{} patterns are new, first of all {}, {records}, {what}.",
            number(real(many as u64)),
            quoted(first)
        ),
    })
}

fn grown_patterns(evidence: &Evidence, patterns: &[&PatternSeen]) -> Option<String> {
    let grown: Vec<String> = patterns
        .iter()
        .filter_map(|seen| match pattern::change(evidence, seen) {
            Change::Grown(ratio) => Some(format!(
                "{} {} as often as before ({} records)",
                quoted(seen),
                times(ratio),
                number(real(seen.count))
            )),
            _ => None,
        })
        .collect();
    (!grown.is_empty()).then(|| format!("More frequent: {}.", list(&grown, SHOWN)))
}

fn release(facts: &Facts<'_>) -> Option<String> {
    let (new, old) = facts.worse_release()?;
    Some(format!(
        "Of release {}, first seen {}, {} of {} are errors; of release {} it is {}.",
        line(&new.name, NAMED),
        minute(new.from_ms),
        percent(share(new.errors, new.total)),
        counted(real(new.total), "record", "records"),
        line(&old.name, NAMED),
        percent(share(old.errors, old.total)),
    ))
}

fn endpoint(facts: &Facts<'_>) -> Option<String> {
    let (most, all) = facts.endpoint()?;
    Some(format!(
        "Endpoint {} has {} of {} errors ({}); {} of its {} are errors.",
        line(&most.name, NAMED),
        number(real(most.errors)),
        number(real(all)),
        percent(share(most.errors, all)),
        percent(share(most.errors, most.total)),
        counted(real(most.total), "record", "records"),
    ))
}

fn slower(facts: &Facts<'_>) -> Option<String> {
    let ratio = facts.slower()?;
    let now = facts.evidence.latency?;
    Some(format!(
        "The 95th percentile of latency is {}, {} the {} before; the median is {}.",
        latency(now.p95_ms),
        times(ratio),
        latency(now.before_p95_ms?),
        latency(now.p50_ms)
    ))
}

/// The family of a pattern: by its template, or by what its examples say.
pub(super) fn family_of(evidence: &Evidence, seen: &PatternSeen) -> Option<&'static families::Family> {
    families::family(&seen.template).or_else(|| {
        let mut own = evidence
            .examples
            .iter()
            .filter(|one| one.pattern_id.as_deref() == Some(seen.id.as_str()))
            .take(SHOWN);
        own.find_map(|one| {
            families::family(&one.message)
                .or_else(|| families::family(one.stack.as_deref().unwrap_or_default()))
        })
    })
}

/// Patterns that are looked at for their causes; the rest are rare.
const LOOKED_AT: usize = 50;

fn causes(evidence: &Evidence) -> Option<String> {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for seen in evidence.patterns.iter().take(LOOKED_AT) {
        let Some(family) = family_of(evidence, seen) else { continue };
        match sums.iter_mut().find(|(name, _)| *name == family.name) {
            Some((_, sum)) => *sum = sum.saturating_add(seen.count),
            None => sums.push((family.name, seen.count)),
        }
    }
    sums.sort_by_key(|&(_, sum)| std::cmp::Reverse(sum));
    let causes: Vec<String> = sums
        .iter()
        .map(|&(name, sum)| format!("{name} ({})", counted(real(sum), "record", "records")))
        .collect();
    (!causes.is_empty()).then(|| format!("The errors and warnings tell of {}.", list(&causes, SHOWN)))
}

fn anomalies(evidence: &Evidence) -> Option<String> {
    let mut noted: Vec<&super::Noted> = evidence.anomalies.iter().collect();
    noted.sort_by_key(|one| std::cmp::Reverse(one.severity));
    let titles: Vec<String> = noted
        .iter()
        .map(|one| format!("{} (since {})", line(&one.title, QUOTED), pattern::short(one.since_ms, evidence)))
        .collect();
    let noun = if titles.len() == 1 { "Anomaly" } else { "Anomalies" };
    (!titles.is_empty()).then(|| format!("{noun}: {}.", list(&titles, SHOWN)))
}

fn attacks(evidence: &Evidence) -> Option<String> {
    let mut threats: Vec<&(String, u64)> = evidence.threats.iter().filter(|(_, count)| *count > 0).collect();
    threats.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<String> = threats
        .iter()
        .map(|(kind, count)| format!("{} ({})", line(kind, 40), number(real(*count))))
        .collect();
    (!kinds.is_empty()).then(|| format!("Attempts of attacks were detected: {}.", list(&kinds, SHOWN)))
}

fn users(evidence: &Evidence) -> Option<String> {
    let users = evidence.users.filter(|&users| users > 0)?;
    let verb = if users == 1 { "appears" } else { "appear" };
    Some(format!("{} {verb} in records of errors.", counted(real(users), "user", "users")))
}
