#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "steps and simulated counts are small"
)]

use super::*;

const MINUTE_MS: i64 = 60_000;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 60.0 {
            let bell: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
            return (mean + bell * mean.sqrt()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// Poisson counts around a rate per step.
fn counts(seed: u64, steps: usize, rate: impl Fn(usize) -> f64) -> Vec<u32> {
    let mut random = Random(seed * 7919 + 12345);
    for _ in 0..50 {
        random.unit();
    }
    (0..steps).map(|step| random.poisson(rate(step))).collect()
}

fn service(name: &str, info: Vec<u32>) -> ServiceSeries {
    let levels = vec![LevelSeries { level: "INFO".into(), counts: info }];
    ServiceSeries { service: name.into(), levels, ..ServiceSeries::default() }
}

fn pattern(id: &str, level: &str, counts: Vec<u32>) -> PatternSeries {
    PatternSeries {
        id: id.into(),
        template: format!("template {id}"),
        level: level.into(),
        first_seen_ms: None,
        counts,
    }
}

/// All anomalies opened by evaluations from one step to another, as they were when last known.
fn watch(services: &[ServiceSeries], step_ms: i64, from: usize, to: usize) -> Vec<Anomaly> {
    let input = Input { start_ms: 0, step_ms, steps: to, services };
    let budget = Budget::default();
    let every = usize::try_from(budget.period_ms / step_ms).unwrap().max(1);
    let (mut known, mut all) = (Vec::new(), Vec::<Anomaly>::new());
    for now in (from..=to).step_by(every) {
        let now_ms = step_ms * i64::try_from(now).unwrap();
        let found = evaluate(&input, budget, now);
        for one in &found {
            for deviation in std::iter::once(&one.lead).chain(&one.co_moving) {
                assert!(
                    deviation.score.is_finite()
                        && deviation.expected.is_finite()
                        && deviation.seen.is_finite()
                );
                assert!(
                    deviation.start_ms <= deviation.end_ms && deviation.end_ms <= now_ms,
                    "{deviation:?} at {now_ms}"
                );
            }
        }
        let followed = follow(known, found, budget, now_ms);
        all.extend(followed.opened);
        for one in &followed.known {
            for old in &mut all {
                if old.found_ms == one.found_ms && old.lead.service == one.lead.service {
                    *old = one.clone();
                }
            }
        }
        known = followed.known;
    }
    all
}

fn brief(anomalies: &[Anomaly]) -> Vec<(Kind, i64, i64)> {
    anomalies
        .iter()
        .map(|one| (one.lead.kind, one.lead.start_ms / MINUTE_MS, one.found_ms / MINUTE_MS))
        .collect()
}

fn assert_quiet(what: &str, anomalies: &[Anomaly]) {
    assert!(
        anomalies.is_empty(),
        "{what}: {:?} {:?}",
        brief(anomalies),
        anomalies.iter().map(|one| &one.lead).collect::<Vec<_>>()
    );
}

/// One anomaly of a kind, that began within three minutes of a step and was found within ten minutes.
fn assert_one(what: &str, anomalies: &[Anomaly], kind: Kind, start: i64) {
    let found = brief(anomalies);
    let right = matches!(found[..], [(k, began, seen)] if k == kind && (began - start).abs() <= 3 && seen <= start + 10);
    assert!(right, "{what}: {found:?} instead of {kind:?} at {start}");
}

fn day(step: usize, step_minutes: f64) -> f64 {
    (step as f64 * step_minutes / 1440.0 * std::f64::consts::TAU).sin()
}

#[test]
fn steady_series_of_any_rate_are_quiet() {
    for (seed, rate) in [(1, 0.0), (2, 1.0 / 60.0), (3, 0.2), (4, 1.0), (5, 20.0), (6, 500.0), (7, 3e6)] {
        let services = [service("steady", counts(seed, 4320, |_| rate))];
        assert_quiet(&format!("{rate} a minute"), &watch(&services, MINUTE_MS, 5, 4320));
    }
}

#[test]
fn a_day_with_ten_times_the_traffic_of_the_night_is_quiet() {
    for (seed, base) in [(1, 3.0), (2, 50.0), (3, 5000.0)] {
        // The logarithm swings by ln(10) between night and day.
        let rate = |step: usize| base * (1.151 * day(step, 1.0)).exp();
        let services = [service("seasonal", counts(seed, 5 * 1440, rate))];
        assert_quiet(&format!("{base} a minute"), &watch(&services, MINUTE_MS, 5, 5 * 1440));
    }
}

#[test]
fn a_spike_and_a_drop_in_a_season_are_found() {
    for (start, factor, kind) in [
        (3 * 1440 + 360, 3.0, Kind::Spike),
        (3 * 1440 + 1080, 4.0, Kind::Spike),
        (3 * 1440 + 600, 0.2, Kind::Drop),
    ] {
        let rate = |step: usize| {
            let hit = (start..start + 30).contains(&step);
            50.0 * (1.151 * day(step, 1.0)).exp() * if hit { factor } else { 1.0 }
        };
        let services = [service("seasonal", counts(9, 4 * 1440, rate))];
        let found = watch(&services, MINUTE_MS, 2 * 1440, 4 * 1440);
        assert_one(&format!("{factor} times at {start}"), &found, kind, start as i64);
    }
}

#[test]
fn quiet_weekends_are_learnt() {
    // Five-minute steps of four weeks; the last one is watched.
    let week = 7 * 288;
    let rate = |step: usize| {
        let weekend = (step / 288) % 7 >= 5;
        200.0 * (0.7 * day(step, 5.0)).exp() * if weekend { 0.3 } else { 1.0 }
    };
    let services = [service("weekly", counts(4, 4 * week, rate))];
    assert_quiet("weekends", &watch(&services, 5 * MINUTE_MS, 3 * week, 4 * week));
}

#[test]
fn slow_growth_is_quiet() {
    for base in [2.0, 300.0] {
        // Three times as much after six days.
        let rate = |step: usize| base * (1.0 + 2.0 * step as f64 / 8640.0);
        let services = [service("growing", counts(5, 8640, rate))];
        assert_quiet("growth", &watch(&services, MINUTE_MS, 5, 8640));
    }
}

#[test]
fn a_step_is_one_anomaly_and_then_the_new_normal() {
    let rate = |step: usize| if step < 2000 { 50.0 } else { 120.0 };
    let found = watch(&[service("stepped", counts(6, 4320, rate))], MINUTE_MS, 5, 4320);
    assert_one("step", &found, Kind::Spike, 2000);
    assert!(!found[0].ongoing);
}

#[test]
fn a_small_lasting_shift_adds_up() {
    let rate = |step: usize| if step < 2000 { 20.0 } else { 30.0 };
    let found = watch(&[service("shifted", counts(7, 2200, rate))], MINUTE_MS, 5, 2200);
    assert_eq!(found.len(), 1);
    assert!(found[0].found_ms <= 2065 * MINUTE_MS, "{:?}", brief(&found));
}

#[test]
fn sparse_series_alarm_only_when_many_come() {
    let rate = |step: usize| if (4000..4005).contains(&step) { 2.0 } else { 1.0 / 60.0 };
    let found = watch(&[service("sparse", counts(8, 4320, rate))], MINUTE_MS, 5, 4320);
    assert_one("ten in five minutes", &found, Kind::Spike, 4000);
}

#[test]
fn a_gap_is_one_silence_and_its_end_is_none() {
    for (seed, rate) in [(1, 4.0), (2, 400.0)] {
        let gap = |step: usize| if (2003..2043).contains(&step) { 0.0 } else { rate };
        let found = watch(&[service("gappy", counts(seed, 3000, gap))], MINUTE_MS, 5, 3000);
        assert_one("gap", &found, Kind::Silence, 2003);
        let end = found[0].lead.end_ms / MINUTE_MS;
        assert!((2040..=2045).contains(&end) && !found[0].ongoing, "{end}");
    }
}

#[test]
fn a_silence_may_begin_inside_a_long_step() {
    for (seed, rate, last) in [(1, 11.0, 1), (2, 25.0, 6), (3, 300.0, 120)] {
        let mut records = counts(seed, 820, |step| if (801..812).contains(&step) { 0.0 } else { rate });
        records[800] = last;
        let found = watch(&[service("cut", records)], 5 * MINUTE_MS, 700, 820);
        assert_one("silence", &found, Kind::Silence, 4000);
        assert_eq!(found[0].lead.start_ms, 4000 * MINUTE_MS, "{rate}");
    }
}

#[test]
fn how_long_it_is_quiet_may_be_known_by_the_minute() {
    // Nothing since the second minute of a step, which makes ten records that are missing.
    let mut records = counts(1, 802, |step| if step < 801 { 10.0 } else { 0.0 });
    records[800] = 4;
    let silence = |quiet_ms: Option<i64>, now: usize| {
        let services = [ServiceSeries { quiet_ms, ..service("slow", records[..now].to_vec()) }];
        let input = Input { start_ms: 0, step_ms: 5 * MINUTE_MS, steps: now, services: &services };
        evaluate(&input, Budget::default(), now).into_iter().find(|one| one.lead.kind == Kind::Silence)
    };
    assert_eq!(silence(None, 802), None);
    assert_eq!(silence(Some(5 * MINUTE_MS), 802), None);
    let found = silence(Some(8 * MINUTE_MS), 802).unwrap();
    assert_eq!((found.lead.start_ms, found.lead.window_ms), (801 * 5 * MINUTE_MS, 8 * MINUTE_MS));
    assert!((15.0..17.0).contains(&found.lead.expected), "{found:?}");
    // No more than the step before can have been quiet, whatever is said.
    assert_eq!(silence(Some(i64::MAX), 802).map(|one| one.lead.window_ms), Some(10 * MINUTE_MS));
}

#[test]
fn what_comes_at_once_every_few_minutes_is_not_silent_between() {
    let services = [ServiceSeries { quiet_ms: Some(4 * MINUTE_MS), ..service("timer", vec![200; 800]) }];
    let input = Input { start_ms: 0, step_ms: 5 * MINUTE_MS, steps: 800, services: &services };
    assert_quiet("timer", &evaluate(&input, Budget::default(), 800));
}

#[test]
fn a_deploy_that_changes_patterns_is_one_anomaly() {
    let mut one = service("deployed", counts(1, 3000, |_| 20.0));
    let before = |step: usize| if step < 2000 { 5.0 } else { 0.0 };
    let after = |step: usize| 5.0 - before(step);
    one.patterns = vec![
        pattern("kept", "INFO", counts(2, 3000, |_| 10.0)),
        pattern("old-a", "INFO", counts(3, 3000, before)),
        pattern("old-b", "WARN", counts(4, 3000, before)),
        pattern("new-a", "INFO", counts(5, 3000, after)),
        pattern("new-b", "WARN", counts(6, 3000, after)),
    ];
    let found = watch(&[one], MINUTE_MS, 5, 3000);
    assert_one("deploy", &found, Kind::NewPattern, 2000);
    assert!(found[0].co_moving.iter().any(|also| also.kind == Kind::VanishedPattern));
}

#[test]
fn a_service_that_always_brings_new_patterns_is_quiet() {
    let mut one = service("chatty", counts(1, 4320, |_| 3.0));
    let mut random = Random(99);
    one.patterns = (0..600)
        .map(|id| {
            let first = (random.unit() * 4320.0) as usize;
            pattern(
                &id.to_string(),
                "INFO",
                counts(id, 4320, |step| match step.cmp(&first) {
                    std::cmp::Ordering::Less => 0.0,
                    std::cmp::Ordering::Equal => 1.5,
                    std::cmp::Ordering::Greater => 0.002,
                }),
            )
        })
        .collect();
    // Three days may have one by chance.
    let found = watch(&[one], MINUTE_MS, 5, 4320);
    assert!(found.len() <= 1, "{:?}", brief(&found));
}

#[test]
fn a_pattern_known_from_before_is_not_new() {
    let mut one = service("known", counts(1, 2000, |_| 20.0));
    let late = |step: usize| if step > 1500 { 0.5 } else { 0.0 };
    one.patterns =
        vec![PatternSeries { first_seen_ms: Some(-1), ..pattern("weekly", "INFO", counts(2, 2000, late)) }];
    assert!(watch(&[one], MINUTE_MS, 5, 2000).iter().all(|found| found.lead.kind != Kind::NewPattern));
}

#[test]
fn errors_that_grow_with_the_traffic_are_no_error_rate_shift() {
    let traffic = |step: usize| if step < 2000 { 40.0 } else { 160.0 };
    let mut one = service("busy", counts(1, 2100, traffic));
    one.levels
        .push(LevelSeries { level: "ERROR".into(), counts: counts(2, 2100, |step| traffic(step) * 0.05) });
    let found = watch(&[one], MINUTE_MS, 5, 2100);
    assert_one("traffic", &found, Kind::Spike, 2000);
    assert!(found[0].co_moving.iter().all(|also| also.kind != Kind::ErrorRateShift));
}

#[test]
fn an_error_rate_shift_is_found_however_the_service_is_loaded() {
    for (seed, load) in [(1, 2.0), (2, 30.0), (3, 3000.0)] {
        let mut one = service("failing", counts(seed, 2100, |_| load));
        let rate = |step: usize| if (2000..2040).contains(&step) { load } else { load * 0.02 };
        one.levels.push(LevelSeries { level: "ERROR".into(), counts: counts(seed + 50, 2100, rate) });
        let found = watch(&[one], MINUTE_MS, 5, 2100);
        assert_one(&format!("{load} a minute"), &found, Kind::ErrorRateShift, 2000);
    }
}

#[test]
fn a_latency_shift_is_found() {
    let mut one = service("slow", counts(1, 2100, |_| 6.0));
    let mut random = Random(5);
    one.latency = (0..2100)
        .map(|step| {
            let mut sketch = crate::engine::sketch::Sketch::default();
            for _ in 0..6 {
                let base = 20.0 * (random.unit() * 2.0).exp();
                sketch.add(if step >= 2000 { base * 4.0 } else { base }, 1);
            }
            sketch
        })
        .collect();
    assert_one("latency", &watch(&[one], MINUTE_MS, 5, 2100), Kind::LatencyShift, 2000);
}

#[test]
fn latencies_may_be_coarse_and_kept_for_less_time_than_counts() {
    // Six days of five-minute steps, the last two with sketches.
    let (steps, shift) = (6 * 288, 6 * 288 - 20);
    let mut one = service("slow", counts(7, steps, |_| 30.0));
    let mut random = Random(6);
    one.latency = vec![crate::engine::sketch::Sketch::default(); steps];
    for (step, sketch) in one.latency.iter_mut().enumerate().skip(4 * 288) {
        for _ in 0..30 {
            let base = 20.0 * (random.unit() * 2.0).exp();
            sketch.add(if step >= shift { base * 1.6 } else { base }, 1);
        }
        *sketch = sketch.coarse();
    }
    let found = watch(&[one], 5 * MINUTE_MS, steps - 200, steps);
    assert_one("latency", &found, Kind::LatencyShift, 5 * shift as i64);
}

#[test]
fn one_client_that_takes_over_is_named() {
    let mut one = service("api", counts(1, 2100, |step| if step < 2000 { 60.0 } else { 160.0 }));
    one.clients = (0..30)
        .map(|id| ClientSeries { client: id.to_string(), counts: counts(id + 10, 2100, |_| 1.0) })
        .collect();
    let late = counts(77, 2100, |step| if step < 2000 { 0.0 } else { 100.0 });
    one.clients.push(ClientSeries { client: "203.0.113.9".into(), counts: late });
    let found = watch(&[one], MINUTE_MS, 5, 2100);
    assert_one("client", &found, Kind::OneClient, 2000);
    assert_eq!(found[0].lead.series, Series::Client { client: "203.0.113.9".into() });
}

#[test]
fn a_job_on_a_timer_is_learnt() {
    let rate = |step: usize| if step % 60 < 3 { 200.0 } else { 20.0 };
    let found = watch(&[service("timed", counts(1, 4320, rate))], MINUTE_MS, 1440, 4320);
    assert_quiet("timer", &found);
}

#[test]
fn two_thousand_series_share_one_budget() {
    let mut services = Vec::new();
    for name in 0..40 {
        let mut one = service(&name.to_string(), counts(name + 1, 1440, |_| 20.0));
        one.patterns = (0..50)
            .map(|id| {
                pattern(
                    &id.to_string(),
                    "INFO",
                    counts(name * 50 + id + 1, 1440, |_| 0.02 * 1.15_f64.powf(id as f64)),
                )
            })
            .collect();
        services.push(one);
    }
    let found = watch(&services, MINUTE_MS, 60, 1440);
    assert!(found.len() <= 1, "{:?}", brief(&found));
}

#[test]
fn what_comes_later_does_not_matter() {
    let early = counts(1, 1000, |step| if step < 900 { 10.0 } else { 60.0 });
    let mut late = early.clone();
    late.extend(counts(2, 500, |_| 900.0));
    let (short, long) = ([service("same", early)], [service("same", late)]);
    for now in [500, 905, 950, 1000] {
        let of = |services, steps| {
            evaluate(&Input { start_ms: 7, step_ms: MINUTE_MS, steps, services }, Budget::default(), now)
        };
        assert_eq!(of(&short, 1000), of(&long, 1500), "{now}");
    }
}

#[test]
fn odd_input_is_answered_without_panic() {
    let mut odd = service("odd", vec![u32::MAX; 700]);
    odd.levels.push(LevelSeries { level: "ERROR".into(), counts: vec![u32::MAX; 300] });
    odd.patterns = vec![
        pattern("none", "", Vec::new()),
        PatternSeries { first_seen_ms: Some(i64::MAX), ..pattern("later", "INFO", vec![1; 700]) },
        PatternSeries { first_seen_ms: Some(i64::MIN), ..pattern("earlier", "INFO", vec![9; 200]) },
    ];
    odd.latency = vec![crate::engine::sketch::Sketch::default(); 9];
    odd.clients = vec![ClientSeries::default()];
    let mut jumpy =
        service("jumpy", (0..700).map(|step| if step % 97 == 0 { u32::MAX } else { 0 }).collect());
    jumpy.latency = (0..700)
        .map(|_| {
            let mut s = crate::engine::sketch::Sketch::default();
            s.add(0.0, u64::MAX);
            s.add(1e300, 7);
            s
        })
        .collect();
    let services = [odd, jumpy, ServiceSeries::default()];
    for step_ms in [i64::MIN, -1, 0, 1, MINUTE_MS, 86_400_000, i64::MAX] {
        for start_ms in [i64::MIN, 0, i64::MAX] {
            for period_ms in [i64::MIN, 0, 1, 300_000, i64::MAX] {
                for false_alarms_per_day in [f64::NAN, -1.0, 0.0, 0.5, f64::INFINITY] {
                    let input = Input { start_ms, step_ms, steps: 700, services: &services };
                    let budget = Budget { false_alarms_per_day, period_ms, every_ms: period_ms };
                    for now in [0, 1, 350, 700, usize::MAX] {
                        let found = evaluate(&input, budget, now);
                        assert!(found.iter().all(|one| one.lead.score.is_finite()));
                        drop(follow(found.clone(), found, budget, start_ms));
                    }
                }
            }
        }
    }
}

#[test]
fn silence_after_a_burst_of_errors_is_a_second_alarm() {
    let load = |step: usize| if (2018..2060).contains(&step) { 0.0 } else { 20.0 };
    let mut one = service("crashing", counts(1, 2100, load));
    let errors = |step: usize| if (2000..2012).contains(&step) { 20.0 } else { load(step) * 0.02 };
    one.levels.push(LevelSeries { level: "ERROR".into(), counts: counts(2, 2100, errors) });
    let found = watch(&[one], MINUTE_MS, 5, 2100);
    assert_one("errors", &found[..1], Kind::ErrorRateShift, 2000);
    assert_one("silence", &found[1..], Kind::Silence, 2018);
}

#[test]
fn an_anomaly_survives_being_stored() {
    let rate = |step: usize| if step < 600 { 10.0 } else { 90.0 };
    let found = watch(&[service("kept", counts(1, 620, rate))], MINUTE_MS, 300, 620);
    let text = serde_json::to_string(&found).unwrap();
    let again: Vec<Anomaly> = serde_json::from_str(&text).unwrap();
    // The last digit of a float may differ.
    assert_eq!(brief(&again), brief(&found));
    assert_eq!(again[0].lead.series, found[0].lead.series);
}
