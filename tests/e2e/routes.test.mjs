// The router on workerd: every route answers, only to who may ask, and what is wrong is said in one shape.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KEY, ROOT, startTimberline } from "./harness.mjs";
import { assertError, call, flush, get, makeKey, store } from "./helpers.mjs";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const RECORD = { service: "routes", message: "hello" };

let made = 0;

/** A domain of a tenant that nobody has had. */
const newDomain = () => ({ domain: `t${(made += 1)}.example.com`, tenantId: `t${made}` });

async function makeDomain(t) {
  const json = newDomain();
  assert.equal((await call(t, "/admin/domains", { json })).status, 201);
  return json.domain;
}

async function makeRole(t) {
  const name = `role-${(made += 1)}`;
  assert.equal((await call(t, `/admin/roles/${name}`, { json: { permissions: [] }, method: "PUT" })).status, 200);
  return name;
}

const RULE = { when: "service:nobody", then: [{ action: "tag", tag: "t" }] };

async function makeRule(t) {
  const name = `rule-${(made += 1)}`;
  assert.equal((await call(t, `/admin/rules/${name}`, { json: RULE, method: "PUT" })).status, 200);
  return name;
}

/** One that is there after a flush. */
async function somePattern(t) {
  await flush(t);
  return (await get(t, "/analytics/patterns?service=routes")).data[0].pattern_id;
}

const someKey = async (t) => (await makeKey(t, { role: "support" })).id;

/** A good request for every method of every route, and what it is answered. `at` makes what its path names. */
const ROUTES = [
  { method: "GET", route: "/health", status: 200, open: true },
  { method: "POST", route: "/logs", json: RECORD, status: 201 },
  { method: "GET", route: "/logs", status: 200 },
  { method: "GET", route: "/ready", status: 200, open: true, own: true, type: "text/plain; charset=utf-8" },
  { method: "POST", route: "/loki/api/v1/push", json: () => ({ streams: [{ stream: { app: "routes" }, values: [[`${Date.now()}000000`, "pushed"]] }] }), status: 204, own: true, type: null },
  ...["query", "query_range", "labels", "label", "label/{name}/values", "series", "detected_labels", "detected_fields", "detected_field/{name}/values", "index/stats", "index/volume", "index/volume_range", "patterns", "format_query"].flatMap((route) =>
    ["GET", "POST"].map((method) => ({ method, route: `/loki/api/v1/${route}`, query: `?query=${encodeURIComponent('{service_name="routes"}')}`, status: 200, own: true }))),
  ...["/loki/api/v1/drilldown-limits", "/loki/api/v1/status/buildinfo", "/prometheus/api/v1/rules", "/prometheus/api/v1/alerts"].map((route) => ({ method: "GET", route, status: 200, own: true })),
  { method: "GET", route: "/loki/api/v1/tail", query: `?query=${encodeURIComponent('{service_name="routes"}')}`, status: 426, own: true, type: "text/plain; charset=utf-8" },
  { method: "GET", route: "/config/tenant/v1/limits", status: 200, own: true, type: "text/plain; charset=utf-8" },
  { method: "GET", route: "/loki/api/v1/rules", status: 200, own: true, type: "application/yaml" },
  ...["/v1/logs", "/otlp/v1/logs"].map((route) => ({ method: "POST", route, json: {}, status: 200, own: true })),
  ...["/v1/traces", "/v1/metrics"].map((route) => ({ method: "POST", route, json: {}, status: 501, own: true })),
  ...["POST", "PUT"].flatMap((method) => ["/_bulk", "/{index}/_bulk", "/elastic/_bulk", "/elastic/{index}/_bulk"].map((route) => ({ method, route, json: { delete: { _index: "routes" } }, status: 200, own: true }))),
  ...["", "/1.0"].map((version) => ({ method: "GET", route: `/services/collector/health${version}`, status: 200, open: true, own: true })),
  ...["/services/collector", "/services/collector/event", "/services/collector/event/1.0"].map((route) => ({ method: "POST", route, json: { event: "pushed" }, status: 200, own: true })),
  ...["", "/1.0"].map((version) => ({ method: "POST", route: `/services/collector/raw${version}`, json: { message: "pushed" }, status: 200, own: true })),
  { method: "POST", route: "/api/v2/logs", json: [RECORD], status: 202 },
  { method: "POST", route: "/gelf", json: { host: "routes", short_message: "pushed" }, status: 202 },
  { method: "POST", route: "/ingest/jsonline", json: RECORD, status: 200 },
  { method: "POST", route: "/ingest/logpush", json: { EdgeStartTimestamp: new Date().toISOString() }, status: 200 },
  { method: "POST", route: "/api/v1/logs", json: RECORD, status: 201 },
  { method: "GET", route: "/api/v1/logs", status: 200 },
  { method: "POST", route: "/api/v1/logs/ingest", json: RECORD, status: 201 },
  { method: "POST", route: "/api/v1/logs/batch", json: [RECORD], status: 200 },
  { method: "POST", route: "/api/v1/logs/ingest/batch", json: [RECORD], status: 200 },
  { method: "GET", route: "/logs/search", status: 200 },
  { method: "POST", route: "/logs/search", json: { query: "hello" }, status: 200 },
  { method: "GET", route: "/api/v1/logs/search", status: 200 },
  { method: "POST", route: "/api/v1/logs/search", json: { filters: { service: ["routes"] } }, status: 200 },
  { method: "GET", route: "/api/v1/logs/export", status: 200, type: "application/x-ndjson" },
  { method: "GET", route: "/api/v1/logs/recent/{service}", status: 200 },
  { method: "GET", route: "/api/v1/logs/services", status: 200 },
  { method: "GET", route: "/api/v1/logs/stats/{service}", status: 200 },
  { method: "GET", route: "/api/v1/logs/configs", status: 200 },
  { method: "GET", route: "/api/v1/logs/config/{service}", status: 200 },
  { method: "PUT", route: "/api/v1/logs/config/{service}", json: { ttl_days: 30 }, status: 200 },
  { method: "GET", route: "/api/v1/logs/{id}", status: 200 },
  { method: "GET", route: "/api/v1/logs/{id}/full", status: 200 },
  { method: "GET", route: "/api/v1/logs/{id}/context", status: 200 },
  { method: "GET", route: "/api/v1/trace/{id}", status: 200 },
  { method: "GET", route: "/api/v1/stats", status: 200 },
  { method: "GET", route: "/api/v1/histogram", status: 200 },
  { method: "GET", route: "/api/v1/facets", status: 200 },
  { method: "GET", route: "/api/v1/fields", status: 200 },
  { method: "POST", route: "/api/v1/logs/ask", json: { question: "errors since yesterday" }, status: 200 },
  { method: "GET", route: "/api/v1/metrics/overview", status: 200 },
  { method: "GET", route: "/api/v1/metrics/categories", status: 200 },
  { method: "GET", route: "/analytics/summary", status: 200 },
  { method: "GET", route: "/analytics/trends", status: 200 },
  { method: "GET", route: "/analytics/patterns", status: 200 },
  { method: "GET", route: "/analytics/anomalies", status: 200 },
  { method: "GET", route: "/analytics/insights", status: 200 },
  { method: "GET", route: "/analytics/compare", status: 200 },
  { method: "GET", route: "/analytics/analyses", status: 200 },
  { method: "POST", route: "/analytics/analyze/{service}", status: 201 },
  { method: "PATCH", route: "/analytics/patterns/{id}", at: somePattern, json: { name: "one", service: "routes" }, status: 200 },
  { method: "GET", route: "/api/v1/logs/logs/{id}", status: 200 },
  { method: "GET", route: "/api/v1/logs/logs/{id}/full", status: 200 },
  { method: "GET", route: "/admin/self-healing", status: 200 },
  { method: "POST", route: "/admin/self-healing/actions", json: { action: "execute", actionId: "flush" }, status: 200 },
  { method: "GET", route: "/admin/audit", status: 200 },
  { method: "GET", route: "/admin/events", status: 200 },
  { method: "GET", route: "/admin/pipeline", status: 200 },
  { method: "PUT", route: "/admin/pipeline", json: { enrichment: true }, status: 200 },
  { method: "GET", route: "/admin/redaction", status: 200 },
  { method: "PUT", route: "/admin/redaction", json: { kinds: { email: "mask" } }, status: 200 },
  { method: "POST", route: "/admin/redaction/preview", json: { text: "a@b.example" }, status: 200 },
  { method: "GET", route: "/admin/retention", status: 200 },
  { method: "PUT", route: "/admin/retention", json: { anonymize_ip_after_days: 30 }, status: 200 },
  { method: "GET", route: "/admin/rules", status: 200 },
  { method: "POST", route: "/admin/rules", json: () => ({ name: `rule-${(made += 1)}`, ...RULE }), status: 201 },
  { method: "POST", route: "/admin/rules/test", json: { rule: { name: "r", ...RULE } }, status: 200 },
  { method: "GET", route: "/admin/rules/{name}", at: makeRule, status: 200 },
  { method: "PUT", route: "/admin/rules/{name}", at: makeRule, json: RULE, status: 200 },
  { method: "DELETE", route: "/admin/rules/{name}", at: makeRule, status: 200 },
  { method: "GET", route: "/admin/roles", status: 200 },
  { method: "PUT", route: "/admin/roles/{name}", at: async () => "reader", json: { permissions: ["logs:read"] }, status: 200 },
  { method: "DELETE", route: "/admin/roles/{name}", at: makeRole, status: 200 },
  { method: "GET", route: "/admin/keys", status: 200 },
  { method: "POST", route: "/admin/keys", json: { name: "one", role: "support" }, status: 201 },
  { method: "POST", route: "/admin/keys/{id}/rotate", at: someKey, json: {}, status: 201 },
  { method: "DELETE", route: "/admin/keys/{id}", at: someKey, status: 200 },
  { method: "GET", route: "/admin/domains", status: 200 },
  { method: "POST", route: "/admin/domains", json: newDomain, status: 201 },
  { method: "GET", route: "/admin/domains/{domain}", at: makeDomain, status: 200 },
  { method: "PATCH", route: "/admin/domains/{domain}", at: makeDomain, json: { plan: "large" }, status: 200 },
  { method: "DELETE", route: "/admin/domains/{domain}", at: makeDomain, status: 200 },
  { method: "GET", route: "/metrics", status: 200, type: "text/plain; version=0.0.4; charset=utf-8" },
];

/** The refusal of a route; those that speak another protocol have its words. */
function assertRefused({ own }, answer, status, code) {
  if (own) assert.equal(answer.status, status);
  else assertError(answer, status, code);
}

describe("the routes", () => {
  let t;
  let id;
  before(async () => {
    t = await startTimberline();
    [id] = await store(t, [RECORD]);
  });
  after(() => t?.dispose());

  const path = (route, at = id) => route.replace("{service}", "routes").replace(/\{\w+\}/, at);
  const send = async ({ method, route, at, json, query = "" }, headers) => {
    const body = typeof json === "function" ? json() : json;
    return call(t, path(route, at && (await at(t))) + query, { ...(body ? { json: body } : {}), method, headers });
  };

  test("every route of the router is tried here", () => {
    const router = readFileSync(join(ROOT, "src/http/router.rs"), "utf8");
    const open = [...router.matchAll(/\.route\("([^"]+)", get\(/g)].map(([, route]) => `GET ${route}`);
    const gated = [...router.matchAll(/\broute\(\s*([A-Z]+),\s*"([^"]+)"/g)].map(([, method, route]) => `${method} ${route}`);
    assert.ok(gated.length > 40);
    const routes = [...open, ...gated];
    assert.deepEqual(ROUTES.map(({ method, route }) => `${method} ${route}`).sort(), routes.sort());
  });

  for (const one of ROUTES) {
    test(`${one.method} ${one.route} answers ${one.status}, with a request id of its own`, async () => {
      const [first, second] = [await send(one), await send(one)];
      assert.equal(first.status, one.status, JSON.stringify(first.body));
      assert.match(first.headers.get("x-request-id"), UUID);
      assert.notEqual(first.headers.get("x-request-id"), second.headers.get("x-request-id"));
      assert.equal(first.headers.get("content-type"), one.type === undefined ? "application/json" : one.type);
    });
  }

  for (const one of ROUTES.filter(({ open }) => !open)) {
    test(`${one.method} ${one.route} answers 401 without a key, 403 to a wrong one, and takes X-API-Key`, async () => {
      const missing = await send(one, { authorization: "" });
      assertRefused(one, missing, 401, "unauthorized");
      assert.match(missing.headers.get("www-authenticate"), one.own ? /^(Bearer|Basic)/ : /^Bearer$/);
      assertRefused(one, await send(one, { authorization: "Bearer wrong" }), 403, "forbidden");
      assertRefused(one, await send(one, { authorization: "", "x-api-key": `${KEY}x` }), 403, "forbidden");
      assert.equal((await send(one, { authorization: "", "x-api-key": KEY })).status, one.status);
    });
  }

  test("a refused request stores nothing", async () => {
    const json = { service: "refused", message: "must not be there" };
    for (const headers of [{ authorization: "" }, { authorization: "Bearer no" }]) {
      for (const [route, body] of [["/logs", json], ["/api/v1/logs/batch", [json]]]) {
        assert.ok((await call(t, route, { json: body, headers })).status > 400);
      }
    }
    assert.deepEqual((await get(t, "/api/v1/logs/recent/refused")).data, []);
  });

  test("the scheme of the key may be written in any case, and with Basic the key is the password", async () => {
    const answer = async (authorization) => (await call(t, "/logs", { headers: { authorization } })).status;
    assert.deepEqual([await answer(`bearer ${KEY}`), await answer(`Basic ${btoa(`user:${KEY}`)}`)], [200, 200]);
    assert.deepEqual([await answer(`Basic ${btoa(`${KEY}:user`)}`), await answer(`Basic ${btoa(KEY)}`)], [403, 401]);
  });

  test("a path that is nothing answers 404, with and without a key", async () => {
    for (const nothing of ["/nothing", "/logs/", "/api/v1/logs/a/b/c", "/api/v3/logs"]) {
      assertError(await call(t, nothing), 404, "not_found");
      assertError(await call(t, nothing, { headers: { authorization: "" } }), 404, "not_found");
    }
  });

  for (const route of new Set(ROUTES.map((one) => one.route))) {
    test(`a method that ${route} does not take answers 405 and names those it takes`, async () => {
      const those = ROUTES.filter((one) => one.route === route);
      const takes = those.map(({ method }) => method);
      const other = ["DELETE", "PATCH", "PUT"].find((method) => !takes.includes(method));
      const refused = await call(t, path(route), { method: other });
      assertRefused(those[0], refused, 405, "method_not_allowed");
      const allowed = refused.headers.get("allow").split(/, ?/).filter((method) => method !== "HEAD");
      assert.deepEqual(allowed.sort(), takes.sort());
    });
  }

  test("HEAD answers as GET does, without a body", async () => {
    const head = await call(t, "/health", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.body, "");
  });

  test("a parameter that no route knows is refused by its name", async () => {
    for (const one of ["/logs", "/api/v1/logs", "/api/v1/logs/search", "/api/v1/logs/recent/a", "/api/v1/logs/services", "/api/v1/logs/stats/a", "/api/v1/logs/configs", "/api/v1/logs/export", "/api/v1/trace/a", "/api/v1/stats", "/api/v1/histogram", "/api/v1/facets", "/api/v1/fields"]) {
      assertError(await call(t, `${one}?servce=api`), 400, "unknown_parameter", "servce");
    }
    for (const one of ["/logs", "/api/v1/logs/batch"]) {
      assertError(await call(t, `${one}?sync=1`, { json: [RECORD] }), 400, "unknown_parameter", "sync");
    }
  });

  test("GET /health tells the service, its parts, the time and the version", async () => {
    const { body } = await call(t, "/health", { headers: { authorization: "" } });
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert.ok(Math.abs(Date.parse(body.timestamp) - Date.now()) < 60_000, body.timestamp);
    assert.deepEqual(body, { status: "ok", service: "timberline", db: "ok", storage: "ok", timestamp: body.timestamp, version });
  });

  test("GET /metrics counts, in the text format of Prometheus", async () => {
    const read = async () => Number(/^timberline_shard_rows_written_total (\d+)$/m.exec(await get(t, "/metrics"))[1]);
    const before = await read();
    await store(t, [{ service: "metrics", message: "counted" }]);
    assert.ok((await read()) > before);
    for (const line of (await get(t, "/metrics")).trim().split("\n")) {
      assert.match(line, /^(# (HELP|TYPE) timberline_\w+ .+|timberline_\w+ \d+)$/);
    }
  });

  test("GET /admin/self-healing tells what waits for its flush, and nothing after it", async () => {
    await flush(t);
    await store(t, [{ service: "state", message: "waits" }]);
    const before = await get(t, "/admin/self-healing");
    assert.equal(before.spooled, 0);
    assert.equal(before.shards.length, 1);
    const [shard] = before.shards;
    assert.deepEqual([shard.shard, shard.reachable, shard.unflushed_commits, shard.last_error], [0, true, 1, null]);
    assert.ok(shard.unflushed_bytes > 0);
    assert.ok(Math.abs(shard.oldest_ms - Date.now()) < 60_000);
    await flush(t);
    const [{ unflushed_commits, unflushed_bytes, oldest_ms }] = (await get(t, "/admin/self-healing")).shards;
    assert.deepEqual([unflushed_commits, unflushed_bytes, oldest_ms], [0, 0, null]);
  });

  test("a flush answers when the catalog has it, and a second one does nothing", async () => {
    await store(t, Array.from({ length: 30 }, (_, n) => ({ service: "flushed", message: `number ${n}` })));
    const first = await flush(t);
    assert.equal(first.segments, 1);
    assert.ok(first.rows >= 30);
    const catalog = () => t.rows("SELECT key, rows, size_bytes FROM segments ORDER BY key");
    const [entries, objects] = [await catalog(), await t.objects("logs/")];
    assert.deepEqual(objects.map(({ key, size }) => [key, size]), entries.map(({ key, size_bytes }) => [key, size_bytes]));
    assert.deepEqual(await flush(t), { segments: 0, rows: 0, size_bytes: 0 });
    assert.deepEqual(await catalog(), entries);
    assert.equal((await get(t, "/api/v1/logs/recent/flushed")).data.length, 30);
  });

  test("an action that is none is refused by the field that is wrong", async () => {
    const act = (json) => call(t, "/admin/self-healing/actions", { json });
    assertError(await act({ action: "execute", actionId: "explode" }), 400, "invalid_action", "actionId");
    assertError(await act({ action: "undo", actionId: "flush" }), 400, "invalid_action", "action");
    assertError(await act({ action: "execute" }), 400, "invalid_action");
    assertError(await act({ action: "execute", actionId: "flush", shard: 1 }), 400, "invalid_action");
    assertError(await act([]), 400, "invalid_action");
  });
});

describe("a deployment with a part missing", () => {
  test("GET /health answers 503 and names the database when a table is gone", async (t) => {
    const broken = await startTimberline();
    t.after(() => broken.dispose());
    await (await broken.d1()).exec("DROP TABLE segments");
    const { status, body } = await call(broken, "/health", { headers: { authorization: "" } });
    assert.equal(status, 503);
    assert.deepEqual([body.status, body.db, body.storage], ["degraded", "down", "ok"]);
    assert.doesNotMatch(JSON.stringify(body), /segments|SQL/i);
    assert.ok(broken.logs.some(({ message }) => message.includes("segments")), "the reason is not in the log");
  });

  test("ingest goes on without the database, and a search says that it cannot", async (t) => {
    const broken = await startTimberline();
    t.after(() => broken.dispose());
    await (await broken.d1()).exec("ALTER TABLE spooled RENAME TO away");
    const ids = await store(broken, [{ service: "patient", message: "kept all the same" }]);
    const refused = await call(broken, "/api/v1/logs/search");
    assertError(refused, 503, "unavailable");
    assert.equal(refused.headers.get("retry-after"), "5");
    await (await broken.d1()).exec("ALTER TABLE away RENAME TO spooled");
    assert.deepEqual((await get(broken, "/api/v1/logs/search")).data.map(({ id }) => id), ids);
  });

  test("without LOG_SERVICE_API_KEY only health answers, and the others say what to do", async (t) => {
    const keyless = await startTimberline({ key: null });
    t.after(() => keyless.dispose());
    assert.equal((await call(keyless, "/health")).status, 200);
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer undefined" }, { "x-api-key": "" }]) {
      const refused = await call(keyless, "/logs", { headers });
      assertError(refused, 503, "not_configured");
      assert.match(refused.body.error.message, /wrangler secret put LOG_SERVICE_API_KEY/);
    }
  });

  test("an empty LOG_SERVICE_API_KEY lets nobody in", async (t) => {
    const empty = await startTimberline({ key: "" });
    t.after(() => empty.dispose());
    for (const headers of [{ authorization: "" }, { authorization: "Bearer " }, { authorization: "", "x-api-key": "" }]) {
      assert.ok((await call(empty, "/logs", { headers })).status >= 401);
    }
  });
});
