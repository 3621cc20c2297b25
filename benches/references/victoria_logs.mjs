// VictoriaLogs, when VICTORIA_LOGS_BIN names its binary: a server of its own on this machine, in a folder of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { step } from "../../scripts/run.mjs";
import { Client, baseline } from "../client.mjs";
import { cpuSeconds } from "../process.mjs";
import { timeAll } from "./queries.mjs";

const READY_MS = 20_000;
const INSERT = "/insert/jsonline?_stream_fields=service&_time_field=timestamp&_msg_field=message";

/** Undefined where it is not there. */
export async function measureVictoriaLogs(work, logs) {
  const binary = process.env.VICTORIA_LOGS_BIN;
  if (!binary) return undefined;
  return step("reference: VictoriaLogs", `${logs.facts.lines} lines`, () => measure(binary, work, logs));
}

async function measure(binary, work, logs) {
  const { lines } = logs.facts;
  const server = await start(binary, work);
  const client = new Client(server.url, null);
  try {
    for (const { body } of logs.batches()) await must(client.post(INSERT, body, "application/x-ndjson"));
    await must(client.get("/internal/force_flush"));
    await must(client.get("/internal/force_merge"));
    const cpu = server.cpu();
    const trivial = await baseline(client);
    const ask = (query) => client.post("/select/logsql/query", new URLSearchParams({ query }).toString(), "application/x-www-form-urlencoded");
    return {
      lines,
      bytesALine: bytesBelow(server.state) / lines,
      cpuAMillion: cpu === undefined ? undefined : (cpu * 1e6) / lines,
      queries: await timeAll(questions(logs.facts), ask, trivial),
    };
  } finally {
    client.close();
    await server.stop();
  }
}

async function start(binary, work) {
  const state = mkdtempSync(join(work, "victoria-"));
  const port = await freePort();
  const child = spawn(binary, [`-storageDataPath=${state}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=100y", "-loggerLevel=ERROR"], { stdio: ["ignore", "ignore", "inherit"] });
  const failed = new Promise((_, fail) => child.once("error", fail).once("exit", (code) => fail(new Error(`${binary} ended with ${code}`))));
  failed.catch(() => {});
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const url = `http://127.0.0.1:${port}/`;
  await Promise.race([failed, ready(url)]);
  return {
    url,
    state,
    cpu: () => cpuSeconds([child.pid]),
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
      process.removeListener("exit", kill);
      rmSync(state, { recursive: true, force: true });
    },
  };
}

async function ready(url) {
  for (const end = Date.now() + READY_MS; Date.now() < end; await new Promise((wake) => setTimeout(wake, 100))) {
    if (await fetch(new URL("health", url)).then(({ ok }) => ok, () => false)) return;
  }
  throw new Error(`VictoriaLogs was not ready within ${READY_MS} ms`);
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function must(answering) {
  const { status, text } = await answering;
  if (status >= 300) throw new Error(`VictoriaLogs answered ${status}: ${text.slice(0, 300)}`);
}

function bytesBelow(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

function questions({ trace, user, rare, recent, word }) {
  const newest = "| sort by (_time desc) limit 100";
  const hour = `_time:[${new Date(recent.start).toISOString()}, ${new Date(recent.end).toISOString()}]`;
  return {
    trace: `trace_id:="${trace.id}" ${newest}`,
    rare: `"${rare}" ${newest}`,
    user: `user_id:="${user.id}" ${newest}`,
    recent: `${hour} service:="${recent.service}" level:="ERROR" ${newest}`,
    by_level: "* | stats by (_time:1h, level) count() logs",
    count: "* | stats by (service, level) count() logs",
    errors: `level:="ERROR" | stats by (_time:1m) count() logs`,
    word: `"${word}" | stats count() logs`,
    newest: `"${word}" ${newest}`,
  };
}
