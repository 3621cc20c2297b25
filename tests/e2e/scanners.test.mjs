// Large queries, shared out to Scanner objects on a real workerd: they are asked, and the answer is the same without.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { call, counters, flush, get, store } from "./helpers.mjs";

const NOW = Math.floor(Date.now() / 1_000) * 1_000;
const SEGMENTS = 40;
const ROWS = 50;
const levels = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
const record = (n) => ({
  service: ["api", "web", "db"][n % 3],
  level: levels[n % 5],
  message: `payment ${n} took ${(n * 7919) % 1000} ms${n % 13 === 0 ? ", timeout" : ""}`,
  timestamp: NOW - n * 1_000,
  duration_ms: n * 0.1,
  user_id: `u-${n % 300}`,
  tags: ["all", `t${n % 4}`],
  metadata: { cart: { size: n % 7 } },
});
const QUERIES = [
  "stats?q=took",
  "stats?q=timeout&by=service,level&stats=count,sum(duration_ms),p95(duration_ms),uniq(user_id)",
  "histogram?q=timeout&interval=1m",
  "facets",
  "fields?q=cart.size:1",
  "logs/search?q=timeout+OR+17&sort=relevance&limit=20",
];

test("the answer is the same whoever looks into the segments", async (context) => {
  const persist = stateDir(context);
  const answers = [];
  for (const scanners of ["0", "3", "8"]) {
    const t = await startTimberline({ persist, vars: { SCANNERS_PER_TENANT: scanners } });
    try {
      if (scanners === "0") {
        // One segment a flush: what these logs are about shall not part them.
        const together = { by_category: { billing: "standard" }, by_level: { DEBUG: "standard" } };
        assert.equal((await call(t, "/admin/retention", { json: together, method: "PUT" })).status, 200);
        for (let at = SEGMENTS - 1; at >= 0; at -= 1) {
          await store(t, Array.from({ length: ROWS }, (_, n) => record(at * ROWS + n)));
          await flush(t);
        }
        assert.equal((await t.objects("logs/")).length, SEGMENTS);
      }
      const asked = [];
      let requests = 0;
      for (const query of QUERIES) {
        const { stats, ...body } = await get(t, `/api/v1/${query}`);
        asked.push(body);
        const { r2_reads: again } = (await get(t, `/api/v1/${query}`)).stats;
        assert.equal(stats.partial, false);
        // Which scanner has a segment follows from its key, and so from the day: one may have none.
        const asks = stats.scanner_requests;
        assert.ok(asks <= Number(scanners) && asks >= Math.floor(Number(scanners) * 0.6), `${query}: ${JSON.stringify(stats)}`);
        requests += 2 * asks;
        assert.ok(again === 0, `${query}: ${again} reads of what was read before`);
      }
      answers.push(asked);
      assert.equal((await counters(t)).scanner_requests, requests);
      assert.deepEqual(t.logs.filter(({ level }) => level === "error"), []);
    } finally {
      await t.dispose();
    }
  }
  const [alone, ...spread] = answers;
  assert.equal(alone[0].data[0].count, SEGMENTS * ROWS);
  for (const asked of spread) QUERIES.forEach((query, nth) => assert.deepEqual(asked[nth], alone[nth], query));
});
