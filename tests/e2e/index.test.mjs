// Partition indexes on workerd: a search for a word opens the segments that hold it, and finds what it found before.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, call, counters, everything, flush, get, store } from "./helpers.mjs";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HOURLY = "17 * * * *";
const EXPIRY = "0 2 * * *";
const SWEEP = "*/5 * * * *";

const logs = (round) =>
  Array.from({ length: 12 }, (_, n) => ({
    service: `service-${n % 3}`,
    // Of two classes, so that there are two segments at the least: the index of one would not be asked.
    level: n % 6 === 4 ? "DEBUG" : ["INFO", "ERROR"][n % 2],
    message: `order ${round * 100 + n} needle${round}x${n} was paid`,
    trace_id: `${round}`.repeat(2).padStart(16, "0") + `${n}`.padStart(16, "a"),
    metadata: { user: `u-${n % 4}`, round },
  }));

/** Rounds of a few segments each, merged to one each. */
async function rounds(t, from, count, at) {
  const ids = [];
  for (let round = from; round < from + count; round += 1) {
    for (const some of [logs(round).slice(0, 6), logs(round).slice(6)]) {
      ids.push(...(await store(t, some)));
      await flush(t);
    }
    assert.equal((await t.cron(HOURLY, at + round * HOUR)).outcome, "ok");
  }
  return ids;
}

const QUERIES = ["needle1x7", "needle0x0 OR needle1x1", "order paid level:error", "metadata.user:u-2", "needle1*", "nowhere", "-paid", '"was paid" service:service-1'];

/** What readers see, but for where it is. */
async function seen(t) {
  const all = [await everything(t)];
  for (const q of QUERIES) all.push(await everything(t, { q }));
  const trace = await get(t, `/api/v1/trace/${logs(1)[3].trace_id}`);
  const counts = [await get(t, "/api/v1/stats?stats=count&q=paid&by=service"), await get(t, "/api/v1/histogram?q=needle1x2&interval=1h")];
  return [...[...all, trace.data].map((records) => records.map(({ r2_key, ...rest }) => rest)), ...counts.map(({ data }) => data)];
}

const indexes = (t) => t.rows("SELECT name, pairs, segments, parts FROM partitions ORDER BY name");

/** The keys of segments, runs and indexes, without what the crons write down for themselves. */
const stored = async (t) => (await t.objects()).map(({ key }) => key).filter((key) => !/^(history|jobs)\//.test(key)).sort();

/** The bucket holds what the catalog names, when what was noted is deleted. */
async function agree(t, at) {
  await t.cron(SWEEP, at + 30 * HOUR);
  const segments = await t.rows("SELECT key, words_bytes FROM segments");
  const runs = segments.filter(({ words_bytes }) => words_bytes !== null).map(({ key }) => `${key.replace(/^logs/, "index")}.words`);
  const parts = (await indexes(t)).flatMap(({ name, parts }) => JSON.parse(parts).map((_, nth) => `${name}-${String(nth).padStart(3, "0")}.index`));
  assert.deepEqual(await stored(t), [...segments.map(({ key }) => key), ...runs, ...parts].sort());
}

test("old segments are indexed, needles open few of them, and readers see the same", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const at = Date.now() + 2 * HOUR;
  // Merges of a day are merged with each other; three days have three segments.
  const ids = await rounds(t, 0, 2, at);
  assert.deepEqual(await indexes(t), []);
  const before = await seen(t);
  await t.cron(HOURLY, at + 3 * DAY);
  const [index] = await t.rows("SELECT number, pairs, segments FROM partitions");
  const segments = await t.rows("SELECT indexed_in, ordinal, words_bytes FROM segments ORDER BY ordinal");
  assert.ok(index.segments === segments.length && index.pairs > 20, JSON.stringify(index));
  assert.deepEqual(segments, segments.map((_, ordinal) => ({ indexed_in: index.number, ordinal, words_bytes: null })));
  assert.deepEqual(await seen(t), before);
  const { stats: missed } = await get(t, "/logs/search?q=nowhere");
  assert.deepEqual([missed.indexes, missed.segments, missed.rows_scanned], [1, 0, 0]);
  const { stats: found, data } = await get(t, "/logs/search?q=needle1x7");
  assert.deepEqual([found.indexes, data.length], [1, 1]);

  // What comes later is found beside it, indexed later, and in the end in the same index.
  ids.push(...(await rounds(t, 5, 3, at + 3 * DAY)));
  assert.equal((await get(t, "/logs/search?q=needle6x2")).data.length, 1);
  const more = await seen(t);
  for (const days of [6, 7]) await t.cron(HOURLY, at + days * DAY);
  assert.deepEqual(await seen(t), more);
  assertSameIds((await everything(t)).map(({ id }) => id), ids);
  await agree(t, at + 7 * DAY);
  assert.deepEqual(await seen(t), more);

  // Half of the services expire: their rows are gone, the others are found.
  await call(t, "/api/v1/logs/config/service-1", { method: "PUT", json: { ttl_days: 1 } });
  await t.cron(EXPIRY, at + 8 * DAY);
  assert.deepEqual((await get(t, "/logs/search?q=needle6x1")).data, []);
  assert.equal((await get(t, "/logs/search?q=needle6x2")).data.length, 1);
  await t.cron(HOURLY, at + 8 * DAY);
  assert.equal((await get(t, "/logs/search?q=needle6x2")).data.length, 1);
  await agree(t, at + 8 * DAY);
  await t.cron(EXPIRY, at + 40 * DAY);
  await t.cron(HOURLY, at + 40 * DAY);
  await agree(t, at + 40 * DAY);
  assert.deepEqual([await indexes(t), await stored(t)], [[], []]);
  assert.deepEqual(t.logs, []);
});

test("an index that has lost segments is made anew at night, and finds what is left", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const at = Date.now() + 2 * HOUR;
  await call(t, "/admin/retention", { method: "PUT", json: { classes: { debug: { hot_days: 1, keep_days: 7 } } } });
  await rounds(t, 0, 2, at);
  await t.cron(HOURLY, at + 3 * DAY);
  const [{ name, segments, pairs }] = await indexes(t);
  // What is kept for seven days ends, what is kept for thirty stays.
  await t.cron(EXPIRY, at + 10 * DAY);
  const left = (await t.rows("SELECT key FROM segments")).length;
  assert.ok(left > 0 && left < segments, `${left} of ${segments}`);
  const night = (hour) => Math.ceil((at + 10 * DAY) / DAY) * DAY + hour * HOUR + 17 * 60_000;
  await t.cron(HOURLY, night(3));
  assert.equal((await indexes(t))[0].name, name);
  await t.cron(HOURLY, night(4));
  const [made, ...others] = await indexes(t);
  assert.deepEqual([made.name === name, made.segments, others], [false, left, []]);
  assert.ok(made.pairs < pairs, `${made.pairs} of ${pairs}`);
  assert.equal((await get(t, "/logs/search?q=needle1x7")).data.length, 1);
  await agree(t, night(4));
  assert.deepEqual(t.logs, []);
});

test("an index that is lost or damaged hides nothing, and the catalog's come back from the bucket", async (context) => {
  const persist = mkdtempSync(join(tmpdir(), "timberline-"));
  let t = await startTimberline({ persist });
  context.after(async () => {
    await t.dispose();
    rmSync(persist, { recursive: true, force: true });
  });
  const at = Date.now() + 2 * HOUR;
  await rounds(t, 0, 2, at);
  await t.cron(HOURLY, at + 3 * DAY);
  const [before, listed] = [await seen(t), await indexes(t)];
  const d1 = await t.d1();
  const rebuild = async () => (await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "rebuild-catalog" } })).body.result;
  for (const lost of [["partitions", "segments"], ["partitions", "segments", "removals"]]) {
    for (const table of lost) await d1.prepare(`DELETE FROM ${table}`).run();
    const rebuilt = await rebuild();
    assert.equal(rebuilt.indexes_added, listed.length, JSON.stringify(rebuilt));
    assert.deepEqual([await indexes(t), await seen(t)], [listed, before], lost.join());
  }
  const key = `${listed[0].name}-000.index`;
  for (const damage of [(bucket) => bucket.put(key, "not an index"), (bucket) => bucket.delete(key)]) {
    await damage(await t.bucket());
    // An isolate that has nothing in its caches.
    await t.dispose();
    t = await startTimberline({ persist });
    assert.deepEqual(await seen(t), before);
    assert.ok(t.logs.length > 0 && t.logs.every(({ message }) => /index .* was passed over/.test(message)), JSON.stringify(t.logs));
  }
});

test("what a search reads of the catalog does not grow with what it holds", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const at = Date.now() + 2 * HOUR;
  await rounds(t, 0, 2, at);
  await t.cron(HOURLY, at + 3 * DAY);
  await rounds(t, 2, 1, at + 4 * DAY);
  // Thousands of segments more of the same index: rows like the one that is there, each with a number of its own.
  const d1 = await t.d1();
  const columns = (await t.rows("SELECT name FROM pragma_table_info('segments')")).map(({ name }) => name);
  const value = { key: "key || n", max_ms: "max_ms + n", ordinal: "1000 + n" };
  await d1
    .prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) INSERT INTO segments (${columns.join()}) SELECT ${columns.map((name) => value[name] ?? name).join()} FROM segments, numbers WHERE indexed_in IS NOT NULL AND ordinal = 0`,
    )
    .run();
  assert.ok((await t.rows("SELECT count(*) AS count FROM segments"))[0].count > 5_000);
  const asked = async (most) => {
    for (const [q, found] of [["needle1x7", 1], ["needle2x7", 1], ["nowhere", 0]]) {
      const before = await counters(t);
      const { data, stats } = await get(t, `/logs/search?q=${q}`);
      const read = (await counters(t)).d1_rows_read - before.d1_rows_read;
      assert.equal(data.length, found, q);
      assert.ok(stats.segments <= most && read < 60, `${q}: ${read} rows read, ${JSON.stringify(stats)}`);
    }
  };
  await asked(3);
  // What was in no index is each in one of its own, which is not asked.
  const copied = ["tenant", "name || n", "min_ms", "max_ms", "pairs", "1", "parts", "header"];
  await d1
    .prepare(
      `INSERT INTO partitions (tenant, name, min_ms, max_ms, pairs, segments, parts, header, number) SELECT ${copied.join()}, number + n FROM (SELECT * FROM partitions LIMIT 1), (SELECT row_number() OVER (ORDER BY key) AS n FROM segments WHERE indexed_in IS NULL)`,
    )
    .run();
  await d1
    .prepare(
      "UPDATE segments SET ordinal = 0, indexed_in = (SELECT min(number) FROM partitions) + (SELECT count(*) FROM segments AS other WHERE other.indexed_in IS NULL AND other.key <= segments.key) WHERE indexed_in IS NULL",
    )
    .run();
  assert.equal((await t.rows("SELECT count(*) AS count FROM segments WHERE indexed_in IS NULL"))[0].count, 0);
  await asked(3);
});
