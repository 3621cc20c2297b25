//! The engine without a Worker around it, for benches that run it in wasm: a body of lines is put in once, and each
//! function goes over all of it and answers how many lines it took.

use std::sync::Mutex;

use serde_json::Value;
use timberline::engine::{
    anomaly::{self, Budget, Input, LevelSeries, PatternSeries, ServiceSeries},
    pattern::{Limits, Miner},
    pipeline::{Options, Pipeline, Settings},
    record::{
        field::{Field, Values},
        model::SourceType,
        normalise::{Context, normalise},
        plain::Plain,
        timestamp::Timestamp,
    },
    sketch::Sketch,
    wire::batch,
};
use uuid::Uuid;

static BODY: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SERVICES: Mutex<Vec<ServiceSeries>> = Mutex::new(Vec::new());

/// Two weeks in steps of five minutes, as a history keeps them.
const STEPS: usize = 14 * 288;

fn with_lines(mut each: impl FnMut(&[u8])) -> u32 {
    let body = BODY.lock().unwrap();
    let mut count = 0;
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        each(line);
        count += 1;
    }
    count
}

/// Makes room for the body and answers where it goes.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    let mut body = BODY.lock().unwrap();
    *body = vec![0; bytes];
    body.as_mut_ptr()
}

/// Parses each line to a tree.
#[unsafe(no_mangle)]
pub extern "C" fn parse() -> u32 {
    with_lines(|line| {
        std::hint::black_box(serde_json::from_slice::<Value>(line).unwrap());
    })
}

/// Reads each line as an ingest route does and takes it through a pipeline with the settings that a new tenant has, to its stored row.
#[unsafe(no_mangle)]
pub extern "C" fn pipeline() -> u32 {
    through(&pipeline_of(), true)
}

/// The same without the pipeline.
#[unsafe(no_mangle)]
pub extern "C" fn plain() -> u32 {
    through(&pipeline_of(), false)
}

/// Learns the message of each line, and answers how many patterns there are; `messages` comes first.
#[unsafe(no_mangle)]
pub extern "C" fn mine() -> u32 {
    let mut miner = Miner::new(Limits::default());
    for message in MESSAGES.lock().unwrap().iter() {
        std::hint::black_box(miner.learn(message, 1));
    }
    u32::try_from(miner.patterns().len()).unwrap()
}

/// Makes a quantile sketch of the lengths of the messages.
#[unsafe(no_mangle)]
pub extern "C" fn sketch() -> u32 {
    let mut sketch = Sketch::default();
    for (nth, message) in MESSAGES.lock().unwrap().iter().enumerate() {
        sketch.add(message.len() as f64 + nth as f64 / 7.0, 1);
    }
    sketch.encode().len() as u32
}

/// Makes two weeks of twenty services with a day's season, and answers how many series they are.
#[unsafe(no_mangle)]
pub extern "C" fn history() -> u32 {
    let mut random = 1_u64;
    let mut count = |mean: u64, step: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let by_day = mean * (2 + u64::from(step % 288 > 96)) / 2;
        (by_day + (random >> 33) % (mean / 4 + 2)) as u32
    };
    let mut services = Vec::new();
    for service in 0..20 {
        let mut series = |mean: u64, from: usize| -> Vec<u32> {
            (0..STEPS).map(|step| if step < from { 0 } else { count(mean, step) }).collect()
        };
        let levels = [("INFO", 200), ("WARN", 10), ("ERROR", 3)];
        let levels = levels.map(|(level, mean)| LevelSeries { level: level.into(), counts: series(mean, 0) });
        let pattern = |n: u64| PatternSeries {
            id: format!("{n:016x}"),
            template: format!("pattern {n} of <*>"),
            level: "INFO".into(),
            first_seen_ms: Some(0),
            counts: series(1 + n, STEPS - 4 * 288),
        };
        let patterns = (0..30).map(pattern).collect();
        let name = format!("service-{service}");
        services.push(ServiceSeries {
            service: name,
            levels: levels.into(),
            patterns,
            ..ServiceSeries::default()
        });
    }
    let number = services.iter().map(|one| one.levels.len() + one.patterns.len()).sum::<usize>();
    *SERVICES.lock().unwrap() = services;
    number as u32
}

/// Evaluates the last step of what `history` has made, and answers how many anomalies that are.
#[unsafe(no_mangle)]
pub extern "C" fn evaluate() -> u32 {
    let services = SERVICES.lock().unwrap();
    let input = Input { start_ms: 0, step_ms: 300_000, steps: STEPS, services: &services };
    anomaly::evaluate(&input, Budget::default(), STEPS).len() as u32
}

/// Takes the messages out of the lines.
#[unsafe(no_mangle)]
pub extern "C" fn messages() -> u32 {
    let mut all = Vec::new();
    let count = with_lines(|line| {
        let line: Value = serde_json::from_slice(line).unwrap();
        all.push(line["message"].as_str().unwrap_or_default().to_owned());
    });
    *MESSAGES.lock().unwrap() = all;
    count
}

/// Lines that go the long way.
#[unsafe(no_mangle)]
pub extern "C" fn long() -> u32 {
    let pipeline = pipeline_of();
    let mut long = 0;
    with_lines(|line| {
        let way = Plain::read(line).map(|plain| pipeline.plain(&plain, OPTIONS).is_some());
        long += u32::from(way != Some(true));
    });
    long
}

const OPTIONS: Options<'static> = Options { client: None, redact: true };

fn pipeline_of() -> Pipeline {
    Pipeline::new(&Settings::default(), [7; 32]).unwrap()
}

/// The values of a row, end to end.
#[derive(Default)]
struct Row(Vec<u8>);

impl Values for Row {
    fn put(&mut self, _: Field, parts: &[&str]) {
        parts.iter().for_each(|part| self.0.extend_from_slice(part.as_bytes()));
    }
}

fn through(pipeline: &Pipeline, is_whole: bool) -> u32 {
    let level_in = |message: &str| pipeline.level_in(message);
    let context = Context {
        received_at: Timestamp::from_ms(1_800_000_000_000),
        max_age_ms: &|_| u64::MAX / 2,
        source: SourceType::Http,
        level_in: &level_in,
    };
    let mut row = Row::default();
    let id = Uuid::from_u128(1);
    with_lines(|line| {
        row.0.clear();
        let plain = Plain::read(line);
        let plain = match plain {
            Some(plain) if is_whole => match pipeline.plain(&plain, OPTIONS) {
                Some(way) => plain.write(&context, &way.additions(), &mut row),
                None => None,
            },
            Some(plain) => plain.write(&context, &Default::default(), &mut row),
            None => None,
        };
        if plain.is_none() {
            let raw = batch::parse_record(line).unwrap();
            let mut record = normalise(raw, id, &context).unwrap();
            if is_whole {
                pipeline.pass(&mut record, OPTIONS, &mut |_| 1).unwrap();
            }
            serde_json::to_writer(&mut row.0, &record).unwrap();
        }
        std::hint::black_box(&row.0);
    })
}
