//! The tests of one service, kind by kind. Each makes a series of counts (with an exposure where it is a rate) and
//! asks the baseline how surprising its latest windows are; nothing is called an anomaly here yet.

use super::baseline::{Baseline, Blocks, LN_POSSIBLE, Side, Surprise, WARM_UP, WINDOWS, real};
use super::onset::{quiet, ratio, stretch};
use super::series::{PatternSeries, ServiceSeries, Times, is_error, sum};
use super::{Kind, Series, Unit};
use crate::engine::sketch::Sketch;

/// Families of tests, each with an equal share of the budget.
const FAMILIES: usize = 8;
/// Fewer records than this are no spike, however rare the series is.
const LEAST_RECORDS: f64 = 5.0;
/// Fewer errors than this are no change of the error rate.
const LEAST_ERRORS: f64 = 3.0;
/// Blocks that a pattern must have been seen for before its end is news: four hours of five-minute periods.
const SETTLED: usize = 48;

#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    Silence,
    Volume,
    Level,
    ErrorRate,
    Latency,
    Novelty,
    Pattern,
    Client,
}

impl Family {
    pub(super) fn at(self) -> usize {
        match self {
            Self::Volume => 0,
            Self::Level => 1,
            Self::ErrorRate => 2,
            Self::Latency => 3,
            Self::Novelty => 4,
            Self::Pattern => 5,
            Self::Client => 6,
            Self::Silence => 7,
        }
    }

    /// How many times fewer alarms than the budget allows chance raises, measured on made-up series: probabilities
    /// are never called smaller than they are. The families that say most about the cause get it back.
    pub(super) fn caution(self) -> f64 {
        match self {
            Self::Silence | Self::ErrorRate | Self::Latency | Self::Novelty => 3.0,
            Self::Volume | Self::Level | Self::Pattern | Self::Client => 1.0,
        }
    }
}

/// A series that is improbable under its baseline.
pub(super) struct Finding {
    pub(super) family: Family,
    pub(super) service: String,
    pub(super) kind: Kind,
    pub(super) series: Series,
    pub(super) unit: Unit,
    pub(super) ln_p: f64,
    pub(super) expected: f64,
    pub(super) seen: f64,
    pub(super) window_ms: i64,
    pub(super) from: usize,
    pub(super) to: usize,
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) findings: Vec<Finding>,
    /// Tests made in each family, by [`Family::at`].
    pub(super) tests: [f64; FAMILIES],
}

impl Findings {
    /// Notes tests of so many series. A window of two periods is half the same as the one before it, so it is half a
    /// test at each evaluation, and so on.
    fn tested(&mut self, family: Family, series: usize) {
        let windows: f64 = WINDOWS.iter().map(|&window| 1.0 / real(window)).sum();
        self.note(family, real(series) * windows);
    }

    fn note(&mut self, family: Family, tests: f64) {
        if let Some(all) = self.tests.get_mut(family.at()) {
            *all += tests;
        }
    }

    /// Families that made any test. They share the budget.
    pub(super) fn families(&self) -> f64 {
        real(self.tests.iter().filter(|&&tests| tests > 0.0).count()).max(1.0)
    }
}

/// What the tests of one service share.
struct Service<'a> {
    series: &'a ServiceSeries,
    times: &'a Times,
    totals: &'a [u32],
    /// The first step with a record.
    start: usize,
}

/// What one test counts, per step.
struct Tested<'a> {
    counts: &'a [u32],
    /// Empty for plain counts.
    exposure: &'a [u32],
    start: usize,
}

pub(super) fn service(series: &ServiceSeries, times: &Times, found: &mut Findings) {
    let totals = series.totals(times);
    let Some(start) = totals.iter().position(|&count| count > 0) else {
        return;
    };
    if times.blocks_since(start) <= WARM_UP {
        return;
    }
    let service = Service { series, times, totals: &totals, start };
    service.volume(found);
    service.levels(found);
    service.error_rate(found);
    service.latency(found);
    service.novelty(found);
    service.patterns(found);
    service.clients(found);
}

impl Service<'_> {
    fn volume(&self, found: &mut Findings) {
        let tested = Tested { counts: self.totals, exposure: &[], start: self.start };
        let blocks = self.blocks(&tested);
        let baseline = Baseline::of(&blocks, self.times.day);
        found.tested(Family::Volume, 2);
        // One length of silence a service, not one for each window; each look is a test of its own, and so is the
        // step in which it may have begun.
        let lengths = if self.times.period == 1 && self.series.quiet_ms.is_none() { 2.0 } else { 1.0 };
        found.note(Family::Silence, self.times.looks * lengths);
        self.report(found, Family::Volume, Kind::Spike, Series::Total, &tested, &baseline, Side::More);
        if let Some((silence, from)) = self.silence(&baseline) {
            let at = (from, self.times.now);
            found.findings.push(self.finding(Family::Silence, Kind::Silence, Series::Total, &silence, at));
        } else {
            self.report(found, Family::Volume, Kind::Drop, Series::Total, &tested, &baseline, Side::Fewer);
        }
    }

    /// How surprising it is that nothing comes any more, and the step in which that began.
    fn silence(&self, baseline: &Baseline<'_>) -> Option<(Surprise, usize)> {
        let (now, period) = (self.times.now, self.times.period);
        let still = quiet(self.totals, now);
        let plain = baseline.silence(self.quiet_steps(still) / real(period));
        let mut from = now - still;
        // Steps as long as a period do not say when in a step it fell silent: the records before that may not hide
        // that this step was nearly empty too.
        let mut begun = None;
        if period == 1 && still > 0 && from > self.start && self.series.quiet_ms.is_none() {
            begun = baseline.window(still + 1, Side::Fewer);
            let last = sum(self.totals, from - 1, from);
            if last + 2.0 * last.sqrt() < baseline.rate_before(still + 1) {
                from -= 1;
            }
        }
        let clearest = plain.into_iter().chain(begun).min_by(|a, b| a.ln_p.total_cmp(&b.ln_p));
        clearest.filter(|one| one.ln_p < LN_POSSIBLE).map(|one| (one, from))
    }

    /// The steps that nothing came in, and the part of the one before them. A step is waited for: what comes at once, every
    /// few minutes, is quiet for most of a step whose count is like any other's.
    fn quiet_steps(&self, still: usize) -> f64 {
        let known = self.series.quiet_ms.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX));
        let step = i32::try_from(self.times.step_ms).unwrap_or(i32::MAX);
        let steps = real(still);
        match known {
            Some(ms) if still > 0 => (f64::from(ms) / f64::from(step)).clamp(steps, steps + 1.0),
            _ => steps,
        }
    }

    fn levels(&self, found: &mut Findings) {
        for level in &self.series.levels {
            found.tested(Family::Level, 1);
            let tested = Tested { counts: &level.counts, exposure: &[], start: self.start };
            if self.recent(tested.counts) < LEAST_RECORDS {
                continue;
            }
            let blocks = self.blocks(&tested);
            let baseline = Baseline::of(&blocks, self.times.day);
            let series = Series::Level { level: level.level.clone() };
            self.report(found, Family::Level, Kind::Spike, series, &tested, &baseline, Side::More);
        }
    }

    fn error_rate(&self, found: &mut Findings) {
        found.tested(Family::ErrorRate, 1);
        let errors = self.series.errors(self.times);
        let tested = Tested { counts: &errors, exposure: self.totals, start: self.start };
        let blocks = self.blocks(&tested);
        let baseline = Baseline::of(&blocks, self.times.day);
        let surprise = Self::surprise(&baseline, Side::More).filter(|one| one.seen >= LEAST_ERRORS);
        let Some(surprise) = surprise else {
            return;
        };
        let window = self.steps(surprise.window);
        let records = sum(self.totals, self.times.now.saturating_sub(window), self.times.now).max(1.0);
        let at = self.stretch(&tested, &baseline, &surprise, Side::More);
        let mut finding =
            self.finding(Family::ErrorRate, Kind::ErrorRateShift, Series::ErrorRate, &surprise, at);
        finding.unit = Unit::Share;
        finding.expected /= records;
        finding.seen /= records;
        found.findings.push(finding);
    }

    /// Latency has no distribution that could be relied on, so what is counted is how many values exceed a quantile
    /// of the past: a rate like the one of errors.
    fn latency(&self, found: &mut Findings) {
        let times = self.times;
        let known = self.series.latency.get(..times.now).unwrap_or(&self.series.latency);
        // Sketches may be kept for less time than counts.
        let Some(start) = known.iter().position(|one| !one.is_empty()) else {
            return;
        };
        let recent = times.period * WINDOWS.iter().max().unwrap_or(&1);
        let until = times.now.saturating_sub(recent).max(start + times.period * WARM_UP).min(known.len());
        let past = merged(known, until.saturating_sub(times.day * times.period), until);
        let exposure: Vec<u32> = known.iter().map(|one| narrow(one.count())).collect();
        for percentile in [50_u8, 90] {
            found.tested(Family::Latency, 1);
            let q = f64::from(percentile) / 100.0;
            let Some(limit) = past.quantile(q) else {
                continue;
            };
            let above: Vec<u32> = known.iter().map(|one| narrow(one.count_above(limit))).collect();
            let tested = Tested { counts: &above, exposure: &exposure, start };
            let blocks = self.blocks(&tested);
            let baseline = Baseline::of(&blocks, times.day);
            let Some(surprise) = Self::surprise(&baseline, Side::More) else {
                continue;
            };
            let at = self.stretch(&tested, &baseline, &surprise, Side::More);
            let series = Series::Latency { percentile };
            let mut finding = self.finding(Family::Latency, Kind::LatencyShift, series, &surprise, at);
            finding.unit = Unit::Milliseconds;
            finding.expected = limit;
            finding.seen = merged(known, at.0, at.1).quantile(q).unwrap_or(limit);
            found.findings.push(finding);
        }
    }

    /// Some services bring a new pattern every few minutes, most never do: what is tested is how many records of
    /// young patterns come, against how many came before.
    fn novelty(&self, found: &mut Findings) {
        let times = self.times;
        let youth = WARM_UP * times.period;
        // In the first hour of a service all its patterns are new, which says nothing about later.
        let counted_from = self.start + youth;
        let mut young = vec![0_u32; times.now];
        let mut newest: Vec<(&PatternSeries, usize)> = Vec::new();
        for pattern in &self.series.patterns {
            let Some(first) = pattern.first_step(times).filter(|&first| first >= counted_from) else {
                continue;
            };
            let until = first + youth;
            let counts = times.known(&pattern.counts);
            for (sum, &count) in young.iter_mut().zip(counts).take(until).skip(first) {
                *sum = sum.saturating_add(count);
            }
            if until > times.now {
                newest.push((pattern, first));
            }
        }
        if times.blocks_since(counted_from) <= WARM_UP {
            return;
        }
        found.tested(Family::Novelty, 1);
        if newest.is_empty() || self.recent(&young) < LEAST_RECORDS {
            return;
        }
        let tested = Tested { counts: &young, exposure: &[], start: counted_from };
        let blocks = self.blocks(&tested);
        let baseline = Baseline::of(&blocks, times.day);
        let Some(surprise) = Self::surprise(&baseline, Side::More) else {
            return;
        };
        let oldest = times.now.saturating_sub(self.steps(surprise.window));
        let of = |pattern: &PatternSeries| sum(times.known(&pattern.counts), oldest, times.now);
        let Some((top, _)) = newest.into_iter().max_by(|a, b| of(a.0).total_cmp(&of(b.0))) else {
            return;
        };
        let at = self.stretch(&tested, &baseline, &surprise, Side::More);
        let series = pattern_series(top);
        found.findings.push(self.finding(Family::Novelty, Kind::NewPattern, series, &surprise, at));
    }

    fn patterns(&self, found: &mut Findings) {
        let times = self.times;
        for pattern in &self.series.patterns {
            found.tested(Family::Pattern, 2);
            let Some(first) = pattern.first_step(times) else {
                continue;
            };
            let age = times.blocks_since(first);
            let start = if first > self.start + WARM_UP * times.period { first } else { self.start };
            let tested = Tested { counts: &pattern.counts, exposure: &[], start };
            let recent = self.recent(tested.counts);
            let spikes = age > WARM_UP && recent >= LEAST_RECORDS;
            // Errors that stop are no news.
            let vanishes = age > SETTLED
                && !is_error(&pattern.level)
                && quiet(&pattern.counts, times.now) >= times.period;
            if !spikes && !vanishes {
                continue;
            }
            // With fewer records than this in its life a silence of an hour is never improbable.
            if !spikes && sum(tested.counts, 0, times.now) < real(age) {
                continue;
            }
            let blocks = self.blocks(&tested);
            let baseline = Baseline::of(&blocks, times.day);
            if spikes {
                let series = pattern_series(pattern);
                self.report(found, Family::Pattern, Kind::Spike, series, &tested, &baseline, Side::More);
            }
            if vanishes {
                let still = quiet(&pattern.counts, times.now);
                let surprise = baseline.silence(real(still) / real(times.period));
                if let Some(surprise) = surprise.filter(|one| one.ln_p < LN_POSSIBLE) {
                    let at = (times.now - still, times.now);
                    let series = pattern_series(pattern);
                    found.findings.push(self.finding(
                        Family::Pattern,
                        Kind::VanishedPattern,
                        series,
                        &surprise,
                        at,
                    ));
                }
            }
        }
    }

    /// One client that makes a large part of the traffic, and more than clients of this service use to.
    fn clients(&self, found: &mut Findings) {
        // The part of a window's records that one client must make, and how far above the usual peak of a client.
        const PART: f64 = 0.2;
        const ABOVE_PEAK: f64 = 2.0;
        let times = self.times;
        let mut peaks: Vec<f64> = Vec::new();
        for client in &self.series.clients {
            let blocks = times.blocks(&client.counts, self.start);
            let past = blocks.len().saturating_sub(WARM_UP);
            peaks.extend(blocks.into_iter().take(past).filter(|&count| count > 0.0));
        }
        peaks.sort_by(f64::total_cmp);
        let peak = peaks.get(peaks.len() * 99 / 100).copied().unwrap_or(0.0);
        for client in &self.series.clients {
            found.tested(Family::Client, 1);
            let last = sum(&client.counts, times.now.saturating_sub(times.period), times.now);
            let all = sum(self.totals, times.now.saturating_sub(times.period), times.now);
            if last < LEAST_RECORDS || last < all * PART || last < peak * ABOVE_PEAK {
                continue;
            }
            let tested = Tested { counts: &client.counts, exposure: &[], start: self.start };
            let blocks = self.blocks(&tested);
            let baseline = Baseline::of(&blocks, times.day);
            let series = Series::Client { client: client.client.clone() };
            self.report(found, Family::Client, Kind::OneClient, series, &tested, &baseline, Side::More);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is tested, where it goes and what it is called")]
    fn report(
        &self,
        found: &mut Findings,
        family: Family,
        kind: Kind,
        series: Series,
        counts: &Tested<'_>,
        baseline: &Baseline<'_>,
        side: Side,
    ) {
        if let Some(surprise) = Self::surprise(baseline, side) {
            if side == Side::More && surprise.seen < LEAST_RECORDS {
                return;
            }
            let at = self.stretch(counts, baseline, &surprise, side);
            found.findings.push(self.finding(family, kind, series, &surprise, at));
        }
    }

    fn surprise(baseline: &Baseline<'_>, side: Side) -> Option<Surprise> {
        baseline.surprise(side).filter(|one| one.ln_p < LN_POSSIBLE)
    }

    fn finding(
        &self,
        family: Family,
        kind: Kind,
        series: Series,
        what: &Surprise,
        at: (usize, usize),
    ) -> Finding {
        Finding {
            family,
            service: self.series.service.clone(),
            kind,
            series,
            unit: Unit::Records,
            ln_p: what.ln_p,
            expected: what.expected,
            seen: what.seen,
            window_ms: self.times.blocks_ms(what.window),
            from: at.0,
            to: at.1,
        }
    }

    /// When it began: in the tested window or up to two periods before it.
    fn stretch(
        &self,
        counts: &Tested<'_>,
        baseline: &Baseline<'_>,
        what: &Surprise,
        side: Side,
    ) -> (usize, usize) {
        let (times, window) = (self.times, self.steps(what.window));
        let oldest = times.now.saturating_sub(window + 2 * times.period).max(counts.start);
        let mut rate = baseline.rate_before(window / times.period);
        if counts.exposure.is_empty() {
            rate /= real(times.period);
        }
        let ratio = ratio(what.seen, what.expected);
        stretch(counts.counts, counts.exposure, (oldest, times.now), (rate, ratio), side)
    }

    fn blocks(&self, counts: &Tested<'_>) -> Blocks {
        let exposure = if counts.exposure.is_empty() {
            Vec::new()
        } else {
            self.times.blocks(counts.exposure, counts.start)
        };
        Blocks { counts: self.times.blocks(counts.counts, counts.start), exposure }
    }

    /// Records in the longest window.
    fn recent(&self, counts: &[u32]) -> f64 {
        let longest = WINDOWS.iter().max().unwrap_or(&1) * self.times.period;
        sum(counts, self.times.now.saturating_sub(longest), self.times.now)
    }

    fn steps(&self, blocks: f64) -> usize {
        let period = real(self.times.period);
        (1..=self.times.now).find(|&steps| real(steps) >= blocks * period).unwrap_or(self.times.now)
    }
}

fn pattern_series(pattern: &PatternSeries) -> Series {
    Series::Pattern {
        id: pattern.id.clone(),
        template: pattern.template.clone(),
        level: pattern.level.clone(),
    }
}

fn merged(sketches: &[Sketch], from: usize, to: usize) -> Sketch {
    let mut all = Sketch::default();
    for one in sketches.get(from..to.min(sketches.len())).unwrap_or_default() {
        all.merge(one);
    }
    all
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
