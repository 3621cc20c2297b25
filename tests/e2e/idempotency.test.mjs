// A request that is sent again with its Idempotency-Key is answered again and stored once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { assertError, assertSameIds, call, everything, flush, get } from "./helpers.mjs";

describe("Idempotency-Key", () => {
  const batch = (service, count) => Array.from({ length: count }, (_, n) => ({ service, message: `number ${n}` }));
  const send = (t, key, json, path = Array.isArray(json) ? "/api/v1/logs/batch" : "/logs") => call(t, path, { json, headers: { "idempotency-key": key } });

  const between = {
    "before a flush": async () => {},
    "after a flush": (t) => flush(t),
    "after a crash": (t) => t.crash(),
    "after a flush and a crash": async (t) => {
      await flush(t);
      await t.crash();
    },
    "after a crash and a flush": async (t) => {
      await t.crash();
      await flush(t);
    },
  };
  for (const [when, happens] of Object.entries(between)) {
    test(`a retry ${when} answers the same ids and stores nothing`, async (context) => {
      const t = await startTimberline({ persist: stateDir(context) });
      context.after(() => t.dispose());
      const one = await send(t, "lone", { service: "a", message: "once" });
      const many = await send(t, "batch", batch("a", 20));
      const plain = await call(t, "/logs", { json: { service: "a", message: "without a key" } });
      await happens(t);
      for (let times = 0; times < 2; times += 1) {
        const again = await send(t, "lone", { service: "a", message: "once" });
        assert.deepEqual([again.status, again.body], [201, one.body]);
        const manyAgain = await send(t, "batch", batch("a", 20));
        assert.deepEqual([manyAgain.status, manyAgain.body], [200, many.body]);
      }
      const ids = [one.body.id, ...many.body.ids, plain.body.id];
      assertSameIds((await everything(t)).map(({ id }) => id), ids);
      assertError(await send(t, "lone", { service: "a", message: "another" }), 422, "idempotency_key_reused", "Idempotency-Key");
      assertError(await send(t, "batch", batch("a", 19)), 422, "idempotency_key_reused", "Idempotency-Key");
      await flush(t);
      assertSameIds((await everything(t)).map(({ id }) => id), ids);
      assert.equal((await get(t, "/api/v1/logs/stats/a")).total, ids.length);
    });
  }

  test("retries that run at once are stored once and all get the same answer", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(t, "at once", batch("a", 5))));
    for (const { status, body } of answers) assert.deepEqual([status, body], [200, answers[0].body]);
    assertSameIds((await everything(t)).map(({ id }) => id), answers[0].body.ids);
  });

  test("different keys with the same body, and requests without a key, are different requests", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const record = { service: "a", message: "the same" };
    const sent = [await send(t, "first", record), await send(t, "second", record), await call(t, "/logs", { json: record }), await call(t, "/logs", { json: record })];
    const ids = sent.map(({ body }) => body.id);
    assert.equal(new Set(ids).size, 4);
    assertSameIds((await everything(t)).map(({ id }) => id), ids);
  });

  test("a request in which nothing was good may be mended and sent with the same key", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    assert.equal((await send(t, "mended", { service: "a" })).status, 400);
    assert.equal((await send(t, "mended", { service: "a", message: "m" })).status, 201);
  });

  test("a partial batch that is retried keeps its ids and its rejections", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const records = [{ service: "a", message: "good" }, { service: "a" }, { service: "a", message: "good too" }];
    const [first, again] = [await send(t, "partial", records), await send(t, "partial", records)];
    assert.deepEqual([again.status, again.body], [200, first.body]);
    assert.equal((await everything(t)).length, 2);
  });

  test("a key that is no key is refused", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    for (const key of ["", "k".repeat(256), "naïve"]) {
      assertError(await send(t, key, { service: "a", message: "m" }), 400, "invalid_header", "Idempotency-Key");
    }
    assert.equal((await send(t, "k".repeat(255), { service: "a", message: "m" })).status, 201);
  });
});
