// Makes sure that everything a build needs is here, and says where. Repeating it costs a few checks.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";
import { CACHE, ROOT, StepError, main, must, run, say, step, which } from "./run.mjs";
import { recentEnough, wasmRust } from "./rust.mjs";

const WORKER_BUILD = "0.8.7";
/** What wrangler 4.164 needs; the npm package `node` brings one, whatever runs this script. */
const MIN_NODE = [22, 12];
const MODULES = join(ROOT, "node_modules");

/**
 * `node`: the Node.js that runs wrangler and the end-to-end tests.
 * `env`: the variables of a wasm build, among them PATH. `host`: the same for the host's cargo.
 */
export async function setup() {
  const node = await nodeModules();
  if (!which("cc")) throw new StepError("there is no C compiler to link with", "as root: apt-get install -y build-essential");
  return withLock(join(CACHE, "lock"), async () => {
    const rust = await wasmRust();
    const host = which("cargo") && (await recentEnough("rustc")) ? {} : rust.env;
    if (!existsSync(join(ROOT, "Cargo.lock"))) await must("cargo", ["generate-lockfile"], { env: { ...process.env, ...host } });
    const bindgen = lockedVersion("wasm-bindgen");
    const workerBuild = await cargoTool("worker-build", WORKER_BUILD, ["--locked"], "three to five minutes", host);
    // This one's own lock file does not build.
    const wasmBindgen = await cargoTool("wasm-bindgen-cli", bindgen, [], "two to three minutes", host, "wasm-bindgen");
    const path = rust.env.PATH ?? process.env.PATH;
    const env = {
      ...process.env,
      ...rust.env,
      PATH: [join(MODULES, "node/bin"), path].join(delimiter),
      WASM_BINDGEN_BIN: wasmBindgen,
      WASM_OPT_BIN: join(MODULES, "binaryen/bin/wasm-opt"),
      ESBUILD_BIN: join(MODULES, "esbuild/bin/esbuild"),
      CARGO_TARGET_DIR: join(ROOT, "target/wasm"), // Host builds and wasm builds do not evict each other.
      // The free plan takes a Worker of 3 MB: less of what is small is copied to where it is called.
      RUSTFLAGS: "-C target-feature=+simd128 -C llvm-args=--inline-threshold=75",
    };
    return { node, rust: rust.name, workerBuild, env, host: { ...process.env, ...host } };
  });
}

/** Installs node_modules when package-lock.json has changed since the last time; the Node.js to use. */
export async function nodeModules() {
  const lock = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json"))).digest("hex");
  const stamp = join(MODULES, ".timberline-lock");
  const current = () => existsSync(stamp) && readFileSync(stamp, "utf8") === lock;
  if (!current()) {
    await withLock(join(ROOT, ".wrangler/npm-lock"), async () => {
      if (current()) return;
      await step("installing npm packages", "once, about half a minute, 550 MB on disk", () =>
        must("npm", ["ci", "--loglevel=error", "--no-audit", "--no-fund"], { hint: "check that registry.npmjs.org can be reached, then run the command again" }),
      );
      writeFileSync(stamp, lock);
    });
  }
  for (const node of [join(MODULES, "node/bin/node"), process.execPath]) {
    const { code, output } = await run(node, ["--version"]);
    const [major, minor] = (/v(\d+)\.(\d+)/.exec(output) ?? [0, 0, 0]).slice(1).map(Number);
    if (code === 0 && (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]))) return node;
  }
  throw new StepError("the npm package `node` did not install its binary", "npm config set ignore-scripts false, remove node_modules and run again; or use Node.js 22.12 or later");
}

/** The version that Cargo.lock names; the command line tool must be exactly the library's. */
function lockedVersion(name) {
  const found = new RegExp(`name = "${name}"\\nversion = "([^"]+)"`).exec(readFileSync(join(ROOT, "Cargo.lock"), "utf8"));
  if (!found) throw new StepError(`Cargo.lock does not name ${name}`, "git checkout Cargo.lock, or remove it and run again");
  return found[1];
}

/** Installs a tool into a folder named after its version, once, and answers the path of its binary. */
async function cargoTool(name, version, flags, about, host, binary = name) {
  const dir = join(CACHE, `${name}-${version}`);
  const path = join(dir, "bin", binary);
  if (existsSync(path)) return path;
  const work = `${dir}.tmp-${process.pid}`;
  await step(`compiling ${name} ${version}`, `once, ${about}`, () =>
    must("cargo", ["install", name, "--version", `=${version}`, ...flags, "--root", work], {
      cwd: dirname(dir), // Away from the project, whose settings are not meant for the tool.
      env: withoutFlags({ ...process.env, ...host }),
      hint: "check that crates.io can be reached; on Debian also, as root: apt-get install -y build-essential pkg-config libssl-dev",
    }),
  );
  rmSync(dir, { recursive: true, force: true });
  renameSync(work, dir);
  return path;
}

function withoutFlags({ RUSTFLAGS: _, CARGO_TARGET_DIR: __, ...env }) {
  return env;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    mkdirSync(CACHE, { recursive: true });
    const { rust } = await setup();
    say(`ready: wasm is built with ${rust}`);
  });
}
