//! Segments of many blocks, read through their footers and by ranges.

use serde_json::Value;

use crate::{NOW_MS, Service, log_at};

const ROWS: u64 = 30_000;

/// Rows that do not compress away, two at each moment, not in the order of time.
fn record(n: u64) -> Value {
    let noise = uuid::Uuid::from_u128(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    log_at(
        if n.is_multiple_of(3) { "api" } else { "web" },
        &format!("{noise} row-{n}"),
        NOW_MS - n * 7_919 % ROWS / 2,
    )
}

/// One segment of several blocks; each row's id, newest first.
async fn large() -> (Service, Vec<(u64, String)>) {
    let service = Service::new();
    let mut rows = Vec::new();
    for from in (0..ROWS).step_by(1_000) {
        let records: Vec<Value> = (from..from + 1_000).map(record).collect();
        let ids = service.store_all(&records).await;
        rows.extend(
            ids.into_iter().zip(&records).map(|(id, record)| (record["timestamp"].as_u64().unwrap(), id)),
        );
    }
    service.flush().await;
    let keys = service.world.catalog.keys();
    assert_eq!(keys.len(), 1);
    assert!(service.world.objects.bytes(&keys[0]).unwrap().len() > 512 << 10);
    rows.sort_by(|a, b| b.cmp(a));
    (service, rows)
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_row_of_a_large_segment_is_found_by_ranges() {
    let (service, rows) = large().await;
    let all = service.all().await;
    let got: Vec<&str> = all.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(got, rows.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>());
    assert!(service.world.calls("objects.get_range") > 0);
    assert_eq!(service.world.calls("objects.get"), 0, "it is never read whole");

    for (_, id) in rows.iter().step_by(1_999) {
        let found = service.get(&format!("/api/v1/logs/{id}")).await.ok();
        assert_eq!(found["id"], id.as_str());
    }
}

#[tokio::test]
async fn only_the_blocks_of_the_range_are_read() {
    let (service, rows) = large().await;
    // The oldest, the newest, and a stretch over the end of a block.
    for (from, to) in [(0, 10), (ROWS / 2 - 10, ROWS / 2), (4_000, 4_200)] {
        let (start, end) = (NOW_MS - to, NOW_MS - from);
        let page = service.get(&format!("/logs?limit=1000&start_time={start}&end_time={end}")).await.ok();
        let wanted = rows.iter().filter(|(ms, _)| (start..=end).contains(ms));
        assert_eq!(ids(&page), wanted.map(|(_, id)| id.as_str()).collect::<Vec<_>>(), "{from} to {to}");
        let (read, total) = (page["stats"]["blocks_read"].as_u64(), page["stats"]["blocks_total"].as_u64());
        assert!(read <= Some(2) && total >= Some(4), "{read:?} of {total:?}");
    }
}

#[tokio::test]
async fn a_page_stops_at_the_block_that_fills_it() {
    let (service, rows) = large().await;
    let page = service.get("/logs?limit=10").await.ok();
    assert_eq!(ids(&page), rows[..10].iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>());
    assert_eq!(page["stats"]["blocks_read"], 1);
    let row = service.get("/logs?q=row-12345").await.ok();
    assert_eq!(row["stats"]["rows_matched"], 1);
}

/// Follows the cursors of a search to their end; the messages, and how many pages said that they are partial.
async fn follow(service: &Service, query: &str) -> (Vec<String>, usize) {
    let (mut messages, mut partial, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = service.get(&format!("/logs?limit=1000&{query}{cursor}")).await.ok();
        let data = page["data"].as_array().unwrap();
        messages.extend(data.iter().map(|one| one["message"].as_str().unwrap().to_owned()));
        partial += usize::from(page["stats"]["partial"] == true);
        let Some(next) = page["next_cursor"].as_str() else { return (messages, partial) };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_search_that_costs_too_much_goes_on_at_its_cursor() {
    for same_time in [false, true] {
        let service = Service::new();
        let expected: Vec<String> = (0..450).rev().map(|n| format!("message {n}")).collect();
        for (n, message) in (0..450).zip(expected.iter().rev()) {
            service.store_all(&[log_at("api", message, if same_time { NOW_MS } else { NOW_MS + n })]).await;
            service.flush().await;
        }
        assert_eq!(service.world.catalog.keys().len(), 450);
        let (mut found, partial) = follow(&service, "q=message").await;
        if same_time {
            // Their order is that of their ids.
            found.sort_by_key(|message| expected.iter().position(|one| one == message));
        }
        assert_eq!((found, partial), (expected, 1), "{same_time}");
        // Another isolate, which has none of the segments at hand.
        assert_eq!(
            follow(&Service::on(&service.world, &[]), "q=%22message+0%22").await,
            (vec!["message 0".to_owned()], 1),
            "{same_time}"
        );
    }
}

#[tokio::test]
async fn a_page_of_large_records_ends_early_and_its_cursor_goes_on() {
    let service = Service::new();
    let text = "x".repeat(250_000);
    for n in 0..150 {
        service.store(&log_at("api", &format!("{n} {text}"), NOW_MS + n)).await;
    }
    for flushed in [false, true] {
        let (found, partial) = follow(&service, "").await;
        let numbers: Vec<&str> = found.iter().map(|message| message.split_once(' ').unwrap().0).collect();
        assert_eq!(numbers, (0..150).rev().map(|n| n.to_string()).collect::<Vec<_>>(), "{flushed}");
        assert!(partial > 1, "{flushed}");
        service.flush().await;
    }
}

#[tokio::test]
async fn a_record_that_grows_on_its_way_to_a_block_harms_no_other() {
    // A tag of five bytes is stored in 21: the shorter record just fits a row, the longer does not.
    for (tags, fits) in [(49_000, true), (51_000, false)] {
        let service = Service::new();
        let text = "x".repeat(261_500);
        let plain = |n: u64| log_at("api", &format!("{n} {text}"), NOW_MS + n).to_string();
        let grown =
            format!("{{\"service\":\"api\",\"message\":\"m\",\"tags\":[1e15{}]}}", ",1e15".repeat(tags));
        let records: Vec<String> = (0..8).map(plain).chain([grown, plain(8)]).collect();
        let json = [("content-type", "application/json")];
        let answer = service.post_with("/api/v1/logs/batch", &json, format!("[{}]", records.join(","))).await;
        let body = answer.ok();
        assert_eq!(body["accepted"], if fits { 10 } else { 9 }, "{tags}: {:?}", body["rejected"]);
        if !fits {
            let rejected = &body["rejected"][0];
            assert_eq!(
                (rejected["index"].as_u64(), rejected["code"].as_str()),
                (Some(8), Some("record_too_large"))
            );
            let message = rejected["message"].as_str().unwrap();
            assert!(message.contains("stored form is not larger than 1048576 bytes"), "{message}");
        }
        let ids = crate::ids(&body);
        let numbers: Vec<u128> = ids.iter().map(|id| uuid::Uuid::parse_str(id).unwrap().as_u128()).collect();
        assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "{ids:?}");
        for flushed in [false, true] {
            service.holds_exactly(&ids, &format!("{tags} tags, flushed {flushed}")).await;
            service.flush().await;
        }
        assert_eq!(service.world.catalog.keys().len(), 1);
    }
}
