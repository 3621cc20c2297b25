//! The series that are looked at: counts per step of services, levels, patterns and clients, and latency sketches.
//! Nothing is decided here; it is the arithmetic of steps, blocks and first appearances.

use super::Budget;
use super::baseline::real;
use crate::engine::sketch::Sketch;

/// Series over equal steps of time. A series that is shorter than `steps` is zero from there on; what lies past the
/// step that is evaluated is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub start_ms: i64,
    pub step_ms: i64,
    pub steps: usize,
    pub services: &'a [ServiceSeries],
}

/// When series begin, how long a step is, and how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub start_ms: i64,
    pub step_ms: i64,
    pub steps: usize,
}

#[derive(Debug, Clone, Default)]
pub struct ServiceSeries {
    pub service: String,
    pub levels: Vec<LevelSeries>,
    pub patterns: Vec<PatternSeries>,
    /// One sketch a step; none when the service has no latencies.
    pub latency: Vec<Sketch>,
    pub clients: Vec<ClientSeries>,
    /// How long nothing has come by the step that is evaluated, if that is known finer than by steps.
    pub quiet_ms: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct LevelSeries {
    /// Upper case. `ERROR` and `FATAL` make the error rate.
    pub level: String,
    pub counts: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
pub struct PatternSeries {
    pub id: String,
    pub template: String,
    pub level: String,
    /// When it was first seen of all times, if that is known; the first step with a count otherwise.
    pub first_seen_ms: Option<i64>,
    pub counts: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
pub struct ClientSeries {
    pub client: String,
    pub counts: Vec<u32>,
}

/// The steps and blocks of one evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) start_ms: i64,
    pub(super) step_ms: i64,
    pub(super) period_ms: i64,
    /// The first step that is not known yet.
    pub(super) now: usize,
    /// Steps of a block.
    pub(super) period: usize,
    /// Blocks of a day.
    pub(super) day: usize,
    pub(super) periods_per_day: f64,
    /// Evaluations in a period.
    pub(super) looks: f64,
}

impl Times {
    pub(super) fn new(input: Span, budget: Budget, now_step: usize) -> Option<Self> {
        const DAY_MS: i64 = 86_400_000;
        if input.step_ms <= 0 {
            return None;
        }
        let period = usize::try_from(budget.period_ms / input.step_ms).unwrap_or(1).max(1);
        let period_ms = input.step_ms.checked_mul(i64::try_from(period).ok()?)?;
        let day = usize::try_from(DAY_MS / period_ms).unwrap_or(1).max(1);
        // An evaluation in each step at most.
        let every = usize::try_from(budget.every_ms / input.step_ms).unwrap_or(0).clamp(1, period);
        let looks = real(period) / real(every);
        let now = now_step.min(input.steps);
        let (start_ms, step_ms) = (input.start_ms, input.step_ms);
        Some(Self { start_ms, step_ms, period_ms, now, period, day, periods_per_day: real(day), looks })
    }

    pub(super) fn at_ms(&self, step: usize) -> i64 {
        self.start_ms.saturating_add(self.span_ms(step))
    }

    pub(super) fn span_ms(&self, steps: usize) -> i64 {
        self.step_ms.saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX))
    }

    /// The length of so many blocks and parts of one.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a float beyond an integer's range becomes its end"
    )]
    pub(super) fn blocks_ms(&self, blocks: f64) -> i64 {
        (blocks * self.period_ms as f64).round() as i64
    }

    /// The step that a time falls into: 0 for all before the first.
    pub(super) fn step_of(&self, at_ms: i64) -> usize {
        usize::try_from(at_ms.saturating_sub(self.start_ms) / self.step_ms).unwrap_or(0)
    }

    /// Whole blocks from a step up to now.
    pub(super) fn blocks_since(&self, step: usize) -> usize {
        self.now.saturating_sub(step) / self.period
    }

    /// The sums of the whole blocks from `start` up to now, oldest first.
    pub(super) fn blocks(&self, counts: &[u32], start: usize) -> Vec<f64> {
        let number = self.blocks_since(start);
        let first = self.now - number * self.period;
        let known = self.known(counts).get(first..).unwrap_or_default();
        let mut blocks: Vec<f64> = known.chunks(self.period).map(total).collect();
        blocks.resize(number, 0.0);
        blocks
    }

    /// The counts that are known now.
    pub(super) fn known<'a>(&self, counts: &'a [u32]) -> &'a [u32] {
        counts.get(..self.now).unwrap_or(counts)
    }
}

impl ServiceSeries {
    /// Records of each known step, whatever their level.
    pub(super) fn totals(&self, times: &Times) -> Vec<u32> {
        add(self.levels.iter().map(|level| times.known(&level.counts)), times.now)
    }

    /// Errors of each known step.
    pub(super) fn errors(&self, times: &Times) -> Vec<u32> {
        let levels = self.levels.iter().filter(|level| is_error(&level.level));
        add(levels.map(|level| times.known(&level.counts)), times.now)
    }
}

impl PatternSeries {
    /// The step it was first seen in, 0 for before the first one; `None` if it has not been seen yet.
    pub(super) fn first_step(&self, times: &Times) -> Option<usize> {
        let counted = times.known(&self.counts).iter().position(|&count| count > 0);
        match self.first_seen_ms {
            Some(at) => counted.map(|step| step.min(times.step_of(at))),
            None => counted,
        }
    }
}

pub(super) fn is_error(level: &str) -> bool {
    ["ERROR", "FATAL", "CRITICAL"].iter().any(|error| level.eq_ignore_ascii_case(error))
}

/// Sums of series, step by step.
pub(super) fn add<'a>(series: impl Iterator<Item = &'a [u32]>, steps: usize) -> Vec<u32> {
    let mut all = vec![0_u32; steps];
    for counts in series {
        for (sum, &count) in all.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
    }
    all
}

/// The sum of the counts of the steps from `from` up to `to`; steps past the end are zero.
pub(super) fn sum(counts: &[u32], from: usize, to: usize) -> f64 {
    let to = to.min(counts.len());
    total(counts.get(from..to).unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "sums above 2^53 need no last digit")]
fn total(counts: &[u32]) -> f64 {
    counts.iter().map(|&count| u64::from(count)).sum::<u64>() as f64
}
