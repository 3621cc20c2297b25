// The schedule, with a turned clock: what is past its TTL goes, objects and catalog together, and nothing else.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertError, assertSameIds, call, counters, everything, flush, get, store } from "./helpers.mjs";

const DAY = 86_400_000;
const EXPIRY = "0 2 * * *";
const COMPACTION = "17 * * * *";
const SPOOL = "*/5 * * * *";
const NOW = Date.now();

const logs = (service, count, ageDays = 0) => Array.from({ length: count }, (_, n) => ({ service, message: `${service} ${n}`, timestamp: NOW - ageDays * DAY - n }));
const setTtl = async (t, service, ttl_days) => assert.equal((await call(t, `/api/v1/logs/config/${service}`, { json: { ttl_days }, method: "PUT" })).status, 200);
const ids = async (t) => (await everything(t)).map(({ id }) => id);

/** The keys that the catalog has, and those that the bucket has. */
async function stored(t) {
  const [rows, objects] = [await t.rows("SELECT key FROM segments ORDER BY key"), await t.objects("logs/")];
  return { catalog: rows.map(({ key }) => key), bucket: objects.map(({ key }) => key) };
}

const start = async (context, options) => {
  const t = await startTimberline(options);
  context.after(() => t.dispose());
  return t;
};

describe("expiry", () => {
  test("each service is kept for its own TTL, others for the default, and a second run changes nothing", async (context) => {
    const t = await start(context);
    await setTtl(t, "brief", 5);
    await setTtl(t, "long", 90);
    const [brief, plain, long] = [await store(t, logs("brief", 20)), await store(t, logs("plain", 20)), await store(t, logs("long", 20))];
    await flush(t);
    const before = await stored(t);
    assert.deepEqual(before.bucket, before.catalog);
    assert.equal(before.catalog.length, 3);

    for (const [days, left] of [
      [4.9, [brief, plain, long]],
      [5.1, [plain, long]],
      [29.9, [plain, long]],
      [30.1, [long]],
      [89.9, [long]],
      [90.1, []],
    ]) {
      for (const run of ["first", "second"]) {
        assert.equal((await t.cron(EXPIRY, NOW + days * DAY)).outcome, "ok");
        const after = await stored(t);
        assert.deepEqual(after.bucket, after.catalog, `day ${days}, ${run} run`);
        assert.equal(after.catalog.length, left.length, `day ${days}, ${run} run`);
        assert.deepEqual(await t.rows("SELECT * FROM removals"), []);
        assertSameIds(await ids(t), left.flat(), `day ${days}, ${run} run`);
      }
    }
    assertError(await call(t, `/api/v1/logs/${brief[0]}`), 404, "not_found");
    assert.equal((await get(t, "/api/v1/logs/stats/brief")).total, 0);
    assert.deepEqual((await get(t, "/api/v1/logs/services")).data, []);
  });

  test("DEFAULT_TTL_DAYS is the default, for keeping and for what is too old to take", async (context) => {
    const t = await start(context, { vars: { DEFAULT_TTL_DAYS: "3" } });
    assertError(await call(t, "/logs", { json: { service: "a", message: "m", timestamp: NOW - 4 * DAY } }), 400, "timestamp_too_old", "timestamp");
    assert.equal((await get(t, "/api/v1/logs/config/a")).ttl_days, 3);
    const kept = await store(t, logs("a", 5));
    await flush(t);
    await t.cron(EXPIRY, NOW + 2.9 * DAY);
    assertSameIds(await ids(t), kept);
    await t.cron(EXPIRY, NOW + 3.1 * DAY);
    assert.deepEqual(await stored(t), { catalog: [], bucket: [] });
  });

  test("a lowered TTL takes effect on what is stored already, and spares its neighbours in the same segment", async (context) => {
    const t = await start(context);
    const [doomed, kept] = [await store(t, logs("doomed", 300, 10)), await store(t, logs("kept", 200, 10))];
    await flush(t);
    const { catalog: [old] } = await stored(t);
    const [before] = await t.rows("SELECT rows, size_bytes FROM segments");
    assert.equal(before.rows, 500);
    await setTtl(t, "doomed", 7);
    await t.cron(EXPIRY, NOW);

    assertSameIds(await ids(t), kept);
    const [rewritten, ...none] = await t.rows("SELECT key, rows, size_bytes FROM segments");
    assert.deepEqual([none, rewritten.rows], [[], 200]);
    assert.notEqual(rewritten.key, old);
    assert.ok(rewritten.size_bytes < before.size_bytes);
    assertError(await call(t, `/api/v1/logs/${doomed[7]}`), 404, "not_found");
    assert.deepEqual([(await get(t, `/api/v1/logs/${kept[7]}/full`)).r2_key], [rewritten.key]);
    assert.equal((await get(t, "/api/v1/logs/stats/kept")).total, 200);

    // Readers may still hold the old entry: its object stays a day, and a run after that takes it.
    await t.cron(EXPIRY, NOW + DAY);
    assert.equal((await stored(t)).bucket.length, 2);
    await t.cron(EXPIRY, NOW + DAY + 1);
    assert.deepEqual(await stored(t), { catalog: [rewritten.key], bucket: [rewritten.key] });
    assert.deepEqual(await t.rows("SELECT * FROM removals"), []);
    assertSameIds(await ids(t), kept);
  });

  test("within one service the old go and the young stay", async (context) => {
    const t = await start(context);
    await store(t, logs("a", 100, 20));
    const young = await store(t, logs("a", 100, 1));
    await flush(t);
    await t.cron(EXPIRY, NOW + 11 * DAY);
    assertSameIds(await ids(t), young);
    await flush(t);
    await t.cron(EXPIRY, NOW + 11 * DAY);
    assertSameIds(await ids(t), young);
  });

  test("more segments than one batch of the clean-up all go, and those that were flushed later stay", async (context) => {
    const t = await start(context, { vars: { CLEANUP_BATCH_SIZE: "3" } });
    for (let n = 0; n < 8; n += 1) {
      await store(t, logs("old", 2, 25 + n / 10));
      await flush(t);
    }
    const young = [];
    for (let n = 0; n < 4; n += 1) {
      young.push(...(await store(t, logs("young", 2, n))));
      await flush(t);
    }
    assert.equal((await stored(t)).catalog.length, 12);
    await t.cron(EXPIRY, NOW + 10 * DAY);
    const left = await stored(t);
    assert.equal(left.catalog.length, 4);
    assert.deepEqual(left.bucket, left.catalog);
    assertSameIds(await ids(t), young);
  });

  test("a run that was killed between catalog and bucket is finished by the next", async (context) => {
    const t = await start(context);
    await store(t, logs("a", 10));
    await flush(t);
    const [{ key }] = await t.rows("SELECT key FROM segments");
    // As the run leaves it when it stops after its transaction.
    const db = await t.d1();
    await db.batch([db.prepare("DELETE FROM segments"), db.prepare("INSERT INTO removals (key, noted_ms) VALUES (?, ?)").bind(key, NOW)]);
    assert.deepEqual(await ids(t), []);
    await t.cron(EXPIRY, NOW + DAY + 1);
    assert.deepEqual(await stored(t), { catalog: [], bucket: [] });
    assert.deepEqual(await t.rows("SELECT * FROM removals"), []);
  });

  test("what is not flushed yet is not touched", async (context) => {
    const t = await start(context);
    const waiting = await store(t, logs("a", 10));
    await t.cron(EXPIRY, NOW + 5 * DAY);
    assertSameIds(await ids(t), waiting);
  });
});

test("no cron does anything on nothing", async (context) => {
  const t = await start(context);
  for (const cron of [EXPIRY, COMPACTION, SPOOL, EXPIRY, COMPACTION, SPOOL]) assert.equal((await t.cron(cron)).outcome, "ok");
  const { d1_rows_written, shard_rows_written, r2_writes, r2_deletes } = await counters(t);
  assert.deepEqual({ d1_rows_written, shard_rows_written, r2_writes, r2_deletes }, { d1_rows_written: 0, shard_rows_written: 0, r2_writes: 0, r2_deletes: 0 });
  assert.deepEqual(t.logs, []);
});

test("the cron of the spool expires nothing", async (context) => {
  const t = await start(context);
  const kept = await store(t, logs("a", 10));
  await flush(t);
  await t.cron(SPOOL, NOW + 365 * DAY);
  assertSameIds(await ids(t), kept);
});
