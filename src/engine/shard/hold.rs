//! Group commit: how long a commit waits for company.
//!
//! A row written costs as much as a million bytes; a lone log alone in its row costs more than
//! everything else about it. So a shard holds the first append of a commit until the stream of
//! appends pauses, and learns from each commit what a pause is: writers that wait for their answer
//! before they send again arrive in bursts and pause at once, independent writers arrive evenly. Where
//! holding gathers nothing it stops, and only probes now and then.

/// No append waits longer than this for its commit to begin.
pub const MAX_HOLD_MS: f64 = 200.0;

/// A pause is this many mean gaps: independent arrivals show such a gap by chance once in 50.
const PAUSE_GAPS: f64 = 4.0;

/// The longest pause waited for.
const MAX_PAUSE_MS: f64 = 60.0;

/// When the mean gap is longer than this, less than one more append is to be expected in the time that
/// an answer may be delayed by.
const WORTHWHILE_GAP_MS: f64 = 25.0;

/// Records that pay for a row: $0.05 per million logs. To wait for more would only make writers that wait
/// for their answers march in step.
const ENOUGH_RECORDS: u32 = 20;

/// Bytes that pay for a row by themselves.
const ENOUGH_BYTES: usize = 256 << 10;

/// While holding seems useless, every so many commits one is held all the same, to find out.
const PROBE_EVERY: u32 = 16;

const PROBE_MS: f64 = 20.0;

/// How much of the estimate a commit renews.
const LEARNING: f64 = 0.3;

/// What to do about the open commit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Ask again after so many milliseconds, or at the next arrival.
    WaitMs(f64),
    Commit,
}

/// The policy's memory. Times are milliseconds of one clock, never going back.
#[derive(Clone, Debug)]
pub struct Hold {
    mean_gap_ms: f64,
    commits_unheld: u32,
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    since_ms: f64,
    last_ms: f64,
    appends: u32,
    records: u32,
    bytes: usize,
    probe: bool,
}

impl Default for Hold {
    fn default() -> Self {
        Self { mean_gap_ms: 4.0, commits_unheld: 0, open: None }
    }
}

impl Hold {
    /// An append of so many records and bytes has arrived and waits.
    pub fn arrived(&mut self, records: u32, bytes: usize, now_ms: f64) {
        let probe = self.commits_unheld >= PROBE_EVERY;
        let open = self.open.get_or_insert(Open {
            since_ms: now_ms,
            last_ms: now_ms,
            appends: 0,
            records: 0,
            bytes: 0,
            probe,
        });
        open.last_ms = now_ms;
        open.appends += 1;
        open.records = open.records.saturating_add(records);
        open.bytes = open.bytes.saturating_add(bytes);
    }

    pub fn poll(&self, now_ms: f64) -> Step {
        let Some(open) = &self.open else { return Step::Commit };
        if open.records >= ENOUGH_RECORDS || open.bytes >= ENOUGH_BYTES {
            return Step::Commit;
        }
        let pause = match (open.probe, self.mean_gap_ms > WORTHWHILE_GAP_MS) {
            (false, true) => return Step::Commit,
            (true, true) => PROBE_MS,
            (_, false) => (PAUSE_GAPS * self.mean_gap_ms).clamp(1.0, MAX_PAUSE_MS),
        };
        let until = (open.last_ms + pause).min(open.since_ms + MAX_HOLD_MS);
        // A clock that was set back must not hold anybody for as long as it was set back.
        if now_ms >= until { Step::Commit } else { Step::WaitMs((until - now_ms).min(MAX_HOLD_MS)) }
    }

    /// The open commit was written.
    pub fn committed(&mut self, now_ms: f64) {
        let Some(open) = self.open.take() else { return };
        let held = now_ms > open.since_ms || open.appends > 1;
        if !held {
            // A commit that had enough at once says nothing about gaps.
            if self.mean_gap_ms > WORTHWHILE_GAP_MS {
                self.commits_unheld += 1;
            }
            return;
        }
        self.commits_unheld = 0;
        let alone = open.appends == 1;
        let seen = if alone {
            // Nothing came in all that time: the gap is longer than was waited.
            (2.0 * (now_ms - open.since_ms)).max(self.mean_gap_ms)
        } else {
            (open.last_ms - open.since_ms) / f64::from(open.appends - 1)
        };
        // A probe that found company is believed at once.
        let weight = if open.probe && !alone { 1.0 } else { LEARNING };
        self.mean_gap_ms = (self.mean_gap_ms + weight * (seen - self.mean_gap_ms)).clamp(0.1, 1_000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs writers against the policy. `next(writer, answered_ms)` says when a writer that was answered
    /// sends again. Returns commits, appends and the longest wait.
    fn simulate(writers: usize, until_ms: f64, mut next: impl FnMut(usize, f64) -> f64) -> (u32, u32, f64) {
        let mut hold = Hold::default();
        let mut due: Vec<(f64, usize)> = (0..writers).map(|w| (next(w, 0.0), w)).collect();
        let mut waiting: Vec<(f64, usize)> = Vec::new();
        let (mut now, mut commits, mut appends, mut longest) = (0.0_f64, 0, 0, 0.0_f64);
        while now < until_ms {
            due.sort_by(|a, b| a.0.total_cmp(&b.0));
            let arrival = due.first().map_or(f64::INFINITY, |d| d.0);
            let step = if waiting.is_empty() {
                f64::INFINITY
            } else {
                match hold.poll(now) {
                    Step::Commit => now,
                    Step::WaitMs(ms) => now + ms,
                }
            };
            if step <= arrival {
                now = step;
                if hold.poll(now) != Step::Commit {
                    continue;
                }
                hold.committed(now);
                commits += 1;
                for (since, writer) in waiting.drain(..) {
                    longest = longest.max(now - since);
                    due.push((next(writer, now), writer));
                }
            } else {
                now = arrival;
                let (_, writer) = due.remove(0);
                hold.arrived(1, 300, now);
                appends += 1;
                waiting.push((now, writer));
            }
        }
        (commits, appends, longest)
    }

    /// Evenly distributed numbers in 0..1, always the same ones.
    fn numbers() -> impl FnMut() -> f64 {
        let mut state = 42_u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31)
        }
    }

    #[test]
    fn independent_writers_at_100_a_second_share_a_row_ten_to_one() {
        let mut random = numbers();
        let mut clock = 0.0;
        // Arrivals of one Poisson stream, whoever is free sends the next.
        let (commits, appends, longest) = simulate(400, 60_000.0, |_, _| {
            clock += -10.0 * (1.0 - random()).ln();
            clock
        });
        assert!(appends > 5_000, "{appends}");
        assert!(f64::from(appends) / f64::from(commits) >= 10.0, "{appends} in {commits}");
        assert!(longest < MAX_HOLD_MS + 0.001, "{longest}");
    }

    #[test]
    fn a_lone_writer_is_soon_answered_at_once() {
        let (commits, appends, _) = simulate(1, 10_000.0, |_, answered| answered + 2.0);
        // The last one may still wait.
        assert!(appends - commits <= 1, "{appends} in {commits}");
        // With no waiting at all it would be 5,000; a probe every 16th costs 20 ms.
        assert!(appends > 2_500, "{appends}");
    }

    #[test]
    fn writers_that_wait_for_their_answers_are_not_slowed_to_a_crawl() {
        for writers in [4_u32, 32] {
            let mut random = numbers();
            let (commits, appends, _) =
                simulate(writers as usize, 10_000.0, |_, answered| answered + 1.0 + random() * 2.0);
            let rate = f64::from(appends) / 10.0;
            assert!(
                rate > 80.0 * f64::from(writers),
                "{writers} writers: {rate} a second in {commits} commits"
            );
            assert!(f64::from(appends) / f64::from(commits) > 1.5, "{writers}: {appends} in {commits}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_longer() {
        let mut hold = Hold::default();
        hold.arrived(1, 300, 3_600_000.0);
        assert_eq!(hold.poll(0.0), Step::WaitMs(MAX_HOLD_MS));
    }

    #[test]
    fn a_batch_does_not_wait() {
        let mut hold = Hold::default();
        hold.arrived(1_000, 40_000, 5.0);
        assert_eq!(hold.poll(5.0), Step::Commit);
    }

    #[test]
    fn nothing_waits_longer_than_the_hold() {
        let mut hold = Hold::default();
        for at in 0..40 {
            hold.arrived(1, 300, f64::from(at) * 5.0);
        }
        assert_eq!(hold.poll(MAX_HOLD_MS), Step::Commit);
    }
}
