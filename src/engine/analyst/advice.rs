//! What to do next, each with a search to run. Nothing is advised that the evidence does not ask for.

use super::builtin::{NAMED, family_of};
use super::clean::line;
use super::facts::{Facts, real, share};
use super::pattern::{self, Change};
use super::search::{search, term};
use super::{PatternSeen, limits};
use crate::engine::prose::{counted, latency, minute, number, percent};

/// Patterns that get an advice of their own.
const PATTERNS: usize = 4;
/// Characters of a template in an advice: enough to know it again.
const QUOTED: usize = 80;

/// The most useful first.
pub(super) fn advice(facts: &Facts<'_>, patterns: &[&PatternSeen]) -> Vec<String> {
    let mut advice = Vec::new();
    advice.extend(silence(facts));
    advice.extend(release(facts, patterns));
    advice.extend(
        patterns
            .iter()
            .filter(|seen| is_worth_a_look(facts, seen))
            .take(PATTERNS)
            .map(|seen| look_at(facts, seen)),
    );
    advice.extend(endpoint(facts));
    advice.extend(slower(facts));
    advice.extend(attacks(facts));
    advice.extend(anomaly(facts));
    advice.truncate(limits::RECOMMENDATIONS);
    advice
}

/// The sentence with a search behind it, when that is not too long for both.
fn with(sentence: &str, search: Option<String>) -> String {
    let sentence = line(sentence, limits::RECOMMENDATION);
    let searched = search.filter(|search| line(search, usize::MAX) == *search);
    let both = searched.map(|search| format!("{sentence} Search: {search}"));
    both.filter(|both| both.chars().count() <= limits::RECOMMENDATION).unwrap_or(sentence)
}

fn silence(facts: &Facts<'_>) -> Option<String> {
    let service = line(&facts.evidence.service, NAMED);
    (facts.total == 0 && facts.before_total > 0).then(|| {
        let sentence = format!(
            "Check whether {service} runs and whether its logs are shipped: nothing came after {}.",
            minute(facts.evidence.from_ms)
        );
        with(&sentence, search(&facts.evidence.service, &[]))
    })
}

fn release(facts: &Facts<'_>, patterns: &[&PatternSeen]) -> Option<String> {
    let with_new_errors = |name: &str| {
        patterns
            .iter()
            .filter(|seen| pattern::started_with(facts.evidence, seen).is_some_and(|one| one.name == name))
            .count()
    };
    let (new, old) = match facts.worse_release() {
        Some(both) => both,
        None => facts.releases().filter(|(new, _)| with_new_errors(&new.name) > 0)?,
    };
    let (name, other) = (line(&new.name, NAMED), line(&old.name, NAMED));
    let mut sentence =
        format!("Compare release {name} with {other}, and roll back if the change explains it:");
    let patterns = with_new_errors(&new.name);
    if patterns > 0 {
        sentence.push(' ');
        sentence.push_str(&counted(real(patterns as u64), "new pattern", "new patterns"));
        sentence.push_str(" began with it;");
    }
    let shares = format!(
        " {} of its records are errors, {} of those of {other}.",
        percent(share(new.errors, new.total)),
        percent(share(old.errors, old.total))
    );
    sentence.push_str(&shares);
    let errors = Some("level:>=error".to_owned());
    Some(with(&sentence, search(&facts.evidence.service, &[term("release", &new.name), errors])))
}

fn is_worth_a_look(facts: &Facts<'_>, seen: &PatternSeen) -> bool {
    let change = pattern::change(facts.evidence, seen);
    // A pattern that always was there and tells of no known cause is left to whoever reads the list.
    match change {
        Change::New(_) | Change::Grown(_) | Change::Back(_) => true,
        Change::Unknown | Change::AsBefore | Change::Fallen(_) => {
            pattern::is_error(&seen.level) && seen.count >= 5 && family_of(facts.evidence, seen).is_some()
        }
    }
}

fn look_at(facts: &Facts<'_>, seen: &PatternSeen) -> String {
    let evidence = facts.evidence;
    let advice = family_of(evidence, seen).map_or_else(
        || match pattern::change(evidence, seen) {
            Change::New(_) => "read its first records and what came just before them",
            _ => "read its newest records and group them by endpoint and host",
        },
        |family| family.advice,
    );
    let sentence = format!(
        "Look at pattern {} (\"{}\", {}, {}): {advice}.",
        line(&seen.id, 40),
        line(&seen.template, QUOTED),
        counted(real(seen.count), "record", "records"),
        pattern::what(evidence, seen),
    );
    with(&sentence, search(&evidence.service, &[term("pattern_id", &seen.id)]))
}

fn endpoint(facts: &Facts<'_>) -> Option<String> {
    let (most, all) = facts.endpoint()?;
    let sentence = format!(
        "Start with endpoint {}: it has {} of {} errors.",
        line(&most.name, NAMED),
        number(real(most.errors)),
        number(real(all))
    );
    let errors = Some("level:>=error".to_owned());
    Some(with(&sentence, search(&facts.evidence.service, &[term("endpoint", &most.name), errors])))
}

fn slower(facts: &Facts<'_>) -> Option<String> {
    facts.slower()?;
    let now = facts.evidence.latency?;
    let sentence = format!(
        "Open the slowest traces and look at the calls they wait for: one request in twenty takes longer than {}.",
        latency(now.p95_ms)
    );
    let long = format!("duration_ms:>{:.0}", now.p95_ms.clamp(0.0, 1e15));
    Some(with(&sentence, search(&facts.evidence.service, &[Some(long)])))
}

fn attacks(facts: &Facts<'_>) -> Option<String> {
    let (kind, count) =
        facts.evidence.threats.iter().filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count)?;
    let kind = line(kind, 40);
    let sentence = format!(
        "Check whether any attempt of {kind} got an answer other than an error, and limit or block the addresses that sent the {}.",
        counted(real(*count), "record", "records")
    );
    Some(with(&sentence, search(&facts.evidence.service, &[Some("tags:attack*".to_owned())])))
}

fn anomaly(facts: &Facts<'_>) -> Option<String> {
    let worst = facts.evidence.anomalies.iter().max_by_key(|one| one.severity)?;
    let sentence = format!(
        "Look at the anomaly \"{}\": compare the logs from {} on with those before.",
        line(&worst.title, NAMED),
        minute(worst.since_ms)
    );
    Some(with(&sentence, None))
}
