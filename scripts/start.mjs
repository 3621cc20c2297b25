// `npm start`: sets up, builds, migrates and serves on 127.0.0.1, offline, until Ctrl-C.
import { createHash, randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { build } from "./build.mjs";
import { ROOT, StepError, main, must, say, step } from "./run.mjs";
import { setup } from "./setup.mjs";
import { OFFLINE, WRANGLER, wranglerEnv } from "./wrangler.mjs";

const PORT = Number(process.env.PORT || 8787);
const STATE = resolve(ROOT, process.env.TIMBERLINE_STATE || ".wrangler/state");
const ORIGIN = `http://127.0.0.1:${PORT}`;
const READY_MS = 60_000;
/** Two servers on one state would each have a shard of the same name, and break each other's tables. */
const OWNER = join(STATE, "served-by.json");

await main(async () => {
  if (process.argv.length > 2) throw new StepError(`npm start takes no arguments, got ${process.argv.slice(2).join(" ")}`, "PORT=9000 TIMBERLINE_STATE=/some/folder npm start");
  await stateIsFree();
  await portIsFree();
  const tools = await setup();
  await build(tools);
  const key = apiKey();
  await migrate(tools.node);
  await portIsFree(); // The first build takes minutes.
  await takeState();
  return serve(tools.node, key);
});

async function stateIsFree() {
  if (!existsSync(OWNER)) return;
  const { pid, port } = JSON.parse(readFileSync(OWNER, "utf8"));
  try {
    process.kill(pid, 0);
    const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2_000) });
    if ((await answer.json()).service !== "timberline") return;
  } catch {
    return; // It was killed, and its number may be another program's by now.
  }
  throw new StepError(
    `Timberline runs already on ${STATE}: process ${pid}, http://127.0.0.1:${port}`,
    "use that one or stop it; for a second one: TIMBERLINE_STATE=/another/folder PORT=8788 npm start",
  );
}

async function takeState() {
  await stateIsFree();
  mkdirSync(STATE, { recursive: true });
  writeFileSync(OWNER, JSON.stringify({ pid: process.pid, port: PORT }));
  process.on("exit", () => rmSync(OWNER, { force: true }));
}

async function portIsFree() {
  if (!Number.isInteger(PORT) || PORT < 1 || PORT > 65_535) throw new StepError(`PORT=${process.env.PORT} is not a port`, "PORT=8788 npm start");
  const error = await new Promise((done) => {
    const probe = createServer().once("error", done).listen(PORT, "127.0.0.1", () => probe.close(() => done()));
  });
  if (error?.code === "EADDRINUSE") throw new StepError(`port ${PORT} is taken`, `stop the program that uses it, or take another one: PORT=${PORT + 1} npm start`);
  if (error) throw new StepError(`cannot listen on port ${PORT}: ${error.message}`, "take another one: PORT=8788 npm start");
}

/** The key in .dev.vars, which is written once and then belongs to the user. */
function apiKey() {
  const path = join(ROOT, ".dev.vars");
  if (!existsSync(path)) {
    writeFileSync(path, `LOG_SERVICE_API_KEY=${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    say("wrote a random LOG_SERVICE_API_KEY to .dev.vars");
  }
  const key = /^\s*LOG_SERVICE_API_KEY\s*=\s*["']?([^"'\s]+)/m.exec(readFileSync(path, "utf8"))?.[1];
  if (!key) throw new StepError(".dev.vars has no LOG_SERVICE_API_KEY", "add a line LOG_SERVICE_API_KEY=… to .dev.vars, or remove the file");
  return key;
}

/** Applies migrations/ to the embedded database, unless the same files were applied to the same state before. */
async function migrate(node) {
  const dir = join(ROOT, "migrations");
  const sum = createHash("sha256");
  for (const name of readdirSync(dir).sort()) sum.update(`${name}\0`).update(readFileSync(join(dir, name)));
  const hash = sum.digest("hex");
  const stamp = join(STATE, "v3/d1/.migrations-applied"); // Goes away with the database.
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  await step("applying the database migrations", "a few seconds", () =>
    must(node, [WRANGLER, "d1", "migrations", "apply", "DB", "--local", "--persist-to", STATE], {
      env: { ...wranglerEnv(node), ...OFFLINE },
      hint: `see the message above; if the state in ${STATE} may go, remove it and start again`,
    }),
  );
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}

/** Runs wrangler in a process group of its own, so that stopping the group leaves neither it nor workerd behind. */
async function serve(node, key) {
  const args = ["dev", "--local", "--ip", "127.0.0.1", "--port", `${PORT}`, "--persist-to", STATE, "--log-level", "warn", "--show-interactive-dev-session=false"];
  const server = spawn(node, [WRANGLER, ...args], { cwd: ROOT, env: { ...wranglerEnv(node), ...OFFLINE }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let held = ""; // What is said while starting is only of interest when the start fails.
  const show = (chunk) => {
    if (held === undefined) process.stdout.write(chunk);
    else held += chunk;
  };
  server.stdout.on("data", show);
  server.stderr.on("data", show);
  const ended = new Promise((done) => server.on("close", done));

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    signalGroup(server.pid, "SIGTERM");
    await Promise.race([ended, sleep(5_000)]);
    signalGroup(server.pid, "SIGKILL");
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  // npm ends at a SIGTERM without passing it on; its absence is the signal then.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) setInterval(() => process.ppid !== parent && stop(), 250).unref();
  process.on("exit", () => signalGroup(server.pid, "SIGKILL"));

  const ready = await Promise.race([isHealthy(), ended.then(() => false)]);
  if (stopping) return ended;
  if (!ready) {
    signalGroup(server.pid, "SIGKILL");
    throw new StepError(`Timberline did not answer on ${ORIGIN}/health:\n${held.trim()}`, "see the message above");
  }
  held = undefined;
  welcome(key);
  await ended;
  if (!stopping) throw new StepError("wrangler ended by itself", "see its messages above, then start again");
}

async function isHealthy() {
  for (const until = Date.now() + READY_MS; Date.now() < until; await sleep(100)) {
    const answer = await fetch(`${ORIGIN}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) return true;
  }
  return false;
}

function welcome(key) {
  console.log(`
Timberline is up:  ${ORIGIN}
API key:           ${key}   (in .dev.vars)
State:             ${STATE}

Send a log, then find it:

  curl -X POST ${ORIGIN}/logs -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '{"service":"demo","level":"info","message":"hello timberline"}'
  curl '${ORIGIN}/api/v1/logs/search?q=hello' -H 'Authorization: Bearer ${key}'

Ctrl-C stops it; the logs stay.
`);
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}

function sleep(ms) {
  return new Promise((wake) => setTimeout(wake, ms));
}
