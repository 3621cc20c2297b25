// The audit stream: who read, changed or was refused what. It is written for everything, found by those who may,
// and neither shown among the logs nor taken away.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { startTimberline, until } from "./harness.mjs";
import { as, assertError, call, flush, get, makeKey, makeTenant, many, store } from "./helpers.mjs";

const UNLIMITED = { vars: { RATE_LIMIT_ENABLED: "false" } };
const DAY = 86_400_000;
const NOW = Date.now();
const NOBODY = "01a1f000-0000-7000-8000-000000000000";
const FROM = { "cf-connecting-ip": "203.0.113.7", "cf-ipcountry": "NL" };

/** All of a tenant's audit records, the newest first. */
async function stream(who) {
  const found = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await get(who, `/admin/audit?limit=1000&cursor=${cursor}`);
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}

/** The audit records of these answers, by the ids of their requests, when all are there. */
async function recordsOf(who, answers, wanted = ({ metadata }) => metadata.action !== "new_address") {
  const ids = answers.map(({ headers }) => headers.get("x-request-id"));
  return until(
    async () => {
      const all = Object.groupBy((await stream(who)).filter(wanted), ({ metadata }) => metadata.request_id);
      return ids.every((id) => all[id]) && ids.map((id) => all[id]);
    },
    { ms: 10_000, what: "the audit records" },
  );
}

function wellFormed(tenant) {
  const body = `tl_${tenant}_${randomBytes(32).toString("hex")}`;
  return body + crc32(body).toString(16).padStart(8, "0");
}

describe("the audit stream", () => {
  let t;
  let acme;
  let ids;
  before(async () => {
    t = await startTimberline(UNLIMITED);
    acme = await makeTenant(t, "acme");
    ids = await store(acme, Array.from({ length: 6 }, (_, n) => ({ service: "api", message: `word ${n}`, trace_id: "trace-1" })));
  });
  after(() => t?.dispose());

  test("says of every read who, from where, by what, how much and how it ended", async () => {
    const { id, key } = await makeKey(acme, { name: "reader", role: "security" });
    const reader = as(t, key, FROM);
    const reads = [
      ["GET", "/logs", "service=api&limit=4", 200, 4],
      ["GET", "/api/v1/logs", "", 200, 6],
      ["GET", "/logs/search", "q=word", 200, 6],
      ["GET", "/api/v1/logs/search", "q=nothing", 200, 0],
      ["GET", "/api/v1/logs/recent/{service}", "limit=2", 200, 2],
      ["GET", "/api/v1/logs/services", "", 200, undefined],
      ["GET", "/api/v1/logs/stats/{service}", "", 200, undefined],
      ["GET", "/api/v1/logs/{id}", "", 200, 1],
      ["GET", "/api/v1/logs/{id}/full", "", 200, 1],
      ["GET", "/api/v1/logs/logs/{id}", "", 200, 1],
      ["GET", "/api/v1/logs/logs/{id}/full", "", 200, 1],
      ["GET", "/api/v1/logs/{id}/context", "scope=all", 200, 6],
      ["GET", "/api/v1/trace/{id}", "", 200, 6],
      ["GET", "/api/v1/stats", "by=service", 200, undefined],
      ["GET", "/api/v1/histogram", "start_time=1h", 200, undefined],
      ["GET", "/api/v1/facets", "fields=service", 200, undefined],
      ["GET", "/api/v1/fields", "", 200, undefined],
      ["GET", "/api/v1/logs", "limit=none", 400, undefined, "invalid_parameter"],
      ["GET", "/admin/audit", "limit=1", 200, 1],
    ];
    const named = (route) => route.replace("{service}", "api").replace("{id}", route.includes("trace") ? "trace-1" : ids[0]);
    const answers = [];
    for (const [method, route, query, status] of reads) {
      const answer = await call(reader, `${named(route)}${query && `?${query}`}`, { method });
      assert.equal(answer.status, status, route);
      answers.push(answer);
    }
    const gone = await call(reader, `/api/v1/logs/${NOBODY}`);
    for (const [nth, [one, ...more]] of (await recordsOf(acme, answers)).entries()) {
      const [method, route, query, status, shown, code] = reads[nth];
      assert.deepEqual(more, [], route);
      const { host, request_id, ...rest } = one.metadata;
      const wanted = { action: "read", address: "203.0.113.7", country: "NL", method, route, path: named(route), status, count: 1, key_name: "reader", role: "security", ...(query ? { query } : {}), ...(shown === undefined ? {} : { shown }), ...(code ? { code } : {}) };
      assert.deepEqual(rest, wanted, route);
      assert.deepEqual([one.service, one.category, one.user_id, one.endpoint, one.component, one.level], ["_audit", "audit", id, route, "read", "INFO"]);
      assert.ok(Math.abs(Date.parse(one.timestamp) - Date.now()) < 60_000);
      assert.equal(host, "127.0.0.1");
    }
    const [[missed]] = await recordsOf(acme, [gone]);
    assert.deepEqual([missed.metadata.status, missed.metadata.code, missed.metadata.shown], [404, "not_found", undefined]);
  });

  test("says what was asked for in a body, and how much a file had at its end", async () => {
    const asked = await call(acme, "/api/v1/logs/search", { json: { query: "word 3", filters: { service: ["api"] } } });
    assert.equal(asked.body.data.length, 1);
    const exported = await call(acme, "/api/v1/logs/export?q=word");
    assert.equal(exported.body.trim().split("\n").length, 6);
    const [[body]] = await recordsOf(acme, [asked]);
    assert.equal(body.metadata.shown, 1);
    for (const part of ["word 3", "api"]) assert.ok(body.metadata.query.includes(part), body.metadata.query);
    const [[ended]] = await recordsOf(acme, [exported], ({ metadata }) => metadata.outcome === "ended");
    assert.deepEqual([ended.metadata.shown, ended.metadata.query, ended.metadata.status], [6, "q=word", 200]);
    const [[began]] = await recordsOf(acme, [exported], ({ metadata }) => metadata.outcome === "began");
    assert.equal(began.metadata.shown, undefined);
  });

  test("says of every change who made it and how it ended, and tells no secret", async () => {
    const { id, key } = await makeKey(acme, { name: "boss", role: "admin" });
    const boss = as(t, key, FROM);
    const made = await call(boss, "/admin/keys", { json: { name: "new", role: "support" } });
    const rotated = await call(boss, `/admin/keys/${made.body.id}/rotate`, { json: {} });
    const changes = [
      [made, "/admin/keys", 201],
      [rotated, "/admin/keys/{id}/rotate", 201],
      [await call(boss, `/admin/keys/${rotated.body.id}`, { method: "DELETE" }), "/admin/keys/{id}", 200],
      [await call(boss, "/admin/keys/key_none", { method: "DELETE" }), "/admin/keys/{id}", 404],
      [await call(boss, "/admin/keys", { json: { name: "new", role: "root" } }), "/admin/keys", 403],
      [await call(boss, "/admin/roles/watcher", { json: { permissions: ["audit:read"] }, method: "PUT" }), "/admin/roles/{name}", 200],
      [await call(boss, "/admin/roles/watcher", { method: "DELETE" }), "/admin/roles/{name}", 200],
      [await call(boss, "/api/v1/logs/config/api", { json: { ttl_days: 9 }, method: "PUT" }), "/api/v1/logs/config/{service}", 200],
      [await call(boss, "/api/v1/logs/config/api", { json: { ttl_days: 0 }, method: "PUT" }), "/api/v1/logs/config/{service}", 400],
      [await call(boss, "/admin/self-healing/actions", { json: { action: "execute", actionId: "flush" } }), "/admin/self-healing/actions", 200],
    ];
    const records = await recordsOf(acme, changes.map(([answer]) => answer));
    for (const [nth, [{ user_id, metadata }, ...more]] of records.entries()) {
      const [answer, route, status] = changes[nth];
      assert.equal(answer.status, status, route);
      assert.deepEqual([metadata.action, metadata.route, metadata.status, user_id, metadata.role, metadata.address, metadata.code, more], ["change", route, status, id, "admin", "203.0.113.7", answer.body.error?.code, []]);
    }
    const text = JSON.stringify(await stream(acme));
    for (const secret of [key, made.body.key, rotated.body.key, t.key]) assert.ok(!text.includes(secret));

    const domain = await call(t, "/admin/domains", { json: { domain: "audited.example.com", tenantId: "audited" } });
    const [[{ metadata, user_id }]] = await recordsOf(t, [domain]);
    assert.deepEqual([metadata.action, metadata.route, metadata.role, user_id], ["change", "/admin/domains", "root", "bootstrap"]);
  });

  test("says of those who are not let in how many there were, one by one only the first", async () => {
    const from = (address) => ({ headers: { "cf-connecting-ip": address } });
    const { id, key } = await makeKey(acme, { name: "writer", role: "ingest" });
    const [wrong, none, lacking] = await Promise.all([
      many(50, 10, () => call(as(t, wellFormed("acme")), "/logs", from("198.51.100.1"))),
      many(20, 5, () => call(as(t, null), "/logs", from("198.51.100.2"))),
      many(10, 5, () => call(as(t, key), "/api/v1/logs/services", from("198.51.100.3"))),
    ]);
    assert.deepEqual([...new Set([wrong, none, lacking].flat().map(({ status }) => status))].sort(), [401, 403]);
    const refusals = async (who, address) => (await stream(who)).filter(({ metadata }) => metadata.action === "refusal" && metadata.address === address);
    for (const [who, address, code, count, user, role] of [
      [acme, "198.51.100.1", "forbidden", 50, "nobody", ""],
      [t, "198.51.100.2", "unauthorized", 20, "nobody", ""],
      [acme, "198.51.100.3", "not_allowed", 10, id, "ingest"],
    ]) {
      const records = await until(
        async () => {
          const found = await refusals(who, address);
          return found.reduce((sum, { metadata }) => sum + metadata.count, 0) >= count && found;
        },
        { ms: 16_000, what: `${count} refusals with ${code}` },
      );
      assert.deepEqual(records.map(({ metadata }) => metadata.count), [count - 1, 1], code);
      for (const { level, user_id, metadata } of records) {
        assert.deepEqual([level, user_id, metadata.role, metadata.code], ["WARN", user, role, code]);
      }
    }
  });

  test("says when a key comes from an address for the first time", async () => {
    const { id, key } = await makeKey(acme, { name: "traveller", role: "support" });
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"]) {
      assert.equal((await call(as(t, key, { ...FROM, "cf-connecting-ip": address }), "/logs")).status, 200);
    }
    const first = async () => (await stream(acme)).filter(({ user_id, metadata }) => user_id === id && metadata.action === "new_address");
    const records = await until(async () => (await first()).length >= 2 && first());
    assert.deepEqual(records.map(({ metadata }) => [metadata.address, metadata.country, metadata.role]).sort(), [["192.0.2.1", "NL", "support"], ["192.0.2.2", "NL", "support"]]);
  });

  test("is nowhere among the logs, and nobody writes into it", async () => {
    const forged = await call(acme, "/logs", { json: { service: "_audit", message: "forged", category: "audit", component: "read", user_id: "key_forged" } });
    for (const flushed of [false, true]) {
      if (flushed) await flush(acme);
      const own = new Set([...ids, forged.body.id]);
      const [record] = await stream(acme);
      for (const path of ["/logs?limit=1000", "/logs?service=_audit", "/logs?category=audit", "/logs?q=word+OR+read+OR+change", "/api/v1/logs/recent/_audit"]) {
        for (const { id } of (await get(acme, path)).data) assert.ok(own.has(id), path);
      }
      for (const path of [`/api/v1/logs/${record.id}`, `/api/v1/logs/${record.id}/full`, `/api/v1/logs/${record.id}/context`]) assertError(await call(acme, path), 404, "not_found");
      const services = (await get(acme, "/api/v1/logs/services")).data.map(({ service, total }) => [service, total]);
      const expected = forged.status === 201 ? [["_audit", 1], ["api", 6]] : [["api", 6]];
      assert.deepEqual(services, expected);
      assert.deepEqual((await get(acme, "/api/v1/facets?fields=service")).data[0].values.map(({ value, count }) => [value, count]).sort(), expected);
      assert.equal((await get(acme, "/api/v1/stats")).data[0].count, own.size - (forged.status === 201 ? 0 : 1));
      assert.equal((await get(acme, "/api/v1/logs/export")).trim().split("\n").length, services.reduce((sum, [, total]) => sum + total, 0));
      assert.ok(!(await stream(acme)).some(({ message, user_id }) => message === "forged" || user_id === "key_forged"));
    }
  });

  test("is read by those who may read all of it", async () => {
    for (const [fields, status, code] of [
      [{ role: "security" }, 200],
      [{ role: "admin" }, 200],
      [{ role: "security", services: ["api"] }, 403, "not_allowed"],
      [{ role: "operator" }, 403, "not_allowed"],
      [{ role: "support" }, 403, "not_allowed"],
      [{ role: "ingest" }, 403, "not_allowed"],
    ]) {
      const answer = await call(as(t, (await makeKey(acme, fields)).key), "/admin/audit");
      assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(fields));
    }
    const here = (await stream(t)).map(({ id }) => id);
    const there = new Set((await stream(acme)).map(({ id }) => id));
    assert.ok(here.length > 0 && here.every((id) => !there.has(id)), "the provider reads its own stream");
  });
});

test("the audit stream is kept for 396 days, whatever anybody sets", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  const acme = await makeTenant(t, "acme", { config: { retentionDays: 1 } });
  await store(acme, [{ service: "api", message: "short" }]);
  const answer = await call(acme, "/api/v1/logs/config/_audit", { json: { ttl_days: 1 }, method: "PUT" });
  assert.ok(answer.status === 200 || answer.status === 400);
  const read = await call(acme, "/logs");
  const [[record]] = await recordsOf(acme, [read]);
  await flush(acme);
  const shards = await t.mf.getDurableObjectNamespace("SHARD", "timberline");
  for (const round of [1, 2, 3]) {
    const flushed = await shards.get(shards.idFromName("acme_audit/0")).fetch("https://shard/flush?shard=acme_audit/0", { method: "POST" });
    assert.equal(flushed.status, 200, `round ${round}: ${await flushed.text()}`);
    await recordsOf(acme, [await call(acme, "/logs")]);
  }
  const keys = async (tenant) => (await t.objects(`logs/${tenant}/`)).map(({ key }) => key);
  const [own, audit] = [await keys("acme"), await keys("acme_audit")];
  assert.ok(audit.length > 0 && audit.every((key) => key.split("/").includes("d396")), audit.join());
  assert.ok(own.length > 0 && own.every((key) => !key.split("/").includes("d396")), own.join());
  const isThere = async () => (await stream(acme)).some(({ id }) => id === record.id);
  assert.ok(await isThere());
  const all = (await stream(acme)).map(({ id }) => id);
  for (const hours of [2, 26, 50]) assert.equal((await t.cron("17 * * * *", NOW + hours * (DAY / 24))).outcome, "ok");
  const found = new Set((await stream(acme)).map(({ id }) => id));
  assert.deepEqual(all.filter((id) => !found.has(id)), [], "what is compacted and indexed is found");

  for (const method of ["DELETE", "PUT", "POST", "PATCH"]) {
    assertError(await call(acme, "/admin/audit", { method }), 405, "method_not_allowed");
    assertError(await call(t, `/admin/audit/${record.id}`, { method }), 404, "not_found");
  }
  assert.equal((await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "rebuild-catalog" } })).status, 200);
  assert.ok(await isThere());
  for (const [days, kept] of [[2, true], [395, true], [397, false]]) {
    assert.equal((await t.cron("0 2 * * *", NOW + days * DAY)).outcome, "ok");
    assert.equal(await isThere(), kept, `day ${days}`);
    assert.equal((await keys("acme_audit")).length > 0, kept, `day ${days}`);
    assert.deepEqual(await keys("acme"), [], "the logs went by their own time");
  }
});

describe("every answer", () => {
  let t;
  let routes;
  before(async () => {
    t = await startTimberline(UNLIMITED);
    ({ routes } = await get(t, "/admin/roles"));
  });
  after(() => t?.dispose());

  const named = (path, id = NOBODY) => path.replace("{id}", id).replace("{service}", "api").replace("{name}", "nobody").replace("{domain}", "nobody.example");

  test("has its safety headers and a request id, whatever it is", async () => {
    const seen = new Set();
    const check = async (who, path, options) => {
      const { status, headers } = await call(who, path, options);
      const what = `${options?.method ?? "GET"} ${path} ${status}`;
      assert.deepEqual(
        ["x-content-type-options", "content-security-policy", "strict-transport-security", "cache-control"].map((name) => headers.get(name)),
        ["nosniff", "default-src 'none'; frame-ancestors 'none'", "max-age=31536000", "no-store"],
        what,
      );
      assert.match(headers.get("x-request-id"), /^[0-9a-f-]{36}$/, what);
      assert.ok(!seen.has(headers.get("x-request-id")), what);
      seen.add(headers.get("x-request-id"));
    };
    for (const { method, path } of routes) {
      for (const who of [t, as(t, null), as(t, "wrong")]) {
        await check(who, named(path), { method, headers: { "x-request-id": NOBODY } });
      }
    }
    for (const [path, options] of [
      ["/health"],
      ["/nothing"],
      ["/logs", { method: "DELETE" }],
      ["/logs", { method: "HEAD" }],
      ["/logs", { method: "OPTIONS", headers: { origin: "https://a.example", "access-control-request-method": "GET" } }],
      ["/logs", { json: { service: "s", message: "m" } }],
      ["/logs", { json: { service: "s", message: "x".repeat(600_000) } }],
      ["/logs", { method: "POST", body: "{", headers: { "content-type": "text/html" } }],
      ["/api/v1/logs/%ff"],
    ]) {
      await check(t, path, options);
    }
  });

  test("to a GET changes nothing but the audit stream", async () => {
    const [id] = await store(t, [{ service: "api", message: "m", trace_id: NOBODY }, { service: "web", message: "m" }]);
    await flush(t);
    await store(t, [{ service: "api", message: "held" }]);
    await makeTenant(t, "acme");
    const { key } = await makeKey(t, { role: "root" });
    const who = as(t, key);
    await get(who, "/logs");
    const uses = () => t.rows("SELECT * FROM key_uses ORDER BY 1, 2, 3");
    await until(async () => (await uses()).length >= 2, { what: "the first use of the keys" });
    const state = async () => {
      const tables = (await t.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name")).map(({ name }) => name);
      const rows = {};
      for (const name of tables) rows[name] = await t.rows(`SELECT * FROM "${name}"`);
      const objects = (await t.objects()).filter(({ key }) => !key.split("/")[1].endsWith("_audit")).map(({ key, etag }) => [key, etag]);
      const { shards } = await get(who, "/admin/self-healing");
      const kv = await t.mf.getKVNamespace("KV", "timberline");
      const copies = [];
      for (const { name } of (await kv.list()).keys) copies.push([name, await kv.get(name)]);
      return { rows, objects, shards, copies };
    };
    const before = await state();
    for (const { path } of routes.filter(({ method }) => method === "GET")) {
      for (const query of ["", "?q=m", "?action=execute&actionId=flush", "?purge=true", "?limit=1"]) {
        for (const method of ["GET", "HEAD"]) {
          const answer = await call(who, named(path, id) + query, { method });
          assert.ok(answer.status < 500 && answer.status !== 401, `${path}${query}: ${answer.status}`);
        }
      }
    }
    assert.deepEqual(await state(), before);
  });
});
