//! Changed request bodies: what a decoder gives is the same each time, no more than was asked for, and either refused or
//! stored as a row that is read back as it was.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;
use timberline::engine::{
    block::{
        packed::Packer,
        rows::{self, Encoder},
    },
    record::{
        model::{Record, SourceType},
        normalise::{Context, Raw, RawRecord, normalise},
        plain::Additions,
        rejection::Rejection,
        row::RowHead,
        timestamp::Timestamp,
    },
    wire::{batch, body, datadog, elastic, gelf, jsonline, logpush, loki, otlp, splunk, tail},
};
use timberline_fuzz::{protobuf, run};

/// Few, so that some bodies have more.
const MAX: usize = 8;

const MAX_BYTES: usize = 1 << 20;

const NOW: Timestamp = Timestamp::from_ms(1_763_682_436_123);

const DAY_MS: u64 = 86_400_000;

type Decoded = Vec<Result<RawRecord, Rejection>>;

/// A way in, which the first byte of an input names.
struct Way {
    name: u8,
    decode: fn(&[u8]) -> Option<Decoded>,
    source: SourceType,
    /// Whether what it decodes is refused for its time and its size alone.
    is_taken: bool,
    seeds: &'static [&'static str],
}

const fn way(name: u8, decode: fn(&[u8]) -> Option<Decoded>, seeds: &'static [&'static str]) -> Way {
    Way { name, decode, source: SourceType::Http, is_taken: true, seeds }
}

const WAYS: &[Way] = &[
    Way { is_taken: false, ..way(b'1', one, RECORDS) },
    Way {
        is_taken: false,
        ..way(
            b'b',
            |body| native(body, body::Format::Json),
            &[
                r#"{"logs":[{"service":"shop","message":"m"},{"service":"shop","msg":"n","ts":1763682430}]}"#,
                r#"[{"service":"shop","message":"m","level":"warn"},7,{"message":"m"}]"#,
                "{\"service\":\"shop\",\"message\":\"m\"}\n{\"service\":\"shop\",\"message\":\"n\"}",
            ],
        )
    },
    Way { is_taken: false, ..way(b'n', |body| native(body, body::Format::Ndjson), RECORDS) },
    Way { is_taken: false, ..way(b'z', |body| native(&inflated(body, "gzip")?, body::Format::Ndjson), &[]) },
    Way {
        is_taken: false,
        ..way(b'Z', |body| native(&inflated(body, "deflate")?, body::Format::Ndjson), &[])
    },
    Way { is_taken: false, ..way(b'y', |body| native(&inflated(body, "zstd")?, body::Format::Ndjson), &[]) },
    way(
        b'l',
        |body| loki_entries(loki::decode_json(body, MAX)),
        &[
            r#"{"streams":[{"stream":{"app":"shop","level":"error","a.b":"c"},"values":[["1763682430000000005","it failed",{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","x":"y"}],["1763682431000000000","again"]]}]}"#,
            r#"{"streams":[{"values":[["1763682430000000005","level=warn msg=\"slow\" took=1.5s"]],"stream":{"job":"varlogs","service_name":"a b"}},{"stream":{},"values":[]},{"stream":null,"values":[["0",""],["-1","x"]]}]}"#,
        ],
    ),
    way(b'k', |body| loki_entries(loki::decode_protobuf(&protobuf::written(body), MAX)), LOKI),
    way(b'K', |body| loki_entries(loki::decode_protobuf(body, MAX)), &[]),
    way(b'S', |body| loki_entries(loki::decode_protobuf(&decompressed(body)?, MAX)), &[]),
    Way {
        is_taken: false,
        ..way(
            b'o',
            |body| otlp_records(body, otlp::Encoding::Json),
            &[
                r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"h"}}]},"scopeLogs":[{"scope":{"name":"lib","version":"1"},"logRecords":[{"timeUnixNano":"1763682430000000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"it failed"},"attributes":[{"key":"http.route","value":{"stringValue":"/pay"}},{"key":"n","value":{"intValue":"7"}},{"key":"d","value":{"doubleValue":"NaN"}}],"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","flags":1}],"schemaUrl":"s"}]}]}"#,
                r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"observedTimeUnixNano":1763682430000000000,"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"boolValue":true},{"bytesValue":"eHl6"},{"doubleValue":1e3},null]}}},{"key":"a","value":{}}]}},"eventName":"e","droppedAttributesCount":2},null,{}]},null]}]}"#,
            ],
        )
    },
    Way {
        is_taken: false,
        ..way(b'p', |body| otlp_records(&protobuf::written(body), otlp::Encoding::Protobuf), OTLP)
    },
    Way { is_taken: false, ..way(b'P', |body| otlp_records(body, otlp::Encoding::Protobuf), &[]) },
    Way {
        is_taken: false,
        ..way(
            b'e',
            elastic_documents,
            &[
                "{\"create\":{\"_index\":\"logs-nginx.access-default\"}}\n{\"@timestamp\":\"2025-11-20T23:47:10Z\",\"message\":\"m\",\"log\":{\"level\":\"warn\"},\"service\":{\"name\":\"shop\"}}\n",
                "{\"index\":{\"_id\":\"7\"}}\n{\"http\":{\"request\":{\"method\":\"GET\"},\"response\":{\"status_code\":500}},\"url\":{\"original\":\"https://a.example/b?c\"},\"event\":{\"duration\":1500000}}\n\n{\"delete\":{\"_index\":\"app-2025.11.20\",\"_id\":\"1\"}}\n{\"update\":null}\n{}\n{\"create\":{}}\n{\"a\":1}",
            ],
        )
    },
    way(
        b's',
        |body| splunk_events(body, splunk::decode_events),
        &[
            r#"{"time":1763682430.123,"host":"web-1","source":"shop","sourcetype":"_json","index":"main","event":"a"}{"time":"1763682430.5","event":{"message":"m","level":"error","service":{"name":"pay"},"x":1},"fields":{"x":2,"service.name":"s"}}"#,
            r#"[{"event":7},{"event":[1,2]},{"event":null},{"event":" "},{"fields":{"a":1},"event":{"a":{"b":"c"}}}]"#,
        ],
    ),
    way(b'r', |body| splunk_events(body, splunk::decode_raw), &["one\r\n\n two=2 \nthree"]),
    way(
        b'd',
        |body| Some(datadog::decode(body, MAX).ok()?.collect()),
        &[
            r#"[{"message":"m","ddsource":"nginx","ddtags":"env:prod,team:a,team:b,canary,service:pay","hostname":"h","status":"warn","timestamp":1763682430123,"dd":{"trace_id":"7"},"http":{"status_code":502,"method":"GET"},"duration":15000000,"x":1},{}]"#,
            r#"{"status":"FAILED","error":{"kind":"E","stack":"s"},"usr.id":7,"date":"2025-11-20T23:47:10Z","logger":{"name":"l","thread_name":"t"}}"#,
        ],
    ),
    Way {
        is_taken: false,
        ..way(
            b'g',
            |body| Some(gelf::decode(body, MAX).ok()?.collect()),
            &[
                r#"{"version":"1.1","host":"web-1.example","short_message":"m","full_message":"m\nat x","timestamp":1763682430.25,"level":3,"_service":"shop","_user_id":7,"_shard":"a","_host":"other","line":4,"_":1}"#,
                r#"{"short_message":"m","facility":"auth"}{"full_message":{"a":1},"_level":"loud"}"#,
            ],
        )
    },
    way(
        b'j',
        lines,
        &[
            "{\"_time\":\"2025-11-20T23:47:10Z\",\"_msg\":\"m\",\"kubernetes\":{\"pod\":\"p\",\"labels\":{\"app\":\"a b\"}},\"tmp.x\":1}\n{\"log\":{\"level\":\"warn\"},\"ts\":1763682430123,\"metadata\":{\"a\":1},\"tags\":[\"t\"]}\n7",
        ],
    ),
    Way {
        is_taken: false,
        ..way(
            b'c',
            cloudflare,
            &[
                "{\"ClientIP\":\"203.0.113.9\",\"ClientRequestHost\":\"shop.example\",\"ClientRequestMethod\":\"GET\",\"ClientRequestPath\":\"/pay\",\"EdgeResponseStatus\":503,\"EdgeStartTimestamp\":1763682430100000000,\"EdgeEndTimestamp\":\"2025-11-20T23:47:10.225Z\",\"RayID\":\"884f\",\"ZoneName\":\"shop.example\"}\n{\"Action\":\"block\",\"ClientRequestMethod\":\"GET\",\"ClientRequestPath\":\"/\",\"EdgeResponseStatus\":403,\"Datetime\":\"2025-11-20T23:47:10Z\",\"RayID\":\"7\",\"RuleID\":\"r\"}\n{\"When\":\"2025-11-20T23:47:10Z\",\"ActionType\":\"login\"}",
                "{\"Event\":{\"RayID\":\"884f\",\"Request\":{\"URL\":\"https://shop.test/pay?x=1\",\"Method\":\"POST\"},\"Response\":{\"Status\":500}},\"EventTimestampMs\":1763682430123,\"EventType\":\"fetch\",\"Outcome\":\"exception\",\"ScriptName\":\"shop-api\",\"ScriptTags\":[],\"ScriptVersion\":{\"ID\":\"v1\"},\"CPUTimeMs\":3,\"WallTimeMs\":10,\"Logs\":[{\"Level\":\"warn\",\"Message\":[\"cart\",{\"a\":1}],\"TimestampMs\":1763682430124},{\"Level\":\"log\",\"Message\":[]}],\"Exceptions\":[{\"Name\":\"TypeError\",\"Message\":\"x\",\"TimestampMs\":1763682430125,\"Stack\":\"at z\"}],\"Extra\":1}",
            ],
        )
    },
    Way {
        source: SourceType::Tail,
        ..way(
            b't',
            |item| {
                let records = tail::records_of(std::str::from_utf8(item).ok()?).ok()?;
                Some(records.into_iter().map(Ok).collect())
            },
            &[
                r#"{"scriptName":"shop","outcome":"exceededCpu","eventTimestamp":1763682430123,"event":{"request":{"url":"https://shop.test/pay?n=1","method":"POST","headers":{"cf-ray":"8f00aa11"},"cf":{"colo":"AMS"}},"response":{"status":201}},"logs":[{"timestamp":1763682430124,"level":"warn","message":["[api] slow",{"ms":812}]},{"timestamp":1763682430124,"level":"error","message":["{\"level\":\"debug\",\"message\":\"m\"}"]}],"exceptions":[{"name":"Error","message":"m","timestamp":1763682430125,"stack":"at x"}],"diagnosticsChannelEvents":[{"channel":"c","message":{"a":1},"timestamp":1763682430126}],"scriptVersion":{"id":"v-1","tag":"beta"},"truncated":false,"cpuTime":4,"wallTime":830,"scriptTags":["a"]}"#,
                r#"{"scriptName":null,"outcome":"ok","event":{"cron":"* * * * *","scheduledTime":1763682430000},"logs":[{"message":[]},{"level":"log","message":["a",1,null,true,[1]]}]}"#,
                r#"{"event":{"queue":"q","batchSize":3},"outcome":"canceled"}"#,
            ],
        )
    },
];

const RECORDS: &[&str] = &[
    r#"{"timestamp":"2025-11-20T23:47:10.5+01:00","service":"shop","level":"warn","message":"a \"b\" \n ü","status":404,"duration_ms":15,"tags":["a","b"],"metadata":{"a":{"b":[1,-2.5,{"c":null}],"d":true}},"x":{"y":0}}"#,
    r#"{"ts":1763682430000,"app":"a.b-c_d","msg":"m","durationMs":1.25,"tags":[],"metadata":{},"host":"h","thread":null,"user_id":"u"}"#,
    r#"{"severity_number":17,"component":"pay","body":{"a":1},"execution_time_seconds":"2.3","sample_rate":10,"metadata":7,"statusCode":"502","path":1}"#,
    r#"{"workflow_id":"w","workflow_version":2,"status":"FAILED","client_id":"c","metadata":{"x":1,"x_2":2},"x":3}"#,
];

const LOKI: &[&str] = &[
    r#"1<1<{app="shop", level="error"}>2<1<1:1763682430;2:5;>2<it failed>3<1<trace_id>2<4bf92f3577b34da6a3ce929d0e0e4736>>>2<1<1:1763682431;>2<again>>3:1;>"#,
    r#"1<1<{}>2<2<x>>>1<1<{a="\"\\\n\u00e9", service_name="a b"}>2<1<1:-1;2:-1;>2<level=warn msg=m>>>"#,
];

const OTLP: &[&str] = &[
    "1<1<1<1<service.name>2<1<shop>>>2:1;>2<1<1<lib>2<v>3<1<a>2<3:1;>>>2<1!1763682430000000000;2:17;3<ERROR>5<1<it failed>>6<1<http.route>2<1</pay>>>6<1<n>2<3:-7;>>6<1<d>2<4!4611686018427387904;>>6<1<l>2<5<1<1<a>>1<2:1;>>>>6<1<o>2<6<1<1<k>2<7<xyz>>>>>>8%1;9<0123456789abcdef>10<01234567>11!1763682431000000000;12<e>>3<u>>>",
    "1<2<2<5<6<1<1<a>2<5<1<6<1<1<b>2<1<c>>>>>>>>>>2<>2<2:99;5<3:0;>>>>",
    // The deepest that may be, about.
    "1<2<2<5<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<5<1<3:1;",
];

fn one(body: &[u8]) -> Option<Decoded> {
    Some(vec![Ok(parsed(batch::parse_one(body).ok()?))])
}

fn native(body: &[u8], format: body::Format) -> Option<Decoded> {
    let batch = batch::parse_batch(body, format, MAX).ok()?;
    let count = batch.len();
    let records: Decoded = batch.into_iter().map(|record| record.map(parsed)).collect();
    assert_eq!(records.len(), count);
    Some(records)
}

/// What is read the quick way is written as the long way would.
fn parsed(raw: Raw<'_>) -> RawRecord {
    let plain = match raw {
        Raw::Parsed(raw) => return raw,
        Raw::Plain(plain) => plain,
    };
    let raw = batch::parse_record(plain.json).expect("what is plain is a record");
    with_context(SourceType::Http, |context| {
        let json = String::from_utf8_lossy(plain.json);
        let mut rows = Encoder::default();
        let write = |row: &mut Packer| plain.write(context, &Additions::default(), row);
        let pushed = rows.push_values(Default::default(), context.received_at, write);
        let blocks = rows.finish();
        if pushed.is_some() {
            let record = normalise(raw.clone(), Default::default(), context);
            let record = record.unwrap_or_else(|why| panic!("{json} is not taken: {why}"));
            let written = serde_json::to_vec(&record).expect("a record is written");
            let packed = rows::unpack(blocks[0].codec, &blocks[0].bytes).expect("what was written");
            let mut buffer = Vec::new();
            let row = packed.rows().next().expect("a row").read(&mut buffer).line;
            assert_eq!(String::from_utf8_lossy(row), String::from_utf8_lossy(&written), "{json}");
        } else {
            assert!(blocks.is_empty(), "{json}");
        }
    });
    raw
}

fn inflated(body: &[u8], encoding: &str) -> Option<Vec<u8>> {
    let inflated = body::inflate(Some(encoding), body, MAX_BYTES).ok()?;
    assert!(inflated.len() <= MAX_BYTES);
    Some(inflated.into_owned())
}

fn decompressed(block: &[u8]) -> Option<Vec<u8>> {
    let plain = loki::decompress(block, MAX_BYTES).ok()?;
    assert!(plain.len() <= MAX_BYTES);
    Some(plain)
}

fn loki_entries(entries: Result<loki::Entries<'_>, loki::ParseError>) -> Option<Decoded> {
    let entries = entries.ok()?;
    let (count, _) = (entries.len(), entries.repeated_bytes());
    let records: Decoded = entries.collect();
    assert_eq!(records.len(), count);
    let refused = records.iter().enumerate().filter_map(|(at, record)| Some((at, record.clone().err()?)));
    let _ = loki::reasons(&refused.collect::<Vec<_>>());
    Some(records)
}

fn otlp_records(body: &[u8], encoding: otlp::Encoding) -> Option<Decoded> {
    let records = otlp::decode(body, encoding, MAX).ok()?;
    let (count, _) = (records.len(), records.repeated_bytes());
    let records: Decoded = records.collect();
    assert_eq!(records.len(), count);
    Some(records)
}

fn elastic_documents(body: &[u8]) -> Option<Decoded> {
    let bulk = elastic::decode(body, Some("logs-app-default"), MAX).ok()?;
    let records: Decoded = bulk.records().collect();
    let outcomes = records.iter().map(|record| match record {
        Ok(_) => elastic::Outcome::Created { id: "7".to_owned() },
        Err(rejection) => elastic::Outcome::Failed(rejection.into()),
    });
    for paths in ["", "errors,items.*.error", "-took,-items.create.*,**._id"] {
        let answer = elastic::answer(&bulk, outcomes.clone(), 1, &elastic::Filter::parse(paths));
        serde_json::from_slice::<Value>(&answer).unwrap_or_else(|error| panic!("{paths:?}: {error}"));
    }
    Some(records)
}

type Events = for<'a> fn(
    &'a [u8],
    &'a splunk::Query,
    usize,
) -> Result<splunk::Events<'a>, timberline::engine::wire::split::SplitError>;

fn splunk_events(body: &[u8], decode: Events) -> Option<Decoded> {
    let said = splunk::Query {
        channel: Some("c".to_owned()),
        host: Some("h".to_owned()),
        source: Some("/var/log/x".to_owned()),
        sourcetype: Some("nginx".to_owned()),
        index: Some("main".to_owned()),
    };
    // An even number says nothing.
    let query = if body.len() % 2 == 0 { splunk::Query::default() } else { said };
    Some(decode(body, &query, MAX).ok()?.records().collect())
}

fn lines(body: &[u8]) -> Option<Decoded> {
    let mapping = if body.len() % 2 == 0 {
        jsonline::Mapping::default()
    } else {
        jsonline::Mapping::parse(
            Some("ts,log.time"),
            Some("log.message,log"),
            Some("kubernetes.labels.app,kubernetes.pod"),
            Some("tmp.*,kubernetes.pod,_"),
            Some("region=eu,service=,a.b=c"),
        )
    };
    Some(jsonline::decode(body, &mapping, MAX).ok()?.collect())
}

fn cloudflare(body: &[u8]) -> Option<Decoded> {
    let source = match body.len() % 3 {
        0 => logpush::Source::default(),
        1 => logpush::Source { dataset: Some("workers_trace_events".to_owned()), service: None },
        _ => logpush::Source { dataset: Some("x y".to_owned()), service: Some("my zone".to_owned()) },
    };
    let _ = logpush::is_probe(body);
    Some(logpush::decode(body, &source, MAX).ok()?.collect())
}

fn with_context<T>(source: SourceType, each: impl FnOnce(&Context<'_>) -> T) -> T {
    each(&Context { received_at: NOW, max_age_ms: &|_| 30 * DAY_MS, source, level_in: &|_| None })
}

fn attempt(input: &[u8]) {
    let Some((name, body)) = input.split_first() else { return };
    let Some(way) = WAYS.iter().find(|way| way.name == *name) else { return };
    let shown = || String::from_utf8_lossy(input);
    let decoded = (way.decode)(body);
    assert!(decoded == (way.decode)(body), "{:?} is decoded otherwise the second time", shown());
    let Some(decoded) = decoded else { return };
    // An invocation of a Worker has any number of records.
    assert!(
        matches!(name, b'c' | b't') || decoded.len() <= MAX,
        "{:?} has {} records",
        shown(),
        decoded.len()
    );
    for raw in decoded.into_iter().flatten() {
        let record = with_context(way.source, |context| normalise(raw.clone(), Default::default(), context));
        match record {
            Ok(record) => check_row(&record),
            Err(rejection) => {
                let is_expected = matches!(
                    rejection.code,
                    Rejection::RECORD_TOO_LARGE
                        | Rejection::NESTED_TOO_DEEP
                        | Rejection::TIMESTAMP_IN_FUTURE
                        | Rejection::TIMESTAMP_TOO_OLD
                );
                assert!(is_expected || !way.is_taken, "{:?} is refused: {rejection:?} {raw:?}", shown());
            }
        }
    }
}

fn check_row(record: &Record) {
    let row = serde_json::to_vec(record).expect("a record is written");
    let shown = || String::from_utf8_lossy(&row);
    let again: Record = serde_json::from_slice(&row).unwrap_or_else(|error| panic!("{}: {error}", shown()));
    let again = serde_json::to_string(&again).expect("a record is written");
    assert_eq!(shown(), again);
    let head = RowHead::parse(&row).unwrap_or_else(|error| panic!("{}: {error}", shown()));
    assert!(head.service == record.service && head.timestamp == record.timestamp, "{}", shown());
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(data).expect("memory takes anything");
    encoder.finish().expect("memory takes anything")
}

fn main() {
    let seed = |name: u8, body: &[u8]| [&[name], body].concat();
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for way in WAYS {
        seeds.extend(way.seeds.iter().map(|body| seed(way.name, body.as_bytes())));
    }
    for body in LOKI {
        let written = protobuf::written(body.as_bytes());
        let packed = snap::raw::Encoder::new().compress_vec(&written).expect("it is short");
        seeds.extend([seed(b'K', &written), seed(b'S', &packed)]);
    }
    seeds.extend(OTLP.iter().map(|body| seed(b'P', &protobuf::written(body.as_bytes()))));
    let packed = gzip(RECORDS.join("\n").as_bytes());
    // Between the head of gzip and its checksum stands raw deflate.
    seeds.extend([seed(b'Z', &packed[10..packed.len() - 8]), seed(b'z', &packed)]);
    for level in [CompressionLevel::Uncompressed, CompressionLevel::Fastest] {
        seeds.push(seed(b'y', &compress_to_vec(RECORDS.join("\n").repeat(3).as_bytes(), level)));
    }
    let words: &[&[u8]] = &[
        b"null",
        b"true",
        b"{}",
        b"[]",
        b"\"\"",
        b"1e999",
        b"-0",
        b"0.1",
        b"1e15",
        b"18446744073709551615",
        b"1763682430",
        b"\"$serde_json::private::RawValue\":",
        b"\"$serde_json::private::Number\":",
        b"\\u0000",
        b"\\ud800",
        b"\\u0041",
        b"\\\"",
        b"\xff",
        "é".as_bytes(),
        b"\xef\xbb\xbf",
        b"{\"a\":",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        b"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        b"}",
        b",",
        b":",
        b"\n",
        b"\"metadata\":{",
        b"\"metadata\":",
        b"\"metadata_2\":",
        b"\"timestamp\":",
        b"\"@timestamp\":",
        b"\"time\":",
        b"\"level\":",
        b"\"severity_number\":",
        b"\"service\":",
        b"\"service.name\":",
        b"\"message\":",
        b"\"message\":null,",
        b"\"tags\":",
        b"\"status\":",
        b"\"duration_ms\":",
        b"\"duration\":",
        b"\"host\":",
        b"\"trace_id\":",
        b"\"sample_rate\":",
        b"\"path\":",
        b"\"workflow_id\":",
        b"\"a.b.c\":",
        b"\"event\":",
        b"\"fields\":{",
        b"\"stringValue\":",
        b"\"arrayValue\":{\"values\":[",
        b"1<",
        b"2<",
        b"3<",
        b"5<",
        b"6<1<",
        b">",
        b"1:0;",
        b"2:-1;",
        b"1!0;",
        b"4!9221120237041090560;",
        b"3:1;",
    ];
    run("wire", &seeds, words, attempt);
}
