//! Who may do what: the table of roles and routes, keys, and the wall between tenants.

use std::fmt::Write;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use timberline::{engine::auth::permission::ROLES, http::policy};

use crate::{Answer, Service, log, without};

const NOBODY: &str = "019aa3a8-0e00-7000-8000-000000000000";

impl Service {
    /// Sends a request with a key of its own.
    pub(crate) async fn call_as(
        &self,
        key: &str,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, key: &str, uri: &str) -> Answer {
        self.call_as(key, Method::GET, uri, &[], Body::empty()).await
    }

    pub(crate) async fn post_as(&self, key: &str, uri: &str, body: &Value) -> Answer {
        self.call_as(key, Method::POST, uri, &[("content-type", "application/json")], body.to_string()).await
    }

    /// A key: its id and the key.
    pub(crate) async fn key(&self, wanted: &Value) -> (String, String) {
        let made = self.post("/admin/keys", wanted).await.ok();
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn key_of_role(&self, role: &str) -> String {
        let mut wanted = json!({ "name": role, "role": role });
        if role == "developer" {
            wanted["services"] = json!(["api"]);
        }
        self.key(&wanted).await.1
    }

    /// A tenant with a domain and a key of an administrator.
    pub(crate) async fn tenant(&self, name: &str) -> String {
        let domain = json!({ "domain": format!("{name}.example.com"), "tenantId": name });
        self.post("/admin/domains", &domain).await.ok();
        self.key(&json!({ "name": "boss", "role": "admin", "tenantId": name })).await.1
    }
}

/// Limits that no test comes to.
pub(crate) fn unlimited() -> Service {
    Service::with(&[("RATE_LIMIT_ENABLED", "false")])
}

/// The routes, what each asks for, and which roles have it.
fn matrix() -> String {
    let mut table = String::new();
    for (method, path, need) in policy() {
        let roles: Vec<&str> =
            ROLES.iter().filter(|role| role.set().has(need)).map(|role| role.name).collect();
        writeln!(table, "{:<6} {path:<40} {:<19} {}", method.as_str(), need.as_str(), roles.join(" "))
            .unwrap();
    }
    table
}

#[test]
fn every_route_asks_for_what_the_committed_table_says() {
    let committed = include_str!("../fixtures/access-matrix.txt");
    let current = matrix();
    assert_eq!(
        current, committed,
        "the routes or roles have changed; if that is meant, commit this as tests/fixtures/access-matrix.txt:\n{current}"
    );
    let mut routes: Vec<_> =
        policy().into_iter().map(|(method, path, _)| (method.to_string(), path)).collect();
    let all = routes.len();
    routes.sort();
    routes.dedup();
    assert_eq!(routes.len(), all, "a route is there twice");
}

/// A path with something in each of its places.
fn filled(path: &str, id: &str, service: &str, domain: &str, name: &str) -> String {
    path.replace("{id}", id).replace("{service}", service).replace("{domain}", domain).replace("{name}", name)
}

#[tokio::test]
async fn the_router_lets_each_role_do_what_the_table_says_and_nothing_else() {
    let service = unlimited();
    for role in ROLES {
        let key = service.key_of_role(role.name).await;
        for (method, path, need) in policy() {
            let uri = filled(path, NOBODY, "api", "nowhere.example.com", "nothing");
            let answer = service
                .call_as(&key, method.clone(), &uri, &[("content-type", "application/json")], "{}")
                .await;
            // Whatever protocol is spoken there.
            let denied = answer.status == 403 && answer.text.contains("this needs the permission");
            assert_eq!(denied, !role.set().has(need), "{} {method} {uri}: {answer:?}", role.name);
            assert!(answer.status != 401 && answer.status != 405, "{} {method} {uri}: {answer:?}", role.name);
        }
    }
}

#[tokio::test]
async fn no_route_changes_anything_when_it_is_read() {
    let service = unlimited();
    service.tenant("aaa").await;
    let id = service.store(&log("api", "m")).await;
    service.flush().await;
    service.world.background.settle().await;
    let writes = || {
        let verbs = [
            "accounts.write",
            "accounts.remove",
            "catalog.add",
            "catalog.put_service_config",
            "catalog.replace",
            "catalog.erase",
            "copies.put",
            "copies.delete",
            "objects.put",
            "objects.delete",
            "shards.append",
            "shards.flush",
        ];
        verbs.map(|verb| service.world.calls(verb))
    };
    let before = writes();
    for (_, path, _) in policy().into_iter().filter(|(method, ..)| method == Method::GET) {
        let mut uri = filled(path, &id, "api", "aaa.example.com", "critical");
        if path.starts_with("/loki/") {
            uri.push_str("?query=%7Bservice_name%3D%22api%22%7D");
        }
        let answer = service.get(&uri).await;
        // A tail is read over a WebSocket alone.
        let is_tail = path.ends_with("/tail") && answer.status == 426;
        assert!(answer.status.is_success() || is_tail, "{path}: {answer:?}");
        assert_eq!(writes(), before, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let service = unlimited();
    let made = service.post("/admin/keys", &json!({ "name": "ci", "role": "operator" })).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("tl_default_") && key.len() == "tl_default_".len() + 72, "{key}");
    service.post_as(key, "/logs", &log("api", "m")).await.ok();
    assert_eq!(service.get_as(key, "/logs").await.ok()["data"].as_array().unwrap().len(), 1);
    service.world.background.settle().await;
    let listed = service.get("/admin/keys").await;
    assert!(!listed.text.contains(key) && !listed.text.contains("hash"), "{}", listed.text);
    let one = &listed.json()["data"][0];
    assert_eq!((one["id"].as_str(), one["valid"].as_bool()), (Some(id), Some(true)));
    assert!(one["last_used_at"].as_str().unwrap().starts_with("2025-11-21T00:00:00"), "{one}");
    let gone = service.call(Method::DELETE, &format!("/admin/keys/{id}"), &[], Body::empty()).await;
    assert_eq!(gone.status, 200);
    assert_eq!(service.get_as(key, "/logs").await.error(), (403, "forbidden".into(), None));
    // Another isolate has heard of it within a minute, though it knew the key.
    let other = Service::on(&service.world, &[]);
    assert_eq!(other.get_as(key, "/logs").await.status, 403);
}

#[tokio::test]
async fn a_change_is_everywhere_within_a_minute() {
    let service = unlimited();
    let (id, key) = service.key(&json!({ "name": "ci", "role": "operator" })).await;
    let other = Service::on(&service.world, &[("RATE_LIMIT_ENABLED", "false")]);
    other.get_as(&key, "/logs").await.ok();
    service.call(Method::DELETE, &format!("/admin/keys/{id}"), &[], Body::empty()).await.ok();
    // What the other isolate knows is good for half a minute.
    assert_eq!(other.get_as(&key, "/logs").await.status, 200);
    service.world.turn_clock(16_000);
    assert_eq!(other.get_as(&key, "/logs").await.status, 200);
    // It has looked again behind that answer.
    other.world.background.settle().await;
    assert_eq!(other.get_as(&key, "/logs").await.status, 403);
}

#[tokio::test]
async fn a_warm_isolate_reads_nothing_to_know_a_key() {
    let service = unlimited();
    let key = service.key_of_role("operator").await;
    service.get_as(&key, "/admin/self-healing").await.ok();
    service.world.background.settle().await;
    let cost = || ["copies.get", "accounts.read", "accounts.note_use"].map(|verb| service.world.calls(verb));
    let before = cost();
    for _ in 0..50 {
        service.get_as(&key, "/admin/self-healing").await.ok();
    }
    service.world.background.settle().await;
    assert_eq!(cost(), before);
}

#[tokio::test]
async fn wrong_keys_cost_no_catalog_and_little_else() {
    let service = unlimited();
    let (_, good) = service.key(&json!({ "name": "ci", "role": "ingest" })).await;
    let before = service.world.calls("accounts.read");
    let reads = service.world.calls("copies.get");
    for n in 0..10_000_u128 {
        let tenant = if n % 2 == 0 { "default" } else { "unknown" };
        let tenant = timberline::engine::tenant::Tenant::parse(tenant).unwrap();
        let wrong = timberline::engine::auth::ApiKey::new(&tenant, [n, n]);
        assert_eq!(service.get_as(wrong.as_str(), "/logs").await.status, 403);
    }
    assert_eq!(service.get_as(&good.replace("tl_default", "tl_defaulu"), "/logs").await.status, 403);
    assert_eq!(service.world.calls("accounts.read"), before);
    assert!(service.world.calls("copies.get") <= reads + 2);
    service.world.background.settle().await;
    // Two records tell of them: the first, and how many more there were.
    let told = service.get("/admin/audit?q=component:refusal").await.ok();
    let counts: Vec<u64> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["metadata"]["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 10_001, "{told}");
    assert!(counts.len() <= 4, "{counts:?}");
}

#[tokio::test]
async fn an_account_outlives_its_copies() {
    let service = unlimited();
    service.world.fail("copies.put account/", false, 2);
    // The copy is written by the third try.
    let key = service.key_of_role("ingest").await;
    service.post_as(&key, "/logs", &log("api", "m")).await.ok();
    // No copy at all: the cron makes it.
    service.world.fail("copies.put account/", false, 4);
    let refused = service.post("/admin/keys", &json!({ "name": "b", "role": "ingest" })).await;
    assert_eq!(refused.error().0, 503);
    timberline::app::accounts::copy_all(&service.app, service.app.now()).await.unwrap();
    assert_eq!(service.get("/admin/keys").await.ok()["data"].as_array().unwrap().len(), 2);
    service.world.turn_clock(16 * 60_000);
    let before = service.world.calls("copies.put");
    timberline::app::accounts::copy_all(&service.app, service.app.now()).await.unwrap();
    assert_eq!(service.world.calls("copies.put"), before);
    // When copies cannot be read, what is known stands for a while.
    service.post_as(&key, "/logs", &log("api", "m")).await.ok();
    service.world.turn_clock(60_000);
    service.world.fail("copies.get", false, 100);
    assert_eq!(service.post_as(&key, "/logs", &log("api", "m")).await.status, 201);
    service.world.turn_clock(600_000);
    assert_eq!(service.post_as(&key, "/logs", &log("api", "m")).await.error().0, 503);
}

/// What tenant B has, which A must not learn of.
struct Other {
    log: String,
    key_id: String,
    cursor: String,
}

async fn two_tenants(service: &Service) -> (String, String, Other) {
    let (a, b) = (service.tenant("aaa").await, service.tenant("bbb").await);
    let record = |message: &str| json!({ "service": "theirs", "message": message, "trace_id": "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0", "metadata": {"bfield": "bvalue"} });
    let stored = service.post_as(&b, "/logs", &record("secret of bbb")).await.ok();
    service.post_as(&b, "/logs", &record("another secret of bbb")).await.ok();
    service.post_as(&a, "/logs", &log("mine", "mine")).await.ok();
    let key = service.post_as(&b, "/admin/keys", &json!({ "name": "theirs", "role": "ingest" })).await.ok();
    let role = json!({ "permissions": ["logs:read"] });
    let put = service.call_as(&b, Method::PUT, "/admin/roles/theirs", &[], role.to_string()).await;
    assert_eq!(put.status, 200, "{put:?}");
    let page = service.get_as(&b, "/logs?limit=1").await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (a, b, Other { log: text(&stored["id"]), key_id: text(&key["id"]), cursor: text(&page["next_cursor"]) })
}

/// An answer without what differs from one request to the next.
fn told(answer: &Answer, ids: &[&str]) -> (u16, String) {
    let mut text = answer.text.clone();
    for id in ids {
        text = text.replace(id, "ID");
    }
    let text = serde_json::from_str::<Value>(&text).map_or(text.clone(), |mut body| {
        if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("request_id");
        }
        body.to_string()
    });
    (answer.status.as_u16(), text)
}

#[tokio::test]
async fn no_route_tells_one_tenant_of_another() {
    let service = unlimited();
    let (a, b, other) = two_tenants(&service).await;
    for flushed in [false, true] {
        if flushed {
            service
                .post_as(
                    &b,
                    "/admin/self-healing/actions",
                    &json!({"action": "execute", "actionId": "flush"}),
                )
                .await
                .ok();
        }
        for (method, path, _) in policy() {
            // What the other tenant has, beside what nobody has: the answers must be the same.
            for (theirs, nobodys) in
                [(&*other.log, NOBODY), (&*other.key_id, "key_0000000000000000"), ("theirs", "nobodys")]
            {
                let domain =
                    |name: &str| if name == "theirs" { "bbb.example.com" } else { "ccc.example.com" };
                for query in [
                    "",
                    "?q=secret",
                    "?q=service:theirs",
                    &format!("?cursor={}", other.cursor),
                    "?trace_id=b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0",
                ] {
                    let ask = |name: &'static str, what: &str| {
                        let uri = filled(path, what, what, domain(name), what) + query;
                        let method = method.clone();
                        let (service, a) = (&service, &a);
                        async move {
                            service
                                .call_as(a, method, &uri, &[("content-type", "application/json")], "{}")
                                .await
                        }
                    };
                    let answer = ask("theirs", theirs).await;
                    let nothing = ask("nobodys", nobodys).await;
                    for secret in ["secret of bbb", "bfield", "bvalue", "tl_bbb", "bbb.example.com"] {
                        let echoed = secret == "bbb.example.com" && answer.status.is_client_error();
                        assert!(
                            echoed || !answer.text.contains(secret),
                            "{method} {path}{query}: {answer:?}"
                        );
                    }
                    let ids = [theirs, nobodys, "bbb.example.com", "ccc.example.com"];
                    let names = ["elapsed_ms", "updated_at", "created_at"];
                    let (ours, known) = (told(&answer, &ids), told(&nothing, &ids));
                    if method == Method::PUT || path.ends_with("{name}") {
                        assert_eq!(
                            ours.0, known.0,
                            "{method} {path}{query}: {answer:?} {nothing:?} {names:?}"
                        );
                    } else {
                        assert_eq!(ours, known, "{method} {path}{query}");
                    }
                }
            }
        }
        // And what B has is as it was.
        assert_eq!(service.get_as(&b, "/logs").await.ok()["data"].as_array().unwrap().len(), 2);
        assert_eq!(service.get_as(&b, &format!("/api/v1/logs/{}", other.log)).await.status, 200);
        let keys = service.get_as(&b, "/admin/keys").await.ok();
        assert!(keys["data"].as_array().unwrap().iter().all(|key| key["valid"] == true), "{keys}");
        let roles = service.get_as(&b, "/admin/roles").await.ok();
        assert!(roles.to_string().contains("theirs"), "{roles}");
    }
}

#[tokio::test]
async fn a_host_and_a_key_must_be_of_one_tenant() {
    let service = unlimited();
    let (a, b) = (service.tenant("aaa").await, service.tenant("bbb").await);
    for (key, host, status) in [
        (&a, "aaa.example.com", 200),
        (&a, "AAA.example.com:8787", 200),
        (&a, "bbb.example.com", 403),
        (&b, "aaa.example.com", 403),
        (&b, "timberline.example.workers.dev", 200),
        (&"key".to_owned(), "aaa.example.com", 403),
    ] {
        let answer = service.call_as(key, Method::GET, "/logs", &[("host", host)], Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn a_tenant_ends_with_its_last_domain_and_its_logs_only_when_that_is_said() {
    let service = unlimited();
    let key = service.tenant("aaa").await;
    let keep = service.tenant("bbb").await;
    service.post_as(&keep, "/logs", &log("api", "kept")).await.ok();
    for n in 0..3 {
        service.post_as(&key, "/logs", &log("api", &format!("m{n}"))).await.ok();
    }
    let delete = |query: &'static str| {
        let uri = format!("/admin/domains/aaa.example.com{query}");
        let service = &service;
        async move { service.call(Method::DELETE, &uri, &[], Body::empty()).await }
    };
    assert_eq!(delete("").await.error(), (409, "tenant_holds_logs".into(), Some("purge".into())));
    assert_eq!(delete("?purge=yes").await.error().0, 400);
    service.get_as(&key, "/logs?q=before").await.ok();
    assert_eq!(service.get_as(&key, "/logs").await.ok()["data"].as_array().unwrap().len(), 3);
    let purged = delete("?purge=true").await.ok();
    assert_eq!(
        without(purged["removed"].clone(), &["size_bytes", "objects"]),
        json!({"tenant": true, "segments": 1, "records": 3, "is_complete": true})
    );
    assert_eq!(service.get_as(&key, "/logs").await.status, 403);
    service.world.background.settle().await;
    let left: Vec<String> =
        service.world.objects.keys().into_iter().filter(|key| key.contains("/aaa/")).collect();
    assert_eq!(left, [""; 0]);
    // What came late is erased as well, and then the name is free.
    timberline::app::purge::go_on(&service.app, service.app.now()).await.unwrap();
    assert_eq!(
        service
            .post("/admin/domains", &json!({"domain": "x.example.com", "tenantId": "aaa"}))
            .await
            .error()
            .1,
        "erasing"
    );
    service.world.turn_clock(600_000);
    timberline::app::purge::go_on(&service.app, service.app.now()).await.unwrap();
    assert_eq!(timberline::ports::Accounts::list(&*service.world.accounts, "", 9).await.unwrap().len(), 1);
    let again = service.tenant("aaa").await;
    assert_eq!(service.get_as(&again, "/logs").await.ok()["data"], json!([]));
    assert_eq!(service.get_as(&keep, "/logs").await.ok()["data"].as_array().unwrap().len(), 1);
    let audit = timberline::engine::tenant::Tenant::parse("aaa").unwrap().audit();
    let shard = timberline::ports::ShardName { tenant: audit, number: 0 };
    let held = timberline::ports::Shards::state(&*service.world.shards, &shard).await.unwrap();
    assert!(held.unflushed_commits > 0);
    // The audit stream stays, but not for who has the name now.
    service.world.background.settle().await;
    let told = service.get_as(&again, "/admin/audit").await.ok();
    assert!(!told["data"].as_array().unwrap().is_empty());
    assert!(
        told["data"].as_array().unwrap().iter().all(|one| one["metadata"]["query"] != "before"),
        "{told}"
    );
}

#[tokio::test]
async fn support_is_shown_no_personal_data_by_any_route() {
    let service = unlimited();
    // Personal data that is stored, because this tenant says so.
    service.put("/admin/redaction", &json!({"kinds": {"personal": "keep"}})).await.ok();
    let id = service
        .store(&json!({
            "service": "api", "message": "mail to jane@home.example from 192.0.2.44", "user_id": "u-4711",
            "trace_id": "abc", "metadata": {"email": "jane@home.example", "phone": 436_601_234_567_u64, "n": 1},
        }))
        .await;
    let key = service.key_of_role("support").await;
    let uris = [
        "/logs".to_owned(),
        "/logs?sort=relevance&q=mail".to_owned(),
        "/api/v1/logs/recent/api".to_owned(),
        format!("/api/v1/logs/{id}"),
        format!("/api/v1/logs/{id}/full"),
        format!("/api/v1/logs/{id}/context"),
        "/api/v1/trace/abc".to_owned(),
        "/api/v1/logs/export".to_owned(),
        "/api/v1/logs/export?format=csv&fields=message,user_id,metadata.email,metadata.phone".to_owned(),
        "/api/v1/facets?fields=user_id,metadata.email,metadata.phone,message".to_owned(),
        "/api/v1/stats?by=user_id,metadata.email,metadata.phone".to_owned(),
    ];
    for flushed in [false, true] {
        if flushed {
            service.flush().await;
        }
        for uri in &uris {
            let answer = service.get_as(&key, uri).await;
            assert_eq!(answer.status, 200, "{uri}: {answer:?}");
            for secret in ["jane", "192.0.2.44", "u-4711", "436601234567"] {
                assert!(!answer.text.contains(secret), "{uri}: {}", answer.text);
            }
            assert!(
                answer.text.contains("[MASKED]") || answer.text.contains("[EMAIL]"),
                "{uri}: {}",
                answer.text
            );
            assert!(service.get(uri).await.text.contains("jane"), "{uri}");
        }
    }
}

#[tokio::test]
async fn a_tenant_that_turns_out_to_hold_logs_goes_on() {
    let service = unlimited();
    let key = service.tenant("aaa").await;
    let late = Service::on(&service.world, &[("RATE_LIMIT_ENABLED", "false")]);
    late.get_as(&key, "/logs").await.ok();
    let removed =
        service.call(Method::DELETE, "/admin/domains/aaa.example.com", &[], Body::empty()).await.ok();
    assert_eq!((&removed["removed"]["tenant"], &removed["removed"]["records"]), (&json!(true), &json!(0)));
    assert_eq!(service.get_as(&key, "/logs").await.status, 403);
    // An isolate that has not heard of it acknowledges a log.
    late.post_as(&key, "/logs", &log("api", "late")).await.ok();
    for _ in 0..3 {
        service.world.turn_clock(5 * 60_000);
        timberline::app::purge::go_on(&service.app, service.app.now()).await.unwrap();
    }
    service.world.turn_clock(60_000);
    assert_eq!(service.get_as(&key, "/logs").await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_deployments_own_key_works_when_nothing_can_be_read() {
    let service = unlimited();
    service.world.fail("copies.get", false, 1_000);
    service.world.fail("accounts", false, 1_000);
    let answer = service
        .call(Method::GET, "/admin/self-healing", &[("host", "logs.example.com")], Body::empty())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn an_isolate_does_not_unlearn_what_it_has_changed() {
    let service = unlimited();
    let (id, key) = service.key(&json!({ "name": "ci", "role": "operator" })).await;
    service.get_as(&key, "/logs").await.ok();
    let old =
        timberline::ports::Copies::get(&*service.world.copies, "account/default").await.unwrap().unwrap();
    service.call(Method::DELETE, &format!("/admin/keys/{id}"), &[], Body::empty()).await.ok();
    // The copy that is read next is half a minute old.
    timberline::ports::Copies::put(&*service.world.copies, "account/default", old).await.unwrap();
    service.world.turn_clock(31_000);
    assert_eq!(service.get_as(&key, "/logs").await.status, 403);
}

#[tokio::test]
async fn a_wrong_key_request_is_refused_by_the_name_of_its_field() {
    let service = unlimited();
    for (body, status, code, field) in [
        (json!({ "role": "ingest" }), 400, "missing_field", "name"),
        (json!({ "name": "a" }), 400, "missing_field", "role"),
        (json!({ "name": "a", "role": "ingest", "scope": "x" }), 400, "unknown_field", "scope"),
        (json!({ "name": "a b", "role": "ingest" }), 400, "invalid_value", "name"),
        (json!({ "name": "a", "role": "boss" }), 400, "invalid_value", "role"),
        (json!({ "name": "a", "role": "ingest", "tenantId": 7 }), 400, "invalid_value", "tenantId"),
        (json!({ "name": "a", "role": "ingest", "tenantId": "A" }), 400, "invalid_value", "tenantId"),
        (json!({ "name": "a", "role": "developer" }), 400, "invalid_value", "services"),
    ] {
        let answer = service.post("/admin/keys", &body).await;
        assert_eq!(answer.error(), (status, code.into(), Some(field.into())), "{body}");
    }
    let unknown =
        service.post("/admin/keys", &json!({ "name": "a", "role": "ingest", "tenantId": "nobody" })).await;
    assert_eq!(unknown.status, 404);
}
