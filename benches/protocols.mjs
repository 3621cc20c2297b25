// The same records by each protocol, in turns on one server: how many a second, as a ratio to the native batch.
import { lokiPush, otlpJson, otlpLogs } from "../tests/e2e/wire.mjs";
import { median } from "./client.mjs";
import { flush } from "./ingest.mjs";
import { startServer } from "./server.mjs";
import { row } from "./table.mjs";

const ROUNDS = 27;
const WARM_UP = 5;
const SEVERITIES = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17, CRITICAL: 21 };

const ns = ({ timestamp }) => `${BigInt(Date.parse(timestamp)) * 1_000_000n}`;
const lines = (records) => records.map((record) => JSON.stringify(record)).join("\n");
const byService = (records) => Map.groupBy(records, ({ service, level }) => `${service} ${level}`);
const streams = (records) => [...byService(records).values()].map((of) => ({ service: of[0].service, level: of[0].level, of }));
const otlp = (records) => ({
  resource: { "service.name": records[0].service },
  scope: "bench",
  records: records.map((record) => ({ ns: ns(record), severity: SEVERITIES[record.level], body: record.message, attributes: {} })),
});

/** Of records `{ timestamp, service, level, message }` the body that says them. */
const PROTOCOLS = {
  "native batch": { path: "/api/v1/logs/ingest/batch", body: (records) => JSON.stringify({ logs: records }) },
  "native NDJSON": { path: "/api/v1/logs/ingest/batch", type: "application/x-ndjson", body: lines },
  "JSON lines": { path: "/ingest/jsonline?_time_field=timestamp&_msg_field=message&_stream_fields=service", type: "application/x-ndjson", body: lines },
  "Loki, JSON": {
    path: "/loki/api/v1/push",
    body: (records) => JSON.stringify({ streams: streams(records).map(({ service, level, of }) => ({ stream: { service, level }, values: of.map((record) => [ns(record), record.message]) })) }),
  },
  "Loki, protobuf": {
    path: "/loki/api/v1/push",
    type: "application/x-protobuf",
    body: (records) => lokiPush(streams(records).map(({ service, level, of }) => ({ labels: `{service="${service}", level="${level}"}`, entries: of.map((record) => ({ ns: ns(record), line: record.message })) }))),
  },
  "OTLP, JSON": { path: "/v1/logs", body: (records) => JSON.stringify(otlpJson(otlp(records))) },
  "OTLP, protobuf": { path: "/v1/logs", type: "application/x-protobuf", body: (records) => otlpLogs(otlp(records)) },
  "Elasticsearch bulk": {
    path: "/_bulk",
    type: "application/x-ndjson",
    body: (records) => records.map(({ timestamp, service, level, message }) => `{"create":{"_index":"logs-bench-default"}}\n${JSON.stringify({ "@timestamp": timestamp, "service.name": service, "log.level": level, message })}\n`).join(""),
  },
  "Splunk HEC": { path: "/services/collector/event", body: (records) => records.map(({ timestamp, service, level, message }) => JSON.stringify({ time: Date.parse(timestamp) / 1e3, source: service, event: { message, level } })).join("") },
  Datadog: { path: "/api/v2/logs", body: (records) => JSON.stringify(records.map(({ timestamp, service, level, message }) => ({ timestamp, service, status: level, message }))) },
  Logpush: { path: "/ingest/logpush?service=bench", type: "application/x-ndjson", body: (records) => records.map(({ timestamp, message }) => JSON.stringify({ EventTimestampMs: Date.parse(timestamp), Message: message })).join("\n") },
};

export async function measureProtocols(work, logs) {
  const took = Object.fromEntries(Object.keys(PROTOCOLS).map((name) => [name, { msARecord: [], wrong: "" }]));
  const server = await startServer(work);
  const client = server.client();
  try {
    let round = 0;
    for (const { body } of logs.batches()) {
      if (round === ROUNDS) break;
      const records = body.toString().split("\n").filter(Boolean).map((line) => plain(JSON.parse(line)));
      for (const [name, { path, type, body: said }] of inTurns(Object.entries(PROTOCOLS), round)) {
        const { status, ms, text } = await client.post(path, said(records), type);
        if (status >= 300 || /"errors":true|"partialSuccess":{"rej/.test(text)) took[name].wrong = `${status} ${text.slice(0, 120)}`;
        if (round < WARM_UP) continue;
        took[name].msARecord.push(ms / records.length);
      }
      round += 1;
      if (round % 5 === 0) await flush(client);
    }
  } finally {
    client.close();
    await server.stop();
  }
  const rate = ({ msARecord }) => (msARecord.length > 0 ? 1e3 / median(msARecord) : undefined);
  const native = rate(took["native batch"]);
  return Object.entries(took).map(([name, one]) =>
    row("protocols", name, [{ value: rate(one), unit: "records a second" }], { against: [{ name: "the native batch", value: native }], wrong: one.wrong, note: "a time, a service, a level and a message; the median of requests of 1,000, one after the other" }),
  );
}

/** Each round begins with another one: a shard flushes when it is full, and not always in the same one's turn. */
const inTurns = (all, round) => [...all.slice(round % all.length), ...all.slice(0, round % all.length)];

const plain = ({ timestamp, service, service_name, level, message }) => ({ timestamp: new Date(timestamp).toISOString(), service: service ?? service_name, level, message });
