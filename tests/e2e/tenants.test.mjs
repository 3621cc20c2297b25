// Tenants: how they begin and end, what their settings do, and that nothing of one is ever another's.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { as, assertError, assertSameIds, call, flush, get, makeKey, makeTenant, raw, store } from "./helpers.mjs";

const UNLIMITED = { vars: { RATE_LIMIT_ENABLED: "false" } };
const NOW = Date.now();
const MINUTE = 60_000;
const CLEANING = "*/5 * * * *";

const patch = (t, domain, json) => call(t, `/admin/domains/${domain}`, { json, method: "PATCH" });

describe("a tenant", () => {
  let t;
  before(async () => (t = await startTimberline(UNLIMITED)));
  after(() => t?.dispose());

  test("begins with three calls: a domain, a key, a log", async () => {
    const domain = await call(t, "/admin/domains", { json: { domain: "Logs.First.Example.", tenantId: "first", plan: "small", contactEmail: "ops@first.example", config: { retentionDays: 7 } } });
    assert.equal(domain.status, 201, JSON.stringify(domain.body));
    const config = { retentionDays: 7, maxLogsPerDay: null, enableAnalytics: true, allowedOrigins: [], rateLimit: null };
    const { created_at, updated_at, ...rest } = domain.body;
    assert.deepEqual(rest, { domain: "logs.first.example", tenantId: "first", plan: "small", contactEmail: "ops@first.example", config, domains: ["logs.first.example"], version: 1 });
    for (const time of [created_at, updated_at]) assert.ok(Math.abs(Date.parse(time) - Date.now()) < MINUTE);

    const key = await call(t, "/admin/keys", { json: { name: "first-admin", role: "admin", tenantId: "first" } });
    assert.equal(key.status, 201);
    assert.match(key.body.key, /^tl_first_[0-9a-f]{72}$/);
    const first = as(t, key.body.key);
    const log = await call(first, "/logs", { json: { service: "api", message: "the first" } });
    assert.equal(log.status, 201);
    assert.deepEqual((await get(first, "/logs")).data.map(({ id }) => id), [log.body.id]);
    assert.deepEqual((await get(t, "/logs")).data, [], "it is not the deployment's");
    assert.equal((await get(first, "/api/v1/logs/config/api")).ttl_days, 7);
  });

  test("is shown by each of its domains, and listed with the others", async () => {
    for (const name of ["one", "two"]) assert.equal((await call(t, "/admin/domains", { json: { domain: `${name}.many.example`, tenantId: "many" } })).status, 201);
    const one = await get(t, "/admin/domains/one.many.example");
    assert.deepEqual([one.domain, one.tenantId, one.domains], ["one.many.example", "many", ["one.many.example", "two.many.example"]]);
    assert.equal((await get(t, "/admin/domains/TWO.many.example")).domain, "two.many.example");
    const { data, next_cursor } = await get(t, "/admin/domains");
    assert.equal(next_cursor, null);
    assert.deepEqual(data.filter(({ tenantId }) => tenantId === "many"), [one, await get(t, "/admin/domains/two.many.example")]);
    const listed = [];
    for (let cursor = ""; cursor !== null; ) {
      const page = await get(t, `/admin/domains?limit=1&cursor=${cursor}`);
      listed.push(...page.data);
      cursor = page.next_cursor;
    }
    assert.deepEqual(listed, data);
    assertError(await call(t, "/admin/domains/nobody.example"), 404, "not_found");

    assert.equal((await call(t, "/admin/domains/one.many.example", { method: "DELETE" })).status, 200);
    assertError(await call(t, "/admin/domains/one.many.example"), 404, "not_found");
    assert.deepEqual((await get(t, "/admin/domains/two.many.example")).domains, ["two.many.example"]);
    assert.equal((await call(t, "/admin/domains", { json: { domain: "one.many.example", tenantId: "heir" } })).status, 201);
    assert.equal((await get(t, "/admin/domains/one.many.example")).tenantId, "heir");
  });

  test("cannot have what is not one, or another's", async () => {
    const make = (json) => call(t, "/admin/domains", { json });
    await makeTenant(t, "owner");
    for (const [json, status, code, field] of [
      [{ tenantId: "x" }, 400, "missing_field", "domain"],
      [{ domain: "a.example" }, 400, "missing_field", "tenantId"],
      [{ domain: 1, tenantId: "x" }, 400, "invalid_value", "domain"],
      [{ domain: "localhost", tenantId: "x" }, 400, "invalid_value", "domain"],
      [{ domain: "192.0.2.1", tenantId: "x" }, 400, "invalid_value", "domain"],
      [{ domain: "a.example:80", tenantId: "x" }, 400, "invalid_value", "domain"],
      [{ domain: "https://a.example", tenantId: "x" }, 400, "invalid_value", "domain"],
      [{ domain: "a.example", tenantId: "X" }, 400, "invalid_value", "tenantId"],
      [{ domain: "a.example", tenantId: "x_audit" }, 400, "invalid_value", "tenantId"],
      [{ domain: "a.example", tenantId: "../x" }, 400, "invalid_value", "tenantId"],
      [{ domain: "a.example", tenantId: "x", colour: "red" }, 400, "invalid_value", "colour"],
      [{ domain: "a.example", tenantId: "x", contactEmail: "nobody" }, 400, "invalid_value", "contactEmail"],
      [{ domain: "a.example", tenantId: "x", config: { retention: 1 } }, 400, "invalid_value", "config.retention"],
      [{ domain: "owner.example.com", tenantId: "x" }, 409, "domain_taken", "domain"],
      [{ domain: "OWNER.example.com.", tenantId: "x" }, 409, "domain_taken", "domain"],
      [{ domain: "owner.example.com", tenantId: "owner" }, 409, "conflict", "domain"],
    ]) {
      assertError(await make(json), status, code, field);
    }
    assert.ok(!(await get(t, "/admin/domains")).data.some(({ tenantId }) => tenantId === "x"), "something of it was stored");
    assertError(await call(t, "/admin/domains", { json: [] }), 400, "invalid_body", "body");
  });

  test("is changed only where the change names something, and what is not known is named", async () => {
    await makeTenant(t, "changed", { plan: "small", config: { retentionDays: 5, enableAnalytics: false } });
    const domain = "changed.example.com";
    const before = await get(t, `/admin/domains/${domain}`);
    for (const [json, field] of [
      [{ plna: "x" }, "plna"],
      [{ tenantId: "other" }, "tenantId"],
      [{ plan: 7 }, "plan"],
      [{ config: { retentionDay: 1 } }, "config.retentionDay"],
      [{ config: { retentionDays: 0 } }, "config.retentionDays"],
      [{ config: { retentionDays: 9, allowedOrigins: ["*"] } }, "config.allowedOrigins"],
      [{ config: [] }, "config"],
    ]) {
      assertError(await patch(t, domain, json), 400, "invalid_value", field);
    }
    assert.deepEqual(await get(t, `/admin/domains/${domain}`), before);
    const { status, body } = await patch(t, domain, { plan: "large", config: { retentionDays: null, maxLogsPerDay: 1_000 } });
    assert.equal(status, 200);
    assert.deepEqual([body.plan, body.config, body.version > before.version], ["large", { ...before.config, retentionDays: null, maxLogsPerDay: 1_000 }, true]);
    assert.deepEqual(await get(t, `/admin/domains/${domain}`), body);
    assertError(await patch(t, "nobody.example", { plan: "x" }), 404, "not_found");
  });

  test("keeps logs for its own retentionDays, where a service has no TTL of its own", async () => {
    const short = await makeTenant(t, "short", { config: { retentionDays: 3 } });
    await call(short, "/api/v1/logs/config/long", { json: { ttl_days: 60 }, method: "PUT" });
    await store(short, [{ service: "plain", message: "m" }, { service: "long", message: "m" }]);
    await flush(short);
    assert.deepEqual((await t.objects("logs/short/")).map(({ key }) => key.split("/")[2]).sort(), ["d60", "standard"]);
    assert.equal((await get(short, "/admin/retention")).classes.standard.keep_days, 3);
    const old = { service: "plain", message: "m", timestamp: Date.now() - 4 * 86_400_000 };
    assertError(await call(short, "/logs", { json: old }), 400, "timestamp_too_old", "timestamp");
    assert.equal((await patch(t, "short.example.com", { config: { retentionDays: 45 } })).status, 200);
    assert.equal((await get(short, "/api/v1/logs/config/plain")).ttl_days, 45);
  });

  test("without analytics has no counts and charts, and all else", async () => {
    const blind = await makeTenant(t, "blind", { config: { enableAnalytics: false } });
    const [id] = await store(blind, [{ service: "api", message: "m" }]);
    for (const path of ["/api/v1/stats", "/api/v1/histogram", "/api/v1/facets", "/api/v1/fields"]) {
      assertError(await call(blind, path), 403, "analytics_disabled");
    }
    for (const path of ["/logs", `/api/v1/logs/${id}`, "/api/v1/logs/services", "/api/v1/logs/export"]) assert.equal((await call(blind, path)).status, 200, path);
    const loki = async (path, query) => (await call(blind, `/loki/api/v1/${path}?query=${encodeURIComponent(query)}`)).status;
    assert.deepEqual([await loki("query_range", '{service_name="a"}'), await loki("query", "vector(1)+vector(1)"), await loki("query", 'rate({service_name="a"}[1m])'), await loki("labels", "")], [200, 200, 403, 403]);
    assert.equal((await patch(t, "blind.example.com", { config: { enableAnalytics: true } })).status, 200);
    assert.equal((await call(blind, "/api/v1/stats")).status, 200);
  });

  test("is called from pages of its origins, and of no others", async () => {
    const origin = "https://app.example.com";
    const pages = await makeTenant(t, "pages", { config: { allowedOrigins: [origin, "http://localhost:3000"] } });
    const cors = ({ headers }) => [headers.get("access-control-allow-origin"), headers.get("vary")];
    assert.deepEqual(cors(await call(pages, "/logs", { headers: { origin } })), [origin, "origin"]);
    for (const other of ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"]) {
      assert.equal((await call(pages, "/logs", { headers: { origin: other } })).headers.get("access-control-allow-origin"), null, other);
    }
    assert.equal((await call(t, "/logs", { headers: { origin } })).headers.get("access-control-allow-origin"), null, "another tenant's");

    const preflight = (host, origin) => raw(t, "/api/v1/logs", { method: "OPTIONS", headers: { host, origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" } });
    const allowed = await preflight("pages.example.com", origin);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers["access-control-allow-origin"], origin);
    assert.match(allowed.headers["access-control-allow-methods"], /POST/);
    assert.match(allowed.headers["access-control-allow-headers"], /authorization/);
    assert.equal(allowed.headers["access-control-allow-credentials"], undefined);
    for (const [host, from] of [["pages.example.com", "https://evil.example"], ["changed.example.com", origin], ["nobody.example", origin]]) {
      const refused = await preflight(host, from);
      assert.deepEqual([refused.status, refused.body.error.code, refused.headers["access-control-allow-origin"]], [403, "origin_not_allowed", undefined], host);
    }
  });

  test("tells a page of its origins why it is refused", async () => {
    const origin = "https://app.example.com";
    await makeTenant(t, "told", { config: { allowedOrigins: [origin] } });
    const { key } = await makeKey(t, { role: "ingest", tenantId: "told" });
    const refused = await call(as(t, key), "/logs", { headers: { origin } });
    assertError(refused, 403, "not_allowed");
    assert.equal(refused.headers.get("access-control-allow-origin"), origin);
  });

  test("is not reached by another's host, whoever asks", async () => {
    await makeTenant(t, "here");
    await makeTenant(t, "there");
    const { key } = await makeKey(t, { role: "admin", tenantId: "here" });
    const at = (host, secret = key) => raw(t, "/logs", { headers: { host, authorization: `Bearer ${secret}` } });
    for (const host of ["here.example.com", "HERE.example.com:8787", "here.example.com.", "logs.workers.dev", "127.0.0.1"]) {
      assert.equal((await at(host)).status, 200, host);
    }
    for (const host of ["there.example.com", "There.Example.Com", "there.example.com:443"]) {
      const refused = await at(host);
      assert.deepEqual([refused.status, refused.body.error.code], [403, "wrong_host"], host);
    }
    assert.equal((await at("here.example.com", t.key)).status, 403, "nor by the deployment's own key");
  });
});

test("a tenant with logs ends only when they are to be erased, and then nothing of it is left but its audit stream", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  const acme = await makeTenant(t, "acme");
  const other = await makeTenant(t, "acme-2");
  const remove = (query = "") => call(t, `/admin/domains/acme.example.com${query}`, { method: "DELETE" });
  const logs = (count) => Array.from({ length: count }, (_, n) => ({ service: `s-${n % 3}`, message: `erased ${n}` }));

  await store(acme, logs(5));
  assertError(await remove(), 409, "tenant_holds_logs");
  await call(acme, "/api/v1/logs/config/s-1", { json: { ttl_days: 60 }, method: "PUT" });
  await flush(acme);
  assertError(await remove(), 409, "tenant_holds_logs");
  await store(acme, logs(20));
  await flush(acme);
  assert.equal((await t.cron("17 * * * *", NOW + 120 * MINUTE)).outcome, "ok");
  const [last] = (await store(acme, logs(7))).slice(-1);
  const kept = await store(other, logs(9));
  await flush(other);
  assert.equal((await get(acme, "/logs?q=erased")).data.length, 32);
  assertError(await remove("?purge=perhaps"), 400, "invalid_parameter", "purge");
  assertError(await remove("?purge=false"), 409, "tenant_holds_logs");
  assert.equal((await get(acme, "/logs")).data.length, 32, "what is refused erases nothing");

  const held = (await t.objects()).filter(({ key }) => key.split("/")[1] === "acme");
  assert.ok(held.length > 0);
  const { status, body } = await remove("?purge=true");
  assert.equal(status, 200, JSON.stringify(body));
  const { removed } = body;
  assert.deepEqual([body.domain, removed.tenant, removed.records, removed.is_complete], ["acme.example.com", true, 32, true]);
  assert.ok(removed.segments >= 2 && removed.size_bytes > 0 && removed.objects >= removed.segments, JSON.stringify(removed));

  const left = async () => (await t.objects()).filter(({ key }) => key.split("/")[1] === "acme").map(({ key }) => key);
  const tables = (await t.rows("SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'tenant')")).map(({ name }) => name);
  assert.ok(tables.includes("segments") && tables.includes("accounts"), tables.join());
  const rows = async () => {
    const counts = [];
    for (const table of tables) {
      const [{ n }] = await t.rows(`SELECT count(*) AS n FROM ${table} WHERE tenant = 'acme'`);
      if (n > 0) counts.push(table);
    }
    return counts;
  };
  assert.deepEqual(await left(), []);
  const ofAccess = new Set(["accounts", "domains", "key_uses"]);
  assert.deepEqual((await rows()).filter((table) => !ofAccess.has(table)), []);
  for (const [path, options] of [["/logs"], [`/api/v1/logs/${last}`], ["/admin/keys"], ["/logs", { json: { service: "s", message: "late" } }]]) {
    assertError(await call(acme, path, options), 403, "forbidden");
  }
  assertError(await call(t, "/admin/keys", { json: { name: "n", role: "admin", tenantId: "acme" } }), 409, "erasing");
  assertError(await call(t, "/admin/domains", { json: { domain: "new.example", tenantId: "acme" } }), 409, "erasing");
  assertError(await call(t, "/admin/domains", { json: { domain: "acme.example.com", tenantId: "acme-2" } }), 409, "domain_taken");
  assertSameIds((await get(other, "/logs")).data.map(({ id }) => id), kept);

  for (const nth of [1, 2]) assert.equal((await t.cron(CLEANING, Date.now() + nth * 10 * MINUTE)).outcome, "ok");
  assert.deepEqual([await left(), await rows()], [[], []]);
  assertError(await call(t, "/admin/domains/acme.example.com"), 404, "not_found");
  assertError(await call(acme, "/logs"), 403, "forbidden");

  const again = await makeTenant(t, "acme");
  assertError(await call(acme, "/logs"), 403, "forbidden");
  assert.deepEqual((await get(again, "/logs")).data, []);
  assertError(await call(again, `/api/v1/logs/${last}`), 404, "not_found");
  assert.deepEqual((await get(again, "/api/v1/logs/services")).data, []);
  assert.deepEqual((await get(again, "/api/v1/logs/configs")).data, []);
  assert.equal((await get(again, "/admin/keys")).data.length, 1);
  const audit = (await get(again, "/admin/audit?limit=1000")).data;
  assert.ok(audit.length > 0 && audit.every(({ metadata }) => metadata.query !== "q=erased"), "who has the name now reads of who had it");
  const [id] = await store(again, [{ service: "s", message: "new" }]);
  await flush(again);
  assert.deepEqual((await get(again, "/logs")).data.map((one) => one.id), [id]);
});

test("a tenant without logs ends, and its name is free when isolates have heard of it", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  for (const nth of [1, 2]) {
    const brief = await makeTenant(t, "brief");
    const { status, body } = await call(t, "/admin/domains/brief.example.com", { method: "DELETE" });
    assert.deepEqual([status, body.removed.tenant, body.removed.records, body.removed.is_complete], [200, true, 0, true], `round ${nth}`);
    assertError(await call(brief, "/logs"), 403, "forbidden");
    for (const minutes of [10, 20]) assert.equal((await t.cron(CLEANING, Date.now() + (nth * 30 + minutes) * MINUTE)).outcome, "ok");
  }
  for (const table of ["accounts", "domains", "key_uses"]) {
    assert.deepEqual(await t.rows(`SELECT * FROM ${table} WHERE tenant = 'brief'`), [], table);
  }
});

describe("two tenants", () => {
  const logs = (name) => Array.from({ length: 12 }, (_, n) => ({
    service: `${name}-service`,
    level: n % 2 ? "ERROR" : "INFO",
    message: `${name}-words number ${n}`,
    user_id: `${name}-user`,
    trace_id: `${name}-trace`,
    host: "node-1",
    timestamp: NOW - n * 1_000,
  }));
  let t;
  const a = {};
  const b = {};
  let routes;

  async function fill(tenant, name) {
    tenant.name = name;
    tenant.who = await makeTenant(t, name === "b" ? "acme-2" : "acme");
    tenant.ids = await store(tenant.who, logs(name).slice(0, 8));
    await flush(tenant.who);
    tenant.ids.push(...(await store(tenant.who, logs(name).slice(8))));
    Object.assign(tenant, { service: `${name}-service`, words: `${name}-words`, user: `${name}-user`, trace: `${name}-trace` });
    tenant.role = `${name}-role`;
    assert.equal((await call(tenant.who, `/admin/roles/${tenant.role}`, { json: { permissions: ["logs:read"] }, method: "PUT" })).status, 200);
    tenant.key = (await makeKey(tenant.who, { name: `${name}-key`, role: tenant.role })).id;
    tenant.domain = name === "b" ? "acme-2.example.com" : "acme.example.com";
    tenant.tenant = name === "b" ? "acme-2" : "acme";
    assert.equal((await call(tenant.who, `/api/v1/logs/config/${tenant.service}`, { json: { ttl_days: 77 }, method: "PUT" })).status, 200);
    tenant.cursors = { newest: (await get(tenant.who, "/logs?limit=3")).next_cursor, oldest: (await get(tenant.who, "/logs?limit=3&sort=oldest")).next_cursor };
  }

  before(async () => {
    t = await startTimberline(UNLIMITED);
    await fill(a, "a");
    await fill(b, "b");
    routes = (await get(t, "/admin/roles")).routes;
  });
  after(() => t?.dispose());

  /** The ways to ask a route for something of `x`. */
  function requests({ method, path }, x) {
    const filters = [`service=${x.service}`, `trace_id=${x.trace}`, `user_id=${x.user}`, `q=${x.words}`, `q=service:${x.service}+OR+trace_id:${x.trace}`];
    const at = path.replace("{service}", x.service).replace("{id}", path.startsWith("/admin/keys") ? x.key : path.includes("trace") ? x.trace : x.id).replace("{name}", x.role).replace("{domain}", x.domain);
    const json = {
      "POST /logs/search": [{ query: x.words }, { filters: { service: [x.service] } }],
      "POST /api/v1/logs/search": [{ query: `trace_id:${x.trace}` }, { filters: { userId: x.user } }],
      "PUT /api/v1/logs/config/{service}": [{ ttl_days: 5 }],
      "POST /admin/self-healing/actions": [{ action: "execute", actionId: "rebuild-catalog" }],
      "PUT /admin/roles/{name}": [{ permissions: [] }],
      "POST /admin/keys/{id}/rotate": [{ overlap_seconds: 0 }],
      "POST /admin/keys": [{ name: "n", role: "support", tenantId: x.tenant }],
      "POST /admin/domains": [{ domain: x.domain, tenantId: x.tenant }],
      "PATCH /admin/domains/{domain}": [{ plan: "stolen" }],
    }[`${method} ${path}`];
    if (method === "POST" && !json) return [];
    if (json) return json.map((json) => ({ at, options: { json, method } }));
    const plain = ["/api/v1/logs/recent/{service}", "/api/v1/logs/stats/{service}", "/api/v1/logs/services", "/api/v1/logs/configs", "/api/v1/logs/config/{service}", "/metrics", "/admin/self-healing", "/admin/roles", "/admin/keys", "/admin/domains"];
    if (method === "DELETE") return [{ at, options: { method } }, ...(path.includes("domain") ? [{ at: `${at}?purge=true`, options: { method } }] : [])];
    if (plain.includes(path) || (path.includes("{") && !path.includes("recent"))) return [{ at, options: {} }, ...(path.endsWith("context") ? [{ at: `${at}?scope=all`, options: {} }] : [])];
    const more = { "/api/v1/stats": "&by=service,user_id", "/api/v1/histogram": "&start_time=1h&interval=5m", "/api/v1/facets": "&fields=service,user_id" }[path] ?? "";
    // What was asked for is in the stream itself: only what somebody did is found by its name.
    if (path === "/admin/audit") return [`user_id=${x.key}`, `service=_audit&user_id=${x.key}`].map((query) => ({ at: `${at}?${query}`, options: {} }));
    return filters.map((query) => ({ at: `${at}?${query}${more}`, options: {} }));
  }

  /** An answer without what is of this one request. */
  function masked({ status, body }, x, path) {
    let text = typeof body === "string" ? body : JSON.stringify(body);
    for (const own of [x.id, x.service, x.trace, x.user, x.words, x.key, x.role, x.domain]) text = text.replaceAll(own, "…");
    const changing = /"(request_id|elapsed_ms|timestamp|time|from|to|created_at|updated_at|last_used_at)":("[^"]*"|[\d.]+)/g;
    // The stream grows with every question.
    return { status, text: text.replace(changing, '"$1":0').replace(path.startsWith("/admin/audit") ? /"rows_scanned":\d+/ : /$^/, "") };
  }

  test("have nothing of each other, at any route, by any name", async () => {
    const nobody = { id: "01a1f000-0000-7000-8000-00000000000", service: "n-service", words: "n-words", user: "n-user", trace: "n-trace", role: "n-role", key: "key_0123456789abcdef", domain: "nobody.example.com", tenant: "nobody-2" };
    const known = (text) => [b.service, b.words, b.user, b.trace, b.role, b.key, b.tenant, ...b.ids].filter((own) => text.includes(own));
    // What changes something for the one who asks comes last.
    const inOrder = [...routes.filter(({ method }) => method === "GET"), ...routes.filter(({ method }) => method !== "GET")];
    let tried = 0;
    for (const route of inOrder) {
      const foreign = [b.ids[0], b.ids.at(-1)].flatMap((id) => requests(route, { ...b, id }).map((request) => ({ ...request, x: { ...b, id } })));
      const none = [0, 1].flatMap((n) => requests(route, { ...nobody, id: nobody.id + n }).map((request) => ({ ...request, x: { ...nobody, id: nobody.id + n } })));
      for (const [nth, one] of foreign.entries()) {
        const what = `${route.method} ${one.at}`;
        const [other, mine] = [await call(a.who, none[nth].at, none[nth].options), await call(a.who, one.at, one.options)];
        const [expected, got] = [masked(other, none[nth].x, one.at), masked(mine, one.x, one.at)];
        assert.deepEqual(got, expected, what);
        assert.deepEqual(known(got.text), [], what);
        assert.ok(got.status < 500, what);
        tried += 1;
      }
    }
    assert.ok(tried > 100, `${tried} requests`);
  });

  test("go on from each other's cursors among their own logs", async () => {
    for (const path of ["/logs", "/api/v1/logs", "/logs/search", "/api/v1/logs/search", "/admin/audit"]) {
      for (const sort of ["newest", "oldest"]) {
        const { status, body } = await call(a.who, `${path}?sort=${sort}&cursor=${b.cursors[sort]}`);
        assert.equal(status, 200, path);
        const own = new Set(a.ids);
        for (const { id, service } of body.data) assert.ok(service === "_audit" ? path === "/admin/audit" : own.has(id), `${path}: ${id}`);
        assert.ok(!JSON.stringify(body.data.map(({ metadata, ...rest }) => rest)).includes(b.key));
      }
    }
    const trace = await get(a.who, `/api/v1/trace/${a.trace}?cursor=${b.cursors.oldest}`);
    assert.ok(trace.data.every(({ id }) => a.ids.includes(id)));
  });

  test("do not know each other's Idempotency-Keys", async () => {
    const send = (who, message) => call(who, "/logs", { json: { service: "once", message }, headers: { "idempotency-key": "the-same" } });
    const [first, second, third] = [await send(b.who, "x"), await send(a.who, "x"), await send(t, "y")];
    assert.deepEqual([first.status, second.status, third.status], [201, 201, 201]);
    assert.equal(new Set([first, second, third].map(({ body }) => body.id)).size, 3);
    assert.equal((await send(b.who, "x")).body.id, first.body.id);
    assertError(await send(b.who, "y"), 422, "idempotency_key_reused");
  });

  test("have still what was theirs when all this is over", async () => {
    assertSameIds((await get(b.who, `/logs?service=${b.service}`)).data.map(({ id }) => id), b.ids);
    assert.equal((await get(b.who, `/api/v1/logs/config/${b.service}`)).ttl_days, 77);
    assert.deepEqual((await get(b.who, "/admin/roles")).data.find(({ name }) => name === b.role).permissions, ["logs:read"]);
    assert.equal((await get(b.who, "/admin/keys")).data.find(({ id }) => id === b.key).valid, true);
    assert.equal((await get(t, `/admin/domains/${b.domain}`)).plan, "standard");
    for (const id of b.ids) assertError(await call(t, `/api/v1/logs/${id}`), 404, "not_found");
  });
});
