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
const OUT = join(ROOT, "build");
const WASM = join(OUT, "index_bg.wasm");
const STAMP = join(OUT, ".inputs");

/** What workerd runs and rustc emits; named one by one so that a newer wasm-opt adds nothing of its own. */
const WASM_FEATURES = [
  "simd", "mutable-globals", "sign-ext", "nontrapping-float-to-int", "bulk-memory", "multivalue", "reference-types", "exception-handling",
].map((name) => `--enable-${name}`);

/** Brings build/ up to date. `tools` is what `setup()` gave; without it, it is only asked for when there is work. */
export async function build(tools) {
  if (isCurrent()) return;
  tools ??= await setup();
  await withLock(join(ROOT, "target/wasm/build-lock"), async () => {
    const inputs = hash();
    if (isCurrent(inputs)) return;
    const first = !existsSync(WASM);
    await step("building the Worker", first ? "one to three minutes the first time" : "about half a minute", () => compile(tools));
    // Inputs that changed meanwhile make the stamp wrong and the next build a real one.
    writeFileSync(STAMP, inputs);
    const wasm = readFileSync(WASM);
    say(`build/index_bg.wasm: ${kb(wasm.length)}, ${kb(gzipSync(wasm).length)} gzipped`);
  });
}

async function compile({ workerBuild, env }) {
  rmSync(STAMP, { force: true });
  await must(workerBuild, ["--release", "--no-opt", "--out-dir", "target/wasm/out"], { env, hint: "see the messages above" });
  // worker-build itself would run it with -O and without SIMD. The names stay, for stack traces.
  const made = join(ROOT, "target/wasm/out");
  await must(env.WASM_OPT_BIN, ["-O3", ...WASM_FEATURES, "--debuginfo", `${made}/index_bg.wasm`, "-o", `${made}/optimised.wasm`], { env });
  mkdirSync(OUT, { recursive: true });
  renameSync(`${made}/optimised.wasm`, WASM);
  renameSync(`${made}/index.js`, join(OUT, "index.js"));
}

function isCurrent(inputs = hash()) {
  return existsSync(WASM) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs;
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
