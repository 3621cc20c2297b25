// What shippers send, on workerd: the same records whatever they speak, and in their own words what became of them.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { KEY, startTimberline } from "./harness.mjs";
import { as, call, counters, everything, flush, makeKey, makeTenant } from "./helpers.mjs";
import { lokiPush, otlpJson, otlpLogs, snappy } from "./wire.mjs";

let t;
before(async () => (t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } })));
after(() => t?.dispose());

const NOW = BigInt(Date.now() - 60_000) * 1_000_000n;
const at = (nth) => `${NOW + BigInt(nth) * 1_000_001n}`;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

/** Records of a service, oldest first, without what the service gives them. */
async function of(service, who = t) {
  const found = await everything(who, { service, sort: "oldest" });
  return found.map(({ id, received_at, pattern_id, pattern, r2_key, ...record }) => record);
}

const post = (path, body, headers = {}, who = t) => call(who, path, { method: "POST", body, headers });
const json = (path, json, headers = {}, who = t) => call(who, path, { json, headers });

describe("Loki's push", () => {
  const streams = (app, lines, more = {}) => ({ streams: [{ stream: { app, env: "prod", level: "warn", ...more }, values: lines }] });

  test("answers 204, and labels and structured metadata are fields", async () => {
    const answer = await json("/loki/api/v1/push", streams("loki-json", [[at(0), "first"], [at(1), "second", { trace_id: TRACE, order: "17" }]], { pod: "p-1" }));
    assert.deepEqual([answer.status, answer.body], [204, ""]);
    const [first, second] = await of("loki-json");
    assert.deepEqual([first.message, first.level, first.environment], ["first", "WARN", "production"]);
    assert.equal(first.metadata.labels.pod, "p-1");
    assert.deepEqual([second.trace_id, second.metadata.order], [TRACE, "17"]);
    assert.ok(Math.abs(Date.parse(second.timestamp) - Number(BigInt(at(1)) / 1_000_000n)) <= 1);
    assert.equal((await everything(t, { q: "metadata.labels.pod:p-1" })).length, 2);
  });

  test("takes protobuf in snappy as well, and makes the same of it", async () => {
    const entries = [{ ns: at(0), line: "one" }, { ns: at(1), line: "two", metadata: { order: "17" } }];
    const body = lokiPush([{ labels: '{app="loki-pb", env="prod", level="warn", path="C:\\\\x \\"y\\""}', entries }]);
    assert.equal((await post("/loki/api/v1/push", body, { "content-type": "application/x-protobuf" })).status, 204);
    const sent = streams("loki-pb-2", [[at(0), "one"], [at(1), "two", { order: "17" }]], { path: 'C:\\x "y"' });
    assert.equal((await post("/loki/api/v1/push", gzipSync(JSON.stringify(sent)), { "content-type": "application/json", "content-encoding": "gzip" })).status, 204);
    const plain = (records) => JSON.parse(JSON.stringify(records).replaceAll("loki-pb-2", "loki-pb"));
    assert.deepEqual(plain(await of("loki-pb")), plain(await of("loki-pb-2")));
  });

  test("sent again it is stored once, before and after a flush", async () => {
    const body = streams("loki-again", [[at(0), "once"]]);
    for (const step of [async () => {}, () => flush(t), async () => {}]) {
      assert.equal((await json("/loki/api/v1/push", body)).status, 204);
      await step();
    }
    assert.equal((await of("loki-again")).length, 1);
  });

  test("is not the same request at another address, or of another key", async () => {
    const body = `${JSON.stringify({ "@timestamp": new Date(Number(NOW / 1_000_000n)).toISOString(), message: "same" })}\n`;
    const other = as(t, (await makeKey(t, { role: "ingest" })).key);
    for (const [who, service] of [[t, "first-edge"], [t, "second-edge"], [other, "second-edge"]]) {
      assert.equal((await post(`/ingest/jsonline?extra_fields=service=${service}`, body + body, {}, who)).status, 200);
    }
    assert.deepEqual([(await of("first-edge")).length, (await of("second-edge")).length], [2, 4]);
  });

  test("may call its snappy a content encoding, as Vector does", async () => {
    const body = lokiPush([{ labels: '{app="loki-vector"}', entries: [{ ns: at(0), line: "one" }] }]);
    assert.equal((await post("/loki/api/v1/push", body, { "content-type": "application/x-protobuf", "content-encoding": "snappy" })).status, 204);
    assert.equal((await of("loki-vector")).length, 1);
  });

  test("keeps the good lines when others are bad, and says in plain text which", async () => {
    const answer = await json("/loki/api/v1/push", streams("loki-partly", [[at(0), "good"], ["1000000000000000000", "of 2001"], [at(1), "good too"]]));
    assert.equal(answer.status, 400);
    assert.match(answer.headers.get("content-type"), /^text\/plain/);
    assert.match(answer.body, /^entry 1: expected a time since .* got 2001/);
    assert.deepEqual((await of("loki-partly")).map(({ message }) => message), ["good", "good too"]);
  });

  test("refuses in plain text what it cannot read, and stores nothing of it", async () => {
    for (const [body, headers, status] of [
      ["{", { "content-type": "application/json" }, 400],
      [JSON.stringify({ streams: [{ stream: { app: "a" }, values: [[1715760000000000000, "a number"]] }] }), { "content-type": "application/json" }, 400],
      ["no snappy", {}, 400],
      [snappy(Buffer.from([0xff, 0xff])), {}, 400],
      // A length of 2 GB in front of nothing.
      [Buffer.from([0x80, 0x80, 0x80, 0x80, 0x08]), {}, 413],
      ["{}", { "content-type": "application/json", "content-encoding": "br" }, 415],
      ["{}", { "content-type": "application/json", authorization: "" }, 401],
      ["{}", { "content-type": "application/json", authorization: "Bearer wrong" }, 403],
      ["{}", { "content-type": "application/json", "x-scope-orgid": "somebody" }, 403],
    ]) {
      const answer = await post("/loki/api/v1/push", body, headers);
      assert.equal(answer.status, status, `${body}`.slice(0, 80));
      assert.match(answer.headers.get("content-type"), /^text\/plain/);
      assert.ok(answer.body.trim().length > 10 && !answer.body.startsWith("{"), answer.body);
    }
  });

  test("a tenant may be named when it is the key's own", async () => {
    const tenant = await makeTenant(t, "loki-tenant");
    const send = (org) => json("/loki/api/v1/push", streams("named", [[at(0), org]]), { "x-scope-orgid": org }, tenant);
    assert.deepEqual([(await send("loki-tenant")).status, (await send("default")).status], [204, 403]);
    assert.deepEqual((await of("named", tenant)).map(({ message }) => message), ["loki-tenant"]);
    assert.deepEqual(await of("named"), []);
  });

  test("/ready is open", async () => {
    assert.deepEqual((await call(t, "/ready", { headers: { authorization: "" } })).status, 200);
  });
});

describe("OTLP", () => {
  const request = (service, records) => ({ resource: { "service.name": service, "deployment.environment.name": "prod", "host.name": "h-1" }, scope: "lib", records });
  const RECORDS = [
    { ns: at(0), severity: 17, severityText: "Error", body: "card declined", traceId: TRACE, spanId: SPAN, attributes: { "user.id": "u-1", amount: 12, rate: 0.5, ok: true, list: ["a", 1], nested: { deep: "x" } } },
    { ns: at(1), severity: 9, body: { event: "login", attempt: 2 } },
  ];
  const PROTOBUF = { "content-type": "application/x-protobuf" };

  test("JSON and protobuf make the same records, with what resource, scope and record say", async () => {
    const first = await json("/v1/logs", otlpJson(request("otlp-json", RECORDS)));
    assert.deepEqual([first.status, first.body], [200, {}]);
    const second = await post("/v1/logs", gzipSync(otlpLogs(request("otlp-pb", RECORDS))), { ...PROTOBUF, "content-encoding": "gzip" });
    assert.deepEqual([second.status, second.body, second.headers.get("content-type")], [200, "", "application/x-protobuf"]);
    const [one, two] = await of("otlp-json");
    assert.deepEqual([one.message, one.level, one.trace_id, one.span_id, one.user_id, one.environment, one.host], ["card declined", "ERROR", TRACE, SPAN, "u-1", "production", "h-1"]);
    assert.deepEqual([one.metadata.amount, one.metadata.rate, one.metadata.ok, one.metadata.list, one.metadata.nested], [12, 0.5, true, ["a", 1], { deep: "x" }]);
    assert.equal(one.metadata.scope.name, "lib");
    assert.deepEqual(JSON.parse(two.message), { event: "login", attempt: 2 });
    const plain = (records) => JSON.parse(JSON.stringify(records).replaceAll("otlp-json", "otlp-pb"));
    assert.deepEqual(plain(await of("otlp-pb")), plain(await of("otlp-json")));
    assert.equal((await everything(t, { q: "metadata.nested.deep:x service:otlp-json" })).length, 1);
  });

  test("a request without records is fine, at Loki's path too", async () => {
    for (const path of ["/v1/logs", "/otlp/v1/logs"]) {
      assert.deepEqual([(await json(path, {})).status, (await post(path, "", PROTOBUF)).status], [200, 200]);
    }
  });

  test("sent again it is stored once, and without times twice", async () => {
    for (const [service, records, expected] of [["otlp-again", [RECORDS[0]], 1], ["otlp-timeless", [{ severity: 9, body: "tick" }], 2]]) {
      for (let nth = 0; nth < 2; nth += 1) assert.equal((await json("/v1/logs", otlpJson(request(service, records)))).status, 200);
      assert.equal((await of(service)).length, expected, service);
    }
  });

  test("tells how many were rejected and why, and keeps the others", async () => {
    const body = request("otlp-partly", [RECORDS[0], { ns: "1000000000000000000", body: "of 2001" }]);
    const answer = await json("/v1/logs", otlpJson(body));
    assert.equal(answer.status, 200);
    assert.equal(answer.body.partialSuccess.rejectedLogRecords, "1");
    assert.match(answer.body.partialSuccess.errorMessage, /record 1.*timestamp|record 1.*time since/);
    assert.equal((await of("otlp-partly")).length, 1);
    const binary = await post("/v1/logs", otlpLogs({ ...body, resource: { "service.name": "otlp-partly-pb" } }), PROTOBUF);
    assert.equal(binary.status, 200);
    assert.match(binary.body, /record 1/);
  });

  test("what is refused is told by a Status, and only what may go well later by a status that is sent again", async () => {
    for (const [body, headers, status, code] of [
      ["{", { "content-type": "application/json" }, 400, 3],
      ["{}", { "content-type": "application/json", authorization: "" }, 401, 16],
      ["{}", { "content-type": "application/json", authorization: "Bearer wrong" }, 403, 7],
      ["{}", { "content-type": "text/plain" }, 415, 3],
    ]) {
      const answer = await post("/v1/logs", body, headers);
      assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
      assert.ok(answer.body.message.length > 10);
    }
    const binary = await post("/v1/logs", Buffer.from([0x0a, 0xff]), PROTOBUF);
    assert.deepEqual([binary.status, binary.headers.get("content-type")], [400, "application/x-protobuf"]);
    for (const path of ["/v1/traces", "/v1/metrics"]) {
      const answer = await json(path, {});
      assert.deepEqual([answer.status, answer.body.code], [501, 12]);
      assert.match(answer.body.message, /logs/);
    }
  });
});

describe("Elasticsearch's bulk", () => {
  const lines = (...all) => `${all.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n")}\n`;
  const NDJSON = { "content-type": "application/x-ndjson" };
  const DOC = { "@timestamp": new Date(Number(NOW / 1_000_000n)).toISOString(), message: "payment failed", log: { level: "error" }, service: { name: "es-shop" }, trace: { id: TRACE }, host: { name: "h-1" }, labels: { order: 17 } };

  test("answers an item for each action, and documents become records", async () => {
    for (const path of ["/_bulk", "/elastic/_bulk"]) {
      const body = lines({ create: { _index: "logs" } }, { ...DOC, path }, { index: { _index: "logs", _id: "a-1" } }, { ...DOC, message: "again" }, { delete: { _index: "logs", _id: "b" } });
      const answer = await post(path, body, NDJSON);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("x-elastic-product"), "Elasticsearch");
      assert.equal(answer.body.errors, true);
      assert.deepEqual(answer.body.items.map((item) => Object.entries(item).map(([action, { status }]) => [action, status])[0]), [["create", 201], ["index", 201], ["delete", 400]]);
      assert.equal(answer.body.items[1].index._id, "a-1");
    }
    const again = () => t.fetch("/_bulk", { method: "POST", body: lines({ create: { _index: "logs" } }, DOC, { delete: { _id: "b" } }), headers: NDJSON });
    const [text, twice] = [await (await again()).text(), await (await again()).json()];
    assert.equal(JSON.parse(text).items[0].create._id, twice.items[0].create._id);
    assert.ok(text.indexOf('"errors":true') < text.indexOf('"items":[') && text.includes('"errors":true'));
    const found = await of("es-shop");
    assert.equal(found.length, 5);
    assert.deepEqual([found[0].message, found[0].level, found[0].trace_id, found[0].host, found[0].metadata.labels], ["payment failed", "ERROR", TRACE, "h-1", { order: 17 }]);
  });

  test("a bad document fails alone", async () => {
    const body = lines({ create: {} }, "{ no json", { create: {} }, { message: "from es-partly-2024.05.15" }, { create: {} }, { "@timestamp": "1999-01-01T00:00:00Z", message: "old" });
    const { status, body: answer } = await post("/es-partly-2024.05.15/_bulk", body, NDJSON);
    assert.deepEqual([status, answer.errors, answer.items.map(({ create }) => create.status)], [200, true, [400, 201, 400]]);
    assert.ok(answer.items.every(({ create }) => create.status === 201 || (create.error.type && create.error.reason)));
    assert.deepEqual((await of("es-partly")).map(({ message }) => message), ["from es-partly-2024.05.15"]);
  });

  test("filter_path, gzip and the type of a newer client are understood", async () => {
    const body = gzipSync(lines({ create: { _index: "es-gzip" } }, { message: "packed" }));
    const headers = { "content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=8", accept: "application/vnd.elasticsearch+json; compatible-with=8", "content-encoding": "gzip" };
    const answer = await t.fetch("/_bulk?filter_path=errors,items.*.status", { method: "POST", body, headers });
    assert.equal(answer.headers.get("content-type"), "application/vnd.elasticsearch+json;compatible-with=8");
    assert.deepEqual(await answer.json(), { errors: false, items: [{ create: { status: 201 } }] });
  });

  test("a body that is no bulk is a 400 in Elasticsearch's words, and so is the refusal of a key", async () => {
    for (const [body, headers, status] of [["", NDJSON, 400], ["nonsense\n", NDJSON, 400], ["{}\n", { ...NDJSON, authorization: "" }, 401], ["{}\n", { ...NDJSON, authorization: "Bearer wrong" }, 403]]) {
      const answer = await post("/_bulk", body, headers);
      assert.deepEqual([answer.status, answer.body.status], [status, status], JSON.stringify(answer.body));
      assert.ok(answer.body.error.type && answer.body.error.reason);
    }
  });

  test("Basic and ApiKey let in", async () => {
    const { id, key } = await makeKey(t, { role: "ingest" });
    const body = lines({ create: { _index: "es-auth" } }, { message: "let in" });
    for (const authorization of [`Basic ${btoa(`any:${key}`)}`, `ApiKey ${btoa(`${id}:${key}`)}`]) {
      assert.equal((await post("/_bulk", body, { ...NDJSON, authorization })).status, 200);
    }
    assert.equal((await of("es-auth")).length, 2);
  });

  test("clients are told before they write what they want to hear", async () => {
    for (const path of ["/", "/elastic", "/elastic/"]) {
      const { status, body, headers } = await call(t, path);
      assert.deepEqual([status, body.tagline, headers.get("x-elastic-product")], [200, "You Know, for Search", "Elasticsearch"]);
      assert.match(body.version.number, /^8\.\d+\.\d+$/);
      assert.equal((await call(t, path, { method: "HEAD" })).status, 200);
    }
    assert.equal((await call(t, "/_license")).body.license.status, "active");
    const basic = { authorization: `Basic ${Buffer.from(`any:${KEY}`).toString("base64")}` };
    assert.equal((await call(t, "/logs-shop-default", { method: "HEAD", headers: basic })).status, 200);
    assert.equal((await call(t, "/logs-shop-default", { method: "PUT", headers: basic })).status, 404);
    assert.equal((await call(t, "/logs-shop-default", { method: "HEAD" })).status, 404);
    for (const [method, path] of [["GET", "/_cluster/health"], ["GET", "/_xpack"], ["GET", "/elastic/_nodes/http"], ["HEAD", "/_index_template/logs"], ["PUT", "/elastic/_ilm/policy/logs"], ["GET", "/_ingest/pipeline/p"], ["PUT", "/_template/logs"]]) {
      assert.equal((await call(t, path, { method })).status, 200, `${method} ${path}`);
    }
    const nothing = await call(t, "/_search", { json: {} });
    assert.deepEqual([nothing.status, nothing.body.status], [404, 404]);
  });
});

describe("the others", () => {
  test("Splunk's collector: events one after the other, and lines", async () => {
    const headers = { authorization: `Splunk ${KEY}` };
    const time = Number(NOW / 1_000_000n) / 1000;
    const events = [{ time, host: "h-1", source: "hec-shop", event: "plain" }, { time: `${time + 1}`, source: "hec-shop", event: { message: "object", level: "warn", order: 17 }, fields: { region: "eu" } }];
    const answer = await post("/services/collector/event", events.map((one) => JSON.stringify(one)).join(""), headers);
    assert.deepEqual([answer.status, answer.body], [200, { text: "Success", code: 0 }]);
    const found = await of("hec-shop");
    assert.deepEqual(found.map(({ message, level, host }) => [message, level, host]), [["plain", "INFO", "h-1"], ["object", "WARN", undefined]]);
    assert.deepEqual([found[1].metadata.order, found[1].metadata.region], [17, "eu"]);
    assert.equal((await post("/services/collector/raw?source=hec-raw&host=h-2", "one\ntwo\n", headers)).status, 200);
    assert.deepEqual((await of("hec-raw")).map(({ message }) => message).sort(), ["one", "two"]);
    for (const [body, code] of [["", 5], ["{", 6], ['{"time":1}', 12], ['{"event":""}', 13]]) {
      const refused = await post("/services/collector", body, headers);
      assert.deepEqual([refused.status, refused.body.code], [400, code], body);
    }
    assert.deepEqual((await post("/services/collector", "{}", { authorization: "Splunk no" })).body.code, 4);
    assert.equal((await call(t, "/services/collector/health", { headers: { authorization: "" } })).status, 200);
  });

  test("Datadog's agents", async () => {
    const logs = [{ service: "dd-shop", status: "warn", hostname: "h-1", ddsource: "node", ddtags: "env:prod,team:pay", message: "slow", timestamp: Number(NOW / 1_000_000n) }];
    const answer = await call(t, "/api/v2/logs", { json: logs, headers: { authorization: "", "dd-api-key": KEY } });
    assert.deepEqual([answer.status, answer.body], [202, {}]);
    const [found] = await of("dd-shop");
    assert.deepEqual([found.message, found.level, found.host, found.environment], ["slow", "WARN", "h-1", "production"]);
  });

  test("GELF", async () => {
    const answer = await json("/gelf", { version: "1.1", host: "h-1", short_message: "slow", level: 4, timestamp: Number(NOW / 1_000_000n) / 1000, _service: "gelf-shop", _order: 17 });
    assert.equal(answer.status, 202);
    const [found] = await of("gelf-shop");
    assert.deepEqual([found.message, found.level, found.host, found.metadata.order], ["slow", "WARN", "h-1", 17]);
  });

  test("JSON lines, with a mapping in the query or in headers", async () => {
    const line = { when: new Date(Number(NOW / 1_000_000n)).toISOString(), log: { text: "mapped" }, app: "jsonline-shop", secret: "x", debug: { a: 1 } };
    const body = `${JSON.stringify(line)}\n{ no json\n${JSON.stringify({ ...line, log: { text: "second" } })}\n`;
    const answer = await post("/ingest/jsonline?_msg_field=log.text&_time_field=when&_stream_fields=app&ignore_fields=secret&extra_fields=env=prod", body);
    assert.deepEqual([answer.status, answer.body.accepted, answer.body.rejected.map(({ index }) => index)], [200, 2, [1]]);
    const found = await of("jsonline-shop");
    assert.deepEqual(found.map(({ message, environment, metadata }) => [message, environment, metadata.secret]), [["mapped", "production", undefined], ["second", "production", undefined]]);
    const headers = { "vl-msg-field": "log.text", "vl-time-field": "when", "vl-stream-fields": "app" };
    const again = await post("/ingest/jsonline", JSON.stringify({ ...line, app: "jsonline-headers" }), headers);
    assert.equal(again.status, 200, JSON.stringify(again.body));
    assert.equal((await of("jsonline-headers"))[0].message, "mapped");
  });

  test("Cloudflare's Logpush", async () => {
    const time = new Date(Number(NOW / 1_000_000n)).toISOString();
    const lines = [{ EdgeStartTimestamp: time, ClientRequestMethod: "GET", ClientRequestHost: "shop.example", ClientRequestURI: "/cart?x=1", EdgeResponseStatus: 503, ClientIP: "203.0.113.9", RayID: "abc" }, { EdgeStartTimestamp: time, ClientRequestMethod: "GET", ClientRequestURI: "/", EdgeResponseStatus: 200 }];
    const body = gzipSync(lines.map((one) => JSON.stringify(one)).join("\n"));
    const answer = await post("/ingest/logpush?service=edge-shop", body, { "content-encoding": "gzip" });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const found = await of("edge-shop");
    assert.deepEqual(found.map(({ level, method, status }) => [level, method, status]).sort(), [["ERROR", "GET", 503], ["INFO", "GET", 200]]);
    const before = await counters(t);
    assert.equal((await post("/ingest/logpush", gzipSync('{"content":"tests"}'), { "content-encoding": "gzip" })).status, 200);
    assert.equal((await counters(t)).records_accepted, before.records_accepted);
    assert.deepEqual(await everything(t, { q: "tests" }), []);
  });

  test("what is pushed costs what a batch costs: one row of the shard's log", async () => {
    const lines = Array.from({ length: 1_000 }, (_, n) => [at(n), `line ${n}`]);
    const records = Array.from({ length: 1_000 }, (_, n) => ({ ns: at(n), body: `line ${n}` }));
    for (const push of [
      () => json("/api/v1/logs/batch", lines.map(([, message]) => ({ service: "cost", message }))),
      () => json("/loki/api/v1/push", { streams: [{ stream: { app: "cost" }, values: lines }] }),
      () => post("/v1/logs", otlpLogs({ resource: { "service.name": "cost" }, scope: "s", records }), { "content-type": "application/x-protobuf" }),
      () => post("/_bulk", lines.map(([, message]) => `{"create":{"_index":"cost"}}\n${JSON.stringify({ message })}\n`).join("")),
    ]) {
      const before = await counters(t);
      assert.ok((await push()).status < 300);
      const after = await counters(t);
      assert.ok(after.shard_rows_written - before.shard_rows_written <= 2, `${after.shard_rows_written - before.shard_rows_written} rows`);
    }
    assert.equal((await of("cost")).length, 4_000);
  });

  test("what is taken and what is rejected is counted", async () => {
    const before = await counters(t);
    await json("/loki/api/v1/push", { streams: [{ stream: { app: "counted" }, values: [[at(0), "good"], ["1000000000000000000", "old"]] }] });
    const after = await counters(t);
    assert.deepEqual([after.records_accepted - before.records_accepted, after.records_rejected - before.records_rejected], [1, 1]);
  });

  test("every way in shows what would be stored", async () => {
    const { body } = await json("/loki/api/v1/push?dry_run=true", { streams: [{ stream: { app: "dry" }, values: [[at(0), "mail a@b.example"]] }] });
    assert.equal(body.dry_run, true);
    assert.ok(!body.logs[0].message.includes("a@b.example"));
    assert.deepEqual(await of("dry"), []);
  });

  test("a key that may only read writes in no way", async () => {
    const reader = as(t, (await makeKey(t, { role: "support" })).key);
    for (const path of ["/loki/api/v1/push", "/v1/logs", "/_bulk", "/services/collector", "/api/v2/logs", "/gelf", "/ingest/jsonline", "/ingest/logpush"]) {
      assert.equal((await json(path, {}, {}, reader)).status, 403, path);
    }
  });
});
