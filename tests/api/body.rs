//! Bodies: their type, their encoding, their size.

use std::{
    convert::Infallible,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::Body;
use bytes::Bytes;
use serde_json::json;

use crate::{MANY, ONE, Service, gzip, log};

const ONE_LIMIT: usize = 512 << 10;
const MANY_LIMIT: usize = 10 << 20;

fn limits() -> impl Iterator<Item = (&'static str, usize)> {
    ONE.map(|uri| (uri, ONE_LIMIT)).into_iter().chain(MANY.map(|uri| (uri, MANY_LIMIT)))
}

fn zlib(raw: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

fn deflate(raw: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_the_body_it_was_made_from() {
    let service = Service::new();
    let (mut sent, mut total) = (Vec::new(), 0);
    for (nth, uri) in ONE.into_iter().chain(MANY).enumerate() {
        let record = log("api", &format!("message {nth}"));
        let body = if nth < ONE.len() { record } else { json!([record]) }.to_string();
        for (encoding, bytes) in [
            ("gzip", gzip(body.as_bytes())),
            ("GZIP", gzip(body.as_bytes())),
            ("deflate", zlib(body.as_bytes())),
            ("deflate", deflate(body.as_bytes())),
            ("identity", body.clone().into_bytes()),
        ] {
            service.post_with(uri, &[("content-encoding", encoding)], bytes).await.ok();
            sent.push(format!("message {nth}"));
            total += 1;
        }
    }
    let mut found: Vec<String> =
        service.all().await.iter().map(|record| record["message"].as_str().unwrap().to_owned()).collect();
    found.sort();
    assert_eq!(found, sent);
    assert_eq!(found.len(), total);
}

#[tokio::test]
async fn an_encoding_that_is_damaged_or_unknown_is_refused() {
    let service = Service::new();
    let whole = gzip(log("api", "m").to_string().as_bytes());
    for uri in ONE.into_iter().chain(MANY) {
        for (encoding, bytes, status, code) in [
            ("gzip", whole[..whole.len() - 9].to_vec(), 400, "malformed_encoding"),
            ("gzip", b"{}".to_vec(), 400, "malformed_encoding"),
            ("deflate", b"\xff\xff\xff".to_vec(), 400, "malformed_encoding"),
            ("br", b"x".to_vec(), 415, "unsupported_encoding"),
            ("gzip, gzip", whole.clone(), 415, "unsupported_encoding"),
        ] {
            let answer = service.post_with(uri, &[("content-encoding", encoding)], bytes).await;
            assert_eq!(
                answer.error(),
                (status, code.into(), Some("content-encoding".into())),
                "{uri} {encoding}"
            );
        }
    }
    assert_eq!(service.world.calls("shards.append"), 0);
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let service = Service::new();
    // 100 MB of nothing in 100 KB.
    let raw = vec![b' '; 100 << 20];
    let bombs = [("gzip", gzip(&raw)), ("deflate", zlib(&raw)), ("deflate", deflate(&raw))];
    for (uri, limit) in limits() {
        for (encoding, bomb) in &bombs {
            assert!(bomb.len() < ONE_LIMIT);
            let answer = service.post_with(uri, &[("content-encoding", encoding)], bomb.clone()).await;
            assert_eq!(answer.error(), (413, "body_too_large".into(), None), "{uri} {encoding}");
            assert_eq!(answer.message(), format!("expected a body of at most {limit} bytes, got more"));
        }
    }
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_a_byte_is_read() {
    let service = Service::new();
    for (uri, limit) in limits() {
        for over in [limit + 1, usize::MAX] {
            let (body, pulled) = counted(usize::MAX);
            let answer = service.post_with(uri, &[("content-length", &over.to_string())], body).await;
            assert_eq!(answer.error(), (413, "body_too_large".into(), None), "{uri}");
            assert_eq!(pulled.load(Ordering::Relaxed), 0, "{uri}");
        }
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_read_to_the_limit_and_no_further() {
    let service = Service::new();
    for (uri, limit) in limits() {
        let (body, pulled) = counted(usize::MAX);
        let answer = service.post_with(uri, &[], body).await;
        assert_eq!(answer.error(), (413, "body_too_large".into(), None), "{uri}");
        assert!(pulled.load(Ordering::Relaxed) <= limit / CHUNK + 2, "{uri}");
    }
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read() {
    let service = Service::new();
    for (uri, limit) in limits() {
        let record = log("api", "m").to_string();
        let record = if limit == ONE_LIMIT { record } else { format!("[{record}]") };
        let padded = record + &" ".repeat(limit);
        service.post_with(uri, &[], padded[..limit].to_owned()).await.ok();
        let answer = service.post_with(uri, &[], padded[..=limit].to_owned()).await;
        assert_eq!(answer.error().1, "body_too_large", "{uri}");
    }
}

#[tokio::test]
async fn another_content_type_is_415() {
    let service = Service::new();
    for uri in ONE.into_iter().chain(MANY) {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"] {
            let answer = service.post_with(uri, &[("content-type", kind)], "{}").await;
            let expected = (415, "unsupported_content_type".into(), Some("content-type".into()));
            assert_eq!(answer.error(), expected, "{uri} {kind}");
        }
        let body = if ONE.contains(&uri) { log("api", "m") } else { json!([log("api", "m")]) }.to_string();
        for kind in
            ["application/json", "application/json; charset=utf-8", "text/json", "application/x-ndjson"]
        {
            service.post_with(uri, &[("content-type", kind)], body.clone()).await.ok();
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_error() {
    let service = Service::new();
    let chunks = [Ok(Bytes::from_static(b"{\"service\":")), Err(std::io::Error::other("reset"))];
    let answer = service.post_with("/logs", &[], Body::from_stream(futures::stream::iter(chunks))).await;
    assert_eq!(answer.error(), (400, "body_unreadable".into(), Some("body".into())));
}

#[tokio::test]
async fn malformed_json_is_answered_with_its_position() {
    let service = Service::new();
    for uri in ONE.into_iter().chain(MANY) {
        let answer = service.post_with(uri, &[], "{\n  \"message\": }").await;
        assert_eq!(answer.error(), (400, "malformed_json".into(), None), "{uri}");
        assert_eq!(answer.message(), "expected value at line 2 column 14", "{uri}");
    }
    let lines = "{\"service\":\"api\",\"message\":\"m\"}\n{\"service\":}\n";
    let answer = service.post_with(MANY[0], &[("content-type", "application/x-ndjson")], lines).await.ok();
    assert_eq!(
        answer["rejected"],
        json!([{"index": 1, "code": "malformed_json", "field": null, "message": "expected value at column 12"}])
    );
}

const CHUNK: usize = 16 << 10;

/// A body of blanks that counts the chunks taken from it.
fn counted(chunks: usize) -> (Body, Arc<AtomicUsize>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = pulled.clone();
    let stream = futures::stream::iter((0..chunks).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&[b' '; CHUNK]))
    }));
    (Body::from_stream(stream), pulled)
}
