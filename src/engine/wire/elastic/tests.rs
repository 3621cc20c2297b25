use proptest::prelude::*;
use serde_json::json;

use super::super::draft::tests::{objects, stored};
use super::*;

fn bulk(body: &str) -> Bulk<'_> {
    decode(body.as_bytes(), None, 100).unwrap()
}

/// Each action as `kind index id`, with its document or the kind of its failure.
fn check(body: &str, default_index: Option<&str>, expected: &[&str]) {
    let bulk = decode(body.as_bytes(), default_index, 100).unwrap();
    let shown: Vec<String> = bulk
        .actions
        .iter()
        .map(|action| {
            let id = action.id.as_deref().unwrap_or("-");
            let document = match &action.document {
                Ok(document) => String::from_utf8_lossy(document).into_owned(),
                Err(failure) => format!("{} {}", failure.status, failure.kind),
            };
            format!("{} {} {id} {document}", action.kind.as_str(), action.index)
        })
        .collect();
    assert_eq!(shown, expected, "{body}");
}

#[test]
fn an_action_and_its_document_are_two_lines() {
    check("{\"index\":{\"_index\":\"a\"}}\n{}\n", None, &["index a - {}"]);
    check("{\"create\":{\"_index\":\"a\",\"_id\":7}}\r\n{}\r\n", None, &["create a 7 {}"]);
    check("{\"index\":{}}\n{\"a\":1}", Some("d"), &["index d - {\"a\":1}"]);
    check("{\"index\":{\"_index\":\"a\",\"_type\":\"_doc\"}}\n{}", Some("d"), &["index a - {}"]);
    check("{\"index\":null}\n{}", Some("d"), &["index d - {}"]);
    check(
        "\n{\"index\":{\"_index\":\"a\"}}\n\n \n{\"create\":{\"_index\":\"b\"}}\n{}\n\n",
        None,
        &["index a - ", "create b - {}"],
    );
}

#[test]
fn what_changes_a_document_fails_alone() {
    check(
        "{\"update\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"doc\":{}}\n{\"delete\":{\"_index\":\"a\",\"_id\":\"2\"}}\n{\"index\":{\"_index\":\"a\"}}\n{}\n",
        None,
        &[
            "update a 1 400 illegal_argument_exception",
            "delete a 2 400 illegal_argument_exception",
            "index a - {}",
        ],
    );
}

#[test]
fn an_action_without_index_or_document_fails_alone() {
    check("{\"index\":{}}\n{}\n", None, &["index  - 400 illegal_argument_exception"]);
    check("{\"index\":{\"_index\":\"a\"}}", None, &["index a - 400 mapper_parsing_exception"]);
}

#[test]
fn a_malformed_action_refuses_the_whole_request() {
    let check = |body: &str, kind: &str, reason: &str| {
        let error = decode(body.as_bytes(), Some("d"), 3).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, reason), "{body}");
    };
    let illegal = "illegal_argument_exception";
    check("", "parse_exception", "request body is required");
    check("\n \n", "action_request_validation_exception", "Validation Failed: 1: no requests added;");
    for (line, reason) in [
        ("{\"nope\":{}}", "expected field [create], [delete], [index] or [update] but found [nope]"),
        ("{}", "expected FIELD_NAME but found [END_OBJECT]"),
        ("[]", "expected START_OBJECT but found [START_ARRAY]"),
        ("{\"index\":1}", "expected START_OBJECT but found [VALUE_NUMBER]"),
        ("{\"index\":{},\"create\":{}}", "expected END_OBJECT but found [FIELD_NAME]"),
        ("{\"index\":", "expected START_OBJECT but found what is not JSON"),
    ] {
        check(&format!("{line}\n{{}}\n"), illegal, &format!("Malformed action/metadata line [1], {reason}"));
        let later = format!("{{\"index\":{{}}}}\n{{}}\n\n{line}\n");
        check(&later, illegal, &format!("Malformed action/metadata line [4], {reason}"));
    }
    check(&"{\"index\":{}}\n{}\n".repeat(4), illegal, "expected at most 3 actions, got more");
    assert_eq!(decode(b"{\"x\":1}", None, 3).unwrap_err().body()["error"]["root_cause"][0]["type"], illegal);
    let long = format!("{{\"index\":{{\"_id\":\"{}\"}}}}\n{{}}\n", "x".repeat(9000));
    check(&long, illegal, "Malformed action/metadata line [1], expected at most 8192 bytes, got 9020");
}

fn check_document(index: &str, document: &Value, expected: &Value) {
    let body = format!("{{\"create\":{{\"_index\":\"{index}\"}}}}\n{document}\n");
    let records: Vec<_> = bulk(&body).records().map(stored).collect();
    assert_eq!(records, std::slice::from_ref(expected));
}

#[test]
fn ecs_fields_are_fields_nested_and_dotted() {
    let expected = json!({
        "timestamp": "2024-05-15T08:00:00.101Z", "service": "shop", "level": "ERROR", "message": "db timeout",
        "environment": "prod", "endpoint": "/pay", "method": "POST", "trace_id": "t", "span_id": "s", "user_id": "u",
        "error_type": "Timeout", "stack_trace": "at x", "logger": "db", "status": 504, "duration_ms": 1.5,
        "host": "web-1", "metadata": {"log": {"file": {"path": "/x"}}, "agent": {"version": "8"}},
    });
    check_document(
        "logs-app-default",
        &json!({
            "@timestamp": "2024-05-15T08:00:00.101Z", "message": "db timeout",
            "log": {"level": "error", "logger": "db", "file": {"path": "/x"}},
            "service": {"name": "shop", "environment": "prod"}, "trace": {"id": "t"}, "span": {"id": "s"},
            "host": {"name": "web-1"}, "user": {"id": "u"}, "error": {"type": "Timeout", "stack_trace": "at x"},
            "http": {"request": {"method": "POST"}, "response": {"status_code": 504}},
            "url": {"path": "/pay"}, "event": {"duration": 1_500_000}, "agent": {"version": "8"},
        }),
        &expected,
    );
    check_document(
        "logs-app-default",
        &json!({
            "@timestamp": "2024-05-15T08:00:00.101Z", "message": "db timeout", "log.level": "error",
            "log.logger": "db", "log": {"file": {"path": "/x"}}, "service.name": "shop",
            "service.environment": "prod", "trace.id": "t", "span.id": "s", "host.name": "web-1", "user.id": "u",
            "error.type": "Timeout", "error.stack_trace": "at x", "http.request.method": "POST",
            "http.response.status_code": 504, "url.path": "/pay", "event.duration": 1_500_000,
            "agent": {"version": "8"},
        }),
        &expected,
    );
}

#[test]
fn a_document_without_a_message_is_shown_as_what_it_is() {
    let nginx = json!({
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
        "url": {"original": "/cat?x=1"}, "service": {"type": "nginx"}, "log": {"offset": 0},
    });
    check_document(
        "filebeat-7.0.0-nginx",
        &nginx,
        &json!({"service": "filebeat-nginx", "message": "GET /cat?x=1 200", "endpoint": "/cat", "method": "GET",
            "status": 200,
            "metadata": {"url": {"original": "/cat?x=1"}, "service": {"type": "nginx"}, "log": {"offset": 0}, "index": "filebeat-7.0.0-nginx"}}),
    );
    check_document(
        "a",
        &json!({"log": "line", "message": ""}),
        &json!({"service": "a", "message": "line", "metadata": {"message": ""}}),
    );
    check_document("a", &json!({"event": {"original": "raw"}}), &json!({"service": "a", "message": "raw"}));
    check_document(
        "a",
        &json!({"cpu": {"pct": 0.5}, "host": {"ip": []}}),
        &json!({"service": "a", "message": "{\"cpu\":{\"pct\":0.5},\"host\":{\"ip\":[]}}",
            "metadata": {"cpu": {"pct": 0.5}, "host": {"ip": []}}}),
    );
}

#[test]
fn an_odd_level_stays_where_it_is_and_an_odd_time_is_refused() {
    check_document(
        "a",
        &json!({"message": "m", "log": {"level": "loud"}}),
        &json!({"service": "a", "message": "m", "metadata": {"log": {"level": "loud"}}}),
    );
    check_document("a", &json!({"message": "m", "@timestamp": "soon"}), &json!("invalid_timestamp"));
}

#[test]
fn the_service_of_an_index_is_its_name_without_what_passes() {
    for (index, expected) in [
        ("filebeat-8.13.2", "filebeat"),
        ("filebeat-8.13.2-2024.05.15-000001", "filebeat"),
        ("filebeat-7.0.0-nginx", "filebeat-nginx"),
        ("logstash-2024.05.15", "logstash"),
        ("logstash-2024.w20", "logstash"),
        ("logs-nginx.access-default", "nginx.access"),
        (".ds-logs-nginx.access-default-2024.05.15-000001", "nginx.access"),
        ("logs-my-app-prod", "my-app"),
        ("logs-app", "logs-app"),
        ("logs-app-2024.05.15", "logs-app"),
        ("app-2024-05-15", "app"),
        ("app-20240515", "app"),
        ("app-2", "app-2"),
        ("fluent-bit", "fluent-bit"),
        ("2024.05.15", "2024.05.15"),
        ("größe", "gr--e"),
        ("", "unknown_service"),
    ] {
        assert_eq!(ecs::service_of_index(index), expected, "{index}");
    }
    check_document(
        "logs-generic-default",
        &json!({"message": "m", "data_stream": {"dataset": "shop", "type": "logs"}}),
        &json!({"service": "shop", "message": "m", "metadata": {"data_stream": {"dataset": "shop", "type": "logs"}}}),
    );
}

const BODY: &str = "{\"create\":{\"_index\":\"a\"}}\n{\"message\":\"x\"}\n{\"index\":{\"_index\":\"a\",\"_id\":\"7\"}}\n{nope}\n{\"delete\":{\"_index\":\"a\",\"_id\":\"8\"}}\n{\"index\":{\"_index\":\"a\"}}\n{}\n";

fn outcomes(bulk: &Bulk<'_>) -> Vec<Outcome> {
    bulk.records()
        .enumerate()
        .map(|(n, record)| match record {
            Ok(_) => Outcome::Created { id: format!("id-{n}") },
            Err(rejection) => Outcome::Failed(Failure::from(&rejection)),
        })
        .collect()
}

fn answered(body: &str, filter: &str) -> String {
    let bulk = bulk(body);
    let filter = Filter::parse(filter);
    String::from_utf8(answer(&bulk, outcomes(&bulk), 3, &filter)).unwrap()
}

#[test]
fn each_action_is_answered_in_order_with_errors_first() {
    assert_eq!(
        answered(BODY, ""),
        "{\"took\":3,\"errors\":true,\"items\":[\
         {\"create\":{\"_index\":\"a\",\"_id\":\"id-0\",\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201}},\
         {\"index\":{\"_index\":\"a\",\"_id\":\"7\",\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\",\"reason\":\"key must be a string at column 2\"}}},\
         {\"delete\":{\"_index\":\"a\",\"_id\":\"8\",\"status\":400,\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"expected create or index: a log is never changed by delete\"}}},\
         {\"index\":{\"_index\":\"a\",\"_id\":\"id-2\",\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201}}]}"
    );
    let quota = Rejection::new(Rejection::QUOTA_EXCEEDED, "too much");
    assert_eq!(Failure::from(&quota), Failure::busy("too much"));
    let bulk = bulk("{\"index\":{\"_index\":\"a\"}}\n{}\n");
    let missing: Value = serde_json::from_slice(&answer(&bulk, [], 0, &Filter::default())).unwrap();
    assert_eq!(missing.pointer("/items/0/index/status"), Some(&json!(429)));
}

#[test]
fn a_filter_path_leaves_what_it_names() {
    let ok = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    for (filter, expected) in [
        ("errors", "{\"errors\":false}"),
        ("errors,items.*.status", "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]}"),
        (
            "errors,items.*.error,items.*.status",
            "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]}",
        ),
        ("took,errors,items.*.error", "{\"took\":3,\"errors\":false}"),
        ("items.create.st*", "{\"items\":[{\"create\":{\"status\":201}}]}"),
        ("**.successful", "{\"items\":[{\"create\":{\"_shards\":{\"successful\":1}}}]}"),
        (
            "items",
            "{\"items\":[{\"create\":{\"_index\":\"a\",\"_id\":\"id-0\",\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201}}]}",
        ),
        (
            "-took,-items.*._*",
            "{\"errors\":false,\"items\":[{\"create\":{\"result\":\"created\",\"status\":201}}]}",
        ),
        ("-items", "{\"took\":3,\"errors\":false}"),
        ("nothing", "{}"),
        ("items.*.error.type", "{}"),
    ] {
        assert_eq!(answered(ok, filter), expected, "{filter}");
    }
    assert_eq!(
        answered(BODY, "items.*.error.type"),
        "{\"items\":[{\"index\":{\"error\":{\"type\":\"mapper_parsing_exception\"}}},{\"delete\":{\"error\":{\"type\":\"illegal_argument_exception\"}}}]}"
    );
}

#[test]
fn what_clients_ask_first_is_answered() {
    for (method, path, pointer, expected) in [
        ("GET", "/", "/version/number", json!("8.15.0")),
        ("HEAD", "/", "/tagline", json!("You Know, for Search")),
        ("GET", "/_license?human=false", "/license/status", json!("active")),
        ("GET", "/_xpack", "/license/status", json!("active")),
        ("GET", "/_cluster/health", "/status", json!("green")),
        ("GET", "/_nodes/http", "/nodes", json!({})),
        ("GET", "/_ilm/policy/filebeat", "/filebeat/version", json!(1)),
        ("PUT", "/_ilm/policy/filebeat", "/acknowledged", json!(true)),
        ("GET", "/_index_template/f", "/index_templates/0/name", json!("f")),
        ("HEAD", "/_template/f", "/f/order", json!(1)),
        ("PUT", "/_component_template/f", "/acknowledged", json!(true)),
        ("GET", "/_ingest/pipeline/p", "/p/processors", json!([])),
        ("GET", "/_data_stream/logs-a-b", "/data_streams/0/status", json!("GREEN")),
        ("GET", "/_cat/indices", "", json!([])),
        ("HEAD", "/some-index", "", json!({})),
        ("PUT", "/some-index", "/index", json!("some-index")),
    ] {
        let (status, body) = handshake(method, path).unwrap();
        assert_eq!((status, body.pointer(pointer)), (200, Some(&expected)), "{method} {path}");
    }
    for (method, path) in [
        ("GET", "/_search"),
        ("GET", "/some-index"),
        ("POST", "/_bulk"),
        ("POST", "/a/_bulk"),
        ("DELETE", "/a"),
        ("PUT", "/"),
    ] {
        assert_eq!(handshake(method, path), None, "{method} {path}");
    }
}

#[test]
fn a_filter_of_many_stars_costs_no_more_than_its_length() {
    assert_eq!(answered(BODY, &format!("items.{}", "*a".repeat(2000))), "{}");
    assert_eq!(answered(BODY, &["**"; 500].join(".")), answered(BODY, ""));
}

const NAMES: &[&str] = &[
    "message",
    "log",
    "level",
    "log.level",
    "service",
    "name",
    "service.name",
    "host",
    "url",
    "path",
    "original",
    "event",
    "duration",
    "http",
    "request",
    "method",
    "metadata",
    "@timestamp",
    "id",
    "trace",
];

proptest! {
    #[test]
    fn every_document_is_stored_or_refused_for_its_time(document in objects(NAMES), index in ".{0,12}") {
        let action = json!({"index": {"_index": index}});
        let body = format!("{action}\n{document}\n");
        let bulk = decode(body.as_bytes(), Some("a"), 1).unwrap();
        for record in bulk.records() {
            let stored = stored(record);
            prop_assert!(stored.is_object() || stored.as_str().is_some_and(|code| code.contains("timestamp")), "{stored}");
        }
    }

    #[test]
    fn no_body_panics_and_every_action_has_its_item(body in "(\\{\"(index|create|delete|x)\":\\{\\}\\}\n|[{}\":a1 \n]{0,9})*", bytes in prop::collection::vec(any::<u8>(), 0..60), filter in "[a-z*.,-]{0,20}") {
        for body in [body.as_bytes(), bytes.as_slice()] {
            if let Ok(bulk) = decode(body, Some("a"), 9) {
                let answer = answer(&bulk, outcomes(&bulk), 1, &Filter::default());
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                prop_assert_eq!(answer["items"].as_array().map(Vec::len), Some(bulk.actions.len()));
                let filtered = super::answer(&bulk, outcomes(&bulk), 1, &Filter::parse(&filter));
                prop_assert!(serde_json::from_slice::<Value>(&filtered).is_ok());
            }
        }
    }

    #[test]
    fn no_path_panics(method in "GET|PUT|HEAD", path in "[a-z_/?.*é]{0,20}") {
        let _ = handshake(&method, &path);
    }
}
