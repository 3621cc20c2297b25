//! Logs in, as shippers send them. Each protocol's decoder is in `engine::wire`; here is what its clients are told: which
//! records were taken, which were not, and whether to send them again.

pub(super) mod dialect;
pub(super) mod elastic;
pub(super) mod json;
pub(super) mod loki;
pub(super) mod otlp;
pub(super) mod splunk;

use axum::{
    extract::Request,
    http::{HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{
    body,
    error::Error,
    gate::About,
    taking::{self, Asked},
};
use crate::{
    app::{App, ingest::Taken},
    engine::{
        auth::{Principal, digest},
        record::{
            normalise::{Raw, RawRecord},
            rejection::Rejection,
            stored_name,
        },
        shard::RequestKey,
    },
};

/// Of a body, on the wire and inflated.
const MAX_BYTES: usize = 10 << 20;

/// Records of one request: shippers send what has gathered.
const MAX_RECORDS: usize = 20_000;

/// What a request may take when each of its records says what is said once of many.
const MAX_REPEATED_BYTES: usize = 16 << 20;

/// Records of a dry run, all of which are shown.
const MAX_DRY_RECORDS: usize = 1_000;

type Decoded<'a> = dyn Iterator<Item = Result<RawRecord, Rejection>> + Send + 'a;

/// A request as it was sent, with its body inflated.
struct Sent {
    parts: Parts,
    body: Bytes,
    asked: Asked,
}

/// Who sends, and to what service.
struct By<'a> {
    app: &'a App,
    who: &'a Principal,
    about: &'a About,
}

/// What became of what was sent.
enum Became {
    Taken(Taken),
    /// It was only asked what would be.
    Shown(Response),
}

impl Sent {
    async fn read(request: Request, who: &Principal) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let asked = Asked::of_push(&parts, who)?;
        let most = asked.most_bytes(MAX_BYTES);
        let body = body::read_any(&parts.headers, body, most).await?;
        Ok(Self { parts, body, asked })
    }

    fn content_type(&self) -> String {
        let sent = self.header(&header::CONTENT_TYPE).unwrap_or_default();
        sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The key of a body whose records tell their times: it is the same one only when its sender has not heard that it arrived.
    /// What else decides about its records is in it.
    fn own_key(&self, protocol: &str, who: &Principal) -> RequestKey {
        let body = digest(&self.body);
        let mut text = format!("{protocol} {body} {} {}", who.identity().id, self.parts.uri);
        for (name, value) in self.parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("vl-")) {
            text.extend([name.as_str(), &String::from_utf8_lossy(value.as_bytes())]);
        }
        RequestKey { key: digest(text.as_bytes()), body }
    }
}

impl By<'_> {
    /// Stores what is good of the records, or shows what would be. What is sent again is stored once.
    async fn take(&self, sent: &Sent, protocol: &str, records: Box<Decoded<'_>>) -> Result<Became, Error> {
        let mut records = records.fuse();
        let first: Vec<_> = records.by_ref().take(2).collect();
        let asked = taking::request_key(&sent.parts.headers, &sent.body)?;
        let key = asked.or_else(|| is_told_apart(&first).then(|| sent.own_key(protocol, self.who)));
        let records = at_most(first.into_iter().chain(records), sent.asked.dry_run);
        if !sent.asked.redact {
            self.about.unredacted(self.app, self.who);
        }
        let records: taking::Records<'_> = Box::new(records.map(|record| record.map(Raw::Parsed)));
        if sent.asked.dry_run {
            return taking::dry_run(self.app, self.who, records, &sent.asked).await.map(Became::Shown);
        }
        let taken = taking::take(self.app, self.who, records, key, &sent.asked).await?;
        if taken.over_quota_s.is_some() {
            let status = if stored(&taken) { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
            self.about.over_quota(self.app, self.who, status);
        }
        Ok(Became::Taken(taken))
    }
}

/// Refuses a request that holds more than one may.
fn too_large(reason: &impl ToString) -> Error {
    Error::too_large(reason.to_string())
}

/// Whether the same bytes are the same records, by the first ones: they tell their times, and one alone to less than a second.
fn is_told_apart(first: &[Result<RawRecord, Rejection>]) -> bool {
    let time = |record: &RawRecord| {
        let mut fields = record.fields.iter();
        fields.find(|(name, _)| stored_name(name) == Some("timestamp")).map(|(_, time)| time.to_string())
    };
    let known: Vec<String> = first.iter().flatten().filter_map(time).collect();
    let is_fine = |time: &String| {
        let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
        fraction.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
    };
    match known.as_slice() {
        [] => false,
        [one] => first.len() > 1 || is_fine(one),
        _ => true,
    }
}

/// The records up to the most that a request may have; some protocols cannot count theirs before they read them.
fn at_most<'a>(
    records: impl Iterator<Item = Result<RawRecord, Rejection>> + Send + 'a,
    is_dry: bool,
) -> Box<Decoded<'a>> {
    let most = if is_dry { MAX_DRY_RECORDS } else { MAX_RECORDS };
    Box::new(records.take(most + 1).enumerate().map(move |(nth, record)| {
        if nth < most {
            return record;
        }
        let message =
            format!("expected at most {most} records, got more; none behind this one was looked at");
        Err(Rejection::new(Rejection::RECORD_TOO_LARGE, message))
    }))
}

/// Refuses a request whose records say so much together.
fn check_repeated(got: usize) -> Result<(), Error> {
    if got <= MAX_REPEATED_BYTES {
        return Ok(());
    }
    Err(too_large(&format!(
        "expected what is said once of many records to take at most {MAX_REPEATED_BYTES} bytes when each of them says it, got {got}"
    )))
}

/// Whether anything was taken: what a rule drops has arrived.
fn stored(taken: &Taken) -> bool {
    !taken.ids.is_empty() || !taken.dropped.is_empty()
}

/// The refusal of a request of which nothing was taken since there is no room; its sender is to come again.
fn no_room(taken: &mut Taken) -> Option<Response> {
    if stored(taken) {
        return None;
    }
    let seconds = taken.over_quota_s?;
    let at = taken.rejected.iter().position(|(_, why)| why.code == Rejection::QUOTA_EXCEEDED)?;
    let (_, rejection) = taken.rejected.swap_remove(at);
    let mut response = Error::over_quota(rejection).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    Some(response)
}

/// An answer in the protocol's own words, which is left as it is whatever its status.
fn answer(status: StatusCode, kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
    response.extensions_mut().insert(dialect::Own);
    response
}
