// Compaction by its cron, with a turned clock: few segments of many, and no reader can tell.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, call, counters, everything, flush, get, store } from "./helpers.mjs";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const COMPACTION = "17 * * * *";
const EXPIRY = "0 2 * * *";
const SPOOL = "*/5 * * * *";

const logs = (from, count) =>
  Array.from({ length: count }, (_, n) => ({ service: `service-${(from + n) % 4}`, level: ["INFO", "ERROR"][n % 2], message: `order ${from + n} took ${n * 7} ms`, metadata: { n: from + n } }));

/** Many small segments. */
async function many(t, flushes, from = 0) {
  const ids = [];
  for (let n = 0; n < flushes; n += 1) {
    ids.push(...(await store(t, logs(from + n * 5, 5))));
    await flush(t);
  }
  return ids;
}

const segments = async (t) => (await t.rows("SELECT key FROM segments ORDER BY key")).map(({ key }) => key);
const objects = async (t) => (await t.objects("logs/")).map(({ key }) => key);

/** What readers see, but for where it is. */
async function seen(t) {
  const all = [await everything(t), await everything(t, { q: "order 7" }), await everything(t, { service: "service-1", level: "ERROR" }, {})];
  const counts = [await get(t, "/api/v1/logs/services"), await get(t, "/api/v1/logs/stats/service-2")];
  return [...all.map((records) => records.map(({ r2_key, ...rest }) => rest)), ...counts];
}

const start = async (context, options) => {
  const t = await startTimberline(options);
  context.after(() => t.dispose());
  return t;
};

test("an hour's small segments become one, readers see the same, and the old objects go a day later", async (context) => {
  const t = await start(context);
  const ids = await many(t, 30);
  const [before, sources] = [await seen(t), await segments(t)];
  assert.equal(sources.length, 30);
  const counted = await counters(t);
  const at = Date.now() + 2 * HOUR;
  assert.equal((await t.cron(COMPACTION, at)).outcome, "ok");
  const after = await counters(t);
  const left = await segments(t);
  assert.ok(left.length <= 2 && left.every((key) => /\/merged-[0-9a-f]{16}\.seg\.gz$/.test(key)), left.join());
  assert.deepEqual(await seen(t), before);
  assert.deepEqual(await objects(t), [...left, ...sources].sort());
  const spent = Object.fromEntries(["d1_rows_written", "r2_reads", "r2_writes", "shard_requests"].map((name) => [name, after[name] - counted[name]]));
  context.diagnostic(`30 segments merged: ${JSON.stringify(spent)}`);
  // Each is written with its words.
  assert.ok(spent.d1_rows_written <= 30 * 4 + left.length * 9 && spent.r2_writes === 2 * left.length && spent.r2_reads <= 30, JSON.stringify(spent));

  // Nothing more to do, and nothing to delete yet.
  await t.cron(COMPACTION, at + HOUR);
  await t.cron(SPOOL, at + DAY - 60_000);
  assert.deepEqual(await objects(t), [...left, ...sources].sort());
  await t.cron(SPOOL, at + DAY + 60_000);
  assert.deepEqual([await objects(t), await segments(t), await t.rows("SELECT key FROM removals")], [left, left, []]);
  assert.deepEqual(await seen(t), before);
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
  for (const id of [ids[0], ids.at(-1)]) assert.ok(left.includes((await get(t, `/api/v1/logs/${id}`)).r2_key));
  assert.deepEqual(t.logs, []);
});

test("what was merged in its hour is merged again when its day is over", async (context) => {
  const now = Date.now();
  const midnight = (Math.floor(now / DAY) + 1) * DAY;
  if (midnight - now < HOUR + 300_000) return context.skip("the last hour of a day ends with its day");
  const t = await start(context);
  const ids = await many(t, 4);
  await t.cron(COMPACTION, Math.min(now + 2 * HOUR, midnight - 2_000));
  ids.push(...(await many(t, 4, 100)));
  await t.cron(COMPACTION, Math.min(now + 4 * HOUR, midnight - 1_000));
  const before = await segments(t);
  assert.ok(before.length >= 2 && before.every((key) => key.includes("merged-")), before.join());
  const days = new Set(before.map((key) => key.slice(0, key.lastIndexOf("/"))));
  await t.cron(COMPACTION, now + 2 * DAY);
  assert.equal((await segments(t)).length, days.size);
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
});

test("searches and counts meanwhile neither miss nor double a log", async (context) => {
  const t = await start(context);
  const ids = [];
  let done = false;
  let reads = 0;
  const reader = async () => {
    while (!done) {
      const expected = [...ids];
      assertSameIds((await everything(t)).map(({ id }) => id), expected, `read ${reads}`);
      const { data } = await get(t, "/api/v1/logs/services");
      assert.equal(data.reduce((sum, { total }) => sum + total, 0), expected.length);
      reads += 1;
    }
  };
  for (let round = 1; round <= 6; round += 1) {
    ids.push(...(await many(t, 12, round * 1_000)));
    done = false;
    const readers = [reader(), reader()];
    // Two at once: one of them finds everything done.
    await Promise.all([t.cron(COMPACTION, Date.now() + round * 2 * HOUR), t.cron(COMPACTION, Date.now() + round * 2 * HOUR)]);
    await t.cron(EXPIRY, Date.now() + round * 2 * HOUR);
    done = true;
    await Promise.all(readers);
    assert.ok((await segments(t)).length <= 2 * round);
  }
  assert.ok(reads >= 12, `${reads} reads`);
  await t.cron(SPOOL, Date.now() + 3 * DAY);
  assert.deepEqual(await objects(t), await segments(t));
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
  assert.deepEqual(t.logs, []);
});

test("a crash in the middle of it loses and doubles nothing", async (context) => {
  const t = await start(context);
  const ids = await many(t, 20);
  const at = Date.now() + 2 * HOUR;
  const running = t.cron(COMPACTION, at).catch(() => {});
  await new Promise((wake) => setTimeout(wake, 15));
  await t.crash();
  await running;
  assertSameIds((await everything(t)).map(({ id }) => id), ids, "after the crash");
  await t.cron(COMPACTION, at + HOUR);
  await t.cron(SPOOL, at + 2 * DAY);
  assert.ok((await segments(t)).length <= 2);
  assert.deepEqual(await objects(t), await segments(t));
  assertSameIds((await everything(t)).map(({ id }) => id), ids, "run again");
  assert.equal((await call(t, "/health")).status, 200);
});
