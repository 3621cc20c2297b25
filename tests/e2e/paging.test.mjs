// Pages that neither repeat nor skip, while logs arrive and the shard flushes between them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, everything, flush, get, search, store } from "./helpers.mjs";

const NOW = Date.now();

/** Records of which many share a time, some to the millisecond and some only within one. */
function crowd(count, { service = "crowd", from = NOW - 60_000, every = 50, step = 2 } = {}) {
  return Array.from({ length: count }, (_, n) => {
    const whole = new Date(from + Math.floor(n / every) * step).toISOString();
    return { service, message: `number ${n}`, timestamp: n % 2 === 0 ? whole : whole.replace("Z", `${String(n % 7).padStart(3, "0")}Z`) };
  });
}

const inOrder = (rows) => rows.toSorted((a, b) => compare(key(b), key(a)));
const key = ({ timestamp, id }) => `${timestamp.replace(/(?:\.(\d+))?Z$/, (_, fraction = "") => `.${fraction.padEnd(9, "0")}`)} ${id}`;
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

describe("pages", () => {
  test("a walk by cursor shows every record once, newest first, with flushes and arrivals between its pages", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const ids = await store(t, crowd(400));
    await flush(t);
    ids.push(...(await store(t, crowd(300, { from: NOW - 60_003 }))));

    const arrived = new Set();
    let pages = 0;
    const between = async (found) => {
      pages += 1;
      // Newer than all, older than all that is left, and at the very time where the walk stands.
      const at = found.at(-1).timestamp;
      const sent = [{ timestamp: Date.now() }, { timestamp: NOW - 3_600_000 }, { timestamp: at }].map((one) => ({ service: "late", message: "arrived between pages", ...one }));
      for (const id of await store(t, sent)) arrived.add(id);
      if (pages % 2 === 0) await flush(t);
    };
    const found = await everything(t, { limit: 37 }, { between });
    assert.ok(pages >= 18);
    assert.deepEqual(found.map(({ id }) => id), inOrder(found).map(({ id }) => id));
    const first = found.map(({ id }) => id).filter((id) => !arrived.has(id));
    assertSameIds(first, ids);
    assertSameIds(found.map(({ id }) => id), [...ids, ...found.map(({ id }) => id).filter((id) => arrived.has(id))]);

    assertSameIds((await everything(t, { limit: 99 })).map(({ id }) => id), [...ids, ...arrived]);
  });

  test("records of one single time are paged by their ids", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const same = crowd(350, { every: 1_000 }).map((one) => ({ ...one, timestamp: NOW - 1_000 }));
    const ids = [];
    for (let at = 0; at < same.length; at += 50) {
      ids.push(...(await store(t, same.slice(at, at + 50))));
      if (at % 100 === 0) await flush(t);
    }
    for (const limit of [1_000, 100, 50, 13]) {
      const found = (await everything(t, { limit })).map(({ id }) => id);
      assert.deepEqual(found, ids.toSorted().reverse(), `limit ${limit}`);
    }
  });

  test("a walk with filters shows what matches and nothing else", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const mixed = crowd(300).map((one, n) => ({ ...one, service: n % 3 === 0 ? "a" : "b", level: n % 5 === 0 ? "ERROR" : "INFO" }));
    const ids = await store(t, mixed.slice(0, 150));
    await flush(t);
    ids.push(...(await store(t, mixed.slice(150))));
    for (const [query, wanted] of [
      [{ service: "a" }, ({ service }) => service === "a"],
      [{ service: "b", level: "ERROR" }, ({ service, level }) => service === "b" && level === "ERROR"],
      [{ q: '"number 7"' }, ({ message }) => /number 7\b/.test(message)],
      [{ start_time: mixed[100].timestamp, end_time: mixed[200].timestamp }, ({ timestamp }) => key({ timestamp }) >= key(mixed[100]) && key({ timestamp }) <= key(mixed[200])],
    ]) {
      const found = await everything(t, { ...query, limit: 11 });
      assertSameIds(found.map(({ id }) => id), ids.filter((_, n) => wanted({ ...mixed[n], id: "" })), JSON.stringify(query));
    }
  });

  test("offset, page and cursor cut the same list into the same pages", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    await store(t, crowd(250));
    await flush(t);
    await store(t, crowd(250, { from: NOW - 60_005 }));
    const all = (await search(t, { limit: 1_000 })).data.map(({ id }) => id);
    assert.equal(all.length, 500);
    const pages = { cursor: [], offset: [], page: [] };
    for (let at = 0, cursor = ""; at < 500; at += 60) {
      const byCursor = await search(t, { limit: 60, cursor });
      pages.cursor.push(...byCursor.data);
      cursor = byCursor.next_cursor ?? "";
      const byOffset = await search(t, { limit: 60, offset: at });
      pages.offset.push(...byOffset.data);
      assert.equal(byOffset.next_cursor, byCursor.next_cursor);
      pages.page.push(...(await get(t, `/api/v1/logs?page=${at / 60 + 1}&page_size=60`)).data);
    }
    for (const [how, rows] of Object.entries(pages)) assert.deepEqual(rows.map(({ id }) => id), all, how);
  });

  test("a walk sees what was acknowledged before it began, though a flush runs all the while", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    for (let round = 0; round < 8; round += 1) {
      const service = `round-${round}`;
      const ids = await store(t, crowd(200, { service }));
      const [found] = await Promise.all([everything(t, { service, limit: 25 }), flush(t)]);
      assertSameIds(found.map(({ id }) => id), ids, `round ${round}`);
    }
  });
});
