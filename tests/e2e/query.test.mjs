// Searches as bodies, in other orders, exports and numbers, as they ship.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertError, call, flush, get, store } from "./helpers.mjs";

const NOW = Math.floor(Date.now() / 1_000) * 1_000;
const ROWS = 20_000;
const levels = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
const record = (n) => ({
  service: ["api", "web", "db"][n % 3],
  level: levels[n % 5],
  message: `payment ${n} took ${(n * 7919) % 1000} ms ${"x".repeat(n % 50)}`,
  timestamp: NOW - n * 1_000,
  duration_ms: n % 250,
  trace_id: `t-${n % 1_000}`,
  metadata: { cart: { size: n % 7 } },
});

let t;
before(async () => {
  t = await startTimberline();
  const records = Array.from({ length: ROWS }, (_, n) => record(n));
  await store(t, records.slice(0, 15_000));
  await flush(t);
  await store(t, records.slice(15_000));
});
after(() => t?.dispose());

test("a body finds what parameters find", async () => {
  const filters = { severity: ["ERROR"], service: "api", timeRange: { start: NOW - 60_000, end: NOW } };
  const { status, body } = await call(t, "/logs/search", { json: { query: "payment", filters, sort: "timestamp:asc" } });
  assert.equal(status, 200, JSON.stringify(body));
  const same = await get(t, `/logs?q=payment&level=ERROR&service=api&start=${NOW - 60_000}&end=${NOW}&sort=oldest`);
  assert.deepEqual(body.data, same.data);
  assert.ok(body.data.length > 0 && body.data[0].timestamp < body.data.at(-1).timestamp);
  const wrong = await call(t, "/api/v1/logs/search", { json: { filters: { sverity: "ERROR" } } });
  assertError(wrong, 400, "unknown_field", "filters.sverity");
});

test("the most relevant come first", async () => {
  const { data } = await get(t, "/logs?q=4711+OR+payment&sort=relevance&limit=2");
  assert.match(data[0].message, /payment 4711 /);
});

test("an export streams every record", async () => {
  const response = await t.fetch("/api/v1/logs/export");
  assert.equal(response.headers.get("content-length"), null);
  const lines = (await response.text()).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(new Set(lines.map(({ id }) => id)).size, ROWS);
  assert.equal(lines.length, ROWS);
  const csv = await (await t.fetch("/api/v1/logs/export?format=csv&fields=service,cart.size&q=level:error&limit=10")).text();
  assert.match(csv, /^service,metadata\.cart\.size\r\n(\w+,\d\r\n){10}$/);
});

test("a reader that goes away harms nothing", async () => {
  const response = await t.fetch("/api/v1/logs/export");
  await response.body.cancel();
  assert.equal((await get(t, "/api/v1/stats")).data[0].count, ROWS);
});

test("context and trace", async () => {
  const trace = await get(t, "/api/v1/trace/T-7");
  assert.equal(trace.data.length, ROWS / 1_000);
  assert.deepEqual(trace.summary.services, ["api", "db", "web"]);
  const context = await get(t, `/api/v1/logs/${trace.data[3].id}/context?before=2&after=2&scope=all`);
  assert.deepEqual(context.data.map(({ marked }) => marked === true), [false, false, true, false, false]);
});

test("numbers", async () => {
  const groups = await get(t, "/api/v1/stats?by=service,level&stats=count");
  assert.equal(groups.data.length, 15);
  assert.equal(groups.data.reduce((sum, { count }) => sum + count, 0), ROWS);
  assert.equal(groups.stats.r2_reads, 0);
  assert.ok(groups.stats.cost_usd < 1e-5);
  const [one] = (await get(t, "/api/v1/stats?stats=count,avg(duration_ms),p50(duration_ms),uniq(trace_id)&q=cart.size:3")).data;
  assert.equal(one.count, Array.from({ length: ROWS }, (_, n) => n % 7).filter((n) => n === 3).length);
  assert.equal(one["uniq(trace_id)"], 1_000);
  assert.ok(Math.abs(one["p50(duration_ms)"] - 124.5) < 3);
  const histogram = await get(t, `/api/v1/histogram?interval=10m&end=${NOW}`);
  assert.equal(histogram.data.reduce((sum, { count }) => sum + count, 0), ROWS);
  const facets = await get(t, "/api/v1/facets?fields=cart.size,level");
  assert.deepEqual(facets.data.map(({ field, values }) => [field, values.length]), [["metadata.cart.size", 7], ["level", 5]]);
  const fields = await get(t, "/api/v1/fields");
  assert.equal(fields.data.find(({ field }) => field === "duration_ms").rows, ROWS);
  assertError(await call(t, "/api/v1/stats?stats=median(x)"), 400, "invalid_parameter", "stats");
});
