// A shard that cannot be reached: what comes in meanwhile is acknowledged, found, and brought home once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { assertSameIds, call, everything, flush, get, search, store } from "./helpers.mjs";

const SPOOL = "*/5 * * * *";
const DAILY = "0 2 * * *";

/**
 * Stands between Timberline and its shards. `up` passes every call on, `down` refuses all, `deaf` passes appends on
 * and loses their answers, `throws` throws.
 */
const GATE = `
  import { DurableObject } from "cloudflare:workers";
  let mode = "up";

  export class Gate extends DurableObject {
    async fetch(request) {
      if (mode === "throws") throw new Error("the shard is broken");
      if (mode === "down") return new Response("the shard is down", { status: 503 });
      const { pathname, searchParams } = new URL(request.url);
      const shard = this.env.SHARD.getByName(searchParams.get("shard"));
      const answer = await shard.fetch(request);
      if (mode === "deaf" && pathname === "/appends") {
        await answer.arrayBuffer();
        throw new Error("the answer was lost");
      }
      return answer;
    }
  }

  export default {
    async fetch(request) {
      mode = new URL(request.url).pathname.slice(1);
      return new Response(mode);
    },
  };`;

/** An instance whose shards stand behind the gate. */
async function start(context, persist) {
  const t = await startTimberline({
    persist,
    worker: { durableObjects: { SHARD: { className: "Gate", scriptName: "gate" }, OWN: { className: "ShardObject", useSQLite: true } } },
    producers: [{ name: "gate", script: GATE, tails: [], durableObjects: { SHARD: { className: "ShardObject", scriptName: "timberline" }, OWN: { className: "Gate", useSQLite: true } } }],
  });
  context.after(() => t.dispose());
  const gate = async (mode) => {
    const worker = await t.producer("gate");
    assert.equal(await (await worker.fetch(`http://gate/${mode}`)).text(), mode);
  };
  return { t, gate };
}

const logs = (service, count) => Array.from({ length: count }, (_, n) => ({ service, message: `${service} ${n}` }));
const ids = async (t, options) => (await everything(t, {}, options)).map(({ id }) => id);
// The audit stream has shards of its own behind the gate: what it says of the requests is spooled as well, for itself.
const spooled = async (t) => (await t.objects("spool/default/")).map(({ key }) => key);

/** What must hold once everything has come home. */
async function assertHome(t, expected) {
  assert.deepEqual(await spooled(t), []);
  assert.deepEqual(await t.rows("SELECT * FROM spooled WHERE tenant = 'default'"), []);
  const state = await get(t, "/admin/self-healing");
  assert.deepEqual([state.spooled, state.shards[0].reachable], [0, true]);
  for (const flushed of [false, true]) {
    if (flushed) await flush(t);
    assertSameIds(await ids(t), expected, flushed ? "after the flush" : "before the flush");
    const { data } = await get(t, "/api/v1/logs/services");
    assert.equal(data.reduce((sum, { total }) => sum + total, 0), expected.length);
  }
}

describe("the spool", () => {
  for (const mode of ["down", "throws"]) {
    test(`with a shard that ${mode === "down" ? "answers 503" : "throws"}, logs are acknowledged, found at once, and brought home by the cron`, async (context) => {
      const { t, gate } = await start(context);
      const before = await store(t, logs("before", 10));
      await flush(t);
      await gate(mode);
      const lone = await call(t, "/logs", { json: { service: "during", message: "alone" } });
      assert.equal(lone.status, 201);
      const during = [lone.body.id, ...(await store(t, logs("during", 50)))];
      assert.deepEqual((await spooled(t)).length, 2);

      const page = await search(t, { limit: 1_000 });
      assert.equal(page.stats.partial, true);
      assertSameIds(page.data.map(({ id }) => id), [...before, ...during]);
      assertSameIds((await search(t, { q: "alone" })).data.map(({ id }) => id), [lone.body.id]);
      assert.equal((await get(t, `/api/v1/logs/${lone.body.id}`)).message, "alone");
      const [missing] = [await call(t, "/api/v1/logs/01a1f000-0000-7000-8000-000000000000")];
      assert.equal(missing.status, 503, "what may be in the shard is not said to be nowhere");
      const state = await get(t, "/admin/self-healing");
      assert.deepEqual([state.spooled, state.shards[0].reachable], [2, false]);
      const refused = await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "flush" } });
      assert.equal(refused.status, 503);

      // Still away: the cron leaves everything where it is.
      await t.cron(SPOOL);
      assertSameIds(await ids(t, { partial: true }), [...before, ...during]);

      await gate("up");
      await t.cron(SPOOL);
      await t.cron(SPOOL);
      await assertHome(t, [...before, ...during]);
    });
  }

  test("an append whose answer was lost is in the shard and in the spool, and is found and counted once", async (context) => {
    const { t, gate } = await start(context);
    await gate("deaf");
    const twice = await store(t, logs("twice", 20));
    assert.equal((await spooled(t)).length, 1);
    assertSameIds((await search(t, { limit: 1_000 })).data.map(({ id }) => id), twice);
    await gate("up");
    assertSameIds(await ids(t), twice);
    await t.cron(SPOOL);
    await assertHome(t, twice);
  });

  test("an append whose answer was lost, flushed before its copy comes home, is stored once", async (context) => {
    const { t, gate } = await start(context);
    await gate("deaf");
    const twice = await store(t, logs("twice", 20));
    // The shard's own alarm may flush at any time: the flush action would empty the spool first.
    const namespace = await t.mf.getDurableObjectNamespace("SHARD", "gate");
    const answer = await namespace.get(namespace.idFromName("default/0")).fetch("https://shard/flush?shard=default/0", { method: "POST" });
    assert.equal(answer.status, 200);
    assert.equal((await t.rows("SELECT rows FROM segments"))[0].rows, 20);
    await gate("up");
    assertSameIds(await ids(t), twice);
    await t.cron(SPOOL);
    await assertHome(t, twice);
  });

  test("the flush action brings the spool home first", async (context) => {
    const { t, gate } = await start(context);
    await gate("down");
    const during = await store(t, logs("during", 5));
    await gate("up");
    assert.equal((await flush(t)).rows, 5);
    await assertHome(t, during);
  });

  test("what is spooled outlives a crash, and the shard's own logs are back when it is", async (context) => {
    const { t, gate } = await start(context, stateDir(context));
    const before = await store(t, logs("before", 5));
    await gate("down");
    const during = await store(t, logs("during", 5));
    await t.crash();
    await gate("down");
    const page = await search(t);
    assert.equal(page.stats.partial, true);
    assertSameIds(page.data.map(({ id }) => id), during);
    await gate("up");
    assertSameIds(await ids(t), [...before, ...during]);
    await t.cron(SPOOL);
    await t.crash();
    await t.cron(SPOOL);
    await assertHome(t, [...before, ...during]);
  });

  test("with the catalog away as well, logs are acknowledged and brought home all the same", async (context) => {
    const { t, gate } = await start(context);
    const db = await t.d1();
    await gate("down");
    await db.exec("ALTER TABLE spooled RENAME TO away");
    const during = await store(t, logs("during", 5));
    await db.exec("ALTER TABLE away RENAME TO spooled");
    await gate("up");
    assert.equal((await spooled(t)).length, 1);
    await t.cron(DAILY);
    await t.cron(SPOOL);
    await assertHome(t, during);
  });

  test("a request with an Idempotency-Key is not spooled, and its retry is stored once with one id", async (context) => {
    const { t, gate } = await start(context);
    const send = (key) => call(t, "/logs", { json: { service: "retried", message: key }, headers: { "idempotency-key": key } });
    const expected = [];
    for (const mode of ["down", "deaf", "throws"]) {
      await gate(mode);
      assert.equal((await send(mode)).status, 503, mode);
      await gate("up");
      const { body } = await send(mode);
      expected.push(body.id);
      await gate("down");
      assert.equal((await send(mode)).status, 503, "only its shard knows");
      await gate("up");
      assert.equal((await send(mode)).body.id, body.id, mode);
    }
    assert.deepEqual(await spooled(t), []);
    await assertHome(t, expected);
  });

  test("a shard that is away costs one object a request, and the spool is empty again after many", async (context) => {
    const { t, gate } = await start(context);
    await gate("down");
    const expected = [];
    for (let n = 0; n < 130; n += 1) expected.push(...(await store(t, logs(`many-${n % 7}`, 2))));
    assert.equal((await spooled(t)).length, 130);
    assertSameIds(await ids(t, { partial: true }), expected);
    await gate("up");
    await t.cron(SPOOL);
    await assertHome(t, expected);
  });
});
