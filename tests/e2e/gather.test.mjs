// Appends of one isolate that come at the same moment share calls to their shard: none is lost, none is another's.
import assert from "node:assert/strict";
import http from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ROOT, startTimberline } from "./harness.mjs";
import { assertSameIds, counters, everything, many, raw } from "./helpers.mjs";

describe("logs that many send at once, one by one", () => {
  let t;
  let agent;
  before(async () => {
    t = await startTimberline();
    agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  });
  after(async () => {
    agent.destroy();
    await t.dispose();
  });

  const post = (record) => raw(t, "/logs", { method: "POST", headers: { authorization: `Bearer ${t.key}`, "content-type": "application/json" }, body: JSON.stringify(record), agent });

  // So many that V8 compiles what is run: then a promise may belong to nobody.
  test("are each stored once, with fewer calls to the shard than logs", { timeout: 120_000 }, async () => {
    const before = (await counters(t)).shard_requests;
    const answers = await many(6_000, 32, (n) => post({ service: "gathered", message: `number ${n}` }));
    assert.deepEqual(answers.filter(({ status }) => status !== 201), []);
    const calls = (await counters(t)).shard_requests - before;
    assert.ok(calls < 3_000, `${calls} calls`);
    const found = await everything(t, { service: "gathered" });
    assertSameIds(found.map(({ id }) => id), answers.map(({ body }) => body.id));
    const messages = new Map(found.map(({ id, message }) => [id, message]));
    answers.forEach(({ body }, n) => assert.equal(messages.get(body.id), `number ${n}`));
  });

  test("cost nobody an answer whose neighbour hangs up", { timeout: 120_000 }, async () => {
    let ended = false;
    const { hostname, port } = new URL(t.url);
    const body = JSON.stringify({ service: "hung-up", message: "x" });
    const hangUp = () => new Promise((done) => {
      const socket = connect(port, hostname, () => {
        socket.write(`POST /logs HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${t.key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
        setTimeout(() => socket.destroy(), Math.random() * 10);
      });
      socket.on("error", () => {}).on("close", done);
    });
    let times = 0;
    const hangingUp = many(4, 4, async () => {
      for (; !ended; times += 1) await hangUp();
    });
    const answers = await many(1_000, 8, (n) => post({ service: "stayed", message: `number ${n}` }));
    ended = true;
    await hangingUp;
    assert.ok(times > 20, `${times} hung up`);
    assert.deepEqual(answers.filter(({ status }) => status !== 201), []);
    assertSameIds((await everything(t, { service: "stayed" })).map(({ id }) => id), answers.map(({ body }) => body.id));
  });
});

/** The module itself in a Worker, with a shard that does what the test says: `ask` answers what each append came to. */
describe("a gathering Worker", () => {
  let mf;
  let ask;
  before(async () => {
    const folder = join(ROOT, "src/platform/durable");
    const script = `
      import { append, calls_made } from "./gather.js";
      const calls = [];
      const split = (body) => { const view = new DataView(body.buffer), sizes = []; for (let at = 0; at < body.length; at += 4 + sizes.at(-1)) sizes.push(view.getUint32(at, true)); return sizes; };
      const wait = (ms) => new Promise((done) => setTimeout(done, ms));
      const shard = (does) => ({ getByName: (name) => ({ fetch: async (url, { body }) => {
        const sizes = split(body);
        calls.push(sizes);
        await wait(20);
        if (does === "fails") throw new Error("out of order");
        if (does === "refuses") return new Response("not now", { status: 503 });
        return new Response(sizes.slice(does === "is short" ? 1 : 0).map((size) => name + " " + size + "\\n").join(""));
      } }) });
      const never = { getByName: () => ({ fetch: () => new Promise(() => {}) }) };
      export default { async fetch(request) {
        const [name, sizes, does] = await request.json();
        if (does === "dies") { append(never, name, "https://shard/", new Uint8Array(1)); return Response.json([]); }
        calls.length = 0;
        const one = (size) => append(shard(does), name, "https://shard/", new Uint8Array(size)).then(String, (error) => "error: " + error.message);
        const before = calls_made();
        const answers = await Promise.all(sizes.map(one));
        return Response.json({ answers, calls, made: calls_made() - before });
      } };`;
    mf = new Miniflare(convertV4MiniflareOptions({
      host: "127.0.0.1", port: 0, cf: false,
      workers: [{ name: "gathering", compatibilityDate: "2026-11-01", modulesRoot: folder, modules: [{ type: "ESModule", path: join(folder, "worker.js"), contents: script }, { type: "ESModule", path: join(folder, "gather.js") }] }],
    }));
    ask = async (...asked) => (await mf.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify(asked) })).json();
  });
  after(() => mf.dispose());

  test("sends what comes during a call with the next one, and gives each its answer", async () => {
    const { answers, calls, made } = await ask("t/0", [1, 2, 3, 4]);
    assert.deepEqual(answers, ["t/0 1", "t/0 2", "t/0 3", "t/0 4"]);
    assert.deepEqual([calls, made], [[[1], [2, 3, 4]], 2]);
  });

  test("lets what has no room go by itself", async () => {
    const ROOM = 256 * 1024;
    const { answers, calls } = await ask("t/0", [1, 2, ROOM + 1, ROOM - 2, 3]);
    assert.deepEqual(answers, [1, 2, ROOM + 1, ROOM - 2, 3].map((size) => `t/0 ${size}`));
    assert.deepEqual(calls.toSorted((a, b) => a[0] - b[0]), [[1], [2, ROOM - 2], [3], [ROOM + 1]].toSorted((a, b) => a[0] - b[0]));
  });

  test("tells all of a call that it failed, and goes on", async () => {
    assert.deepEqual((await ask("t/0", [1, 2, 3], "fails")).answers, Array(3).fill("error: out of order"));
    assert.deepEqual((await ask("t/0", [1, 2], "refuses")).answers, Array(2).fill("error: it answered 503: not now"));
    assert.deepEqual((await ask("t/0", [1, 2, 3], "is short")).answers, Array(3).fill("error: it did not answer each append"));
    assert.deepEqual((await ask("t/0", [7])).answers, ["t/0 7"]);
  });

  test("waits for no call of a request that was ended", async () => {
    await ask("t/1", [], "dies");
    const begun = Date.now();
    assert.deepEqual((await ask("t/1", [5, 6])).answers, ["t/1 5", "t/1 6"]);
    assert.ok(Date.now() - begun < 5_000);
  });
});
