// Timberline as it ships, on a real workerd with a real D1, R2 and Durable Objects, for one test.
// The Worker comes from build/, its settings from wrangler.toml and its tables from migrations/.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const KEY = "test-key";

const WRANGLER = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
const COMPATIBILITY_DATE = /^compatibility_date = "(.*)"/m.exec(WRANGLER)[1];
const VARS = Object.fromEntries([.../^\[vars\]\n((?:[^[\n].*\n|\n)*)/m.exec(WRANGLER)[1].matchAll(/^(\w+) = "(.*)"/gm)].map((m) => m.slice(1)));

/** Processes that belong to instances of this test process, so that a crash hits the right one. */
const owned = new Set();

/**
 * Starts an instance.
 * - `persist`: a directory whose state outlives the instance; without it the state goes away with `dispose()`.
 * - `vars`: variables in place of those of wrangler.toml; `key: null` starts without LOG_SERVICE_API_KEY.
 * - `model`: a language model of `startModel` in model.mjs, whose variables it gets.
 * - `build`: the folder of another build of the Worker.
 * - `producers`: Workers that tail into Timberline, `{ name, script, ...any other Miniflare worker option }`.
 * - `worker`: Miniflare worker options for Timberline itself, in place of those below.
 */
export async function startTimberline({ persist, vars = {}, model, key = KEY, producers = [], worker = {}, build = join(ROOT, "build") } = {}) {
  const state = persist ?? mkdtempSync(join(tmpdir(), "timberline-"));
  const logs = [];
  let restarted = () => {};
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    resourcePersistencePath: state,
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: (line) => logs.push(line),
    unsafeHandleRuntimeRestart: () => restarted(),
    workers: [timberline({ ...VARS, DEFAULT_TTL_DAYS: "30", ...model?.vars, ...vars, ...(key === null ? {} : { LOG_SERVICE_API_KEY: key }) }, worker, build), ...producers.map(producer)],
  });
  let mf;
  let processes = [];
  const url = await oneAtATime(async () => {
    mf = new Miniflare(options);
    // What did not start would keep the test process alive.
    const ready = await mf.ready.catch(async (error) => {
      await mf.dispose().catch(() => {});
      throw error;
    });
    processes = claim();
    return ready;
  });
  await migrate(await mf.getD1Database("DB", "timberline"));

  return {
    mf,
    url,
    key,
    /** Every line that a Worker of this instance wrote with `console.*`: `{ timestamp, level, message }`. */
    logs,

    /** A request over HTTP, with the key unless the headers say otherwise. A plain object as `json` becomes the body. */
    fetch(path, { json, headers = {}, ...init } = {}) {
      const auth = key === null ? {} : { authorization: `Bearer ${key}` };
      const body = json === undefined ? {} : { method: "POST", body: JSON.stringify(json) };
      const type = json === undefined ? {} : { "content-type": "application/json" };
      return fetch(new URL(path, url), { ...body, ...init, headers: { ...auth, ...type, ...headers } });
    },

    /** Runs a cron trigger as if it were `at` (ms or Date). */
    async cron(expression, at = Date.now()) {
      const worker = await mf.getWorker("timberline");
      return worker.scheduled({ cron: expression, scheduledTime: new Date(at) });
    },

    /** The default entrypoint of a producer: `(await t.producer("shop")).fetch("http://shop/")`. */
    producer: (name) => mf.getWorker(name),

    /** Rows of the catalog. */
    async rows(sql, ...params) {
      const db = await mf.getD1Database("DB", "timberline");
      return (await db.prepare(sql).bind(...params).all()).results;
    },

    d1: () => mf.getD1Database("DB", "timberline"),
    bucket: () => mf.getR2Bucket("BUCKET", "timberline"),

    /** What is stored in R2: `{ key, size, … }`, in order of the keys. */
    async objects(prefix = "") {
      const bucket = await mf.getR2Bucket("BUCKET", "timberline");
      const found = [];
      for (let cursor; ; ) {
        const page = await bucket.list({ prefix, cursor });
        found.push(...page.objects);
        if (!page.truncated) return found;
        cursor = page.cursor;
      }
    },

    /** Ends workerd with SIGKILL and resolves when it is back, on the same address and with what was on disk. */
    crash() {
      return oneAtATime(async () => {
        const back = new Promise((done) => (restarted = done));
        for (const pid of processes) process.kill(pid, "SIGKILL");
        release(processes);
        await back;
        processes = claim();
      });
    },

    async dispose() {
      release(processes);
      await mf.dispose();
      if (!persist) rmSync(state, { recursive: true, force: true });
    },
  };
}

/** A directory for `persist`, removed when the test `t` of node:test ends. */
export function stateDir(t) {
  const dir = mkdtempSync(join(tmpdir(), "timberline-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Tries until `probe` answers something truthy, and answers that. */
export async function until(probe, { ms = 5_000, what = "the condition" } = {}) {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((wake) => setTimeout(wake, 20))) {
    const result = await probe();
    if (result) return result;
  }
  throw new Error(`${what} did not come true within ${ms} ms`);
}

function timberline(bindings, options, build) {
  return {
    name: "timberline",
    compatibilityDate: COMPATIBILITY_DATE,
    // The first module is the entry; the second is found by the relative import in it.
    modulesRoot: build,
    modules: [
      { type: "ESModule", path: join(build, "index.js") },
      { type: "CompiledWasm", path: join(build, "index_bg.wasm") },
    ],
    bindings,
    d1Databases: { DB: "timberline" },
    r2Buckets: { BUCKET: "timberline" },
    kvNamespaces: { KV: "timberline" },
    ...options,
    durableObjects: {
      SHARD: { className: "ShardObject", useSQLite: true },
      SCANNER: { className: "ScannerObject", useSQLite: true },
      LIMITER: { className: "LimiterObject", useSQLite: true },
      ...options.durableObjects,
    },
  };
}

function producer({ name, script, ...options }) {
  return { name, compatibilityDate: COMPATIBILITY_DATE, modules: true, script, tails: ["timberline"], ...options };
}

/** Applies migrations/ in the order of their names, each once, noted where wrangler notes it; all, or those before `until`. */
export async function migrate(db, until = "~") {
  await db.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)").run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(results.map(({ name }) => name));
  const dir = join(ROOT, "migrations");
  for (const name of readdirSync(dir).filter((file) => file.endsWith(".sql") && file < until && !applied.has(file)).sort()) {
    const statements = splitStatements(readFileSync(join(dir, name), "utf8")).map((sql) => db.prepare(sql));
    await db.batch([...statements, db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name)]);
  }
}

/** Splits SQL at the semicolons that end a statement: not those in strings, comments or the body of a trigger. */
export function splitStatements(sql) {
  const statements = [];
  let current = "";
  let depth = 0; // Of BEGIN … END in a trigger and CASE … END anywhere.
  for (const [token] of sql.matchAll(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|[\s\S]/g)) {
    if (token.startsWith("--") || token.startsWith("/*")) continue;
    const trigger = /^\s*CREATE\s+(TEMP\w*\s+)?TRIGGER\b/i.test(current);
    if (/^case$/i.test(token) || (trigger && /^begin$/i.test(token))) depth += 1;
    if (/^end$/i.test(token) && depth > 0) depth -= 1;
    if (token === ";" && depth === 0) {
      statements.push(current.trim());
      current = "";
    } else {
      current += token;
    }
  }
  return [...statements, current.trim()].filter(Boolean);
}

let last = Promise.resolve();

/** Whose a new workerd process is can only be told while one instance starts at a time. */
function oneAtATime(work) {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

/** The workerd processes of this test process that no instance has claimed yet. */
function claim() {
  const mine = children().filter((pid) => !owned.has(pid));
  for (const pid of mine) owned.add(pid);
  return mine;
}

function release(pids) {
  for (const pid of pids) owned.delete(pid);
}

function children() {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,comm="], { encoding: "utf8" }).trim().split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, stat, ...command]) => Number(ppid) === process.pid && !stat.startsWith("Z") && command.join(" ").endsWith("workerd"))
    .map(([pid]) => Number(pid));
}
