// The same log in the words of each service that Timberline replaces: it reads back the same, whichever route took it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { call, flush, get } from "./helpers.mjs";

const TIME = new Date(Date.now() - 60_000);
const STYLES = {
  "snake_case": {
    sent: {
      service_name: "checkout", level: "ERROR", timestamp: TIME.toISOString(), message: "payment refused", user_id: 42, correlation_id: "c-1", trace_id: "t-1", span_id: "s-1",
      request_path: "/pay", request_method: "POST", response_status: 502, duration_ms: 12.5, error_type: "GatewayError", stack_trace: "at pay()", logger_name: "pay", thread_name: "main",
      environment: "production", category: "billing", metadata: { cart: { items: 3 } }, shop_id: "unknown field",
    },
    read: { service: "checkout", metadata: { cart: { items: 3 }, shop_id: "unknown field" } },
  },
  "camelCase": {
    sent: {
      serviceName: "checkout", level: "error", time: TIME.getTime(), msg: "payment refused", userId: "42", correlationId: "c-1", traceId: "t-1", spanId: "s-1",
      requestPath: "/pay", requestMethod: "POST", responseStatus: 502, durationMs: 12.5, errorType: "GatewayError", stackTrace: "at pay()", loggerName: "pay", threadName: "main",
      environment: "production", category: "billing", metadata: { cart: { items: 3 } }, shopId: "unknown field",
    },
    read: { service: "checkout", metadata: { cart: { items: 3 }, shopId: "unknown field" } },
  },
  "a logger of Workers": {
    sent: {
      component: "checkout", severity: "Error", "@timestamp": TIME.getTime() / 1_000, message: "payment refused", userId: "42", correlationId: "c-1", traceId: "t-1", spanId: "s-1",
      endpoint: "/pay", method: "POST", statusCode: 502, durationMs: 12.5, errorType: "GatewayError", stackTrace: "at pay()", logger: "pay", thread: "main",
      env: "production", category: "billing", metadata: { cart: { items: 3 } },
    },
    read: { service: "checkout", metadata: { cart: { items: 3 } } },
  },
  "a workflow's report": {
    sent: {
      client_id: "checkout", workflow_version: "2.1", ticket_id: "T-9", status: "FAILED", resolution_status: "escalated", executed_at: TIME.toISOString(), execution_time_seconds: 0.0125,
      metrics: { steps: 4 }, payload: { order: [1, 2] }, userId: "42", correlation_id: "c-1", trace_id: "t-1", span_id: "s-1", endpoint: "/pay", method: "POST",
      error_type: "GatewayError", stack_trace: "at pay()", logger: "pay", thread: "main", environment: "production", category: "billing",
    },
    read: {
      service: "checkout", message: "workflow 2.1 FAILED", status: "FAILED",
      metadata: { client_id: "checkout", workflow_version: "2.1", ticket_id: "T-9", resolution_status: "escalated", metrics: { steps: 4 }, payload: { order: [1, 2] } },
    },
  },
};

/** What every style reads back as, but for what `read` says. */
const COMMON = {
  level: "ERROR", message: "payment refused", environment: "production", endpoint: "/pay", method: "POST", category: "billing", source_type: "http",
  correlation_id: "c-1", trace_id: "t-1", span_id: "s-1", user_id: "42", error_type: "GatewayError", stack_trace: "at pay()", logger: "pay", thread: "main", status: 502, duration_ms: 12.5,
};

const ROUTES = {
  "/logs": (one) => one,
  "/api/v1/logs": (one) => one,
  "/api/v1/logs/ingest": (one) => one,
  "/api/v1/logs/batch": (one) => ({ logs: [one] }),
  "/api/v1/logs/ingest/batch": (one) => [one],
};

describe("one vocabulary", () => {
  let t;
  before(async () => (t = await startTimberline()));
  after(() => t?.dispose());

  const send = async (route, record) => {
    const { status, body } = await call(t, route, { json: ROUTES[route](record) });
    assert.ok(status === 201 || status === 200, JSON.stringify(body));
    return body.id ?? body.ids[0];
  };

  for (const [style, { sent, read }] of Object.entries(STYLES)) {
    test(`${style} reads back the same from every ingest route, before and after its flush`, async () => {
      const ids = [];
      for (const route of Object.keys(ROUTES)) ids.push(await send(route, sent));
      for (const flushed of [false, true]) {
        if (flushed) await flush(t);
        for (const id of ids) {
          const { timestamp, received_at, r2_key, pattern_id, pattern, ...record } = await get(t, `/api/v1/logs/${id}`);
          assert.match(`${pattern_id} ${pattern}`, /^[0-9a-f]{16} ./);
          // Who sent it is kept beside what was sent.
          assert.equal(record.metadata.client.country, "US");
          delete record.metadata.client;
          assert.deepEqual(record, { ...COMMON, ...read, id });
          assert.equal(Date.parse(timestamp), TIME.getTime());
          assert.equal(r2_key !== null, flushed);
          assert.ok(Math.abs(Date.parse(received_at) - Date.now()) < 60_000);
        }
      }
    });
  }

  test("seconds, milliseconds, microseconds, nanoseconds and text are the same time", async () => {
    const ms = Math.floor(Date.now() / 1_000) * 1_000 - 5_000;
    const text = new Date(ms).toISOString();
    const spellings = [ms / 1_000, ms, ms * 1_000, `${ms}000000`, `${ms / 1_000}`, text, text.replace("T", " "), text.replace("Z", "+00:00"), text.replace("Z", "")];
    for (const timestamp of spellings) {
      const id = await send("/logs", { service: "times", message: "m", timestamp });
      assert.equal(Date.parse((await get(t, `/api/v1/logs/${id}`)).timestamp), ms, `${timestamp}`);
    }
  });

  test("nanoseconds are kept", async () => {
    const timestamp = `${new Date().toISOString().slice(0, 19)}.123456789Z`;
    const id = await send("/logs", { service: "times", message: "m", timestamp });
    await flush(t);
    assert.equal((await get(t, `/api/v1/logs/${id}`)).timestamp, timestamp);
  });

  test("levels in the words and numbers of other loggers become the five", async () => {
    for (const [sent, level] of [["trace", "DEBUG"], ["notice", "INFO"], ["warning", "WARN"], ["err", "ERROR"], ["fatal", "CRITICAL"], [3, "ERROR"], [40, "WARN"], ["60", "CRITICAL"], [undefined, "INFO"]]) {
      const id = await send("/logs", { service: "levels", message: "m", level: sent });
      assert.equal((await get(t, `/api/v1/logs/${id}`)).level, level, `${sent}`);
    }
  });

  test("text of any script, quotes, control characters and large numbers read back as they were sent", async () => {
    const message = 'Grüße, 世界 👋🏽 "quoted" \\ \u0000 \u001f \u2028 \n end';
    const metadata = { "key with . and 世": [1.5, -0.25, 9007199254740991, true, null, "", {}], empty: {}, nested: { a: { b: [[]] } } };
    const id = await send("/logs", { service: "text", message, metadata });
    for (const flushed of [false, true]) {
      if (flushed) await flush(t);
      const record = await get(t, `/api/v1/logs/${id}/full`);
      assert.equal(record.message, message);
      const { client, ...sent } = record.metadata;
      assert.deepEqual([typeof client, sent], ["object", metadata]);
    }
  });
});
