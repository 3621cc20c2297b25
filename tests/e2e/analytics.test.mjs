// Patterns and dashboards over HTTP on workerd: before a flush, after it, after a restart, and with what users say of patterns.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { as, assertError, call, flush, get, makeKey, store } from "./helpers.mjs";

const NOW = Date.now();
const HOUR = 3_600_000;
const USERS = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"];
const RECORDS = USERS.flatMap((user, n) => [
  { service: "auth", level: "INFO", message: `session opened for user ${user}`, timestamp: NOW - n * HOUR / 4, category: "authentication", environment: "production" },
  { service: "shop", level: n % 2 ? "ERROR" : "INFO", message: `order ${7000 + n} charged in ${n * 10} ms`, timestamp: NOW - n * HOUR / 4, category: "billing", environment: n % 4 ? "production" : "staging", endpoint: `/orders/${n}`, status: n % 2 ? 500 : 200, duration_ms: n * 10 },
]);

describe("analytics", () => {
  let t;
  before(async () => {
    t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
    await store(t, RECORDS);
  });
  after(() => t?.dispose());

  const list = async (query = "") => (await get(t, `/analytics/patterns?timeframe=6h${query}`)).data;
  const say = (id, json) => call(t, `/analytics/patterns/${id}`, { method: "PATCH", json });

  for (const [state, reach] of [["not flushed", async () => {}], ["flushed", () => flush(t)], ["on disk alone", () => t.crash()]]) {
    test(`patterns are counted, shown and found, ${state}`, async () => {
      await reach();
      const patterns = await list();
      assert.deepEqual(patterns.map(({ service, pattern, count }) => [service, pattern, count]).sort(), [
        ["auth", "session opened for user <*>", 8],
        ["shop", "order <*> charged in <*> ms", 8],
      ]);
      for (const { pattern_id, pattern, service } of patterns) {
        const { data } = await get(t, `/api/v1/logs?q=pattern_id:${pattern_id}`);
        assert.equal(data.length, 8);
        assert.ok(data.every((row) => row.service === service && row.pattern_id === pattern_id && row.pattern === pattern));
        const lines = (await get(t, `/api/v1/logs/export?service=${service}&fields=pattern_id,pattern,metadata.x`)).trim().split("\n").map((line) => JSON.parse(line));
        assert.deepEqual(lines, Array(8).fill({ pattern_id, pattern }));
      }
    });

    test(`totals, trends and outcomes are those of the records, ${state}`, async () => {
      const summary = await get(t, "/analytics/summary?timeframe=6h&groupBy=environment&includePatterns=true");
      assert.deepEqual([summary.count, summary.by_level.ERROR, summary.error_rate, summary.partial, summary.patterns.length], [16, 4, 0.25, false, 2]);
      assert.deepEqual(summary.groups.map(({ key, count }) => [key, count]), [["production", 14], ["staging", 2]]);
      assert.deepEqual([summary.stats.segments, summary.stats.r2_reads], [0, 0]);
      const { data } = await get(t, "/analytics/trends?timeframe=6h&interval=hour");
      assert.equal(data.reduce((sum, { count }) => sum + count, 0), 16);
      assert.equal(data.reduce((sum, { duration_ms }) => Math.max(sum, duration_ms?.max ?? 0), 0), 70);
      for (const [selection, expected] of [["environment=staging", 2], ["environment=production", 14], ["service=shop&environment=production&severity=error", 4]]) {
        const { data, partial } = await get(t, `/analytics/trends?timeframe=6h&interval=minute&${selection}`);
        assert.deepEqual([data.length > 300, data.reduce((sum, { count }) => sum + count, 0), partial], [true, expected, false], selection);
      }
      const overview = await get(t, "/api/v1/metrics/overview?days=1");
      assert.deepEqual([overview.outcomes, overview.success_rate], [{ success: 4, failure: 4, open: 0 }, 0.5]);
      const billing = (await get(t, "/api/v1/metrics/categories?days=1")).data.find(({ category }) => category === "billing");
      assert.deepEqual([billing.count, billing.success_rate, billing.failing_patterns], [8, 0.5, 1]);
    });
  }

  test("an id that has led on still finds its rows, and the general one all", async () => {
    await store(t, [{ service: "late", message: "disk sda is full" }]);
    await flush(t);
    const [{ pattern_id: old }] = await list("&service=late");
    await store(t, ["sdb", "sdc", "sdd", "sde", "sdf", "sdg"].map((disk) => ({ service: "late", level: "WARN", message: `disk ${disk} is full` })));
    await flush(t);
    await t.crash();
    const [now, ...others] = await list("&service=late");
    assert.deepEqual([now.pattern, now.count, others], ["disk <*> is full", 7, []]);
    const found = async (id) => (await get(t, `/api/v1/logs?q=pattern_id:${id}`)).data.map(({ pattern }) => pattern);
    assert.deepEqual(await found(now.pattern_id), Array(7).fill("disk <*> is full"));
    assert.ok((await found(old)).length >= 1);
    await store(t, [{ service: "late", level: "WARN", message: "a fan has stopped" }]);
    await flush(t);
    const events = (await get(t, "/admin/events")).data.filter(({ rule }) => rule === "new-pattern");
    assert.deepEqual(events.map(({ service, message }) => [service, message]), [["late", "a fan has stopped"]]);
  });

  test("users name, pin, ignore, merge and write patterns", async () => {
    await store(t, ["cache is cold", "cache is warm"].map((message) => ({ service: "own", message })));
    await flush(t);
    await t.crash();
    const [one, two] = await list("&service=own");
    assert.equal((await say(two.pattern_id, { name: "second", state: "pinned" })).status, 200);
    assert.deepEqual((await list("&service=own")).map(({ name, state }) => [name, state]), [["second", "pinned"], [null, "normal"]]);
    await say(two.pattern_id, { state: "ignored" });
    assert.equal((await list("&service=own")).length, 1);
    assert.equal((await list("&service=own&includeIgnored=true")).length, 2);
    await say(two.pattern_id, { state: "normal", mergeInto: one.pattern_id });
    assert.deepEqual((await list("&service=own")).map(({ count }) => count), [2]);
    await say(two.pattern_id, { mergeInto: null });
    await say(one.pattern_id, { template: "cache is <*>" });
    await store(t, [{ service: "own", message: "cache is on fire" }]);
    assert.deepEqual((await list("&service=own")).map(({ pattern, count }) => [pattern, count]), [["cache is <*>", 3]]);
    assertError(await say("xyz", {}), 400, "invalid_parameter", "id");
    assertError(await say(one.pattern_id, { colour: "red" }), 400, "unknown_field", "colour");
    assertError(await say("0123456789abcdef", { name: "n" }), 404, "not_found");
    const viewer = as(t, (await makeKey(t, { name: "v", role: "support" })).key);
    assert.equal((await call(viewer, `/analytics/patterns/${one.pattern_id}`, { method: "PATCH", json: {} })).status, 403);
  });

  test("a question in plain English is answered with its query", async () => {
    const ask = (question) => call(t, "/api/v1/logs/ask", { json: { question } });
    const { status, body } = await ask("errors in shop in the last 6 hours");
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.query, body.data.length, body.ignored], ["level:>=error service:shop", 4, []]);
    assert.deepEqual((await ask("how many logs by service")).body.data[0], { service: "auth", count: 8 });
    assertError(await ask("?"), 400, "unclear_question", "question");
  });

  test("what cannot be is refused with the name of the parameter", async () => {
    for (const [path, field] of [["/analytics/summary?groupBy=colour", "groupBy"], ["/analytics/trends?interval=year", "interval"], ["/analytics/patterns?timeframe=soon", "timeframe"], ["/api/v1/metrics/overview?days=x", "days"]]) {
      assertError(await call(t, path), 400, "invalid_parameter", field);
    }
  });
});
