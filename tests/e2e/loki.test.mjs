// Reading as Grafana and logcli do, on workerd: every endpoint that they ask, for what was pushed as Loki's and for what was not.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { startTimberline, until } from "./harness.mjs";
import { as, call, flush, get, makeKey, store } from "./helpers.mjs";

const SECOND = 1_000_000_000n;
const NOW = BigInt(Date.now()) * 1_000_000n;
const at = (ago, ns = 0n) => `${NOW - BigInt(ago) * SECOND + ns}`;
const LINES = Array.from({ length: 60 }, (_, n) => [at(300 - n * 2, BigInt(n)), n % 3 ? `GET /orders/${n} 200 ${n}ms` : `{"msg":"charged card","status":${n % 2 ? 500 : 200},"took":"${n}ms","nested":{"a":${n}}}`, n % 5 ? {} : { trace_id: `trace-${n}` }]);
const SELECTOR = '{app="shop"}';

describe("reading as Loki", () => {
  let t;
  before(async () => {
    t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
    const streams = [0, 1].map((pod) => ({ stream: { app: "shop", env: "prod", level: pod ? "error" : "info", pod: `p-${pod}` }, values: LINES.filter((_, n) => n % 2 === pod) }));
    assert.equal((await call(t, "/loki/api/v1/push", { json: { streams } })).status, 204);
    await store(t, [1, 2, 3].map((n) => ({ service: "auth", level: "WARN", message: `session ${n} opened`, timestamp: Number(BigInt(at(100 - n)) / 1_000_000n), environment: "production", trace_id: "trace-0", metadata: { user: { name: "ann" } } })));
  });
  after(() => t?.dispose());

  const url = (path, params) => `/loki/api/v1/${path}?${new URLSearchParams(params)}`;
  const range = (query, more = {}) => ({ query, start: at(3_600), end: at(-5), ...more });
  const lines = async (query, more, headers = {}) => {
    const { status, body } = await call(t, url("query_range", range(query, more)), { headers });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.status, body.data.resultType], ["success", "streams"]);
    return body.data;
  };
  const values = ({ result }) => result.flatMap((stream) => stream.values).sort(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1));

  for (const [state, reach] of [["not flushed", async () => {}], ["flushed", () => flush(t)], ["on disk alone", () => t.crash()]]) {
    test(`lines come back as they were pushed, ${state}`, async () => {
      await reach();
      const data = await lines(SELECTOR, { limit: 1000, direction: "forward" });
      assert.deepEqual(values(data).map(([ns, line]) => [ns, line]), LINES.map(([ns, line]) => [ns, line]));
      const categorised = await lines(SELECTOR, { limit: 1000 }, { "X-Loki-Response-Encoding-Flags": "categorize-labels" });
      assert.deepEqual(categorised.encodingFlags, ["categorize-labels"]);
      assert.deepEqual(categorised.result.map(({ stream }) => stream).sort((a, b) => (a.pod < b.pod ? -1 : 1)), [
        { app: "shop", env: "prod", level: "info", pod: "p-0", service_name: "shop" },
        { app: "shop", env: "prod", level: "error", pod: "p-1", service_name: "shop" },
      ]);
      assert.deepEqual(values(categorised)[0][2], { structuredMetadata: { detected_level: "info", trace_id: "trace-0" } });
    });

    test(`stages, limits and directions, ${state}`, async () => {
      const newest = values(await lines(`${SELECTOR} |= "GET"`, { limit: 3 }));
      const oldest = values(await lines(`${SELECTOR} |= "GET"`, { limit: 3, direction: "forward" }));
      const wanted = LINES.filter(([, line]) => line.startsWith("GET")).map(([ns]) => ns);
      assert.deepEqual([newest.map(([ns]) => ns), oldest.map(([ns]) => ns)], [wanted.slice(-3), wanted.slice(0, 3)]);
      const parsed = await lines(`${SELECTOR} | json | __error__="" | status >= 500 | line_format "{{.msg}} in {{.took}}" | keep took, msg`, { limit: 1000 });
      assert.equal(values(parsed).length, 10);
      assert.equal(values(parsed)[0][1], "charged card in 3ms");
      assert.deepEqual(parsed.result[0].stream.msg, "charged card");
      assert.equal(values(await lines('{service_name=~".+"} | trace_id="trace-0"')).length, 4);
      assert.equal(values(await lines('{level="warn", environment="production"} | user_name="ann"')).length, 3);
      assert.deepEqual((await lines('{app="nobody"}')).result, []);
    });

    test(`numbers at one time and over many, ${state}`, async () => {
      const { data } = await get(t, url("query", { query: "vector(1)+vector(1)", time: "1700000000" }));
      assert.deepEqual([data.resultType, data.result], ["vector", [{ metric: {}, value: [1700000000, "2"] }]]);
      const counts = await get(t, url("query", { query: `sum by (level) (count_over_time(${SELECTOR}[1h]))`, time: at(-5) }));
      assert.deepEqual(counts.data.result.map(({ metric, value }) => [metric.level, value[1]]), [["error", "30"], ["info", "30"]]);
      const hour = `${(NOW / (3_600n * SECOND) + 1n) * 3_600n * SECOND}`;
      const volume = await get(t, url("query_range", range('sum by (level, detected_level) (count_over_time({service_name=~".+"} | drop __error__ [2h]))', { start: hour, end: hour, step: "1h" })));
      assert.deepEqual(volume.data.result.map(({ metric, values }) => [metric.level, metric.detected_level, values[0][1]]), [["error", "error", "30"], ["info", "info", "30"], ["warn", "warn", "3"]]);
      const took = await get(t, url("query", { query: `max_over_time(${SELECTOR} | json | __error__="" | unwrap duration(took) [1h]) by (pod)`, time: at(-5) }));
      assert.deepEqual(took.data.result.map(({ metric, value }) => [metric.pod, Number(value[1])]), [["p-0", 0.054], ["p-1", 0.057]]);
      assert.ok(took.data.stats.summary.totalLinesProcessed >= 60);
    });

    test(`streams, labels and fields, ${state}`, async () => {
      const window = { start: at(3_600), end: at(-5) };
      assert.deepEqual((await get(t, url("labels", window))).data, ["app", "env", "environment", "level", "pod", "service_name"]);
      assert.deepEqual((await get(t, url("label/service_name/values", window))).data, ["auth", "shop"]);
      assert.deepEqual((await get(t, url("label/level/values", window))).data, ["error", "info", "warn"]);
      assert.deepEqual((await get(t, url("label/pod/values", { ...window, query: '{level="info"}' }))).data, ["p-0"]);
      assert.deepEqual((await get(t, url("label/nothing/values", window))).data, []);
      const series = (await get(t, url("series", { ...window, "match[]": SELECTOR }))).data;
      assert.deepEqual(series.map(({ pod }) => pod).sort(), ["p-0", "p-1"]);
      const form = await call(t, "/loki/api/v1/series", { method: "POST", body: new URLSearchParams([...Object.entries(window), ["match[]", SELECTOR], ["match[]", '{service_name="auth"}']]) });
      assert.deepEqual([form.status, form.body.data.length], [200, 3]);
      assert.deepEqual(form.body.data.find(({ service_name }) => service_name === "auth"), { service_name: "auth", level: "warn", environment: "production" });
      const { detectedLabels } = await get(t, url("detected_labels", { ...window, query: SELECTOR }));
      assert.deepEqual(detectedLabels.find(({ label }) => label === "pod"), { label: "pod", cardinality: 2 });
      const { fields } = await get(t, url("detected_fields", { ...window, query: SELECTOR }));
      const field = (name) => fields.find(({ label }) => label === name);
      assert.deepEqual(field("took"), { label: "took", type: "duration", cardinality: 20, parsers: ["json"], jsonPath: ["took"] });
      assert.deepEqual([field("status").type, field("nested_a").jsonPath, field("trace_id").parsers], ["int", ["nested", "a"], null]);
      assert.deepEqual((await get(t, url("detected_field/status/values", { ...window, query: SELECTOR }))).values, ["200", "500"]);
      const stats = await get(t, url("index/stats", { ...window, query: SELECTOR }));
      assert.deepEqual([stats.streams, stats.entries, stats.bytes > 60 * 20], [2, 60, true]);
      const volumes = (await get(t, url("index/volume", { ...window, query: '{service_name=~".+"}', targetLabels: "service_name" }))).data;
      assert.deepEqual([volumes.resultType, volumes.result.map(({ metric }) => metric.service_name)], ["vector", ["shop", "auth"]]);
      const over = (await get(t, url("index/volume_range", { ...window, query: SELECTOR, targetLabels: "pod", step: "60" }))).data;
      assert.deepEqual([over.resultType, over.result.length, over.result[0].values.length > 1], ["matrix", 2, true]);
      const patterns = (await get(t, url("patterns", { ...window, query: SELECTOR }))).data;
      assert.ok(!patterns.some(({ pattern }) => pattern.startsWith("session")), JSON.stringify(patterns));
      const total = (samples) => samples.reduce((sum, [, count]) => sum + count, 0);
      assert.ok(patterns.some(({ pattern, samples }) => pattern.includes("<_>") && total(samples) > 10), JSON.stringify(patterns));
    });
  }

  test("what cannot be is 400 in plain text, with its place", async () => {
    for (const [path, expected] of [
      [url("query_range", range('{app="shop"} |= shop')), /^parse error at line 1, col 17: /],
      [url("query", { query: "{}" }), /^parse error/],
      [url("query_range", range("rate({a=\"b\"})")), /^parse error at line 1/],
      [url("query_range", range(SELECTOR, { limit: 100_000 })), /^limit: max entries limit/],
      [url("query_range", range(SELECTOR, { start: "x" })), /^start: /],
      ["/loki/api/v1/query", /^query: expected a query/],
    ]) {
      const { status, body, headers } = await call(t, path);
      assert.deepEqual([status, headers.get("content-type")], [400, "text/plain; charset=utf-8"], path);
      assert.match(body, expected);
    }
  });

  test("what is asked beside is answered", async () => {
    assert.match((await get(t, "/loki/api/v1/status/buildinfo")).version, /^\d+\.\d+\.\d+$/);
    assert.equal((await get(t, url("format_query", { query: '{app="shop"}|="x"' }))).data, '{app="shop"} |= "x"');
    assert.deepEqual((await get(t, "/prometheus/api/v1/rules")).data, { groups: [] });
    assert.deepEqual((await get(t, "/prometheus/api/v1/alerts")).data, { alerts: [] });
    assert.equal((await call(t, "/loki/api/v1/rules")).status, 200);
    assert.match((await call(t, "/config/tenant/v1/limits")).body, /max_query_series/);
    assert.equal((await get(t, "/loki/api/v1/drilldown-limits")).limits.volume_enabled, true);
  });

  test("a key sees its own services, and one without reading nothing", async () => {
    const own = as(t, (await makeKey(t, { role: "developer", services: ["auth"] })).key);
    const { data } = await get(own, url("query_range", range('{service_name=~".+"}', { limit: 1000 })));
    assert.deepEqual([data.result.map(({ stream }) => stream.service_name), values(data).length], [["auth"], 3]);
    assert.deepEqual((await get(own, url("label/service_name/values", {}))).data, ["auth"]);
    const writer = as(t, (await makeKey(t, { role: "ingest" })).key);
    assert.equal((await call(writer, url("labels", {}))).status, 403);
    assert.equal((await call(as(t, null), url("labels", {}))).status, 401);
  });

  describe("lines as they come", () => {
    const socket = (who, query, more = {}) => {
      const address = new URL(url("tail", { query, ...more }), who.url);
      address.protocol = "ws:";
      const opened = new WebSocket(address, { headers: { authorization: `Bearer ${who.key}` } });
      const tail = { lines: [], closed: new Promise((done) => opened.addEventListener("close", ({ code, reason }) => done([code, reason]))) };
      opened.addEventListener("message", ({ data }) => tail.lines.push(...JSON.parse(data).streams.flatMap(({ values }) => values.map(([, line]) => line))));
      tail.ready = new Promise((done, failed) => {
        opened.addEventListener("open", done);
        opened.addEventListener("error", () => failed(new Error("the WebSocket could not be opened")));
      });
      tail.close = () => opened.close();
      return tail;
    };

    test("each is sent once, to who may read it", async () => {
      const key = (await makeKey(t, { role: "developer", services: ["auth"] })).key;
      const mine = socket({ url: t.url, key }, '{service_name=~".+"}', { start: at(60) });
      const all = socket(t, '{service_name=~"auth|shop"} != "hidden"', { limit: 3 });
      await Promise.all([mine.ready, all.ready]);
      await until(() => all.lines.length === 3, { what: "what was there" });
      const wanted = [];
      for (let round = 0; round < 4; round += 1) {
        const texts = ["auth", "shop"].map((service) => `${service} live ${round}`);
        const late = round % 2 ? 5_000 : 0;
        await store(t, texts.map((message, n) => ({ service: n ? "shop" : "auth", message, timestamp: Date.now() - late })));
        await store(t, [{ service: "shop", message: "hidden" }]);
        wanted.push(...texts);
        await until(() => texts.every((text) => all.lines.includes(text)), { what: `round ${round}` });
        await flush(t);
      }
      await until(() => mine.lines.includes("auth live 3"), { what: "the last line" });
      assert.deepEqual(all.lines.slice(3).sort(), wanted.sort());
      assert.deepEqual(mine.lines.filter((line) => line.includes("live")), wanted.filter((line) => line.startsWith("auth")));
      assert.ok(mine.lines.every((line) => !line.includes("shop")));
      mine.close();
      all.close();
      assert.deepEqual((await all.closed)[0], 1005);
    });

    for (const how of ["closed", "torn"]) {
      test(`nobody looks any more for a connection that was ${how}`, async () => {
        const { id, key } = await makeKey(t, { role: "operator" });
        const query = encodeURIComponent('{service_name="shop"}');
        const { hostname, port } = new URL(t.url);
        const socket = connect(Number(port), hostname);
        const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`, `Authorization: Bearer ${key}`];
        socket.write(`GET /loki/api/v1/tail?query=${query} HTTP/1.1\r\nHost: ${hostname}\r\n${headers.join("\r\n")}\r\n\r\n`);
        const [answer] = await once(socket, "data");
        assert.match(String(answer), /^HTTP\/1.1 101 /);
        const outcomes = async () => (await get(t, `/admin/audit?user_id=${id}`)).data.map(({ metadata }) => metadata.outcome);
        await until(async () => (await outcomes()).includes("began"), { what: "its beginning" });
        // A frame that closes, masked with zeros.
        if (how === "closed") socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
        else socket.resetAndDestroy();
        await until(async () => (await outcomes()).includes("ended"), { what: "its end", ms: 20_000 });
        socket.destroy();
      });
    }

    test("a connection ends when it has asked for as much as it may", async () => {
      const small = await startTimberline({ vars: { MAX_SUBREQUESTS: "10" } });
      try {
        const tail = socket(small, '{service_name="shop"}');
        await tail.ready;
        assert.deepEqual(await tail.closed, [1001, "this connection has had what one may ask for: open another"]);
      } finally {
        await small.dispose();
      }
    });

    test("nobody is let in without a key", async () => {
      await assert.rejects(socket({ url: t.url, key: "nobody's" }, '{service_name="shop"}').ready);
      const { status, body } = await call(t, url("tail", { query: SELECTOR }));
      assert.deepEqual([status, body], [426, "expected a WebSocket, with the header `Upgrade: websocket`\n"]);
    });
  });
});
