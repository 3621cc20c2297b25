//! Addresses in logs that are stored: full until the tenant's days for them are over, and those of networks after.

use futures::future::join;
use serde_json::{Value, json};
use timberline::{
    app::{
        self,
        jobs::{
            anonymise::Most,
            compact::compact,
            expire::{Expired, expire, expire_within, sweep},
            index::index,
        },
    },
    engine::{block::reader, tenant::Tenant},
    ports::{CatalogEntry, ShardName, Shards},
};

use crate::{
    DAY_MS, NOW_MS, Service,
    compaction::{MINUTE_MS, entries},
    log, log_at,
    rebuild::rebuild,
    without,
};

const FOUR: &str = "203.0.113.77";
const SIX: &str = "2001:db8:1:2::3";
/// Past the 60 days that hold where a tenant says no other.
const DUE_MS: u64 = 60 * DAY_MS + 1;

fn service() -> Service {
    Service::with(&[("RATE_LIMIT_ENABLED", "false"), ("DEFAULT_TTL_DAYS", "365")])
}

/// A log with addresses of both families wherever one may stand.
fn visit(nth: u64) -> Value {
    json!({
        "service": if nth.is_multiple_of(2) { "web" } else { "api" },
        "message": format!("visit {nth} from {FOUR} and {SIX}"),
        "endpoint": format!("/from?ip={FOUR}"),
        "user_id": format!("user-{nth}"),
        "trace_id": format!("{nth:032x}"),
        "stack_trace": format!("at\n\tx {SIX}"),
        "tags": [FOUR],
        "duration_ms": 1.5,
        "timestamp": NOW_MS - nth * MINUTE_MS,
        "metadata": {
            "client": { "ip": FOUR, "country": "DE" },
            "client_ip": SIX,
            "hops": [SIX, { "via": FOUR }],
            "version": "4.5.6.7",
            "n": nth,
        },
    })
}

async fn visits(service: &Service, count: u64) -> Vec<String> {
    let ids = service.store_all(&(0..count).map(visit).collect::<Vec<_>>()).await;
    service.flush().await;
    ids
}

async fn run(service: &Service) -> Expired {
    expire(&service.app, service.app.now()).await.unwrap()
}

fn anonymised(segments: u64) -> Expired {
    Expired { segments_anonymised: segments, ..Expired::default() }
}

/// What was asked of the bucket so far.
fn reads_and_puts(service: &Service) -> (u64, u64) {
    let calls = |verb| service.world.calls(verb);
    (calls("objects.get") + calls("objects.get_range"), calls("objects.put"))
}

/// Everything that the segments in the bucket say: their rows, and their footers with the templates.
fn stored(service: &Service) -> String {
    let mut all = String::new();
    for key in service.world.objects.keys().iter().filter(|key| key.ends_with(".seg.gz")) {
        let bytes = service.world.objects.bytes(key).unwrap();
        all += std::str::from_utf8(&reader::blocks_of(&bytes).unwrap().concat()).unwrap();
        all += &serde_json::to_string(&reader::footer_of(&bytes).unwrap()).unwrap();
    }
    all
}

fn is_full(text: &str) -> bool {
    text.contains(FOUR) || text.contains("db8:1:2")
}

/// As the addresses are cut, and nothing else is.
fn cut(text: &str) -> String {
    text.replace(FOUR, "203.0.113.0").replace(SIX, "2001:db8:1::")
}

fn marks(entries: &[CatalogEntry]) -> Vec<bool> {
    entries.iter().map(|entry| entry.anonymised).collect()
}

/// What readers see, but for where it is.
async fn seen(service: &Service) -> Value {
    let mut seen: Vec<Value> = service.all().await.into_iter().map(|one| without(one, &["r2_key"])).collect();
    for uri in ["/api/v1/logs/services", "/api/v1/stats?by=service", "/api/v1/histogram?interval=1h"] {
        let answer = without(service.get(uri).await.ok(), &["stats"]);
        let mut rows = answer["data"].clone();
        // Shorter texts are fewer bytes.
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|name, _| !name.contains("bytes"));
        }
        seen.push(rows);
    }
    json!(seen)
}

async fn found(service: &Service, query: &str) -> usize {
    let answer = service.get(&format!("/logs/search?q={query}&limit=1000")).await.ok();
    answer["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn addresses_are_full_until_the_day_and_those_of_networks_after() {
    let service = service();
    let ids = visits(&service, 20).await;
    let before = seen(&service).await;
    // To the millisecond: the newest is as old as that.
    service.world.turn_clock(60 * DAY_MS);
    let calls = reads_and_puts(&service);
    assert_eq!(run(&service).await, Expired::default());
    assert_eq!(reads_and_puts(&service), calls);
    assert_eq!(seen(&service).await, before);
    for query in [FOUR, "%222001:db8:1:2::3%22", "client_ip:%222001:db8:1:2::3%22", "client.ip:203.0.113.77"]
    {
        assert_eq!(found(&service, query).await, 20, "{query}");
    }

    service.world.turn_clock(1);
    assert_eq!(run(&service).await, anonymised(1));
    assert_eq!(seen(&service).await.to_string(), cut(&before.to_string()));
    service.holds_exactly(&ids, "anonymised").await;
    for isolate in [&service, &service.restarted()] {
        for query in
            [FOUR, "%222001:db8:1:2::3%22", "client_ip:%222001:db8:1:2::3%22", "client.ip:203.0.113.77"]
        {
            assert_eq!(found(isolate, query).await, 0, "{query}");
        }
        for query in
            ["203.0.113.0", "%222001:db8:1::%22", "client.ip:203.0.113.0", "user_id:user-*", "4.5.6.7"]
        {
            assert_eq!(found(isolate, query).await, 20, "{query}");
        }
        assert_eq!(found(isolate, "user_id:user-7").await, 1);
    }
    // The old ones are there for a day, for readers that hold the old entries.
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    service.agrees("swept").await;
    assert!(!is_full(&stored(&service)));
    assert!(stored(&service).contains("203.0.113.0") && stored(&service).contains("\"anonymised\":true"));
    assert_eq!(marks(&entries(&service).await), [true]);
    // And is not read again.
    let calls = reads_and_puts(&service);
    for _ in 0..3 {
        service.world.turn_clock(DAY_MS);
        assert_eq!(run(&service).await, Expired::default());
    }
    assert_eq!(reads_and_puts(&service), calls);
}
