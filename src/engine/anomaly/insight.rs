//! An anomaly as sentences: what happened, since when, where, what changed just before, and what to do next. It is a
//! pure function of the anomaly and of what the caller looked up about it. It claims no cause: it puts the facts that
//! stand next to each other in time beside each other.

use serde::{Deserialize, Serialize};

use super::series::is_error;
use super::{Anomaly, Deviation, Kind, Series};
use crate::engine::prose::{counted, latency, list, minute, number, percent, span, times};
use crate::engine::severity::Severity;

/// What the caller knows about the time and service of an anomaly. All of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Fields that name a release or build, and changed shortly before or while it began.
    pub releases: Vec<Release>,
    /// Records (errors, for an error anomaly) by endpoint since it began, the most first.
    pub endpoints: Vec<Named>,
    /// Records by pattern template since it began, the most first.
    pub templates: Vec<Named>,
    /// Different users that appear in these records.
    pub users: Option<u64>,
}

/// A change of a field such as `version`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub service: String,
    pub field: String,
    pub before: String,
    pub after: String,
    /// When the new value was first seen.
    pub at_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub count: u64,
}

/// What is shown for an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    pub title: String,
    pub text: String,
    pub severity: Severity,
    pub recommendations: Vec<String>,
    pub evidence: Vec<Evidence>,
}

/// One number that the sentences rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub service: String,
    pub kind: Kind,
    pub series: String,
    pub expected: String,
    pub seen: String,
    pub since: String,
}

/// How long before an anomaly a release may lie and still be named: half an hour.
const JUST_BEFORE_MS: i64 = 1_800_000;
/// Names of a list before the rest is only counted.
const SHOWN: usize = 3;
/// Deviations that are listed as evidence.
const EVIDENCE: usize = 10;

/// Describes an anomaly. The same arguments always give the same text.
pub fn sentences(anomaly: &Anomaly, context: &Context) -> Insight {
    let lead = &anomaly.lead;
    let release = release(lead, context);
    let mut text = vec![what(anomaly), lasted(anomaly)];
    text.extend(release.map(|change| changed(change, lead)));
    text.extend(most("Most frequent pattern", &context.templates, true));
    text.extend(most("Most affected endpoint", &context.endpoints, false));
    text.extend(context.users.filter(|&users| users > 0).map(|users| {
        let one = if users == 1 { "appears" } else { "appear" };
        format!("{} {one} in these records.", counted(real(users), "user", "users"))
    }));
    text.extend(beside(anomaly));
    text.extend(elsewhere(anomaly));
    Insight {
        title: title(anomaly),
        text: text.join(" "),
        severity: severity(anomaly, context),
        recommendations: recommendations(anomaly, context, release),
        evidence: std::iter::once(lead).chain(&anomaly.co_moving).take(EVIDENCE).map(evidence).collect(),
    }
}

fn title(anomaly: &Anomaly) -> String {
    let lead = &anomaly.lead;
    let service = &lead.service;
    match lead.kind {
        Kind::BruteForce => format!("{service}: many failed logins of {}", name(lead)),
        Kind::Silence => format!("{service} {} silent", if anomaly.ongoing { "is" } else { "was" }),
        Kind::OneClient => format!("{service}: one client sends {} as many records", times(ratio(lead))),
        Kind::ErrorRateShift => {
            format!("{service}: error rate up from {} to {}", percent(lead.expected), percent(lead.seen))
        }
        Kind::NewPattern => format!("{service}: new log pattern \"{}\"", name(lead)),
        Kind::LatencyShift => format!(
            "{service}: {} up from {} to {}",
            subject(lead),
            amount(lead, lead.expected),
            amount(lead, lead.seen)
        ),
        Kind::Spike => format!("{service}: {} as many {}", times(ratio(lead)), subject(lead)),
        Kind::Drop => {
            format!(
                "{service}: {} down to {} of the expected number",
                subject(lead),
                percent(1.0 / ratio(lead))
            )
        }
        Kind::VanishedPattern => format!("{service}: log pattern \"{}\" stopped", name(lead)),
    }
}

fn what(anomaly: &Anomaly) -> String {
    let lead = &anomaly.lead;
    let (since, service) = (minute(lead.start_ms), &lead.service);
    let (seen, expected) = (amount(lead, lead.seen), amount(lead, lead.expected));
    let window = span(lead.window_ms);
    match lead.kind {
        Kind::BruteForce => format!(
            "Since {since}, more logins of {} fail at {service} than the rules allow: {} beyond their threshold.",
            name(lead),
            counted(lead.seen, "login", "logins")
        ),
        Kind::Silence if anomaly.ongoing => {
            format!("{service} has logged nothing since {since}; {expected} were expected in {window}.")
        }
        Kind::Silence => {
            format!("{service} logged nothing from {since} on; {expected} were expected in {window}.")
        }
        Kind::ErrorRateShift => {
            format!("Since {since}, {seen} of the records of {service} are errors; {expected} were expected.")
        }
        Kind::LatencyShift => {
            format!("Since {since}, the {} of {service} is {seen}; it was {expected} before.", subject(lead))
        }
        Kind::NewPattern => format!(
            "Since {since}, {service} logs a pattern that it did not log before: \"{}\". {seen} of new patterns came in {window}; {expected} were expected.",
            name(lead)
        ),
        Kind::VanishedPattern => format!(
            "Since {since}, {service} no longer logs the pattern \"{}\"; {expected} were expected in {window}.",
            name(lead)
        ),
        Kind::OneClient => format!(
            "Since {since}, the client {} sent {seen} to {service} in {window}; {expected} were expected.",
            name(lead)
        ),
        Kind::Spike | Kind::Drop => {
            format!(
                "Since {since}, {service} logged {seen}{} in {window}; {expected} were expected.",
                of(lead)
            )
        }
    }
}

fn lasted(anomaly: &Anomaly) -> String {
    let lead = &anomaly.lead;
    let lasted = span(lead.end_ms.saturating_sub(lead.start_ms));
    if anomaly.ongoing {
        format!("It has lasted {lasted} so far.")
    } else {
        format!("It ended after {lasted}.")
    }
}

/// The release nearest to the beginning, one of the same service first.
fn release<'a>(lead: &Deviation, context: &'a Context) -> Option<&'a Release> {
    let near = |change: &&Release| {
        // Up to a period of doubt about the beginning.
        let before = lead.start_ms.saturating_sub(change.at_ms);
        (-300_000..=JUST_BEFORE_MS).contains(&before)
    };
    context
        .releases
        .iter()
        .filter(near)
        .min_by_key(|change| (change.service != lead.service, lead.start_ms.abs_diff(change.at_ms)))
}

fn changed(change: &Release, lead: &Deviation) -> String {
    let distance = lead.start_ms.saturating_sub(change.at_ms);
    let when = if distance >= 60_000 {
        format!("{} before it began", span(distance))
    } else {
        "as it began".to_owned()
    };
    let Release { service, field, before, after, at_ms } = change;
    format!("{service} changed {field} from {before} to {after} at {}, {when}.", minute(*at_ms))
}

fn most(label: &str, names: &[Named], quoted: bool) -> Option<String> {
    let top = names.first().filter(|top| top.count > 0)?;
    let all: u64 = names.iter().fold(0, |all, one| all.saturating_add(one.count));
    let name = if quoted { format!("\"{}\"", top.name) } else { top.name.clone() };
    Some(format!(
        "{label}: {name} ({} of {}).",
        number(real(top.count)),
        counted(real(all), "record", "records")
    ))
}

/// Other series of the same service.
fn beside(anomaly: &Anomaly) -> Option<String> {
    let own = anomaly.co_moving.iter().filter(|one| one.service == anomaly.lead.service);
    let facts: Vec<String> = own.map(fact).collect();
    (!facts.is_empty()).then(|| format!("Also: {}.", list(&facts, SHOWN)))
}

fn elsewhere(anomaly: &Anomaly) -> Option<String> {
    let others = anomaly.co_moving.iter().filter(|one| one.service != anomaly.lead.service);
    let facts: Vec<String> = others.map(|one| format!("{} ({})", one.service, fact(one))).collect();
    (!facts.is_empty()).then(|| format!("At the same time in other services: {}.", list(&facts, SHOWN)))
}

fn fact(one: &Deviation) -> String {
    let (seen, expected) = (amount(one, one.seen), amount(one, one.expected));
    match one.kind {
        Kind::BruteForce => format!("many failed logins of {}", name(one)),
        Kind::Silence => "silent".to_owned(),
        Kind::NewPattern => format!("new pattern \"{}\"", name(one)),
        Kind::VanishedPattern => format!("pattern \"{}\" stopped", name(one)),
        Kind::OneClient => format!("client {} sent {seen}", name(one)),
        Kind::ErrorRateShift | Kind::LatencyShift => format!("{} {seen} instead of {expected}", subject(one)),
        Kind::Spike | Kind::Drop => format!("{seen}{} instead of {}", of(one), number(one.expected)),
    }
}

fn severity(anomaly: &Anomaly, context: &Context) -> Severity {
    let own = anomaly.co_moving.iter().filter(|one| one.service == anomaly.lead.service);
    let worst = own.map(severity_of).fold(severity_of(&anomaly.lead), Ord::max);
    // What reaches other services or many users is one step worse.
    let services = anomaly.co_moving.iter().filter(|one| one.service != anomaly.lead.service).count();
    let wide = services >= 2 || context.users.is_some_and(|users| users >= 1000);
    if wide { worst.worse() } else { worst }
}

fn severity_of(one: &Deviation) -> Severity {
    let never = f64::INFINITY;
    match (one.kind, &one.series) {
        (Kind::Silence | Kind::BruteForce, _) => Severity::High,
        (Kind::ErrorRateShift, _) => Severity::of_steps(one.seen, [0.05, 0.2, 0.5]),
        (Kind::LatencyShift, _) => Severity::of_steps(ratio(one), [2.0, 8.0, never]),
        (Kind::Spike | Kind::NewPattern, Series::Level { level } | Series::Pattern { level, .. })
            if is_error(level) =>
        {
            Severity::of_steps(ratio(one), [0.0, 10.0, never])
        }
        (Kind::Spike | Kind::OneClient, _) => Severity::of_steps(ratio(one), [3.0, 20.0, never]),
        (Kind::Drop, _) => Severity::of_steps(ratio(one), [2.0, 10.0, never]),
        (Kind::NewPattern | Kind::VanishedPattern, _) => Severity::Low,
    }
}

fn recommendations(anomaly: &Anomaly, context: &Context, release: Option<&Release>) -> Vec<String> {
    let lead = &anomaly.lead;
    let (service, since) = (&lead.service, minute(lead.start_ms));
    let mut advice = Vec::new();
    if let Some(change) = release {
        advice.push(format!(
            "Compare {} {} with {} of {}, and roll back if the change explains it.",
            change.field, change.after, change.before, change.service
        ));
    }
    advice.push(match lead.kind {
        Kind::BruteForce if name(lead).starts_with(super::USER) => format!(
            "Look where the failed logins of {} at {service} come from, and for one that did not fail since {since}.",
            name(lead)
        ),
        Kind::BruteForce => format!(
            "Block {} or limit its rate at {service}, and look for logins of it that did not fail since {since}.",
            name(lead)
        ),
        Kind::Silence => format!(
            "Check whether {service} runs and whether its logs are shipped: the last record came before {since}."
        ),
        Kind::ErrorRateShift => format!("Read the errors of {service} from {since} on, grouped by pattern."),
        Kind::LatencyShift => {
            format!("Open the slowest traces of {service} from {since} on and look at the calls it waits for.")
        }
        Kind::NewPattern => {
            format!("Read the first records of the new pattern in {service} at {since} and what came just before them.")
        }
        Kind::VanishedPattern => {
            format!("Check whether the code or job that logs this pattern in {service} still runs.")
        }
        Kind::OneClient => format!(
            "Look at what client {} requests from {service}, and limit its rate if it is not wanted.",
            name(lead)
        ),
        Kind::Spike => {
            format!("Group the records of {service} from {since} on by pattern, endpoint and client to see what grew.")
        }
        Kind::Drop => format!("Check what calls {service}: fewer requests reach it since {since}."),
    });
    if let Some(endpoint) = context.endpoints.first().filter(|top| top.count > 0) {
        advice.push(format!("Start with {}.", endpoint.name));
    }
    let mut others: Vec<String> = anomaly
        .co_moving
        .iter()
        .filter(|one| one.service != *service)
        .map(|one| one.service.clone())
        .collect();
    others.dedup();
    if !others.is_empty() {
        let verb = if others.len() == 1 { "depends" } else { "depend" };
        advice.push(format!(
            "Check whether {} {verb} on {service} or the other way round.",
            list(&others, SHOWN)
        ));
    }
    advice
}

fn evidence(one: &Deviation) -> Evidence {
    Evidence {
        service: one.service.clone(),
        kind: one.kind,
        series: subject(one),
        expected: amount(one, one.expected),
        seen: amount(one, one.seen),
        since: minute(one.start_ms),
    }
}

/// What the series is called in a sentence.
fn subject(one: &Deviation) -> String {
    match &one.series {
        Series::Total => "records".to_owned(),
        Series::Level { level } => format!("{level} records"),
        Series::ErrorRate => "error rate".to_owned(),
        Series::Latency { percentile: 50 } => "median latency".to_owned(),
        Series::Latency { percentile } => format!("{percentile}th percentile of latency"),
        Series::Pattern { template, .. } => format!("records of the pattern \"{template}\""),
        Series::Client { client } => format!("client {client}"),
    }
}

/// What narrows the records of a sentence down.
fn of(one: &Deviation) -> String {
    match &one.series {
        Series::Level { level } => format!(" of level {level}"),
        Series::Pattern { template, .. } => format!(" of the pattern \"{template}\""),
        Series::Client { client } => format!(" of the client {client}"),
        _ => String::new(),
    }
}

fn name(one: &Deviation) -> &str {
    match &one.series {
        Series::Pattern { template, .. } => template,
        Series::Client { client } => client,
        Series::Level { level } => level,
        _ => "",
    }
}

fn amount(one: &Deviation, value: f64) -> String {
    match one.unit {
        super::Unit::Records => counted(value, "record", "records"),
        super::Unit::Share => percent(value),
        super::Unit::Milliseconds => latency(value),
    }
}

/// How many times more than expected, or fewer. Never below one.
fn ratio(one: &Deviation) -> f64 {
    let (low, high) = (one.seen.min(one.expected), one.seen.max(one.expected));
    let ratio = high / low.max(high * 1e-6).max(1e-9);
    if ratio.is_finite() { ratio.max(1.0) } else { 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "15 digits are more than a sentence needs")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
