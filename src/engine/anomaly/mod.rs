//! Anomalies in the roll-ups of logs: what deviates from what this very series did before, at which minute it began,
//! and what moved with it. It reads no logs, keeps no state and calls nobody: the caller brings series and keeps the
//! open anomalies. Invariants: only steps before `now_step` are looked at; however many series there are, chance alone
//! raises no more alarms a day than the budget.

mod baseline;
mod detect;
mod follow;
mod headline;
pub mod history;
mod insight;
mod minute;
mod onset;
mod series;
mod tail;

pub use follow::{Followed, follow, grace_ms, remembered_ms};
pub use headline::{Times as Told, headline};
pub use history::History;
pub use insight::{Context, Evidence, Insight, Named, Release, sentences};
pub use minute::refine;
pub use series::{ClientSeries, Input, LevelSeries, PatternSeries, ServiceSeries, Span};

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use detect::{Finding, Findings};
use series::Times;

/// A client that begins so is the name of a user, with whom logins are tried.
pub const USER: &str = "user ";

/// What may be alarmed without a cause, and how often it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Alarms by chance that are acceptable in a day, over all series together.
    pub false_alarms_per_day: f64,
    /// The shortest window that is tested; the others are multiples of it.
    pub period_ms: i64,
    /// Time between evaluations: at most the period. Looking more often finds silence and jumps sooner.
    pub every_ms: i64,
}

impl Default for Budget {
    /// One false alarm a day at most, looked for every five minutes.
    fn default() -> Self {
        Self { false_alarms_per_day: 1.0, period_ms: 300_000, every_ms: 300_000 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Found by the rules that count failed logins, not here.
    BruteForce,
    Silence,
    OneClient,
    ErrorRateShift,
    NewPattern,
    LatencyShift,
    Spike,
    Drop,
    VanishedPattern,
}

/// Which series of a service deviates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Series {
    Total,
    Level {
        level: String,
    },
    ErrorRate,
    /// The latency at a percentile, in the unit that the sketches were filled with.
    Latency {
        percentile: u8,
    },
    Pattern {
        id: String,
        template: String,
        level: String,
    },
    Client {
        client: String,
    },
}

/// What `expected` and `seen` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Records in the window that was tested.
    Records,
    /// Errors per record, 0 to 1.
    Share,
    /// Latency.
    Milliseconds,
}

/// One series that left its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    pub service: String,
    pub kind: Kind,
    pub series: Series,
    pub unit: Unit,
    pub expected: f64,
    pub seen: f64,
    /// Length of the window that `expected` and `seen` are of.
    pub window_ms: i64,
    /// The step it began in, and the end of the last step that still deviates.
    pub start_ms: i64,
    pub end_ms: i64,
    /// Powers of ten: chance alone would make one like this every `10^score` days.
    pub score: f64,
}

/// Deviations of one service that belong together: the one that says most, and the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    #[serde(flatten)]
    pub lead: Deviation,
    /// Other series of the service, and anomalies of other services that began at the same time.
    pub co_moving: Vec<Deviation>,
    /// When it was first reported.
    pub found_ms: i64,
    /// Whether it still deviated when it was last looked.
    pub ongoing: bool,
}

/// Looks at the periods that end with step `now_step` (not included) and returns what deviates, the most surprising
/// first. An anomaly that lasts is returned by each evaluation: [`follow`] makes one of them.
pub fn evaluate(input: &Input<'_>, budget: Budget, now_step: usize) -> Vec<Anomaly> {
    let span = Span { start_ms: input.start_ms, step_ms: input.step_ms, steps: input.steps };
    evaluate_each(span, input.services.iter(), budget, now_step)
}

/// The same of services that are made one after the other: all at once may be more than there is room for.
pub fn evaluate_each(
    span: Span,
    services: impl Iterator<Item = impl Borrow<ServiceSeries>>,
    budget: Budget,
    now_step: usize,
) -> Vec<Anomaly> {
    let Some(times) = Times::new(span, budget, now_step) else {
        return Vec::new();
    };
    let mut found = Findings::default();
    for service in services {
        detect::service(service.borrow(), &times, &mut found);
    }
    let families = found.families();
    let Findings { findings, tests } = found;
    let allowed = budget.false_alarms_per_day.max(0.0);
    let mut deviations: Vec<Deviation> = findings
        .into_iter()
        .filter_map(|finding| {
            let tests = tests.get(finding.family.at()).copied().unwrap_or(1.0);
            // The natural logarithm of how many such findings chance makes in a day. Each family of tests has an
            // equal share of the budget, so that a thousand patterns do not dull the test for silence.
            let ln_daily =
                finding.ln_p + (tests * times.periods_per_day * families / finding.family.caution()).ln();
            (ln_daily <= allowed.ln())
                .then(|| deviation(finding, -ln_daily / std::f64::consts::LN_10, &times))
        })
        .collect();
    deviations.sort_by(|a, b| b.score.total_cmp(&a.score));
    join(deviations, &times)
}

fn deviation(finding: Finding, score: f64, times: &Times) -> Deviation {
    Deviation {
        service: finding.service,
        kind: finding.kind,
        series: finding.series,
        unit: finding.unit,
        expected: finding.expected,
        seen: finding.seen,
        window_ms: finding.window_ms,
        start_ms: times.at_ms(finding.from),
        end_ms: times.at_ms(finding.to),
        score,
    }
}

/// All windows end now, so what a service shows at once is one anomaly. Its lead is the kind that says most about
/// the cause, among those that are nearly as clear as the clearest.
const ELSEWHERE: usize = 10;

fn join(deviations: Vec<Deviation>, times: &Times) -> Vec<Anomaly> {
    // A kind that says more leads if it is at least half as clear, in powers of ten.
    const CLEAR: f64 = 0.5;
    let mut anomalies: Vec<Anomaly> = Vec::new();
    let now_ms = times.at_ms(times.now);
    for deviation in deviations {
        let Some(known) = anomalies.iter_mut().find(|one| one.lead.service == deviation.service) else {
            let ongoing = deviation.end_ms > now_ms - times.period_ms;
            anomalies.push(Anomaly { lead: deviation, co_moving: Vec::new(), found_ms: now_ms, ongoing });
            continue;
        };
        known.ongoing |= deviation.end_ms > now_ms - times.period_ms;
        let clearest = known.co_moving.iter().fold(known.lead.score, |best, one| best.max(one.score));
        let mut second = deviation;
        if second.kind < known.lead.kind && second.score >= clearest * CLEAR {
            std::mem::swap(&mut second, &mut known.lead);
        }
        known.co_moving.push(second);
    }
    let leads: Vec<Deviation> = anomalies.iter().map(|one| one.lead.clone()).collect();
    for anomaly in &mut anomalies {
        anomaly.co_moving.sort_by(|a, b| b.score.total_cmp(&a.score));
        let (service, start) = (&anomaly.lead.service, anomaly.lead.start_ms);
        let others = leads
            .iter()
            .filter(|one| one.service != *service && (one.start_ms - start).abs() <= times.period_ms)
            .take(ELSEWHERE)
            .cloned();
        anomaly.co_moving.extend(others);
    }
    anomalies
}

#[cfg(test)]
mod tests;
