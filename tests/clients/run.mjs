// Each client sends its records to a Timberline on this machine; what arrived is compared with what was sent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { KEY, startTimberline } from "../e2e/harness.mjs";
import { everything } from "../e2e/helpers.mjs";

const COUNT = 1_000;
const HERE = import.meta.dirname;
const PYTHON = [process.env.PYTHON, join(HERE, ".venv/bin/python")].find((path) => path && existsSync(path)) ?? "python3";
const ORDER = (record) => record.metadata.order;
const ORDER_IN_MESSAGE = (record) => Number(/^order (\d+) /.exec(record.message)[1]);
const ORDER_IN_TEXT = (record) => Number(/"order":(\d+)/.exec(record.message)[1]);

const cargo = (name) => ["cargo", "run", "--quiet", "--locked", "--manifest-path", "rust/Cargo.toml", "--", name];

/** What is run, and where the number of an order is found again. */
const CLIENTS = {
  "otlp-http": { run: [process.execPath, "otlp.mjs", "http"], order: ORDER },
  "otlp-proto": { run: [process.execPath, "otlp.mjs", "proto"], order: ORDER },
  "otlp-python": { run: [PYTHON, "otlp.py"], order: ORDER },
  pino: { run: [process.execPath, "pino.mjs"], order: (record) => JSON.parse(record.message).order, message: (text) => JSON.parse(text).msg },
  "winston-protobuf": { run: [process.execPath, "winston.mjs", "protobuf"], order: ORDER_IN_TEXT, message: (text) => text.replace(/ \{[^{]*$/, "") },
  "winston-json": { run: [process.execPath, "winston.mjs", "json"], order: ORDER_IN_TEXT, message: (text) => text.replace(/ \{[^{]*$/, "") },
  "python-logging-loki": { run: [PYTHON, "loki_handler.py"], order: (record) => Number(record.metadata.labels.order) },
  elasticsearch: { run: [process.execPath, "elasticsearch.mjs"], order: ORDER },
  "tracing-loki": { run: cargo("tracing-loki"), order: (record) => JSON.parse(record.message).order, message: (text) => JSON.parse(text).message },
  "opentelemetry-rust": { run: cargo("opentelemetry-otlp"), order: ORDER },
  rsyslog: { run: [process.execPath, "syslog.mjs", "rsyslog"], order: ORDER_IN_MESSAGE },
  "syslog-ng": { run: [process.execPath, "syslog.mjs", "syslog-ng"], order: ORDER_IN_MESSAGE },
  "elasticsearch-python": { run: [PYTHON, "elasticsearch_bulk.py"], order: ORDER },
};

function send([program, ...args], env) {
  const child = spawn(program, args, { cwd: join(HERE, "senders"), env: { ...process.env, ...env }, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((done, failed) => child.on("error", failed).on("exit", done));
}

/** Compares field by field, and answers what is not as it was sent. */
function compare(found, { order, message = (text) => text }) {
  assert.equal(found.length, COUNT);
  const inOrder = found.map((record) => ({ record, n: order(record) })).sort((a, b) => a.n - b.n);
  for (const [n, { record, n: got }] of inOrder.entries()) {
    assert.equal(got, n);
    assert.equal(message(record.message), `order ${n} was "paid" for 5 €`);
    assert.equal(record.level, ["INFO", "WARN", "ERROR"][n % 3], record.message);
    assert.ok(Math.abs(Date.parse(record.timestamp) - Date.now()) < 10 * 60_000, record.timestamp);
  }
}

const wanted = process.argv.slice(2);
const t = await startTimberline({ vars: { RATE_LIMIT_ENABLED: "false" } });
let failed = 0;
for (const [name, client] of Object.entries(CLIENTS)) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const [service, began] = [`client-${name}`, Date.now()];
  const code = await send(client.run, { URL: String(t.url).replace(/\/$/, ""), KEY, SERVICE: service, COUNT });
  const ms = Date.now() - began;
  try {
    assert.equal(code, 0, "the client failed");
    compare(await everything(t, { service }), client);
    console.log(`ok      ${name}: ${COUNT} records in ${ms} ms`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message.slice(0, 1_000)}`);
  }
}
await t.dispose();
process.exitCode = failed > 0 ? 1 : 0;
