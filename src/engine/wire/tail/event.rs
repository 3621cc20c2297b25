//! What set a Worker off: a request, a schedule, a queue, … as fields and metadata of its records.
//!
//! A trace event has no tag; its kind shows in the fields it has.

use serde_json::{Map, Value};

use crate::engine::record::timestamp::Timestamp;

pub(super) struct Event {
    /// Names the invocation in a sentence: `GET /pay`, `cron 0 0 * * *`.
    pub(super) label: String,
    /// Well-known fields, under the names that `normalise` reads.
    pub(super) fields: Map<String, Value>,
    /// `event_type` and the details of that type.
    pub(super) metadata: Map<String, Value>,
}

impl Event {
    pub(super) fn read(event: Option<&Value>) -> Self {
        let nothing = Map::new();
        let event = event.and_then(Value::as_object).unwrap_or(&nothing);
        let get = |key| event.get(key).filter(|value| !value.is_null());
        if let Some(request) = get("request") {
            return Self::fetch(request, get("response"));
        }
        if let Some(method) = get("rpcMethod") {
            return Self::new("rpc", text(method), [("rpc_method", Some(method.clone()))]);
        }
        if let Some(cron) = get("cron") {
            let details =
                [("cron", Some(cron.clone())), ("scheduled_time", get("scheduledTime").map(moment))];
            return Self::new("cron", text(cron), details).of_type("scheduled");
        }
        if let Some(queue) = get("queue") {
            let details = [("queue", Some(queue.clone())), ("batch_size", get("batchSize").cloned())];
            return Self::new("queue", text(queue), details);
        }
        if get("mailFrom").or(get("rcptTo")).is_some() {
            let details = [
                ("mail_from", get("mailFrom").cloned()),
                ("rcpt_to", get("rcptTo").cloned()),
                ("raw_size_bytes", get("rawSize").cloned()),
            ];
            return Self::new("email", None, details);
        }
        if let Some(socket) = get("getWebSocketEvent") {
            let kind = socket.get("webSocketEventType");
            let details = [
                ("websocket_event_type", kind.cloned()),
                ("websocket_code", socket.get("code").cloned()),
                ("websocket_was_clean", socket.get("wasClean").cloned()),
            ];
            return Self::new("websocket", kind.and_then(text), details);
        }
        if let Some(time) = get("scheduledTime") {
            return Self::new("alarm", None, [("scheduled_time", Some(moment(time)))]);
        }
        if let Some(consumed) = get("consumedEvents") {
            return Self::new("tail", None, [("consumed_events", Some(consumed.clone()))]);
        }
        // As text: an event of a kind not known yet must not fail its records by its shape.
        let whole = (!event.is_empty()).then(|| Value::from(Value::Object(event.clone()).to_string()));
        Self::new("invocation", None, [("event", whole)]).of_type("unknown")
    }

    fn fetch(request: &Value, response: Option<&Value>) -> Self {
        let get = |key: &str| request.get(key).filter(|value| !value.is_null()).cloned();
        let url = get("url");
        let endpoint = url.as_ref().and_then(Value::as_str).map(path_of);
        let method = get("method");
        let colo = request.pointer("/cf/colo").cloned();
        let status = response.and_then(|response| response.get("status")).cloned();
        let headers = request.get("headers").and_then(Value::as_object);
        let ray = headers
            .and_then(|headers| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cf-ray")))
            .map(|(_, ray)| ray.clone());
        let name = method.as_ref().and_then(text).unwrap_or_else(|| "fetch".to_owned());
        let mut event = Self::new(&name, endpoint.map(str::to_owned), [("url", url.clone()), ("colo", colo)])
            .of_type("fetch");
        event.fields = present([
            ("method", method),
            ("endpoint", endpoint.map(Value::from)),
            ("status", status),
            ("correlation_id", ray),
        ])
        .filter(|(_, value)| !value.is_array() && !value.is_object())
        .collect();
        event
    }

    /// An event whose label begins with the name of its type.
    fn new<const N: usize>(name: &str, detail: Option<String>, details: [(&str, Option<Value>); N]) -> Self {
        let label = detail.map_or_else(|| name.to_owned(), |detail| format!("{name} {detail}"));
        let metadata =
            [("event_type".to_owned(), Value::from(name))].into_iter().chain(present(details)).collect();
        Self { label, fields: Map::new(), metadata }
    }

    fn of_type(mut self, event_type: &str) -> Self {
        self.metadata.insert("event_type".to_owned(), Value::from(event_type));
        self
    }
}

fn present<const N: usize>(details: [(&str, Option<Value>); N]) -> impl Iterator<Item = (String, Value)> {
    details.into_iter().filter_map(|(key, value)| match value {
        None | Some(Value::Null) => None,
        Some(value) => Some((key.to_owned(), value)),
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Milliseconds or a `Date` as RFC 3339; what cannot be read stays as it came.
fn moment(value: &Value) -> Value {
    Timestamp::parse(value).map_or_else(|_| value.clone(), |at| Value::from(at.to_string()))
}

/// The path of a URL, without its query: few enough of them to count by.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let start = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
    let path = after_scheme.get(start..).unwrap_or_default();
    match path.split(['?', '#']).next() {
        None | Some("") => "/",
        Some(path) => path,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(event: &Value, label: &str, fields: &Value, metadata: &Value) {
        let read = Event::read(Some(event));
        let got = (read.label.as_str(), &Value::Object(read.fields), &Value::Object(read.metadata));
        assert_eq!(got, (label, fields, metadata), "{event}");
    }

    #[test]
    fn a_request_gives_method_path_status_and_ray() {
        check(
            &json!({
                "request": {
                    "url": "https://api.test/pay/7?card=1", "method": "POST",
                    "headers": {"CF-Ray": "8f00aa-AMS", "user-agent": "x"}, "cf": {"colo": "AMS", "asn": 1}
                },
                "response": {"status": 502}
            }),
            "POST /pay/7",
            &json!({"method": "POST", "endpoint": "/pay/7", "status": 502, "correlation_id": "8f00aa-AMS"}),
            &json!({"event_type": "fetch", "url": "https://api.test/pay/7?card=1", "colo": "AMS"}),
        );
        check(&json!({"request": {}}), "fetch", &json!({}), &json!({"event_type": "fetch"}));
        check(
            &json!({"request": {"url": 7, "method": ["x"], "headers": [], "cf": null}, "response": {}}),
            "fetch",
            &json!({}),
            &json!({"event_type": "fetch", "url": 7}),
        );
    }

    #[test]
    fn every_other_event_gives_its_type_and_details() {
        let none = json!({});
        for (event, label, metadata) in [
            (
                json!({"cron": "*/5 * * * *", "scheduledTime": 1_763_682_300_000_i64}),
                "cron */5 * * * *",
                json!({"event_type": "scheduled", "cron": "*/5 * * * *", "scheduled_time": "2025-11-20T23:45:00Z"}),
            ),
            (
                json!({"scheduledTime": "2025-11-20T23:45:00.000Z"}),
                "alarm",
                json!({"event_type": "alarm", "scheduled_time": "2025-11-20T23:45:00Z"}),
            ),
            (
                json!({"queue": "orders", "batchSize": 4}),
                "queue orders",
                json!({"event_type": "queue", "queue": "orders", "batch_size": 4}),
            ),
            (
                json!({"mailFrom": "a@x.test", "rcptTo": "b@x.test", "rawSize": 900}),
                "email",
                json!({"event_type": "email", "mail_from": "a@x.test", "rcpt_to": "b@x.test", "raw_size_bytes": 900}),
            ),
            (json!({"rpcMethod": "add"}), "rpc add", json!({"event_type": "rpc", "rpc_method": "add"})),
            (
                json!({"getWebSocketEvent": {"webSocketEventType": "close", "code": 1001, "wasClean": true}}),
                "websocket close",
                json!({
                    "event_type": "websocket", "websocket_event_type": "close", "websocket_code": 1001,
                    "websocket_was_clean": true
                }),
            ),
            (
                json!({"consumedEvents": [{"scriptName": "shop"}]}),
                "tail",
                json!({"event_type": "tail", "consumed_events": [{"scriptName": "shop"}]}),
            ),
            (json!({}), "invocation", json!({"event_type": "unknown"})),
            (json!(null), "invocation", json!({"event_type": "unknown"})),
            (json!("odd"), "invocation", json!({"event_type": "unknown"})),
            (json!({"new": [1]}), "invocation", json!({"event_type": "unknown", "event": "{\"new\":[1]}"})),
        ] {
            check(&event, label, &none, &metadata);
        }
    }

    #[test]
    fn the_endpoint_is_the_path_of_the_url() {
        for (url, path) in [
            ("https://a.test/x/y?z#w", "/x/y"),
            ("https://a.test/x#w?z", "/x"),
            ("https://a.test", "/"),
            ("https://a.test?x=/y", "/"),
            ("/x?y", "/x"),
            ("", "/"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
