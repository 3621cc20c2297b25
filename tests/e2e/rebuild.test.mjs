// The catalog made again from the bucket, on a real D1 and R2.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, call, everything, flush, get, store } from "./helpers.mjs";

const HOUR = 3_600_000;
const COMPACTION = "17 * * * *";
const SPOOL = "*/5 * * * *";

const rebuild = async (t) => {
  const { status, body } = await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "rebuild-catalog" } });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.actionId, body.status], ["rebuild-catalog", "done"]);
  return body.result;
};

/** Every row of the catalog but for how often it was replaced. */
const rows = (t) => t.rows("SELECT tenant, max_ms, key, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, size_bytes, footer_offset, services, rollup FROM segments ORDER BY key");

async function some(t, flushes) {
  const ids = [];
  for (let n = 0; n < flushes; n += 1) {
    ids.push(...(await store(t, Array.from({ length: 20 }, (_, m) => ({ service: `s${m % 3}`, message: `flush ${n} number ${m}`, timestamp: Date.now() - m * 60_000 })))));
    await flush(t);
  }
  return ids;
}

test("the catalog's segments come back from the bucket alone", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const ids = await some(t, 6);
  const all = async () => (await everything(t)).map(({ id }) => id);
  const [before, records, counts] = [await rows(t), await everything(t), await get(t, "/api/v1/logs/services")];
  const d1 = await t.d1();

  await d1.prepare("DELETE FROM segments").run();
  assert.deepEqual(await all(), []);
  const flushed = await rebuild(t);
  assert.deepEqual([flushed.segments_added, flushed.rows_added, flushed.superseded], [6, 120, 0]);
  assert.deepEqual([await rows(t), await everything(t), await get(t, "/api/v1/logs/services")], [before, records, counts]);

  // Merged, with the old objects still there, and with all that the catalog knew gone.
  const at = Date.now() + 2 * HOUR;
  await t.cron(COMPACTION, at);
  ids.push(...(await some(t, 2)));
  const merged = await rows(t);
  assert.ok(merged.length < 6, `${merged.length} rows`);
  for (const lost of [["segments"], ["segments", "removals"], ["segments", "removals", "epochs"]]) {
    for (const table of lost) await d1.prepare(`DELETE FROM ${table}`).run();
    await rebuild(t);
    assert.deepEqual(await rows(t), merged, lost.join());
    assertSameIds(await all(), ids, lost.join());
  }
  await t.cron(SPOOL, at + 48 * HOUR);
  assert.deepEqual((await t.objects("logs/")).map(({ key }) => key), merged.map(({ key }) => key));
  assertSameIds(await all(), ids, "swept");

  // And what has no object goes.
  await (await t.bucket()).delete(merged[0].key);
  assert.equal((await rebuild(t)).entries_removed, 1);
  assert.deepEqual(await rows(t), merged.slice(1));
  const again = await rebuild(t);
  assert.deepEqual(again, { segments_added: 0, rows_added: 0, indexes_added: 0, superseded: 0, entries_removed: 0, unreadable: 0 });
  assert.deepEqual(t.logs, []);
});
