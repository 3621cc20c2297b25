// From the write-ahead log to segments: by itself when the log is full, again after whatever stopped it, never twice.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ROOT, startTimberline, stateDir, until } from "./harness.mjs";
import { assertError, assertSameIds, call, everything, flush, get, store } from "./helpers.mjs";

const logs = (service, count) => Array.from({ length: count }, (_, n) => ({ service, message: `${service} ${n}` }));
const start = async (context, options) => {
  const t = await startTimberline(options);
  context.after(() => t.dispose());
  return t;
};
const ids = async (t) => (await everything(t)).map(({ id }) => id);
const act = (t) => call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "flush" } });

/** Asserts that catalog and bucket hold the same segments, with just these records in them. */
async function assertStored(t, expected) {
  const [catalog, objects] = [await t.rows("SELECT key, rows, size_bytes FROM segments ORDER BY key"), await t.objects()];
  assert.deepEqual(objects.map(({ key, size }) => [key, size]), catalog.map(({ key, size_bytes }) => [key, size_bytes]));
  assert.equal(catalog.reduce((sum, { rows }) => sum + rows, 0), expected.length);
  assertSameIds(await ids(t), expected);
}

describe("a flush", () => {
  test("happens by itself when the log is full, and every record is found while it does", async (context) => {
    const t = await start(context, { persist: stateDir(context) });
    const expected = [];
    // Text that does not deflate to nothing, 8 MB a batch.
    const filler = Array.from({ length: 2_000 }, (_, n) => (n * 2_654_435_761).toString(36)).join(" ");
    for (let batch = 0; batch < 3; batch += 1) {
      expected.push(...(await store(t, logs(`full-${batch}`, 400).map((one, n) => ({ ...one, message: `${one.message} ${n} ${filler}` })))));
      assert.equal((await get(t, `/api/v1/logs/recent/full-${batch}?limit=1`)).data.length, 1);
    }
    await until(async () => (await t.rows("SELECT key FROM segments")).length > 0, { ms: 20_000, what: "a flush without a request" });
    assertSameIds((await everything(t, {}, { partial: true })).map(({ id }) => id), expected);
    await t.crash();
    await flush(t);
    assertSameIds((await everything(t, {}, { partial: true })).map(({ id }) => id), expected);
    assert.equal((await t.rows("SELECT sum(rows) AS rows FROM segments"))[0].rows, expected.length);
  });

  for (const crashes of [false, true]) {
    test(`that stopped between bucket and catalog is done again${crashes ? " after a crash" : ""}, and nothing is there twice`, async (context) => {
      const t = await start(context, { persist: stateDir(context) });
      const expected = await store(t, logs("a", 50));
      await (await t.d1()).exec("ALTER TABLE segments RENAME TO away");
      assertError(await act(t), 503, "unavailable");
      assert.equal((await t.objects("logs/")).length, 1);
      if (crashes) await t.crash();
      else assert.match((await get(t, "/admin/self-healing")).shards[0].last_error, /catalog/);
      await (await t.d1()).exec("ALTER TABLE away RENAME TO segments");
      assertSameIds(await ids(t), expected);
      expected.push(...(await store(t, logs("b", 30))));
      await flush(t);
      await assertStored(t, expected);
      assert.equal((await get(t, "/admin/self-healing")).shards[0].last_error, null);
    });
  }

  test("that is asked for many times at once is done once", async (context) => {
    const t = await start(context);
    const expected = await store(t, logs("a", 100));
    const answers = await Promise.all(Array.from({ length: 12 }, () => flush(t)));
    assert.equal(answers.reduce((sum, { rows }) => sum + rows, 0), 100);
    await assertStored(t, expected);
  });

  test("keeps services with different TTLs in segments of their own class", async (context) => {
    const t = await start(context);
    for (const [service, ttl_days] of [["brief", 7], ["long", 90]]) {
      assert.equal((await call(t, `/api/v1/logs/config/${service}`, { json: { ttl_days }, method: "PUT" })).status, 200);
    }
    const mixed = Array.from({ length: 60 }, (_, n) => ({ service: ["brief", "long", "plain"][n % 3], message: `number ${n}` }));
    const expected = await store(t, mixed);
    assert.equal((await flush(t)).segments, 3);
    await assertStored(t, expected);
    const classes = (await t.objects()).map(({ key }) => /^logs\/default\/(d\d+|[a-z]+)\/\d{4}\/\d\d\/\d\d\/\d{3}-\d{12}-\d{12}\.seg\.gz$/.exec(key)?.[1]);
    assert.deepEqual(classes.sort(), ["d7", "d90", "standard"]);
  });

  test("writes what gzip takes and docs/read-a-segment.py reads", async (context) => {
    const t = await start(context);
    await store(t, logs("plain", 10));
    await flush(t);
    const [{ key }] = await t.objects();
    const file = join(stateDir(context), "segment.seg.gz");
    writeFileSync(file, Buffer.from(await (await (await t.bucket()).get(key)).arrayBuffer()));
    assert.equal(spawnSync("gzip", ["-t", file], { encoding: "utf8" }).stderr, "");
    const text = execFileSync("python3", [join(ROOT, "docs/read-a-segment.py"), file], { encoding: "utf8" });
    const messages = text.trim().split("\n").map((line) => JSON.parse(line).message);
    assert.deepEqual(messages, logs("plain", 10).map(({ message }) => message));
  });

  test("with several shards flushes them all, and a search reads them all", async (context) => {
    const t = await start(context, { vars: { SHARDS_PER_TENANT: "3" } });
    const expected = [];
    for (let n = 0; n < 40; n += 1) expected.push(...(await store(t, logs(`request-${n}`, 3))));
    const { shards } = await get(t, "/admin/self-healing");
    assert.deepEqual(shards.map(({ shard, unflushed_commits }) => [shard, unflushed_commits > 0]), [[0, true], [1, true], [2, true]]);
    assertSameIds(await ids(t), expected);
    assert.equal((await flush(t)).segments, 3);
    await assertStored(t, expected);
  });
});
