// kill -9 of workerd at random moments under load: what was acknowledged is there afterwards, exactly once.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { assertSameIds, call, everything, flush, get, randomOf, repeated } from "./helpers.mjs";

const ROUNDS = 20;
const SEED = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31));

/** Sends until it is told to stop; collects what was acknowledged, by client, and what became of it. */
class Load {
  acknowledged = [];
  refused = new Map();
  lost = 0;
  flushes = 0;
  /** Requests with an Idempotency-Key: each is sent until it is acknowledged, and must be stored once. */
  retried = new Map();
  #running = false;
  #serial = 0;

  constructor(t, random) {
    this.t = t;
    this.random = random;
  }

  /** Runs all clients; answers a promise of their end. */
  start() {
    this.#running = true;
    const clients = [
      ...Array.from({ length: 6 }, () => () => this.#lone()),
      ...Array.from({ length: 2 }, () => () => this.#batch()),
      ...Array.from({ length: 2 }, (_, n) => () => this.#retry(n)),
      () => this.#flush(),
    ];
    return Promise.all(clients.map((client) => this.#loop(client)));
  }

  stop() {
    this.#running = false;
  }

  async #loop(client) {
    while (this.#running) await client();
  }

  /** Sends; what comes back as a 2xx is acknowledged, what is cut off may be stored or not. */
  async #send(path, json, headers) {
    try {
      const { status, body } = await call(this.t, path, { json, headers, signal: AbortSignal.timeout(20_000) });
      if (status === 200 || status === 201) return body;
      this.refused.set(status, [...(this.refused.get(status) ?? []), body].slice(0, 3));
    } catch (error) {
      assert.notEqual(error.name, "TimeoutError", "a request was never answered");
      this.lost += 1;
    }
    // The port is closed while workerd is away: asking it without a pause would only heat the machine.
    await new Promise((wake) => setTimeout(wake, 5));
    return undefined;
  }

  #log(kind) {
    this.#serial += 1;
    return { service: kind, level: "INFO", message: `${kind} ${this.#serial}` };
  }

  async #lone() {
    const body = await this.#send("/logs", this.#log("lone"));
    if (body) this.acknowledged.push(body.id);
  }

  async #batch() {
    const size = 1 + Math.floor(this.random() * 400);
    const body = await this.#send("/api/v1/logs/batch", Array.from({ length: size }, () => this.#log("batch")));
    if (body) this.acknowledged.push(...body.ids);
  }

  /** The same request again and again, over crashes too, until it is acknowledged; then a new one. */
  async #retry(client) {
    const open = this.retried.get(client) ?? { done: [], current: this.#log("retried") };
    this.retried.set(client, open);
    const { current } = open;
    const body = await this.#send("/logs", current, { "idempotency-key": current.message });
    if (!body) return;
    this.acknowledged.push(body.id);
    open.done.push(current.message);
    open.current = this.#log("retried");
  }

  async #flush() {
    const body = await this.#send("/admin/self-healing/actions", { action: "execute", actionId: "flush" });
    if (body) this.flushes += 1;
    await new Promise((wake) => setTimeout(wake, this.random() * 100));
  }
}

async function check(context, t, load, when) {
  const found = await everything(t);
  const ids = found.map(({ id }) => id);
  const known = new Set(load.acknowledged);
  assertSameIds(ids.filter((id) => known.has(id)), load.acknowledged, `${when}: acknowledged ids`);
  assert.deepEqual(repeated(ids), [], `${when}: ids found twice`);
  // Messages are all different: one that is there twice was stored twice, under two ids.
  assert.deepEqual(repeated(found.map(({ message }) => message)), [], `${when}: messages stored twice`);
  const retried = new Set(found.filter(({ service }) => service === "retried").map(({ message }) => message));
  for (const { done } of load.retried.values()) {
    assert.deepEqual(done.filter((message) => !retried.has(message)), [], `${when}: retried requests that are missing`);
  }
  const { data } = await get(t, "/api/v1/logs/services");
  assert.equal(data.reduce((sum, { total }) => sum + total, 0), found.length, `${when}: counts`);
  for (let n = 0; n < 25; n += 1) {
    const id = load.acknowledged[Math.floor(load.random() * load.acknowledged.length)];
    assert.equal((await get(t, `/api/v1/logs/${id}`)).id, id, when);
  }
  context.diagnostic(`${when}: ${load.acknowledged.length} acknowledged, ${found.length} found`);
  return ids;
}

test(`after ${ROUNDS} crashes under load every acknowledged log is found exactly once`, { timeout: 300_000 }, async (context) => {
  context.diagnostic(`CRASH_SEED=${SEED}`);
  const random = randomOf(SEED);
  const t = await startTimberline({ persist: stateDir(context) });
  context.after(() => t.dispose());
  const load = new Load(t, random);
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = load.acknowledged.length;
    const ended = load.start();
    await new Promise((wake) => setTimeout(wake, 30 + random() * 700));
    await t.crash();
    load.stop();
    await ended;
    // The newest that was acknowledged is what a crash would take first.
    const last = load.acknowledged.at(-1);
    if (load.acknowledged.length > before) assert.equal((await get(t, `/api/v1/logs/${last}`)).id, last, `round ${round}`);
  }
  context.diagnostic(`${load.lost} requests cut off, ${load.flushes} flushes answered`);
  assert.deepEqual([...load.refused], [], "answers that are no 2xx, the first of each status");
  assert.deepEqual(t.logs.filter(({ message }) => /panic|unreachable/.test(message)).slice(0, 1), []);
  assert.ok(load.acknowledged.length > 1_000, "the load was too small to show anything");
  assert.ok(load.lost > 0, "no crash hit a request");

  const unflushed = await check(context, t, load, "after the crashes");
  await flush(t);
  assertSameIds(await check(context, t, load, "after a flush"), unflushed);
  await t.crash();
  assertSameIds(await check(context, t, load, "after a flush and one more crash"), unflushed);

  const [catalog, objects] = [await t.rows("SELECT key, size_bytes FROM segments ORDER BY key"), await t.objects()];
  assert.deepEqual(objects.map(({ key, size }) => [key, size]), catalog.map(({ key, size_bytes }) => [key, size_bytes]), "objects and catalog differ");
});
