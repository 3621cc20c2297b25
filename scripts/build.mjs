// Builds the Worker into build/. Nothing happens when nothing changed, so it also serves as wrangler's build command.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { withLock } from "./lock.mjs";
import { ROOT, main, must, say, step } from "./run.mjs";
import { setup } from "./setup.mjs";

const INPUTS = ["src", "Cargo.toml", "Cargo.lock", "package-lock.json", "scripts/build.mjs", "scripts/rust.mjs", "scripts/setup.mjs"];
const SHIPPED = { out: "build", flags: [] };
/** The Worker with the contract suite of the ports in it, for one end-to-end test; not optimised. */
const CONTRACT = { out: "target/contract", flags: [".", "--", "--features", "contract"], test: true };

/** What workerd runs and rustc emits; named one by one so that a newer wasm-opt adds nothing of its own. */
export const WASM_FEATURES = [
  "simd", "mutable-globals", "sign-ext", "nontrapping-float-to-int", "bulk-memory", "multivalue", "reference-types", "exception-handling",
].map((name) => `--enable-${name}`);

/** Brings build/ up to date. `tools` is what `setup()` gave; without it, it is only asked for when there is work. */
export const build = (tools) => bringUpToDate(SHIPPED, tools);

/** Brings target/contract/ up to date; answers the folder. */
export async function buildContract(tools) {
  await bringUpToDate(CONTRACT, tools);
  return join(ROOT, CONTRACT.out);
}

async function bringUpToDate(kind, tools) {
  if (isCurrent(kind)) return;
  tools ??= await setup();
  await withLock(join(ROOT, "target/wasm/build-lock"), async () => {
    const inputs = hash();
    if (isCurrent(kind, inputs)) return;
    const first = !existsSync(join(ROOT, kind.out, "index_bg.wasm"));
    const what = kind.test ? "building the Worker with the contract suite" : "building the Worker";
    await step(what, first ? "one to three minutes the first time" : "about half a minute", () => compile(kind, tools));
    // Inputs that changed meanwhile make the stamp wrong and the next build a real one.
    writeFileSync(join(ROOT, kind.out, ".inputs"), inputs);
    const wasm = readFileSync(join(ROOT, kind.out, "index_bg.wasm"));
    say(`${kind.out}/index_bg.wasm: ${kb(wasm.length)}, ${kb(gzipSync(wasm).length)} gzipped`);
  });
}

async function compile({ out, flags, test }, { workerBuild, env }) {
  const to = join(ROOT, out);
  rmSync(join(to, ".inputs"), { force: true });
  const profile = test ? "--dev" : "--release";
  await must(workerBuild, [profile, "--no-opt", "--out-dir", "target/wasm/out", ...flags], { env, hint: "see the messages above" });
  const made = join(ROOT, "target/wasm/out");
  mkdirSync(to, { recursive: true });
  if (test) {
    renameSync(`${made}/index_bg.wasm`, join(to, "index_bg.wasm"));
  } else {
    // worker-build itself would run it with -O and without SIMD. Names would be 5% of what the free plan has room for; a panic tells its
    // place in the source without them.
    await must(env.WASM_OPT_BIN, ["-O3", ...WASM_FEATURES, "--strip-debug", `${made}/index_bg.wasm`, "-o", `${made}/optimised.wasm`], { env });
    renameSync(`${made}/optimised.wasm`, join(to, "index_bg.wasm"));
  }
  await bundle(`${made}/index.js`, join(to, "index.js"));
}

/** One module of ours and worker-build's: what is uploaded is `main` and the WebAssembly that it imports. */
async function bundle(made, to) {
  const { build } = await import("esbuild");
  const fixed = { bundle: true, format: "esm", target: "esnext", minify: true, external: ["cloudflare:*", "*.wasm"], logLevel: "warning" };
  const inject = [join(ROOT, "src/platform/microtask.js")];
  await build({ ...fixed, entryPoints: [join(ROOT, "src/entry.js")], inject, alias: { "worker-build": made }, outfile: to });
}

function isCurrent({ out }, inputs = hash()) {
  const stamp = join(ROOT, out, ".inputs");
  return existsSync(join(ROOT, out, "index_bg.wasm")) && existsSync(stamp) && readFileSync(stamp, "utf8") === inputs;
}

function hash() {
  const sum = createHash("sha256");
  for (const file of INPUTS.flatMap((path) => files(join(ROOT, path)))) {
    sum.update(`${relative(ROOT, file)}\0`).update(readFileSync(file)).update("\0");
  }
  return sum.digest("hex");
}

function files(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).sort().flatMap((name) => files(join(path, name)));
}

const kb = (bytes) => `${Math.round(bytes / 1024)} KB`;

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(() => build());
