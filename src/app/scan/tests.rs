//! Parts of sinks, put together, against the whole.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{
    Gather, Part, Sink, Stats,
    wire::{Answer, Asked, Job},
};
use crate::{
    app::{
        aggregate::{Counting, Grouping, Names},
        search::Weighed,
    },
    engine::{
        block::rows,
        query::{
            Filter, TimeRange, parse,
            relevance::Terms,
            stat::{By, Measure},
        },
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
};

/// A few fields with few values, so that they meet, and numbers that no double holds exactly.
fn row(n: usize, seed: u32) -> String {
    let time = Timestamp::from_ms(1_763_683_200_000 + i64::from(seed) * 977);
    let mut row = json!({
        "id": Uuid::from_u128(n as u128 + 1), "timestamp": time, "received_at": time, "service": format!("s{}", seed % 3),
        "level": "INFO", "message": "payment ".repeat(1 + seed as usize % 3) + &format!("of {}", seed % 11),
        "duration_ms": f64::from(seed) * 0.1 - 1e4, "user_id": format!("u{}", seed % 17), "tags": ["a", format!("t{}", seed % 2)],
        "metadata": {"size": seed % 5, (format!("k{}", seed % 7)): seed.is_multiple_of(2)},
    });
    if seed.is_multiple_of(4) {
        row.as_object_mut().unwrap().remove("duration_ms");
    }
    row.to_string() + "\n"
}

/// Hands the rows of every pile to a sink of its own, puts the parts together, and shows that beside the whole.
fn check<S: Sink, T: PartialEq + std::fmt::Debug>(
    piles: &[Vec<String>],
    new: impl Fn(&S) -> S,
    first: impl Fn() -> S,
    part: impl Fn(S) -> Part,
    shown: impl Fn(S) -> T,
) {
    let fill = |sink: &mut S, pile: &[String]| {
        for row in rows::rows(pile.concat().as_bytes()) {
            sink.row(&row.unwrap(), None).unwrap();
        }
    };
    let mut whole = first();
    for pile in piles {
        fill(&mut whole, pile);
    }
    let mut together = first();
    for (nth, pile) in piles.iter().enumerate() {
        if nth == 0 {
            fill(&mut together, pile);
            continue;
        }
        let mut other = new(&together);
        fill(&mut other, pile);
        let done = Answer::Done { part: part(other), stats: Stats::default(), segments: 1 };
        let Ok(Answer::Done { part, .. }) = Answer::read(&done.write().unwrap()) else { panic!("{done:?}") };
        assert!(together.absorb(part));
    }
    assert_eq!(shown(together), shown(whole));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn parts_of_any_split_are_the_whole(
        seeds in prop::collection::vec((0_u32..100_000, 0_usize..4), 0..120),
        many in prop::bool::weighted(0.1),
    ) {
        let mut piles = vec![Vec::new(); 4];
        for (n, (seed, pile)) in seeds.iter().enumerate() {
            piles[*pile].push(row(n, *seed));
        }
        if many {
            // More than a quantile keeps as they are.
            piles[1].extend((0..400).map(|n| row(1_000 + n, 7 * u32::try_from(n).unwrap())));
            piles[2].extend((0..300).map(|n| row(2_000 + n, 3 * u32::try_from(n).unwrap())));
        }
        let filter = Filter { time: TimeRange::ALL, expr: parse("payment 3").unwrap() };
        let by = [
            vec![],
            vec![By::Field("service".into()), By::Field("tags".into())],
            vec![By::Time(60_000), By::Field("metadata.size".into())],
        ];
        let measures = ["count", "sum(duration_ms)", "avg(duration_ms)", "min(duration_ms)", "max(duration_ms)", "p95(duration_ms)", "uniq(user_id)"];
        let measures = measures.map(|measure| Measure::parse(measure).unwrap());
        for by in by {
            check(
                &piles,
                |sink: &Grouping<'_>| match sink.gather().unwrap() {
                    Gather::Groups { by, measures, settled } => Grouping::new(&filter, by, measures, settled.unwrap_or_default()),
                    other => panic!("{other:?}"),
                },
                || Grouping::new(&filter, by.clone(), measures.to_vec(), Vec::new()),
                |sink| Part::Groups(sink.into_part()),
                |sink| {
                    let mut groups: Vec<_> = sink
                        .into_groups()
                        .into_iter()
                        .map(|(keys, states)| {
                            let states: Vec<_> = states.iter().map(|state| (state.result(), state.is_approximate())).collect();
                            (keys, states)
                        })
                        .collect();
                    groups.sort_by(|a, b| a.0.cmp(&b.0));
                    groups
                },
            );
        }
        check(
            &piles,
            |sink: &Counting| match sink.gather().unwrap() {
                Gather::Facets { known, finds } => Counting::new(known, finds),
                other => panic!("{other:?}"),
            },
            || Counting::new(Vec::new(), true),
            |sink| Part::Facets(sink.into_part().unwrap()),
            |sink| sink.into_facets().into_iter().map(|(name, facet)| (name, facet.top(100))).collect::<Vec<_>>(),
        );
        check(
            &piles,
            |_| Names::default(),
            Names::default,
            |sink| Part::Fields(sink.into_part().unwrap()),
            |sink| serde_json::to_value(sink.into_part()).unwrap(),
        );
        let terms = Terms::of(&filter.expr);
        check(
            &piles,
            |sink: &Weighed| match sink.gather().unwrap() {
                Gather::Weights { room } => Weighed::new(terms.clone(), room),
                other => panic!("{other:?}"),
            },
            || Weighed::new(terms.clone(), 1_000),
            |sink| Part::Weights(sink.into_part().unwrap()),
            |sink| sink.ranked(),
        );
    }
}

fn job(change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let tenant = Tenant::default_tenant();
    let filter = Filter { time: TimeRange::ALL, expr: parse("level:error -a").unwrap() };
    let gather =
        Asked::gathers(&Gather::Groups { by: vec![By::Time(5)], measures: Vec::new(), settled: None });
    let asked = Asked::new(&tenant, &filter).unwrap();
    let job = asked.job(&gather.unwrap(), (u64::MAX, 9), true, &[]).unwrap();
    let mut job: serde_json::Value = serde_json::from_slice(&job).unwrap();
    job["segments"] =
        json!([{"key": "logs/default/d30/2025/11/20/x.seg.gz", "size_bytes": 9, "footer_offset": 5}]);
    change(&mut job);
    job.to_string().into_bytes()
}

#[test]
fn a_job_is_read_as_it_was_written() {
    let (read, gather) = Job::read(&Tenant::default_tenant(), &job(|_| {})).unwrap();
    assert_eq!(*read.filter, Filter { time: TimeRange::ALL, expr: parse("level:error -a").unwrap() });
    assert_eq!((read.r2_reads, read.bytes_read, read.last_try), (400, 9, true));
    assert_eq!((read.segments[0].size_bytes, read.segments[0].footer_offset), (9, 5));
    assert!(matches!(gather, Gather::Groups { by, .. } if by == [By::Time(5)]));
}

#[test]
fn a_job_of_others_is_refused() {
    let check = |expected: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let error = Job::read(&Tenant::default_tenant(), &job(change)).err().unwrap_or_default();
        assert!(error.contains(expected), "{expected}: {error}");
    };
    check("version 2", &|job| job["version"] = 1.into());
    check("tenant default", &|job| job["tenant"] = "other".into());
    check("below logs/default/", &|job| job["segments"][0]["key"] = "logs/default-2/d30/x.seg.gz".into());
    check("at most 1000", &|job| job["segments"] = vec![job["segments"][0].clone(); 1_001].into());
    check("above 0", &|job| job["gather"]["groups"]["by"][0]["Time"] = 0.into());
    check("expected", &|job| job["expr"] = "(".into());
    check("unknown variant", &|job| job["gather"] = json!("everything"));
}

#[test]
fn what_would_not_be_read_as_it_is_written_is_not_asked_for() {
    let asked = |filter: &Filter| Asked::new(&Tenant::default_tenant(), filter).is_some();
    let names: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
    assert!(asked(&Filter { time: TimeRange::ALL, expr: Filter::services(&names[..20]) }));
    assert!(!asked(&Filter { time: TimeRange::ALL, expr: Filter::services(&names) }));
}

#[test]
fn an_answer_that_is_too_long_says_so() {
    let sink = (0..70_000).fold(String::new(), |mut text, n| {
        text.push_str(&row(n, 3));
        text
    });
    let mut weighed = Weighed::new(Terms::of(&parse("payment").unwrap()), 100_000);
    for row in rows::rows(sink.as_bytes()) {
        weighed.row(&row.unwrap(), None).unwrap();
    }
    let part = Part::Weights(weighed.into_part().unwrap());
    let answer = Answer::Done { part, stats: Stats::default(), segments: 1 };
    assert!(matches!(Answer::read(&answer.write().unwrap()), Ok(Answer::TooMuch)));
}
