// The engine alone, in wasm on one thread: what a record passes, against parsing its JSON; patterns, sketches and anomalies.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WASM_FEATURES } from "../scripts/build.mjs";
import { ROOT, must, step } from "../scripts/run.mjs";
import { row } from "./table.mjs";

const CRATE = join(ROOT, "benches/engine");
const OUT = join(ROOT, "target/bench");
const WASM = join(OUT, "engine.wasm");
/** Of its own: in the Worker's it would leave a `timberline.wasm` of other profiles and dependencies, which cargo takes for the Worker's. */
const TARGET_DIR = join(OUT, "cargo");
/** Of each function the quickest round counts. */
const ROUNDS = 5;
const LINES = 20_000;

/** Compiles benches/engine as the Worker is compiled. */
export async function buildEngine({ env }) {
  mkdirSync(OUT, { recursive: true });
  await step("building the engine for its bench", "two to four minutes the first time", async () => {
    await must("cargo", ["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--manifest-path", join(CRATE, "Cargo.toml")], { env: { ...env, CARGO_TARGET_DIR: TARGET_DIR } });
    const made = join(TARGET_DIR, "wasm32-unknown-unknown/release/timberline_bench.wasm");
    await must(env.WASM_OPT_BIN, ["-O3", ...WASM_FEATURES, made, "-o", WASM], { env });
  });
}

export function measureEngine(logs) {
  const engine = start();
  const few = logs.first(LINES);
  engine.put(Buffer.concat([...few.batches()].map(({ body }) => body)));
  const { lines } = few.facts;
  engine.messages();
  const series = engine.history();
  const [parsed, passed, mined, sketched, evaluated] = quickest(engine, ["parse", "pipeline", "mine", "sketch", "evaluate"]);
  const aLine = (seconds) => (seconds * 1e6) / lines;
  return [
    row("engine", "the pipeline", [
      { value: lines / passed, unit: "lines/s", least: 60_000 },
      { value: passed / parsed, unit: "× serde_json", most: 4 },
    ], {
      note: `from a line's bytes to its stored row, ${aLine(passed).toFixed(1)} µs a line; parsing it to a tree takes ${aLine(parsed).toFixed(1)} µs; ${((engine.long() * 100) / lines).toFixed(1)}% of the lines go the long way`,
    }),
    row("engine", "mining of patterns", [{ value: lines / mined, unit: "messages/s", least: 150_000 }], {
      note: `with a miner that knows nothing at first; ${engine.mine()} patterns`,
    }),
    row("engine", "quantile sketches", [{ value: lines / sketched, unit: "values/s" }]),
    row("engine", "evaluation of anomalies", [{ value: series / evaluated, unit: "series/s" }], {
      note: `${series} series over two weeks in ${(evaluated * 1e3).toFixed(0)} ms; ${engine.evaluate()} anomalies`,
    }),
  ];
}

/** The CPU seconds of each function's quickest round; the rounds take turns, so that noise meets all. */
function quickest(engine, names) {
  const best = names.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round += 1) {
    names.forEach((name, n) => {
      const before = process.cpuUsage();
      engine[name]();
      const { user, system } = process.cpuUsage(before);
      best[n] = Math.min(best[n], (user + system) / 1e6);
    });
  }
  return best;
}

function start() {
  const module = new WebAssembly.Module(readFileSync(WASM));
  const imports = {};
  // What only a Worker has is not called.
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = () => {
      throw new Error(`${name} is not there`);
    };
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  const put = (body) => {
    const place = exports.room(body.length);
    new Uint8Array(exports.memory.buffer).set(body, place);
  };
  return { ...exports, put };
}
