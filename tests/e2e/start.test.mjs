// `npm start` as its user meets it: the address, the key and the curl lines it prints, Ctrl-C, and the log still there.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, stateDir, until } from "./harness.mjs";

const DEV_VARS = join(ROOT, ".dev.vars");

test("npm start serves, its curl lines work word for word, Ctrl-C leaves nothing behind but the logs", { timeout: 400_000 }, async (context) => {
  const [state, port] = [stateDir(context), await freePort()];
  const before = existsSync(DEV_VARS) ? readFileSync(DEV_VARS, "utf8") : undefined;

  const first = await start(context, state, port);
  const vars = readFileSync(DEV_VARS, "utf8");
  assert.equal(vars, before ?? vars);
  assert.equal(first.url, `http://127.0.0.1:${port}`);
  assert.ok(vars.includes(first.key));
  assert.equal(first.curls.length, 2);
  const [send, find] = first.curls;
  const { id, accepted } = JSON.parse(sh(send));
  assert.equal(accepted, 1);
  const [record, ...others] = JSON.parse(sh(find)).data;
  assert.deepEqual([record.id, record.message, record.service, others], [id, "hello timberline", "demo", []]);
  await first.stop();

  const second = await start(context, state, port);
  context.diagnostic(`up in ${first.seconds} s, and again in ${second.seconds} s`);
  assert.deepEqual([second.url, second.key, second.curls], [first.url, first.key, first.curls]);
  assert.equal(readFileSync(DEV_VARS, "utf8"), vars);
  assert.equal(JSON.parse(sh(find)).data[0].id, id);

  // Another server on the same state would break both.
  const other = run(state, await freePort());
  const [code] = await once(other, "close");
  assert.equal(code, 1);
  assert.match(other.text, new RegExp(`runs already[\\s\\S]*http://127.0.0.1:${port}[\\s\\S]*TIMBERLINE_STATE=`));
  await second.stop();
});

test("npm start takes no arguments and says what it takes instead", async () => {
  const child = run("/nowhere", 1, ["--port", "9"]);
  const [code] = await once(child, "close");
  assert.equal(code, 1);
  assert.match(child.text, /takes no arguments, got --port 9[\s\S]*PORT=9000/);
});

test("npm start on a port that is taken says so and what to do", async (context) => {
  const taken = createServer();
  context.after(() => taken.close());
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address();
  const child = run(stateDir(context), port);
  context.after(() => child.kill("SIGKILL"));
  const [code] = await once(child, "close");
  assert.equal(code, 1);
  assert.match(child.text, new RegExp(`port ${port} is taken[\\s\\S]*PORT=${port + 1} npm start`));
});

function run(state, port, args = []) {
  const env = { ...process.env, TIMBERLINE_STATE: state, PORT: String(port) };
  // What a test runner tells its children is nothing to a user's shell.
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, [join(ROOT, "scripts/start.mjs"), ...args], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  child.text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (child.text += chunk));
  return child;
}

/** Starts, waits for the welcome, and answers what it says. */
async function start(context, state, port) {
  const began = Date.now();
  const child = run(state, port);
  let closed;
  const ended = once(child, "close").then(([code, signal]) => (closed = { code, signal }));
  context.after(() => closed || child.kill("SIGTERM"));
  await until(() => child.text.includes("Ctrl-C") || closed, { ms: 380_000, what: "npm start" });
  assert.equal(closed, undefined, child.text);
  const line = (label) => new RegExp(`${label}:\\s+(\\S+)`).exec(child.text)?.[1];
  return {
    url: line("Timberline is up"),
    key: line("API key"),
    curls: [...child.text.matchAll(/^\s+(curl .*)$/gm)].map(([, command]) => command),
    seconds: ((Date.now() - began) / 1_000).toFixed(1),

    /** Ctrl-C; every process below must be gone with it. */
    async stop() {
      const family = descendants(child.pid);
      assert.ok(family.some(({ command }) => command.includes("workerd")), JSON.stringify(family));
      child.kill("SIGINT");
      await ended;
      assert.deepEqual(closed, { code: 0, signal: null }, child.text);
      const pids = new Set(family.map(({ pid }) => pid));
      await until(() => !processes().some(({ pid }) => pids.has(pid)), { what: `the end of ${JSON.stringify(family)}` });
    },
  };
}

function sh(command) {
  return execFileSync("sh", ["-c", command], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 30_000 });
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Every process that runs; those that only wait to be noted as ended are none. */
function processes() {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,comm="], { encoding: "utf8" }).trim().split("\n");
  const all = lines.map((line) => line.trim().split(/\s+/)).map(([pid, ppid, stat, ...command]) => ({ pid: Number(pid), ppid: Number(ppid), stat, command: command.join(" ") }));
  return all.filter(({ stat }) => !stat.startsWith("Z"));
}

function descendants(pid) {
  const all = processes();
  const below = (parent) => all.filter(({ ppid }) => ppid === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(pid);
}
