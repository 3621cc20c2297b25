//! What clients of Elasticsearch ask before they write: who is there, and whether its templates are in place.
//!
//! Invariant: every answer says that what was asked for exists, or was done; nothing of it is kept, because
//! a log needs no mapping here.

use serde_json::{Value, json};

/// Beats want at least their own minor version, unless they are told otherwise; clients of 7.14 and later also
/// want the header `x-elastic-product: Elasticsearch`.
const VERSION: &str = "8.15.0";

const CLUSTER: &str = "timberline";
const UID: &str = "dGltYmVybGluZS1sb2dzAA";

/// `GET /`.
fn root_info(version: &str) -> Value {
    json!({
        "name": CLUSTER,
        "cluster_name": CLUSTER,
        "cluster_uuid": UID,
        "version": {
            "number": version,
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2024-08-05T10:05:34.233336849Z",
            "build_snapshot": false,
            "lucene_version": "9.11.1",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })
}

/// The status and body for a request that writes no logs; `None` for one that is not known. The body of a
/// `HEAD` is for the caller to leave out.
pub fn handshake(method: &str, path: &str) -> Option<(u16, Value)> {
    let path = path.split('?').next().unwrap_or_default().trim_matches('/');
    let (area, name) = path.split_once('/').unwrap_or((path, ""));
    match method {
        "GET" | "HEAD" => {
            let body = if area.starts_with('_') || area.is_empty() {
                read(area, name)?
            } else if method == "HEAD" && name.is_empty() {
                // An index exists as soon as it is asked for.
                json!({})
            } else {
                return None;
            };
            Some((200, body))
        }
        "PUT" | "POST" => written(method, area, name).map(|body| (200, body)),
        _ => None,
    }
}

fn read(area: &str, name: &str) -> Option<Value> {
    let name_of = |prefix: &str| name.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/'));
    let body = match area {
        "" => root_info(VERSION),
        "_license" => json!({"license": {
            "status": "active",
            "uid": "00000000-0000-0000-0000-000000000000",
            "type": "basic",
            "issue_date": "2024-01-01T00:00:00.000Z",
            "issue_date_in_millis": 1_704_067_200_000_i64,
            "max_nodes": 1000,
            "issued_to": CLUSTER,
            "issuer": "elasticsearch",
            "start_date_in_millis": -1,
        }}),
        "_xpack" => json!({
            "build": {},
            "license": {"mode": "basic", "type": "basic", "status": "active"},
            "features": {"ilm": {"available": true, "enabled": true}},
            "tagline": "You know, for X",
        }),
        "_cluster" if name.starts_with("health") => json!({
            "cluster_name": CLUSTER,
            "status": "green",
            "timed_out": false,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
            "active_primary_shards": 1,
            "active_shards": 1,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": 0,
            "active_shards_percent_as_number": 100.0,
        }),
        // No node, so that a client that looks for others keeps to the address it has.
        "_nodes" => json!({
            "_nodes": {"total": 0, "successful": 0, "failed": 0},
            "cluster_name": CLUSTER,
            "nodes": {},
        }),
        "_cat" => json!([]),
        "_ilm" => match name_of("policy")? {
            "" => json!({}),
            policy => json!({policy: {"version": 1, "policy": {"phases": {}}}}),
        },
        "_ingest" => match name_of("pipeline")? {
            "" => json!({}),
            pipeline => json!({pipeline: {"processors": []}}),
        },
        "_index_template" => {
            let template = json!({"index_patterns": [name], "composed_of": [], "data_stream": {}});
            listed("index_templates", name, &json!({"name": name, "index_template": template}))
        }
        "_component_template" => {
            let template = json!({"name": name, "component_template": {"template": {}}});
            listed("component_templates", name, &template)
        }
        "_template" if name.is_empty() => json!({}),
        "_template" => json!({name: {"order": 1, "index_patterns": [name], "settings": {}, "mappings": {}}}),
        "_data_stream" => {
            let stream = json!({
                "name": name,
                "timestamp_field": {"name": "@timestamp"},
                "indices": [],
                "generation": 1,
                "status": "GREEN",
                "template": name,
            });
            listed("data_streams", name, &stream)
        }
        "_alias" | "_aliases" | "_logstash" => json!({}),
        _ => return None,
    };
    Some(body)
}

/// One entry under a name, or none when no name was asked for.
fn listed(list: &str, name: &str, entry: &Value) -> Value {
    if name.is_empty() { json!({list: []}) } else { json!({list: [entry]}) }
}

fn written(method: &str, area: &str, name: &str) -> Option<Value> {
    match area {
        "_ilm"
        | "_ingest"
        | "_index_template"
        | "_component_template"
        | "_template"
        | "_data_stream"
        | "_alias"
        | "_logstash"
            if !name.is_empty() =>
        {
            Some(json!({"acknowledged": true}))
        }
        "_aliases" => Some(json!({"acknowledged": true})),
        index if method == "PUT" && name.is_empty() && !index.is_empty() && !index.starts_with('_') => {
            Some(json!({"acknowledged": true, "shards_acknowledged": true, "index": index}))
        }
        _ => None,
    }
}
