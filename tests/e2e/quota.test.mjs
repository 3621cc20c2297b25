// Daily quotas are exact on real objects, however many requests come at once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { assertError, assertSameIds, call, everything, flush, get } from "./helpers.mjs";

const LIMIT = 50;

async function put(t, service, max_logs_per_day) {
  const { status, body } = await call(t, `/api/v1/logs/config/${service}`, { method: "PUT", json: { max_logs_per_day } });
  assert.equal(status, 200, JSON.stringify(body));
}

const batch = (count, service = "api") => Array.from({ length: count }, (_, n) => ({ service, message: `number ${n}` }));

// A day that ends in the middle of a test would give each quota twice.
async function notAtMidnight() {
  const left = 86_400_000 - (Date.now() % 86_400_000);
  if (left < 120_000) await new Promise((done) => setTimeout(done, left + 1_000));
}

describe("daily quotas", () => {
  for (const shards of ["1", "3"]) {
    test(`20 requests at once fill a quota of ${LIMIT} exactly, over ${shards} shards`, async (context) => {
      await notAtMidnight();
      const t = await startTimberline({ persist: stateDir(context), vars: { SHARDS_PER_TENANT: shards } });
      context.after(() => t.dispose());
      await put(t, "api", LIMIT);

      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => call(t, "/api/v1/logs/batch", { json: [...batch(1 + (n % 7)), { service: "free", message: `${n}` }], headers: n % 2 ? { "idempotency-key": `${n}` } : {} })),
      );
      const ids = answers.flatMap(({ body }) => body.ids);
      for (const [n, { status, body }] of answers.entries()) {
        // The record of the other service is stored whatever happens to these.
        assert.equal(status, 200, JSON.stringify(body));
        assert.equal(body.accepted + body.rejected.length, 2 + (n % 7));
        for (const { code, field } of body.rejected) assert.deepEqual([code, field], ["quota_exceeded", "max_logs_per_day"]);
      }
      assert.equal((await get(t, "/api/v1/logs/stats/api")).total, LIMIT);
      assert.equal((await get(t, "/api/v1/logs/stats/free")).total, 20);
      assertSameIds((await everything(t)).map(({ id }) => id), ids);

      // What is written behind an answer must be there before the crash.
      const audited = async () => (await get(t, "/admin/audit?limit=1000")).data;
      let records = [];
      for (let tries = 0; tries < 50 && !(records.some((one) => one.component === "alert") && records.some((one) => one.component === "refusal")); tries += 1) {
        await new Promise((done) => setTimeout(done, 100));
        records = await audited();
      }

      for (const happens of [() => {}, () => flush(t), () => t.crash()]) {
        await happens();
        const refused = await call(t, "/logs", { json: { service: "api", message: "one more" } });
        assertError(refused, 429, "quota_exceeded", "max_logs_per_day");
        assert.ok(Number(refused.headers.get("retry-after")) > 0);
        const none = await call(t, "/api/v1/logs/batch", { json: batch(3) });
        assert.deepEqual([none.status, none.body.error.code, none.body.accepted], [429, "quota_exceeded", 0]);
        const replay = await call(t, "/api/v1/logs/batch", { json: [...batch(2), { service: "free", message: "1" }], headers: { "idempotency-key": "1" } });
        assert.deepEqual([replay.status, replay.body], [200, answers[1].body]);
      }
      assertSameIds((await everything(t)).map(({ id }) => id), ids);

      records = await audited();
      const alerts = records.filter((one) => one.component === "alert");
      assert.equal(alerts.length, 1, JSON.stringify(records));
      assert.equal(alerts[0].level, "ERROR");
      assert.match(alerts[0].message, /quota_exceeded: the service api has sent the 50 logs/);
      assert.ok(records.some((one) => one.component === "refusal"));
    });
  }

  test("a tenant's quota is of all its services together", async (context) => {
    await notAtMidnight();
    const t = await startTimberline({ vars: { SHARDS_PER_TENANT: "3" } });
    context.after(() => t.dispose());
    const made = await call(t, "/admin/domains", { json: { domain: "logs.example.com", tenantId: "default", config: { maxLogsPerDay: LIMIT } } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => call(t, "/api/v1/logs/batch", { json: [...batch(2, "a"), ...batch(2, `s${n}`)] })));
    const ids = answers.flatMap(({ body }) => body.ids);
    assert.equal(ids.length, LIMIT);
    assertSameIds((await everything(t)).map(({ id }) => id), ids);
    assert.ok(answers.some(({ status }) => status === 429));
    assertError(await call(t, "/logs", { json: { service: "new", message: "m" } }), 429, "quota_exceeded", "max_logs_per_day");
  });
});
