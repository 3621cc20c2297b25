// Keys of tenants: how they are made and shown once, in which headers they are taken, how they end, and what a
// request with one costs.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { startTimberline, stateDir, until } from "./harness.mjs";
import { as, assertError, call, counters, flush, get, makeKey, makeTenant, many, raw, store } from "./helpers.mjs";

const RECORD = { service: "api", message: "hello" };
const bearer = (key) => ({ authorization: `Bearer ${key}` });

/** A text of the form of a key, with the right check and of nobody. */
function wellFormed(tenant) {
  const body = `tl_${tenant}_${randomBytes(32).toString("hex")}`;
  return body + crc32(body).toString(16).padStart(8, "0");
}

describe("a key", () => {
  let t;
  let acme;
  before(async () => {
    t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
    acme = await makeTenant(t, "acme");
  });
  after(() => t?.dispose());

  const statusOf = async (headers, path = "/logs") => (await call(as(t, null), path, { headers })).status;

  test("is shown once, by the answer that makes it, and stored nowhere", async () => {
    const made = await call(acme, "/admin/keys", { json: { name: "ci", role: "developer", services: ["api"], allowed_ips: ["127.0.0.0/8"] } });
    assert.equal(made.status, 201);
    const { id, key, ...rest } = made.body;
    assert.match(key, /^tl_acme_[0-9a-f]{72}$/);
    assert.equal(crc32(key.slice(0, -8)).toString(16).padStart(8, "0"), key.slice(-8));
    assert.match(id, /^key_[0-9a-f]{16}$/);
    assert.deepEqual([rest.name, rest.role, rest.services, rest.allowed_ips, rest.valid, rest.last_used_at], ["ci", "developer", ["api"], ["127.0.0.0/8"], true, null]);

    const listed = await call(acme, "/admin/keys");
    const own = listed.body.data.find((one) => one.id === id);
    assert.deepEqual(own, { id, ...rest });
    const hash = createHash("sha256").update(key).digest("hex");
    const text = JSON.stringify(listed.body);
    for (const secret of [key, key.slice(8, 72), hash]) assert.ok(!text.includes(secret), "the list tells a secret");
    for (const { name } of await t.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")) {
      assert.ok(!JSON.stringify(await t.rows(`SELECT * FROM "${name}"`)).includes(key.slice(8, 72)), `${name} has the key`);
    }
  });

  test("that cannot be is refused by its field and not made", async () => {
    const before = (await get(acme, "/admin/keys")).data.length;
    for (const [json, status, code, field] of [
      [{ role: "admin" }, 400, "missing_field", "name"],
      [{ name: "n" }, 400, "missing_field", "role"],
      [{ name: "n", role: "emperor" }, 400, "invalid_value", "role"],
      [{ name: "n ame", role: "admin" }, 400, "invalid_value", "name"],
      [{ name: "n", role: "developer" }, 400, "invalid_value", "services"],
      [{ name: "n", role: "admin", services: [] }, 400, "invalid_value", "services"],
      [{ name: "n", role: "admin", services: ["a b"] }, 400, "invalid_value", "services"],
      [{ name: "n", role: "admin", allowed_ips: ["300.0.0.1"] }, 400, "invalid_value", "allowed_ips"],
      [{ name: "n", role: "admin", expires_at: "2020-01-01T00:00:00Z" }, 400, "invalid_value", "expires_at"],
      [{ name: "n", role: "admin", rate_limit: { requests: 0 } }, 400, "invalid_value", "rate_limit.requests"],
      [{ name: "n", role: "admin", colour: "red" }, 400, "unknown_field", "colour"],
      [{ name: "n", role: "admin", tenantId: "other" }, 403, "not_allowed", undefined],
      [{ name: "n", role: "root" }, 403, "forbidden", undefined],
    ]) {
      assertError(await call(acme, "/admin/keys", { json }), status, code, field);
    }
    assertError(await call(t, "/admin/keys", { json: { name: "n", role: "root", tenantId: "acme" } }), 403, "forbidden");
    assertError(await call(t, "/admin/keys", { json: { name: "n", role: "admin", tenantId: "nobody" } }), 404, "not_found");
    assertError(await call(t, "/admin/keys", { json: { name: "n", role: "admin", tenantId: "acme_audit" } }), 400, "invalid_value", "tenantId");
    assert.equal((await get(acme, "/admin/keys")).data.length, before);
  });

  test("is taken as Bearer, in X-API-Key, as Basic of any user and as ApiKey with its own id, and from no address", async () => {
    const { id, key } = await makeKey(acme, { role: "support" });
    const other = await makeKey(acme, { role: "support" });
    const basic = (user) => `Basic ${btoa(`${user}:${key}`)}`;
    const apiKey = (id, secret = key) => `ApiKey ${btoa(`${id}:${secret}`)}`;
    for (const [headers, status] of [
      [bearer(key), 200],
      [{ authorization: `BEARER   ${key} ` }, 200],
      [{ "x-api-key": key }, 200],
      [{ authorization: basic("elastic") }, 200],
      [{ authorization: basic("") }, 200],
      [{ authorization: apiKey(id) }, 200],
      [{ authorization: apiKey(other.id) }, 403],
      [{ authorization: apiKey(id, other.key) }, 403],
      [{ authorization: apiKey("") }, 403],
      [{ authorization: apiKey("bootstrap", t.key) }, 200],
      [{ authorization: apiKey(id, t.key) }, 403],
      [{ authorization: `Token ${key}` }, 401],
      [{ authorization: key }, 401],
      [{ cookie: `key=${key}` }, 401],
      [{ ...bearer("wrong"), "x-api-key": key }, 403],
    ]) {
      assert.equal(await statusOf({ authorization: "", ...headers }), status, JSON.stringify(headers));
    }
    for (const name of ["key", "api_key", "apikey", "token", "access_token", "x-api-key", "authorization"]) {
      for (const route of ["/logs", "/api/v1/logs/search", "/admin/keys"]) {
        assertError(await call(as(t, null), `${route}?${name}=${key}`), 401, "unauthorized");
      }
    }
  });

  test("with a character changed is refused at every place", async () => {
    const { key } = await makeKey(acme, { role: "support" });
    const changed = (at) => key.slice(0, at) + (key[at] === "0" ? "1" : "0") + key.slice(at + 1);
    for (const wrong of [...Array.from({ length: 12 }, (_, n) => changed(n * 7 % key.length)), changed(key.length - 1), key.slice(0, -1), `${key}0`, key.toUpperCase(), key.replace("tl_acme_", "tl_default_")]) {
      assertError(await call(as(t, wrong), "/logs"), 403, "forbidden");
    }
  });

  test("that is rotated is valid for the overlap and no longer, and the new one at once", async () => {
    const fields = { role: "developer", services: ["api"], allowed_ips: ["127.0.0.1"] };
    const old = await makeKey(acme, fields);
    const rotate = (id, json) => call(acme, `/admin/keys/${id}/rotate`, { method: "POST", ...(json ? { json } : {}) });
    const first = await rotate(old.id);
    assert.equal(first.status, 201, JSON.stringify(first.body));
    assert.notEqual(first.body.key, old.key);
    for (const [name, value] of Object.entries(fields)) assert.deepEqual(first.body[name], value);
    const listed = async (id) => (await get(acme, "/admin/keys")).data.find((one) => one.id === id);
    const { expires_at, replaced_by, valid } = await listed(old.id);
    assert.deepEqual([replaced_by, valid], [first.body.id, true]);
    assert.ok(Math.abs(Date.parse(expires_at) - Date.now() - 86_400_000) < 60_000, expires_at);
    assert.deepEqual([await statusOf(bearer(old.key)), await statusOf(bearer(first.body.key))], [200, 200]);

    const brief = await rotate(first.body.id, { overlap_seconds: 1 });
    assert.equal(await statusOf(bearer(brief.body.key)), 200);
    await until(async () => (await statusOf(bearer(first.body.key))) === 403, { what: "the end of the overlap" });
    assert.ok(Date.now() >= Date.parse((await listed(first.body.id)).expires_at));
    assert.equal(await statusOf(bearer(brief.body.key)), 200);

    const atOnce = await rotate(brief.body.id, { overlap_seconds: 0 });
    assert.deepEqual([await statusOf(bearer(brief.body.key)), await statusOf(bearer(atOnce.body.key))], [403, 200]);
    assertError(await rotate(brief.body.id), 409, "conflict", "id");
    assertError(await rotate("key_0000000000000000"), 404, "not_found");
    assertError(await rotate(atOnce.body.id, { overlap_seconds: 2_592_001 }), 400, "invalid_value", "overlap_seconds");
    assertError(await rotate(atOnce.body.id, { overlap_seconds: "1" }), 400, "invalid_value", "overlap_seconds");
    assertError(await rotate(atOnce.body.id, { overlap: 1 }), 400, "unknown_field", "overlap");
  });

  test("that is revoked is refused at once, stays listed, and cannot be revoked again", async () => {
    const { id, key } = await makeKey(acme, { role: "operator" });
    await store(as(t, key), [RECORD]);
    const { status, body } = await call(acme, `/admin/keys/${id}`, { method: "DELETE" });
    assert.deepEqual([status, body], [200, { id, revoked: true }]);
    assertError(await call(as(t, key), "/logs"), 403, "forbidden");
    assertError(await call(as(t, key), "/logs", { json: RECORD }), 403, "forbidden");
    const { valid, revoked_at } = (await get(acme, "/admin/keys")).data.find((one) => one.id === id);
    assert.equal(valid, false);
    assert.ok(Math.abs(Date.parse(revoked_at) - Date.now()) < 60_000);
    assertError(await call(acme, `/admin/keys/${id}`, { method: "DELETE" }), 409, "conflict", "id");
    assertError(await call(acme, "/admin/keys/key_none", { method: "DELETE" }), 404, "not_found");
  });

  test("that expires is refused from then on", async () => {
    const expires = Date.now() + 3_000;
    const { id, key } = await makeKey(acme, { role: "support", expires_at: new Date(expires).toISOString() });
    assert.equal(await statusOf(bearer(key)), 200);
    await until(async () => (await statusOf(bearer(key))) === 403, { what: "its end" });
    assert.ok(Date.now() >= expires);
    assert.equal((await get(acme, "/admin/keys")).data.find((one) => one.id === id).valid, false);
  });

  test("for some networks is refused from others, and where the address is not known", async () => {
    const { key } = await makeKey(acme, { role: "support", allowed_ips: ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"] });
    for (const [address, status] of [
      ["203.0.113.200", 200],
      ["::ffff:203.0.113.9", 200],
      ["2001:db8:1::5", 200],
      ["198.51.100.7", 200],
      ["198.51.100.8", 403],
      ["2001:db9::1", 403],
      ["203.0.114.1", 403],
      ["nonsense", 403],
    ]) {
      const answer = await call(as(t, key), "/logs", { headers: { "cf-connecting-ip": address, "x-forwarded-for": "203.0.113.1" } });
      assert.equal(answer.status, status, address);
      if (status === 403) assertError(answer, 403, "wrong_address");
    }
  });

  test("for some services writes those records of a batch and refuses the others one by one", async () => {
    const { key } = await makeKey(acme, { role: "operator", services: ["mine", "ours"] });
    const mine = as(t, key);
    const logs = ["mine", "theirs", "ours", "theirs", "mine"].map((service, n) => ({ service, message: `batch ${n}` }));
    const { status, body } = await call(mine, "/api/v1/logs/batch", { json: { logs } });
    assert.deepEqual([status, body.accepted], [200, 3]);
    assert.deepEqual(body.rejected.map(({ index, code, field }) => [index, code, field]), [[1, "service_not_allowed", "service"], [3, "service_not_allowed", "service"]]);
    assertError(await call(mine, "/logs", { json: logs[1] }), 400, "service_not_allowed", "service");
    assert.equal((await call(mine, "/api/v1/logs/batch", { json: [logs[1]] })).status, 400);
    assert.equal((await call(mine, "/logs", { json: logs[0] })).status, 201);
    assert.deepEqual((await get(acme, "/api/v1/logs/recent/theirs")).data, []);
    assert.equal((await get(acme, "/api/v1/logs/search?q=batch")).data.length, 4);
  });

  test("for some services reads those and configures those", async () => {
    await store(acme, ["read-a", "read-b"].map((service) => ({ service, message: "of one or the other" })));
    const one = as(t, (await makeKey(acme, { role: "operator", services: ["read-a"] })).key);
    const services = async (path) => [...new Set((await get(one, path)).data.map(({ service }) => service))];
    for (const path of ["/logs", "/logs?service=read-a,read-b", "/api/v1/logs/services", "/logs?q=service:read-b+OR+service:read-a"]) {
      assert.deepEqual(await services(path), ["read-a"], path);
    }
    assert.deepEqual(await services("/api/v1/logs/recent/read-b"), []);
    assert.equal((await get(one, "/api/v1/logs/stats/read-b")).total, 0);
    const put = (service) => call(one, `/api/v1/logs/config/${service}`, { json: { ttl_days: 3 }, method: "PUT" });
    assert.equal((await put("read-a")).status, 200);
    assertError(await put("read-b"), 403, "service_not_allowed");
    assertError(await call(one, "/api/v1/logs/config/read-b"), 403, "service_not_allowed");
  });

  test("for some services lists the settings of those", async () => {
    for (const service of ["set-a", "set-b"]) await call(acme, `/api/v1/logs/config/${service}`, { json: { ttl_days: 4 }, method: "PUT" });
    const one = as(t, (await makeKey(acme, { role: "operator", services: ["set-a"] })).key);
    assert.deepEqual((await get(one, "/api/v1/logs/configs")).data.map(({ service }) => service), ["set-a"]);
  });

  test("lists when it was last used, and from how many addresses", async () => {
    const { id, key } = await makeKey(acme, { role: "support" });
    const listed = async () => (await get(acme, "/admin/keys")).data.find((one) => one.id === id);
    assert.deepEqual([(await listed()).last_used_at, (await listed()).addresses], [null, 0]);
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.1"]) {
      assert.equal(await statusOf({ ...bearer(key), "cf-connecting-ip": address }), 200);
    }
    const { last_used_at } = await until(async () => ((await listed()).addresses === 2 ? listed() : null), { what: "both addresses" });
    assert.ok(Math.abs(Date.parse(last_used_at) - Date.now()) < 60_000);
  });

  test("that is wrong costs no read of the catalog, ten thousand times", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
    await flush(t);
    const read = async () => (({ d1_rows_read, d1_rows_written, kv_reads }) => ({ d1_rows_read, d1_rows_written, kv_reads }))(await counters(t));
    // Whose key it is not is read once, from the copies: a hundred tenants that are none.
    const keys = [
      () => randomBytes(24).toString("base64url"),
      () => wellFormed("acme"),
      () => wellFormed("default"),
      (n) => wellFormed(`nobody-${n % 100}`),
    ];
    const before = await read();
    const answers = await many(10_000, 32, async (n) => {
      const { status, body } = await raw(t, n % 2 ? "/logs" : "/api/v1/stats?by=service", { headers: bearer(keys[n % 4](n)), agent });
      return `${status} ${body.error?.code}`;
    });
    agent.destroy();
    assert.deepEqual(new Set(answers), new Set(["403 forbidden"]));
    const after = await read();
    assert.equal(after.d1_rows_read - before.d1_rows_read, 0, "D1 was read");
    assert.equal(after.d1_rows_written - before.d1_rows_written, 0, "D1 was written");
    // And again after 15 s, should this take so long.
    assert.ok(after.kv_reads - before.kv_reads <= 3 * 102, `${after.kv_reads - before.kv_reads} reads of KV`);
  });

  test("that the isolate knows costs nothing to check", async () => {
    const warm = as(t, (await makeKey(acme, { role: "ingest" })).key);
    await store(warm, [RECORD]);
    const read = async () => (({ d1_rows_read, kv_reads }) => ({ d1_rows_read, kv_reads }))(await counters(t));
    // Its first use is noted behind the answer.
    await until(async () => (await get(acme, "/admin/keys")).data.at(-1).addresses === 1, { what: "its first use" });
    await call(warm, "/logs", { json: RECORD });
    const costs = async (caller) => {
      const before = await read();
      for (let n = 0; n < 20; n += 1) assert.equal((await call(caller, "/logs", { json: RECORD })).status, 201);
      const after = await read();
      return [after.d1_rows_read - before.d1_rows_read, after.kv_reads - before.kv_reads];
    };
    const [d1, kv] = await costs(warm);
    assert.equal(d1, 0);
    // A copy that turns 15 s old meanwhile is read again behind the answer: that of the tenant, and of who asks here.
    assert.ok(kv <= 2, `${kv} reads of KV for 20 requests`);
  });
});

test("API_KEY_HEADER names the header, in place of X-API-Key", async (context) => {
  const t = await startTimberline({ vars: { API_KEY_HEADER: "X-Log-Token" } });
  context.after(() => t.dispose());
  const { key } = await makeKey(t, { role: "support" });
  const none = as(t, null);
  for (const secret of [key, t.key]) {
    assert.equal((await call(none, "/logs", { headers: { "x-log-token": secret } })).status, 200);
    assertError(await call(none, "/logs", { headers: { "x-api-key": secret } }), 401, "unauthorized");
    assert.equal((await call(none, "/logs", { headers: { authorization: `Bearer ${secret}` } })).status, 200);
  }
});

test("keys, tenants and roles outlive a crash", async (context) => {
  const t = await startTimberline({ persist: stateDir(context) });
  context.after(() => t.dispose());
  const acme = await makeTenant(t, "acme");
  assert.equal((await call(acme, "/admin/roles/reader", { json: { permissions: ["logs:read"] }, method: "PUT" })).status, 200);
  const [kept, revoked] = [await makeKey(acme, { role: "reader" }), await makeKey(acme, { role: "admin" })];
  assert.equal((await call(acme, `/admin/keys/${revoked.id}`, { method: "DELETE" })).status, 200);
  const [id] = await store(acme, [RECORD]);
  await t.crash();
  assert.deepEqual((await get(as(t, kept.key), "/logs")).data.map((one) => one.id), [id]);
  assertError(await call(as(t, kept.key), "/logs", { json: RECORD }), 403, "not_allowed");
  assertError(await call(as(t, revoked.key), "/logs"), 403, "forbidden");
  assert.equal((await get(acme, "/admin/keys")).data.length, 3);
});
