//! What is expected of a series of counts: several forecasts made online, each judged by how well it did on this very
//! series, and the surprise of the latest windows under the good ones. A series with an exposure is a rate (errors of
//! so many records); without one it is a plain count. Only counts before the tested window enter its forecast.

use std::cell::OnceCell;

use super::tail::{ln_at_least, ln_at_most};

/// Blocks a series must have before anything is said about it: an hour of five-minute periods.
pub(super) const WARM_UP: usize = 12;
/// Windows that are tested, in blocks. Short ones find jumps quickly; long ones add up what is too small to see in
/// each block, which is what a CUSUM does.
pub(super) const WINDOWS: [usize; 4] = [1, 2, 6, 12];
/// Forecasts follow the level with these weights of the newest block: half an hour, three hours and two days back.
const WEIGHTS: [f64; 3] = [1.0 / 6.0, 1.0 / 36.0, 1.0 / 576.0];
/// Seasons whose average is the profile, and blocks that the present level is taken from: three hours.
const SEASONS: usize = 3;
const LEVEL: usize = 36;
/// Days before now that forecasts are made for. What is older is used for profiles only.
const REACH_DAYS: usize = 4;
/// Windows of the past that a forecast is judged by; a day of five-minute blocks.
const JUDGED: usize = 288;
/// No forecast is trusted to be nearer than this share of its value. Large counts would alarm for less than one per
/// cent otherwise, which nobody has to get up for.
const TRUST: f64 = 0.05;
/// What is more probable than this is dropped at once: no budget would let it through.
pub(super) const LN_POSSIBLE: f64 = -6.0;
/// What is less probable than this is all the same: `exp` keeps nothing apart below.
const LN_LEAST: f64 = -700.0;
/// The least weight of a forecast, however badly it did: what was best so far need not be from now on.
const LEAST_WEIGHT: f64 = 0.003;
/// A forecast whose errors spread this many times wider than those of the best is not asked at all: nothing would ever
/// surprise it.
const HOPELESS: f64 = 4.0;
/// What a forecast gained or lost on another in one window at most, as a logarithm of likelihoods, and how fast that is
/// forgotten, window by window. An outlier does not decide which forecast is right.
const GAIN: f64 = 2.0;
const FORGET: f64 = 0.99;
/// A series that was as far off in so many separate episodes of the last day does so regularly: a job on a timer.
const REGULAR: usize = 4;

/// Counts and exposures of equal blocks of time, oldest first; the last block ends now.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) counts: Vec<f64>,
    /// Empty when each block weighs the same.
    pub(super) exposure: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    More,
    Fewer,
}

/// One tested window, the most surprising of its side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surprise {
    /// Natural logarithm of the probability.
    pub(super) ln_p: f64,
    /// Length of the window in blocks; a silence may end inside a block.
    pub(super) window: f64,
    pub(super) expected: f64,
    pub(super) seen: f64,
}

/// Forecasts for one series, made for every block from the blocks before it.
pub(super) struct Baseline<'a> {
    blocks: &'a Blocks,
    sums: Vec<f64>,
    exposures: Vec<f64>,
    day: usize,
    /// Forecasts that follow the level, one for each of [`WEIGHTS`].
    flat: Vec<Forecast>,
    /// Forecasts from seasons for the latest windows only, which is enough to see that nothing is surprising.
    latest: Vec<Forecast>,
    /// The same for all the past that they are judged by.
    seasonal: OnceCell<Vec<Forecast>>,
}

/// The rate that was forecast before each block, and how many blocks it rests on.
struct Forecast {
    rates: Vec<f64>,
    memory: f64,
    /// Sums of rate times exposure of a daily or weekly profile, which is not flat over a window.
    profile: Option<Vec<f64>>,
}

/// A forecast for one window and how far off such forecasts are.
#[derive(Clone, Copy)]
struct Judged {
    mean: f64,
    events: f64,
    spread: f64,
    weight: f64,
    /// Separate episodes of the past that were as far off as the tested window, on the same side.
    episodes: usize,
}

impl<'a> Baseline<'a> {
    /// `day` is the number of blocks of a day.
    pub(super) fn of(blocks: &'a Blocks, day: usize) -> Self {
        let sums = running(&blocks.counts);
        let exposures = if blocks.exposure.is_empty() {
            (0..=blocks.counts.len()).map(real).collect()
        } else {
            running(&blocks.exposure)
        };
        let number = blocks.counts.len();
        let rates = follow(blocks, number.saturating_sub(reach(day)));
        let forecast = |(rates, weight)| Forecast { rates, memory: 2.0 / weight - 1.0, profile: None };
        let flat = rates.into_iter().zip(WEIGHTS).map(forecast).collect();
        let (latest, seasonal) = (Vec::new(), OnceCell::new());
        let mut baseline = Self { blocks, sums, exposures, day, flat, latest, seasonal };
        let longest = WINDOWS.iter().max().copied().unwrap_or(1);
        baseline.latest = baseline.seasonal(number.saturating_sub(longest + LEVEL)).collect();
        baseline
    }

    /// Forecasts from profiles of days and weeks, for blocks that follow block `first` by [`LEVEL`] or more. Sharp
    /// profiles know what happens on the hour, blurred ones are less noisy.
    fn seasonal(&self, first: usize) -> impl Iterator<Item = Forecast> {
        let (sums, exposures) = (&self.sums, &self.exposures);
        let seasons = [(self.day, 3), (self.day, 0), (self.day.saturating_mul(7), 0)];
        seasons.into_iter().filter_map(move |(season, near)| seasonal(sums, exposures, season, near, first))
    }

    fn forecasts(&self) -> impl Iterator<Item = &Forecast> {
        let first = self.blocks.counts.len().saturating_sub(reach(self.day) + LEVEL);
        self.flat.iter().chain(self.seasonal.get_or_init(|| self.seasonal(first).collect()))
    }

    /// The most surprising window that ends now, longer windows included.
    pub(super) fn surprise(&self, side: Side) -> Option<Surprise> {
        WINDOWS
            .iter()
            .filter_map(|&window| self.window(window, side))
            .min_by(|a, b| a.ln_p.total_cmp(&b.ln_p))
    }

    /// How surprising it is that nothing came for the last `quiet` blocks, a fraction allowed.
    pub(super) fn silence(&self, quiet: f64) -> Option<Surprise> {
        let longest = WINDOWS.iter().copied().max().unwrap_or(1);
        let whole = (1..=longest).find(|&n| real(n) >= quiet).unwrap_or(longest);
        let share = quiet.min(real(whole)) / real(whole);
        self.surprised(whole, share, 0.0, Side::Fewer).map(|found| Surprise {
            window: quiet,
            expected: found.expected * (quiet / real(whole)).max(1.0),
            ..found
        })
    }

    /// The rate per unit of exposure that was expected before the last `window` blocks.
    pub(super) fn rate_before(&self, window: usize) -> f64 {
        let from = self.blocks.counts.len().saturating_sub(window);
        let exposure = between(&self.exposures, from, self.blocks.counts.len());
        let judged = self.judge(window, 0.0);
        let best = judged.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
        best.map_or(0.0, |best| if exposure > 0.0 { best.mean / exposure } else { 0.0 })
    }

    /// How surprising the last `window` blocks are.
    pub(super) fn window(&self, window: usize, side: Side) -> Option<Surprise> {
        let end = self.blocks.counts.len();
        let seen = between(&self.sums, end.checked_sub(window)?, end);
        self.surprised(window, 1.0, seen, side)
    }

    fn surprised(&self, window: usize, share: f64, seen: f64, side: Side) -> Option<Surprise> {
        if !self.may_surprise(window, share, seen, side) {
            return None;
        }
        // The forecasts are mixed, each by how likely it made the past of this series.
        let judged = self.judge(window, seen);
        let best = judged.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
        let p: f64 = judged
            .iter()
            .map(|one| {
                let regular = one.episodes >= REGULAR;
                let ln_p =
                    if regular { 0.0 } else { ln_tail(seen, one.mean * share, one.events, one.spread, side) };
                one.weight * ln_p.max(LN_LEAST).exp()
            })
            .sum();
        Some(Surprise { ln_p: p.ln().min(0.0), window: real(window), expected: best.mean * share, seen })
    }

    /// Whether any forecast would be surprised if it had always been as near as a Poisson count allows. It never is
    /// nearer, so most windows need no judging, which takes most of the time.
    fn may_surprise(&self, window: usize, share: f64, seen: f64, side: Side) -> bool {
        let end = self.blocks.counts.len();
        let Some(from) = end.checked_sub(window).filter(|&from| from >= WARM_UP) else {
            return false;
        };
        self.flat
            .iter()
            .chain(&self.latest)
            .filter_map(|forecast| self.forecast(forecast, from, window))
            .any(|(mean, events)| ln_tail(seen, mean * share, events, 1.0, side) < LN_POSSIBLE)
    }

    fn judge(&self, window: usize, seen: f64) -> Vec<Judged> {
        let end = self.blocks.counts.len();
        let Some(from) = end.checked_sub(window).filter(|&from| from >= WARM_UP && window > 0) else {
            return Vec::new();
        };
        let exposure = between(&self.exposures, from, end);
        if exposure <= 0.0 {
            return Vec::new();
        }
        let mut judged: Vec<Judged> =
            self.forecasts().filter_map(|one| self.judge_one(one, from, window, seen)).collect();
        let spread = judged.iter().map(|one| one.spread).fold(f64::INFINITY, f64::min).max(1.0);
        judged.retain(|one| one.spread <= spread * HOPELESS);
        let most = judged.iter().map(|one| one.weight).fold(f64::NEG_INFINITY, f64::max);
        for one in &mut judged {
            one.weight = ((one.weight - most) / spread).exp().max(LEAST_WEIGHT);
        }
        let all: f64 = judged.iter().map(|one| one.weight).sum();
        for one in &mut judged {
            one.weight /= all;
        }
        judged
    }

    /// One forecast; its weight is still the logarithm of what it gained on the middle one.
    fn judge_one(&self, forecast: &Forecast, from: usize, window: usize, seen: f64) -> Option<Judged> {
        let (mean, events) = self.forecast(forecast, from, window)?;
        let middle = self.flat.get(WEIGHTS.len() / 2)?;
        let off_now = (seen - mean) / (mean + 0.5).sqrt();
        let mut errors = Vec::new();
        let (mut weight, mut memory) = (0.0, 1.0);
        let mut episodes = Episodes::default();
        let mut end = from;
        while errors.len() < JUDGED && end >= window + WARM_UP / 2 {
            let start = end - window;
            let (Some((mean, _)), Some((other, _))) =
                (self.forecast(forecast, start, window), self.forecast(middle, start, window))
            else {
                break;
            };
            let seen = between(&self.sums, start, end);
            let off = (seen - mean) / (mean + 0.5).sqrt();
            errors.push(((seen - mean) * (seen - mean), mean));
            let gain = other - mean + seen * (mean / other).ln();
            weight += memory * if gain.is_nan() { 0.0 } else { gain.clamp(-GAIN, GAIN) };
            memory *= FORGET;
            // As far off as seven tenths of what is seen now, on the same side.
            if off * off_now.signum() > off_now.abs() * 0.7 {
                episodes.add(start);
            }
            end = start;
        }
        let spread = spread(&errors)?;
        Some(Judged { mean, events, spread, weight, episodes: episodes.number })
    }

    /// The count expected in `window` blocks from block `from` on, and the events that this rests on.
    fn forecast(&self, forecast: &Forecast, from: usize, window: usize) -> Option<(f64, f64)> {
        let exposure = between(&self.exposures, from, from + window);
        let rate = forecast.rates.get(from).copied().filter(|rate| rate.is_finite())?;
        let known = between(&self.exposures, 0, from) / real(from).max(1.0)
            * forecast.memory.min(real(from)).max(1.0);
        // Half an event more than was seen: a series without any may still have a first one.
        let prior = 0.5 / known.max(1e-9);
        let mean = match &forecast.profile {
            None => rate * exposure,
            Some(profile) => rate * between(profile, from, from + window),
        };
        let mean = mean + prior * exposure;
        let events = if exposure > 0.0 { mean / exposure * known } else { 0.0 };
        Some((mean, events))
    }
}

fn ln_tail(seen: f64, mean: f64, events: f64, spread: f64, side: Side) -> f64 {
    let doubt = TRUST * TRUST + spread / (events + 0.5);
    let variance = mean * spread + mean * mean * doubt;
    match side {
        Side::More => ln_at_least(seen, mean, variance),
        Side::Fewer => ln_at_most(seen, mean, variance),
    }
}

/// Counts episodes while walking back through time. What is within an hour of five-minute blocks is one episode.
#[derive(Default)]
struct Episodes {
    number: usize,
    last: Option<usize>,
}

impl Episodes {
    fn add(&mut self, start: usize) {
        if self.last.is_none_or(|last| last.saturating_sub(start) >= WARM_UP) {
            self.number += 1;
            self.last = Some(start);
        }
    }
}

/// Blocks before now that forecasts are made and judged for.
fn reach(day: usize) -> usize {
    day.saturating_mul(REACH_DAYS).max(WARM_UP * 4)
}

/// One forecast that follows the rate of a series.
#[derive(Clone, Copy)]
struct Follower {
    weight: f64,
    level: f64,
    base: f64,
    spread: f64,
}

impl Follower {
    fn rate(&self) -> f64 {
        if self.base > 0.0 { self.level / self.base } else { 0.0 }
    }

    /// Moves towards the count of block `age` of the series, but does not run after outliers.
    fn add(&mut self, age: f64, count: f64, exposure: f64) {
        let newest = self.weight.max(1.0 / (age + 1.0));
        let mut kept = count;
        if age >= OUTLIERS {
            let mean = self.rate() * exposure + 0.5;
            let reach = 4.0 * (self.spread * mean).sqrt();
            let off = count - mean + 0.5;
            kept = (mean - 0.5 + off.clamp(-reach, reach)).max(0.0);
            let square = (off * off / mean).min(9.0 * self.spread);
            self.spread = (self.spread + newest.max(1.0 / 72.0) * (square - self.spread)).max(1.0);
        }
        self.level += newest * (kept - self.level);
        self.base += newest * (exposure - self.base);
    }
}

/// Blocks after which a forecast knows what an outlier is.
const OUTLIERS: f64 = 6.0;

/// The rates that were forecast before each block, for each of [`WEIGHTS`], from block `from` on; none before it.
fn follow(blocks: &Blocks, from: usize) -> [Vec<f64>; 3] {
    let mut followers = WEIGHTS.map(|weight| Follower { weight, level: 0.0, base: 0.0, spread: 1.0 });
    let mut rates = WEIGHTS.map(|_| {
        let mut rates = Vec::with_capacity(blocks.counts.len());
        rates.resize(from.min(blocks.counts.len()), f64::NAN);
        rates
    });
    let mut age = 0.0;
    for (at, &count) in blocks.counts.iter().enumerate().skip(from) {
        for (rates, follower) in rates.iter_mut().zip(&followers) {
            rates.push(follower.rate());
        }
        let exposure = exposure_at(blocks, at);
        if exposure > 0.0 {
            for follower in &mut followers {
                follower.add(age, count, exposure);
            }
        }
        age += 1.0;
    }
    rates
}

/// What was counted at this time on the days (or weeks) before, averaged over `near` blocks on either side, and moved
/// to the level of the last hours. Only blocks from `first` on are looked at. `None` before one season and the warm-up
/// are full.
fn seasonal(sums: &[f64], exposures: &[f64], season: usize, near: usize, first: usize) -> Option<Forecast> {
    let blocks = sums.len().saturating_sub(1);
    if season < LEVEL || blocks < season + WARM_UP {
        return None;
    }
    let seasons = (blocks / season).min(SEASONS);
    let usable = if first == 0 { season } else { first + LEVEL };
    let profile: Vec<f64> = (0..blocks)
        .map(|at| {
            if at < first {
                return 0.0;
            }
            let (mut counted, mut exposed) = (0.0, 0.0);
            for middle in (1..=seasons).map_while(|back| at.checked_sub(back * season)) {
                let (from, to) = (middle.saturating_sub(near), middle + near + 1);
                counted += between(sums, from, to);
                exposed += between(exposures, from, to);
            }
            if exposed > 0.0 { counted / exposed * between(exposures, at, at + 1) } else { 0.0 }
        })
        .collect();
    let profile = running(&profile);
    let rates = (0..blocks)
        .map(|at| if at < usable.max(season) { f64::NAN } else { level(sums, &profile, at, season) })
        .collect();
    let memory = real(seasons * (2 * near + 1)).min(real(LEVEL));
    Some(Forecast { rates, memory, profile: Some(profile) })
}

/// How much more than its profile a series counted in the last hours, before block `at`.
fn level(sums: &[f64], profile: &[f64], at: usize, season: usize) -> f64 {
    // Pieces whose median is taken, so that a past spike does not move it; each needs some events for that.
    const PIECES: usize = 6;
    const EVENTS: f64 = 20.0;
    let from = at.saturating_sub(LEVEL).max(season);
    // Five events of the profile hold the level where nothing is known of it.
    let ratio = |from, to| (between(sums, from, to) + 5.0) / (between(profile, from, to) + 5.0);
    let length = LEVEL / PIECES;
    if at - from < LEVEL || between(profile, from, at) < EVENTS * real(PIECES) {
        return ratio(from, at);
    }
    let mut pieces: [f64; PIECES] =
        std::array::from_fn(|piece| ratio(from + piece * length, from + (piece + 1) * length));
    pieces.sort_unstable_by(f64::total_cmp);
    let (upper, lower) = (pieces.get(PIECES / 2), pieces.get(PIECES / 2 - 1));
    f64::midpoint(upper.copied().unwrap_or(1.0), lower.copied().unwrap_or(1.0))
}

/// How much wider than a Poisson count the errors of the forecasts are. `errors` holds for each window the square of
/// the error and the count that was expected. Each window has the same say, and outliers are clipped at twelve times
/// the mean, so that a past anomaly does not hide the next one.
fn spread(errors: &[(f64, f64)]) -> Option<f64> {
    // Fewer forecasts than this say nothing about how good they are.
    const LEAST: usize = 3;
    // What is assumed before anything is known, and how many windows that counts as.
    const PRIOR: (f64, f64) = (0.5, 6.0);
    if errors.len() < LEAST {
        return None;
    }
    let number = real(errors.len());
    let expected = errors.iter().map(|(_, mean)| mean).sum::<f64>() / number;
    let squares: Vec<f64> = errors.iter().map(|(square, mean)| square / (mean + 0.1)).collect();
    let mut level = 1.0_f64;
    for _ in 0..5 {
        level = (squares.iter().map(|square| square.min(12.0 * level)).sum::<f64>() / number).max(1.0);
    }
    // The mean of the squares of Poisson counts has this variance. An excess within twice its deviation may well be
    // chance, and believing it would cost small counts most of their tail.
    let doubt = 4.0 * (2.0 + 1.0 / expected.max(1e-3)) / number;
    let excess = level - 1.0;
    let believed = excess * (excess * excess / (excess * excess + doubt));
    let prior = PRIOR.0 * PRIOR.1 / (PRIOR.1 + number);
    Some(1.0 + prior + believed * (1.0 + (2.0 / number).sqrt()))
}

fn exposure_at(blocks: &Blocks, at: usize) -> f64 {
    if blocks.exposure.is_empty() { 1.0 } else { blocks.exposure.get(at).copied().unwrap_or(0.0) }
}

/// Sums of the first 0, 1, 2, ... values.
fn running(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(values.iter().map(|value| {
            sum += value;
            sum
        }))
        .collect()
}

/// The sum of the values from `from` up to `to`, from running sums. What lies past the end counts as nothing.
fn between(sums: &[f64], from: usize, to: usize) -> f64 {
    let last = sums.len().saturating_sub(1);
    let at = |i: usize| sums.get(i.min(last)).copied().unwrap_or(0.0);
    (at(to) - at(from)).max(0.0)
}

/// A number of blocks or steps as a float; there are fewer than 2^32 of them.
pub(super) fn real(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
