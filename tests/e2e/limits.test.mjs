// Rate limits: never more than the limit in a window, however many come at once, and said in the headers.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { as, assertError, call, makeKey, makeTenant, many, raw } from "./helpers.mjs";

const VARS = { RATE_LIMIT_REQUESTS: "50", RATE_LIMIT_WINDOW: "60", RATE_LIMIT_BATCHES: "5" };
const RECORD = { service: "limited", message: "m" };

describe("a limit of 50 requests and 5 batches a minute", () => {
  let t;
  let agent;
  before(async () => {
    t = await startTimberline({ vars: VARS });
    agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  });
  after(async () => {
    agent?.destroy();
    await t?.dispose();
  });

  let addresses = 0;
  /** An address that nobody has called from. */
  const address = () => `192.0.2.${(addresses += 1)}`;
  /** So many requests over 50 connections, by the statuses of their answers. */
  async function burst(count, key, { path = "/api/v1/logs/configs", from = address(), ...options } = {}) {
    const headers = { authorization: `Bearer ${key}`, ...(options.body ? { "content-type": "application/json" } : {}) };
    const answers = await many(count, 50, (n) => raw(t, path, { ...options, agent, headers: { ...headers, "cf-connecting-ip": typeof from === "function" ? from(n) : from } }));
    return Object.groupBy(answers, ({ status }) => status);
  }
  const count = (answers, status) => answers[status]?.length ?? 0;

  test("lets 50 of 500 requests through that come at once, and tells the others when to come again", async () => {
    const { key } = await makeKey(t, { role: "operator" });
    const answers = await burst(500, key);
    assert.deepEqual(Object.keys(answers), ["200", "429"]);
    assert.ok(count(answers, 200) >= 45 && count(answers, 200) <= 51, `${count(answers, 200)} let through`);
    for (const { headers } of answers[200]) {
      assert.equal(headers["ratelimit-limit"], "50");
      assert.ok(Number(headers["ratelimit-remaining"]) <= 49, headers["ratelimit-remaining"]);
      assert.ok(Number(headers["ratelimit-reset"]) <= 61, headers["ratelimit-reset"]);
      assert.equal(headers["retry-after"], undefined);
    }
    for (const { headers, body } of answers[429]) {
      assert.equal(body.error.code, "rate_limited");
      assert.equal(body.error.request_id, headers["x-request-id"]);
      assert.deepEqual([headers["ratelimit-limit"], headers["ratelimit-remaining"]], ["50", "0"]);
      const wait = Number(headers["retry-after"]);
      assert.ok(wait >= 1 && wait <= 61, headers["retry-after"]);
    }
    // Another key, from another address, is not concerned.
    assert.equal(count(await burst(10, (await makeKey(t, { role: "operator" })).key), 200), 10);
  });

  test("holds an address to it, whatever keys it has", async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => makeKey(t, { role: "operator" })));
    const from = address();
    const answers = await Promise.all(keys.map(({ key }) => burst(40, key, { from })));
    const through = answers.reduce((sum, one) => sum + count(one, 200), 0);
    assert.ok(through >= 40 && through <= 51, `${through} let through`);
    assert.equal(answers.reduce((sum, one) => sum + count(one, 429), 0), 160 - through);
  });

  test("holds a key to it from many addresses", async () => {
    const { key } = await makeKey(t, { role: "operator" });
    const answers = await burst(200, key, { from: (n) => `198.51.100.${n % 100}` });
    assert.ok(count(answers, 200) >= 45 && count(answers, 200) <= 51, `${count(answers, 200)} let through`);
  });

  test("counts batches for themselves, whatever they hold", async () => {
    const { key } = await makeKey(t, { role: "operator" });
    const batch = { method: "POST", path: "/api/v1/logs/batch", body: JSON.stringify([RECORD, RECORD]) };
    const batches = await burst(20, key, batch);
    assert.deepEqual([count(batches, 200), count(batches, 429)], [5, 15]);
    assert.equal(batches[429][0].headers["ratelimit-limit"], "5");
    const lone = await burst(10, key, { method: "POST", path: "/logs", body: JSON.stringify(RECORD) });
    assert.equal(count(lone, 201), 10, "single records go on");
  });

  test("is not that of a key, or of a tenant, with one of its own", async () => {
    const less = await makeKey(t, { role: "operator", rate_limit: { requests: 7, windowSeconds: 600, batches: 2 } });
    const few = await burst(30, less.key);
    assert.deepEqual([count(few, 200), count(few, 429)], [7, 23]);
    assert.equal(few[429][0].headers["ratelimit-limit"], "7");
    assert.ok(Number(few[429][0].headers["retry-after"]) > 61);

    const more = await makeKey(t, { role: "operator", rate_limit: { requests: 1_000 } });
    assert.equal(count(await burst(150, more.key), 200), 150, "also from one address");

    await makeTenant(t, "small", { config: { rateLimit: { requests: 12, batches: 3 } } });
    const own = await makeKey(t, { role: "operator", tenantId: "small" });
    const some = await burst(40, own.key);
    assert.deepEqual([count(some, 200), count(some, 429)], [12, 28]);
    const exempt = await makeKey(t, { role: "operator", tenantId: "small", rate_limit: { requests: 100 } });
    assert.equal(count(await burst(60, exempt.key), 200), 60, "the key's own comes first");
    const changed = await call(t, "/admin/domains/small.example.com", { json: { config: { rateLimit: { requests: 20 } } }, method: "PATCH" });
    assert.equal(changed.status, 200);
    assert.equal(count(await burst(40, (await makeKey(t, { role: "operator", tenantId: "small" })).key), 200), 20);
  });

  test("is not for the deployment's own key", async () => {
    const answers = await burst(300, t.key);
    assert.equal(count(answers, 200), 300);
    assert.equal(answers[200][0].headers["ratelimit-limit"], undefined);
  });

  test("comes before what the role may do, and a refused key counts for nobody", async () => {
    const { key } = await makeKey(t, { role: "ingest" });
    const from = address();
    const answers = await burst(80, key, { path: "/logs", from });
    assert.ok(count(answers, 403) <= 51 && count(answers, 429) >= 29, JSON.stringify(Object.entries(answers).map(([status, list]) => [status, list.length])));
    const other = address();
    assert.equal(count(await burst(80, "wrong", { from: other }), 403), 80);
    assert.equal((await call(as(t, (await makeKey(t, { role: "operator" })).key, { "cf-connecting-ip": other }), "/logs")).status, 200);
  });
});

test("a window opens again when it is over", async (context) => {
  const t = await startTimberline({ vars: { ...VARS, RATE_LIMIT_REQUESTS: "5", RATE_LIMIT_WINDOW: "2" } });
  context.after(() => t.dispose());
  const limited = as(t, (await makeKey(t, { role: "operator" })).key);
  const through = [];
  for (const end = Date.now() + 4_500; Date.now() < end; ) {
    const sent = Date.now();
    const answer = await call(limited, "/api/v1/logs/configs");
    if (answer.status === 200) through.push({ sent, answered: Date.now() });
    else assertError(answer, 429, "rate_limited");
  }
  assert.ok(through.length >= 10, `${through.length} let through in 4.5 s`);
  for (const [nth, { answered }] of through.slice(5).entries()) {
    const took = answered - through[nth].sent;
    assert.ok(took >= 2_000, `6 let through within ${took} ms`);
  }
});

test("RATE_LIMIT_ENABLED=false lets everybody through", async (context) => {
  const t = await startTimberline({ vars: { ...VARS, RATE_LIMIT_ENABLED: "false" } });
  context.after(() => t.dispose());
  const { key } = await makeKey(t, { role: "operator", rate_limit: { requests: 1 } });
  const answers = await many(200, 20, () => call(as(t, key), "/api/v1/logs/configs"));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(answers[0].headers.get("ratelimit-limit"), null);
});
