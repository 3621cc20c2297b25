// What producer Workers do becomes logs, by nothing but `tail_consumers`.
// Locally a trace item has no script name, no CPU time and no outcome but `ok` and `exception`: the other shapes
// are tested where trace items are read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, startTimberline, until } from "./harness.mjs";
import { flush, get, search } from "./helpers.mjs";

const EXAMPLE = join(ROOT, "examples/producer");
const SERVICE = "unknown-worker";

const TALKER = `
  import { DurableObject } from "cloudflare:workers";

  export class Clock extends DurableObject {
    async fetch() {
      await this.ctx.storage.setAlarm(Date.now());
      return new Response("set");
    }
    alarm() {
      console.log("alarm rang");
    }
  }

  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      switch (pathname) {
        case "/levels":
          console.log("by log"); console.info("by info"); console.debug("by debug"); console.warn("by warn"); console.error("by error");
          break;
        case "/values":
          console.log("cart", { items: [1, "two"], open: true }, ["a", null], 42, false, "end");
          console.log();
          console.log("Grüße 👋", "\\n\\"quoted\\"");
          break;
        case "/errors":
          console.error("payment failed:", new RangeError("too much"));
          break;
        case "/silent":
          break;
        case "/throw":
          console.log("before the throw");
          throw new TypeError("thrown on purpose");
        case "/throw-text":
          throw "a text and no error";
        case "/reject":
          await Promise.reject(new Error("rejected on purpose"));
        case "/queue":
          await env.ORDERS.send({ order: 1 });
          break;
        case "/alarm":
          return env.CLOCK.get(env.CLOCK.idFromName("one")).fetch(request);
      }
      return new Response("done", { status: pathname === "/levels" ? 418 : 200 });
    },
    scheduled(event) {
      console.log("scheduled at", event.cron);
      if (event.cron === "5 5 5 5 5") throw new Error("the job failed");
    },
    queue(batch) {
      console.warn("received", batch.messages.length);
    },
  };`;

let t;
before(async () => {
  t = await startTimberline({
    producers: [
      { name: "example", script: readFileSync(join(EXAMPLE, "index.js"), "utf8") },
      {
        name: "talker",
        script: TALKER,
        queueProducers: { ORDERS: { queueName: "orders" } },
        queueConsumers: { orders: { maxBatchSize: 1, maxBatchTimeout: 0 } },
        durableObjects: { CLOCK: { className: "Clock", useSQLite: true } },
      },
    ],
  });
});
after(() => t?.dispose());

/** Sends a request to a producer; what it throws comes back as an error here. */
const visit = async (name, url, init) => {
  const worker = await t.producer(name);
  return worker.fetch(url, init).then(async (answer) => ({ status: answer.status, text: await answer.text() }), (error) => ({ error }));
};

/** The records that a search for `q` finds, oldest first, when there are `count`. */
const found = (q, count) =>
  until(
    async () => {
      const { data } = await search(t, { q, limit: 1_000 });
      return data.length >= count && data.reverse();
    },
    { ms: 15_000, what: `${count} records for ${q}` },
  );

describe("a request to a producer", () => {
  test("the example's logs and exception arrive with the request that they belong to", async () => {
    assert.match(readFileSync(join(EXAMPLE, "wrangler.toml"), "utf8"), /^tail_consumers = \[\{ service = "timberline" \}\]$/m);
    const answer = await visit("example", "http://shop.example/warn?basket=7", { method: "POST", headers: { "cf-ray": "8f0f8f0f8f0f8f0f-VIE" } });
    assert.equal(answer.status, 200);
    const [log, warning] = await found('"basket=7"', 2);
    for (const record of [log, warning]) {
      assert.deepEqual([record.service, record.source_type, record.endpoint, record.method, record.status], [SERVICE, "tail", "/warn", "POST", 200]);
      assert.equal(record.correlation_id, "8f0f8f0f8f0f8f0f-VIE");
      const { event_type, url, outcome, truncated, colo, cpu_ms, wall_ms } = record.metadata;
      assert.deepEqual([event_type, url, outcome, truncated], ["fetch", "http://shop.example/warn?basket=7", "ok", false]);
      assert.deepEqual([typeof colo, typeof cpu_ms, typeof wall_ms], ["string", "number", "number"]);
      assert.ok(Math.abs(Date.parse(record.timestamp) - Date.now()) < 60_000);
    }
    assert.deepEqual([log.level, log.message], ["INFO", "request for /warn"]);
    assert.deepEqual([warning.level, warning.message], ["WARN", 'disk almost full {"percent":93}']);

    const failed = await visit("example", "http://shop.example/throw?basket=8");
    assert.match(String(failed.error), /asked to throw/);
    const [before, exception] = await found('"basket=8"', 2);
    assert.deepEqual([before.level, before.message], ["INFO", "request for /throw"]);
    assert.deepEqual([exception.level, exception.message, exception.error_type], ["ERROR", "TypeError: the example was asked to throw", "TypeError"]);
    assert.match(exception.stack_trace, /at Object\.fetch/);
    assert.deepEqual([exception.metadata.outcome, exception.endpoint, exception.status, exception.correlation_id], ["exception", "/throw", undefined, undefined]);
  });

  test("each console method has its level, and the calls keep their order", async () => {
    await visit("talker", "http://talker/levels");
    const records = await found('"http://talker/levels"', 5);
    assert.deepEqual(records.map(({ message, level }) => [message, level]), [["by log", "INFO"], ["by info", "INFO"], ["by debug", "DEBUG"], ["by warn", "WARN"], ["by error", "ERROR"]]);
    assert.deepEqual(new Set(records.map(({ status }) => status)), new Set([418]));
  });

  test("several arguments are joined, objects and arrays as JSON, and a call without any is kept", async () => {
    await visit("talker", "http://talker/values");
    const records = await found('"http://talker/values"', 3);
    assert.deepEqual(records.map(({ message }) => message), ['cart {"items":[1,"two"],"open":true} ["a",null] 42 false end', "", 'Grüße 👋 \n"quoted"']);
  });

  test("an Error among the arguments gives the record its type and stack", async () => {
    await visit("talker", "http://talker/errors");
    const [record] = await found('"http://talker/errors"', 1);
    assert.deepEqual([record.level, record.message, record.error_type], ["ERROR", "payment failed: RangeError: too much", "RangeError"]);
    assert.match(record.stack_trace, /at Object\.fetch/);
  });

  test("what is thrown and what is rejected is one record each", async () => {
    for (const [path, message, before] of [
      ["/throw", "TypeError: thrown on purpose", 1],
      ["/throw-text", "Error: a text and no error", 0],
      ["/reject", "Error: rejected on purpose", 0],
    ]) {
      assert.ok((await visit("talker", `http://talker${path}`)).error);
      const records = await found(`"http://talker${path}"`, before + 1);
      const own = records.filter(({ endpoint }) => endpoint === path);
      assert.deepEqual(own.map(({ level, message }) => [level, message]).slice(before), [["ERROR", message]]);
    }
  });

  test("a request that says nothing and ends well leaves no record", async () => {
    await visit("talker", "http://talker/silent");
    await visit("talker", "http://talker/levels?after=silent");
    await found('"after=silent"', 5);
    assert.deepEqual((await search(t, { q: '"http://talker/silent"' })).data, []);
  });
});

describe("other events of a producer", () => {
  test("a cron trigger that runs, and one that fails", async () => {
    const worker = await t.producer("talker");
    const at = new Date(Date.now() - 5_000);
    await worker.scheduled({ cron: "1 2 3 4 5", scheduledTime: at });
    const [record] = await found('"scheduled at 1 2 3 4 5"', 1);
    const { event_type, cron, scheduled_time, outcome } = record.metadata;
    assert.deepEqual([record.source_type, record.level, event_type, cron, Date.parse(scheduled_time), outcome], ["tail", "INFO", "scheduled", "1 2 3 4 5", at.getTime(), "ok"]);
    assert.deepEqual([record.endpoint, record.method, record.status], [undefined, undefined, undefined]);

    await worker.scheduled({ cron: "5 5 5 5 5", scheduledTime: at });
    const [failure] = await found('"the job failed"', 1);
    assert.deepEqual([failure.level, failure.message, failure.error_type], ["ERROR", "Error: the job failed", "Error"]);
    assert.deepEqual([failure.metadata.cron, failure.metadata.outcome], ["5 5 5 5 5", "exception"]);
  });

  test("a batch of a queue", async () => {
    await visit("talker", "http://talker/queue");
    const [record] = await found('"received 1"', 1);
    const { event_type, queue, batch_size } = record.metadata;
    assert.deepEqual([record.level, event_type, queue, batch_size], ["WARN", "queue", "orders", 1]);
  });

  test("an alarm of a Durable Object", async () => {
    await visit("talker", "http://talker/alarm");
    const [record] = await found('"alarm rang"', 1);
    const { event_type, entrypoint, execution_model, durable_object_id } = record.metadata;
    assert.deepEqual([event_type, entrypoint, execution_model], ["alarm", "Clock", "durableObject"]);
    assert.match(durable_object_id, /^[0-9a-f]{64}$/);
  });
});

test("tail records are records: counted, flushed, and found by their id", async () => {
  await visit("example", "http://shop.example/?kept=yes");
  const [{ id }] = await found('"kept=yes"', 1);
  await flush(t);
  const record = await get(t, `/api/v1/logs/${id}/full`);
  assert.deepEqual([record.source_type, record.message, record.r2_key !== null], ["tail", "request for /", true]);
  assert.ok((await get(t, `/api/v1/logs/stats/${SERVICE}`)).total >= 1);
});

test("an error of Timberline's own tail would be seen: there was none", () => {
  assert.deepEqual(t.logs.filter(({ message }) => /trace item|catalog|shard/.test(message)), []);
});
