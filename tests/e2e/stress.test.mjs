// Everything at once: clients send, shards flush, compaction runs, and readers find each acknowledged log, once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertSameIds, call, everything, flush, get, randomOf, repeated } from "./helpers.mjs";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const COMPACTION = "17 * * * *";
const SPOOL = "*/5 * * * *";

const ROUNDS = 10;
/** Clients that send batches, how many of them a round and how long; then those that send lone logs. */
const BATCHES = { clients: 3, a_round: 4, logs: 15 };
const LONE = { clients: 3, a_round: 5 };
const READERS = 2;
/** Readers that do nothing but count, how often they do a round, and how often the shard is flushed meanwhile. */
const COUNTERS = 4;
const COUNTED = 25;
const FLUSHES = 12;

test("each acknowledged log is found exactly once, while others arrive and everything moves", async (context) => {
  const t = await startTimberline();
  context.after(() => t.dispose());
  const ledger = new Ledger(t);
  const readers = times(READERS, (n) => new Reader(t, ledger, n + 1));
  const counters = times(COUNTERS, (n) => new Reader(t, ledger, n + 1 + READERS));
  let segments = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    await Promise.all([
      ...times(BATCHES.clients, (client) => repeat(BATCHES.a_round, () => ledger.sendBatch(`batch-${client}`))),
      ...times(LONE.clients, (client) => repeat(LONE.a_round, () => ledger.sendOne(`lone-${client}`))),
      ...readers.map((reader) => repeat(2, () => reader.check(`round ${round}`))),
      // A flush takes moments: who counts all the while meets it at every step.
      repeat(FLUSHES, async () => (segments += (await flush(t)).segments)),
      ...counters.map((counter) => repeat(COUNTED, (nth) => counter.count(COUNTS[nth % 2], `round ${round}`))),
      // The hour is not over, but for a clock that is ahead; every third time two run at once.
      repeat(3, async (nth) => {
        const runs = await Promise.all(times(nth === 2 ? 2 : 1, () => t.cron(COMPACTION, Date.now() + 2 * HOUR)));
        assert.deepEqual(runs.map(({ outcome }) => outcome), runs.map(() => "ok"));
      }),
    ]);
  }

  const merged = await t.rows("SELECT count(*) AS n FROM segments WHERE key LIKE '%/merged-%'");
  context.diagnostic(`${ledger.acknowledged.length} logs, ${segments} segments flushed, ${merged[0].n} left of merges, ${readers.reduce((sum, { pages }) => sum + pages, 0)} pages read`);
  assert.ok(segments >= ROUNDS && merged[0].n > 0, "something was flushed and merged meanwhile");
  assert.equal(ledger.acknowledged.length, ROUNDS * (BATCHES.clients * BATCHES.a_round * BATCHES.logs + LONE.clients * LONE.a_round));
  assert.equal(ledger.sent, ledger.acknowledged.length);
  await readers[0].checkAll("at the end");
  await flush(t);
  await t.cron(COMPACTION, Date.now() + 2 * HOUR);
  await t.cron(SPOOL, Date.now() + 2 * DAY);
  assert.deepEqual((await t.objects("logs/")).map(({ key }) => key), (await t.rows("SELECT key FROM segments ORDER BY key")).map(({ key }) => key));
  await readers[0].checkAll("in segments alone");
  assert.deepEqual(t.logs, []);
});

/** What has been sent, and what of it has been acknowledged. */
class Ledger {
  /** Logs that may be found. */
  sent = 0;
  /** Logs that must be found: `{ id, message, trace, together }`, the last being how many share the trace. */
  acknowledged = [];
  #t;

  constructor(t) {
    this.#t = t;
  }

  async sendBatch(service) {
    const logs = this.#make(service, BATCHES.logs);
    const { status, body } = await call(this.#t, "/api/v1/logs/batch", { json: { logs } });
    assert.equal(status, 200, JSON.stringify(body));
    this.#note(logs, body.ids);
  }

  async sendOne(service) {
    const logs = this.#make(service, 1);
    const { status, body } = await call(this.#t, "/logs", { json: logs[0] });
    assert.ok(status === 200 || status === 201, JSON.stringify(body));
    this.#note(logs, [body.id]);
  }

  #make(service, count) {
    const first = this.sent;
    this.sent += count;
    const trace_id = `trace${String(first).padStart(6, "0")}`;
    return times(count, (n) => ({ service, level: ["INFO", "ERROR"][n % 2], message: `order ${first + n} was taken`, trace_id }));
  }

  #note(logs, ids) {
    assert.equal(ids.length, logs.length);
    this.acknowledged.push(...logs.map(({ message, trace_id: trace }, n) => ({ id: ids[n], message, trace, together: logs.length })));
  }
}

/** Asks in every way, and demands what was acknowledged before it asked and no more than was sent when it was answered. */
class Reader {
  pages = 0;
  /** The highest answer to each question; none is ever lower. */
  #most = new Map();
  #t;
  #ledger;
  #random;

  constructor(t, ledger, seed) {
    this.#t = t;
    this.#ledger = ledger;
    this.#random = randomOf(seed);
  }

  async check(when) {
    await this.#walk(when);
    for (const question of COUNTS) await this.count(question, when);
    for (let n = 0; n < 4 && this.#ledger.acknowledged.length > 0; n += 1) {
      const { acknowledged } = this.#ledger;
      await this.#lookUp(acknowledged[Math.floor(this.#random() * acknowledged.length)], when);
    }
  }

  /** The same when nothing else is going on, so that every answer is exact. */
  async checkAll(when) {
    await this.check(when);
    const { acknowledged } = this.#ledger;
    assertSameIds((await everything(this.#t, { limit: 200 })).map(({ id }) => id), acknowledged.map(({ id }) => id), when);
    for (const { path, sum } of COUNTS) assert.equal(sum(await get(this.#t, path)), acknowledged.length, `${when}: ${path}`);
    for (const log of acknowledged.filter((_, n) => n % 50 === 0)) await this.#lookUp(log, when);
  }

  async #walk(when) {
    const due = [...this.#ledger.acknowledged];
    const found = await everything(this.#t, { limit: 150 }, { between: async () => void (this.pages += 1) });
    this.pages += 1;
    const messages = new Map(found.map(({ id, message }) => [id, message]));
    assert.deepEqual(repeated(found.map(({ id }) => id)), [], `${when}: found more than once`);
    assert.deepEqual(repeated(found.map(({ message }) => message)), [], `${when}: stored more than once`);
    assert.deepEqual(due.filter(({ id, message }) => messages.get(id) !== message).slice(0, 5), [], `${when}: missing`);
    assert.ok(found.length <= this.#ledger.sent, `${when}: ${found.length} found of ${this.#ledger.sent}`);
  }

  async count({ path, sum }, when) {
    const least = Math.max(this.#ledger.acknowledged.length, this.#most.get(path) ?? 0);
    const body = await get(this.#t, path);
    const count = sum(body);
    assert.ok(!body.stats?.partial, `${when}: ${path} is partial`);
    assert.ok(count >= least && count <= this.#ledger.sent, `${when}: ${path} counts ${count}, not ${least} to ${this.#ledger.sent}`);
    this.#most.set(path, count);
  }

  async #lookUp({ id, message, trace, together }, when) {
    assert.equal((await get(this.#t, `/api/v1/logs/${id}`)).message, message, when);
    const { data } = await get(this.#t, `/api/v1/trace/${trace}`);
    assert.equal(new Set(data.map((record) => record.id)).size, together, `${when}: ${trace}`);
    assert.equal(data.length, together, `${when}: ${trace}`);
    const { data: found } = await get(this.#t, `/api/v1/logs/search?${new URLSearchParams({ q: `trace_id:${trace} AND "${message}"` })}`);
    assert.deepEqual(found.map((record) => record.id), [id], `${when}: ${message}`);
  }
}

/** Counts of all logs: from the roll-ups, from the columns, from the rows, and by services. */
const COUNTS = [
  { path: "/api/v1/stats?stats=count", sum: total },
  { path: "/api/v1/stats?stats=count&by=service,level", sum: total },
  { path: "/api/v1/stats?stats=count&q=order", sum: total },
  { path: "/api/v1/histogram?interval=1m&start_time=1h", sum: total },
  { path: "/api/v1/logs/services", sum: ({ data }) => data.reduce((sum, { total }) => sum + total, 0) },
];

function total({ data }) {
  return data.reduce((sum, { count }) => sum + count, 0);
}

const times = (count, make) => Array.from({ length: count }, (_, n) => make(n));

/** One after the other. */
async function repeat(count, work) {
  for (let n = 0; n < count; n += 1) await work(n);
}
