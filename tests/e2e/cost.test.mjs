// What logs cost: rows written and operations, by the counters of D1 and of the objects themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, call, counters, everything, flush, get, store } from "./helpers.mjs";

/** What the work costs: differences of the counters, and what D1 and R2 show of it themselves. */
async function cost(t, work) {
  const [before, objects, rows] = [await counters(t), await t.objects(), await catalogRows(t)];
  await work();
  const after = await counters(t);
  const grown = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));
  return { ...grown, objects: (await t.objects()).length - objects.length, rows: (await catalogRows(t)) - rows };
}

const catalogRows = async (t) => (await t.rows("SELECT (SELECT count(*) FROM segments) + (SELECT count(*) FROM removals) + (SELECT count(*) FROM spooled) AS rows"))[0].rows;

const told = ({ d1_rows_written, shard_rows_written, r2_writes, r2_lists, r2_deletes, shard_requests, objects, rows }) =>
  `${d1_rows_written + shard_rows_written} rows written (D1 ${d1_rows_written}, shard ${shard_rows_written}), ${r2_writes} R2 writes, ` +
  `${r2_lists} lists, ${r2_deletes} deletes, ${shard_requests} shard requests; ${objects} objects and ${rows} catalog rows more`;

test("20 batches of 1,000 records and their flush cost at most 60 rows written and 4 R2 writes", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const logs = Array.from({ length: 20_000 }, (_, n) => ({
    service: `service-${n % 12}`,
    level: ["DEBUG", "INFO", "INFO", "WARN", "ERROR"][n % 5],
    message: `request ${n} to /api/orders/${n * 7919} took ${n % 311} ms`,
    timestamp: Date.now() - (n % 3_600) * 1_000,
    correlation_id: `${n.toString(16).padStart(8, "0")}-${(n * 2654435761).toString(16)}`,
    metadata: { region: ["eu", "us", "ap"][n % 3], attempt: n % 4 },
  }));
  // A pattern costs a row when it is first told of: here each service has said what it says before.
  const ids = await store(t, logs.slice(0, 12));
  await flush(t);
  const spent = await cost(t, async () => {
    ids.push(...(await store(t, logs)));
    await flush(t);
  });
  context.diagnostic(`20 x 1,000: ${told(spent)}`);
  assert.ok(spent.d1_rows_written + spent.shard_rows_written <= 60, told(spent));
  assert.ok(spent.r2_writes <= 4, told(spent));
  assert.deepEqual([spent.objects, spent.rows], [spent.r2_writes, spent.r2_writes], "an object or a row that nobody counted");
  assert.ok(spent.d1_rows_written >= spent.rows);
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
});

test("1,000 concurrent lone POSTs and their flush cost at most 250 rows written", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  let ids;
  const spent = await cost(t, async () => {
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, n) => call(t, "/logs", { json: { service: "lone", message: `alone ${n}` } })));
    assert.deepEqual(answers.filter(({ status }) => status !== 201), []);
    ids = answers.map(({ body }) => body.id);
    await flush(t);
  });
  context.diagnostic(`1,000 x 1: ${told(spent)}`);
  assert.ok(spent.d1_rows_written + spent.shard_rows_written <= 250, told(spent));
  assert.deepEqual([spent.objects, spent.rows], [spent.r2_writes, spent.r2_writes], "an object or a row that nobody counted");
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
});

test("a flush of nothing writes nothing, and reading writes nothing but the audit stream", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const ids = await store(t, Array.from({ length: 500 }, (_, n) => ({ service: "read", message: `number ${n}` })));
  await flush(t);
  const spent = await cost(t, async () => {
    await flush(t);
    await everything(t, { limit: 100 });
    await everything(t, { service: "read", q: "number 7" });
    for (const path of [`/api/v1/logs/${ids[0]}`, "/api/v1/logs/services", "/api/v1/logs/stats/read", "/api/v1/logs/configs", "/health", "/admin/self-healing"]) {
      assert.equal((await call(t, path)).status, 200);
    }
  });
  context.diagnostic(`reading: ${told(spent)}`);
  assert.deepEqual([spent.d1_rows_written, spent.r2_writes, spent.r2_deletes], [0, 0, 0]);
  const [shard] = (await get(t, "/admin/self-healing")).shards;
  assert.deepEqual([shard.unflushed_commits, shard.unflushed_bytes], [0, 0]);
  // Of what was read, changed and first used: a record each, of which many share a row, and an alarm.
  const noted = (await get(t, "/admin/audit?limit=1000")).data.length;
  assert.ok(spent.shard_rows_written <= noted + 1, `${spent.shard_rows_written} rows for ${noted} audit records`);
});

test("what many requests observe is told to the shard together", async (context) => {
  const t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
  context.after(() => t.dispose());
  const failed = { service: "sshd", message: "Failed password for root from 198.51.100.7 port 22 ssh2" };
  // The shard is there and its tenant's rules are known.
  await call(t, "/logs", { json: failed });
  const [requests, began] = [40, performance.now()];
  const { shard_requests } = await cost(t, async () => {
    for (let nth = 0; nth < requests; nth += 1) assert.equal((await call(t, "/logs", { json: failed })).status, 201);
  });
  const most = 1 + Math.ceil((performance.now() - began) / 1000);
  assert.ok(shard_requests >= requests && shard_requests <= requests + most, `${shard_requests} requests of shards for ${requests} logs, ${most} more at the most`);
});
