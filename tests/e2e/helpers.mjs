// What several tests say often, on top of the harness.
import assert from "node:assert/strict";
import http from "node:http";

/** A request with its answer read: `{ status, headers, body }`, the body parsed when it is JSON. */
export async function call(t, path, options) {
  const response = await t.fetch(path, options);
  const text = await response.text();
  const isJson = text !== "" && response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** The body of a GET that must go well. */
export async function get(t, path) {
  const { status, body } = await call(t, path);
  assert.equal(status, 200, `GET ${path}: ${JSON.stringify(body)}`);
  return body;
}

/** Stores records in batches of 1,000 and answers their ids, in order. */
export async function store(t, records) {
  const ids = [];
  for (let at = 0; at < records.length; at += 1_000) {
    const { status, body } = await call(t, "/api/v1/logs/ingest/batch", { json: { logs: records.slice(at, at + 1_000) } });
    assert.equal(status, 200, JSON.stringify(body).slice(0, 2_000));
    assert.deepEqual(body.rejected, []);
    ids.push(...body.ids);
  }
  return ids;
}

/** Flushes every shard and answers what that did: `{ segments, rows, size_bytes }`. */
export async function flush(t) {
  const { status, body } = await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "flush" } });
  assert.equal(status, 200, JSON.stringify(body));
  return body.result;
}

/** One page of a search. `query` is an object of parameters. */
export function search(t, query = {}) {
  return get(t, `/api/v1/logs/search?${new URLSearchParams(query)}`);
}

/**
 * Every record that a search finds, page after page by cursor. `between` runs before each next page;
 * pages may only be partial where `partial` says so.
 */
export async function everything(t, query = {}, { between = async () => {}, partial = false } = {}) {
  const found = [];
  for (let cursor; ; ) {
    const page = await search(t, { limit: 1_000, ...query, ...(cursor ? { cursor } : {}) });
    assert.ok(partial || !page.stats.partial, "a page is partial");
    found.push(...page.data);
    cursor = page.next_cursor;
    if (!cursor) return found;
    await between(found);
  }
}

/** Asserts that both lists hold the same strings, each once, and names the first few that differ. */
export function assertSameIds(found, expected, what = "ids") {
  assert.deepEqual(repeated(found), [], `${what}: found more than once`);
  const [have, want] = [new Set(found), new Set(expected)];
  assert.deepEqual(expected.filter((id) => !have.has(id)).slice(0, 5), [], `${what}: missing`);
  assert.deepEqual(found.filter((id) => !want.has(id)).slice(0, 5), [], `${what}: not expected`);
}

/** The strings that a list holds more than once. */
export function repeated(list) {
  const seen = new Set();
  return list.filter((one) => seen.size === seen.add(one).size);
}

/** The same instance as somebody else sees it: every request has this key, and these headers, unless it says otherwise. */
export function as(t, key, always = {}) {
  const auth = key === null ? { authorization: "" } : { authorization: `Bearer ${key}` };
  return { ...t, fetch: (path, { headers = {}, ...rest } = {}) => t.fetch(path, { ...rest, headers: { ...auth, ...always, ...headers } }) };
}

/** Makes a key: `{ id, key, … }`. A role is all that it must have. */
export async function makeKey(t, fields) {
  const { status, body } = await call(t, "/admin/keys", { json: { name: "test", ...fields } });
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

/** Makes a tenant with a domain and answers its holder of a key with everything that a tenant may do. */
export async function makeTenant(t, tenantId, fields = {}) {
  const made = await call(t, "/admin/domains", { json: { domain: `${tenantId}.example.com`, tenantId, ...fields } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { key } = await makeKey(t, { role: "admin", tenantId });
  return as(t, key);
}

/** A request as it is put here, with no key but that of its headers: for a `host` of one's own, and for many at once. */
export function raw(t, path, { method = "GET", headers = {}, body, agent } = {}) {
  return new Promise((done, failed) => {
    const request = http.request(new URL(path, t.url), { method, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part)).on("error", failed);
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text }));
    });
    request.on("error", failed).end(body);
  });
}

/** Calls `work(0)` to `work(count - 1)`, so many at a time, and answers what they answered. */
export async function many(count, atOnce, work) {
  const results = Array(count);
  let next = 0;
  const one = async () => {
    for (let nth = next++; nth < count; nth = next++) results[nth] = await work(nth);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return results;
}

/** The counters of GET /metrics by their names, without `timberline_` and `_total`. */
export async function counters(t) {
  const text = await get(t, "/metrics");
  return Object.fromEntries([...text.matchAll(/^timberline_(\w+)_total (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

/** Asserts that an answer is an error as every error is. */
export function assertError({ status, headers, body }, expected, code, field) {
  assert.equal(status, expected, JSON.stringify(body));
  assert.deepEqual(Object.keys(body), ["error"]);
  const { error } = body;
  assert.deepEqual(Object.keys(error).sort(), ["code", "details", "message", "request_id"]);
  assert.equal(error.code, code, error.message);
  assert.notEqual(error.message, "");
  assert.equal(error.request_id, headers.get("x-request-id"));
  if (field !== undefined) assert.equal(error.details?.field, field);
}

/** Evenly distributed numbers from 0 to 1, the same ones for the same seed. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let n = Math.imul(state ^ (state >>> 15), state | 1);
    n ^= n + Math.imul(n ^ (n >>> 7), n | 61);
    return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
  };
}
