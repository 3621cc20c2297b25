//! Every search, however the records are spread over logs and segments, against a plain sorted list.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{NOW_MS, Service};

const SERVICES: [&str; 3] = ["api", "web", "db"];
const LEVELS: [&str; 3] = ["INFO", "ERROR", "DEBUG"];
const WORDS: [&str; 4] = ["alpha", "Beta", "gamma", "delta"];

#[derive(Clone, Debug)]
struct One {
    service: usize,
    level: usize,
    word: usize,
    ms: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Store(Vec<One>),
    Flush,
    Crash,
}

#[derive(Clone, Debug)]
struct Query {
    service: Option<usize>,
    level: Option<usize>,
    word: Option<usize>,
    time: Option<(u64, u64)>,
    limit: usize,
}

fn one() -> impl Strategy<Value = One> {
    // Few moments, so that many are equal.
    (0..3_usize, 0..3_usize, 0..4_usize, 0..40_u64).prop_map(|(service, level, word, ms)| One {
        service,
        level,
        word,
        ms,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(one(), 1..30).prop_map(Step::Store),
        3 => Just(Step::Flush),
        1 => Just(Step::Crash),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let time = prop::option::of((0..40_u64, 0..40_u64).prop_map(|(a, b)| (a.min(b), a.max(b))));
    (
        prop::option::of(0..3_usize),
        prop::option::of(0..3_usize),
        prop::option::of(0..4_usize),
        time,
        1..60_usize,
    )
        .prop_map(|(service, level, word, time, limit)| Query { service, level, word, time, limit })
}

impl Query {
    fn wants(&self, one: &One) -> bool {
        self.service.is_none_or(|service| one.service == service)
            && self.level.is_none_or(|level| one.level == level)
            && self.word.is_none_or(|word| one.word == word)
            && self.time.is_none_or(|(from, to)| (from..=to).contains(&one.ms))
    }

    fn uri(&self) -> String {
        let mut uri = format!("/api/v1/logs/search?limit={}", self.limit);
        uri += &self.service.map(|n| format!("&service={}", SERVICES[n])).unwrap_or_default();
        uri += &self.level.map(|n| format!("&level={}", LEVELS[n])).unwrap_or_default();
        uri += &self.word.map(|n| format!("&q={}", WORDS[n])).unwrap_or_default();
        uri += &self
            .time
            .map(|(a, b)| format!("&start_time={}&end_time={}", NOW_MS + a, NOW_MS + b))
            .unwrap_or_default();
        uri
    }
}

async fn run(shards: &str, steps: Vec<Step>, queries: Vec<Query>) -> Result<(), TestCaseError> {
    let service = Service::with(&[("SHARDS_PER_TENANT", shards)]);
    let mut model: Vec<(u64, String, One)> = Vec::new();
    for step in steps {
        match step {
            Step::Store(ones) => {
                let records: Vec<Value> = ones
                    .iter()
                    .map(|one| {
                        json!({
                            "service": SERVICES[one.service], "level": LEVELS[one.level],
                            "message": format!("a {} log", WORDS[one.word]), "timestamp": NOW_MS + one.ms,
                        })
                    })
                    .collect();
                let ids = service.store_all(&records).await;
                model.extend(ids.into_iter().zip(ones).map(|(id, one)| (one.ms, id, one)));
            }
            Step::Flush => service.flush().await,
            Step::Crash => service.world.shards.crash(),
        }
    }
    // Ids are of one length and in hex: their order as text is their order.
    model.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    for query in queries {
        let expected: Vec<&String> =
            model.iter().filter(|(_, _, one)| query.wants(one)).map(|(_, id, _)| id).collect();
        let mut got: Vec<String> = Vec::new();
        let mut uri = query.uri();
        loop {
            let page = service.get(&uri).await.ok();
            let data = page["data"].as_array().unwrap();
            prop_assert!(data.len() <= query.limit);
            got.extend(data.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            prop_assert_eq!(data.len(), query.limit, "a page that is not the last is full");
            uri = format!("{}&cursor={cursor}", query.uri());
        }
        prop_assert_eq!(got.iter().collect::<Vec<_>>(), expected.clone(), "{:?}", query);
        let numbered = service.get(&format!("{}&offset=3", query.uri())).await.ok();
        let second: Vec<&str> =
            numbered["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        prop_assert_eq!(
            second,
            expected.iter().skip(3).take(query.limit).map(|id| id.as_str()).collect::<Vec<_>>()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_paged_search_is_the_sorted_and_filtered_list(
        shards in prop::sample::select(vec!["1", "3"]),
        steps in prop::collection::vec(step(), 1..14),
        queries in prop::collection::vec(query(), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(shards, steps, queries))?;
    }
}
