// Logs one by one: how many a second 32 connections get in, and what a million of them cost at 100 a second.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cost, counted, counters, grown } from "./cost.mjs";
import { cpuOf, flush } from "./ingest.mjs";
import { startReference, startServer } from "./server.mjs";
import { row } from "./table.mjs";

const LOAD = fileURLToPath(new URL("./load.mjs", import.meta.url));
const TRIVIAL = fileURLToPath(new URL("./references/trivial_worker.js", import.meta.url));
const WARM_UP = { connections: 32, seconds: 3 };
const FULL = { connections: 32, seconds: 10 };
const STEADY = { seconds: 20, rate: 100 };

export async function measureLone(work, logs) {
  const trivial = await withServer(startReference(work, TRIVIAL), (server) => fully(server, logs));
  const full = await withServer(startServer(work), (server) => fully(server, logs));
  const [steady, counts] = await withServer(startServer(work), (server) => steadily(server, logs));
  const spent = cost(counts, { logs: steady.sent, requests: steady.sent });
  return [
    row("lone", `lone POSTs, ${FULL.connections} connections`, [{ value: full.rate, unit: "a second", least: 3_000 }], {
      against: [{ name: "a Worker that only answers 201", value: trivial.rate }],
      wrong: failures(full),
      note: `${took(full)}${used(full)}; the other Worker: ${took(trivial)}${used(trivial)}`,
    }),
    row("lone", `counted cost of a million lone POSTs at ${STEADY.rate}/s`, [{ value: spent.counted, unit: "$", most: 0.6 }], {
      wrong: failures(steady),
      note: `of ${steady.sent} and their flush: ${counted(counts)}; requests apart: $${spent.requests.toFixed(2)}; ${took(steady)}`,
    }),
  ];
}

async function withServer(starting, work) {
  const server = await starting;
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** The warm-up compiles what is run often; it is not counted. */
async function fully(server, logs) {
  await load(server, logs, WARM_UP);
  let full;
  const cpu = await cpuOf(server, async () => (full = await load(server, logs, FULL)));
  return { ...full, cpu };
}

async function steadily(server, logs) {
  const client = server.client();
  const before = await counters(client);
  const steady = await load(server, logs, STEADY);
  await flush(client);
  const counts = grown(before, await counters(client));
  client.close();
  return [steady, counts];
}

/** Runs load.mjs in a process of its own, so that making the load and measuring the server do not wait for each other. */
function load({ url, key }, { path }, plan) {
  return new Promise((done, fail) => {
    const child = fork(LOAD, [JSON.stringify({ url: String(url), key, path, ...plan })]);
    child.on("message", done);
    child.on("error", fail);
    child.on("exit", (code) => fail(new Error(`the load generator ended with ${code}`)));
  });
}

const failures = ({ failed }) => Object.entries(failed).map(([status, times]) => `${times} × ${status}`).join(", ");
const used = ({ cpu, sent }) => (cpu === undefined ? "" : `, ${Math.round((cpu / sent) * 1e6)} s of CPU a million`);
const took = ({ p50, p99 }) => `median ${p50.toFixed(1)} ms, 99th percentile ${p99.toFixed(1)} ms`;
