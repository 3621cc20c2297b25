// `npm test`: sets up, builds, runs every test and ends with a summary.
//   npm test -- --host            only the Rust tests
//   npm test -- --e2e             only the tests of the built Worker
//   npm test -- --only <text>     only Rust tests, end-to-end files or end-to-end tests whose name has the text
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { ROOT, StepError, main, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await main(async () => {
  const options = selection();
  const tools = await setup();
  const suites = [];
  if (!options.e2e) suites.push(await hostTests(tools, options.only));
  if (!options.host) suites.push(await e2eTests(tools, options.only));
  return summary(suites);
});

function selection() {
  try {
    return parseArgs({ options: { host: { type: "boolean" }, e2e: { type: "boolean" }, only: { type: "string" } } }).values;
  } catch (error) {
    throw new StepError(error.message, "npm test [-- [--host | --e2e] [--only <text>]]");
  }
}

async function hostTests({ host }, only) {
  const args = ["test", "--locked", "--no-fail-fast", ...(only ? [only] : [])];
  const color = process.stdout.isTTY ? { CARGO_TERM_COLOR: "always" } : {};
  return suite("host", "cargo", args, { ...host, ...color }, (output) => {
    const results = [...output.matchAll(/test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/g)];
    return [1, 2, 3].map((group) => results.reduce((sum, result) => sum + Number(result[group]), 0));
  });
}

async function e2eTests(tools, only) {
  const all = testFiles(join(ROOT, "tests/e2e"));
  const named = all.filter((file) => only && file.includes(only));
  const files = named.length > 0 ? named : all;
  if (files.length === 0) return { name: "e2e", counts: [0, 0, 0], code: 0, ms: 0 };
  try {
    await build(tools);
  } catch (error) {
    console.error(`\n${error.message}`);
    return { name: "e2e", counts: [0, 0, 0], code: 1, ms: 0 };
  }
  const pattern = only && named.length === 0 ? [`--test-name-pattern=${only.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`] : [];
  // One file at a time: each starts a workerd of its own, and some of them measure.
  const args = ["--test", "--test-concurrency=1", "--test-force-exit", "--test-timeout=600000", "--test-reporter=spec", ...pattern, ...files];
  return suite("e2e", tools.node, args, tools.env, (output) =>
    ["pass", "fail", "skipped"].map((word) => Number(new RegExp(`^\\W*${word} (\\d+)`, "m").exec(plain(output))?.[1] ?? 0)),
  );
}

/** Runs one suite, showing its output, and counts from that output. */
async function suite(name, command, args, env, count) {
  say(`${name}: ${[command === "cargo" ? command : "node", ...args].join(" ")}`);
  const started = Date.now();
  const { code, output } = await run(command, args, { env, watch: (text) => process.stdout.write(text) });
  return { name, counts: count(output), code, ms: Date.now() - started };
}

function summary(suites) {
  console.log("\nsuite   passed  failed  skipped     time");
  for (const { name, counts, ms, code } of suites) {
    const [passed, failed, skipped] = counts.map(String);
    const note = code !== 0 && counts[1] === 0 ? "   did not run to its end" : "";
    console.log(`${name.padEnd(6)}${passed.padStart(8)}${failed.padStart(8)}${skipped.padStart(9)}${`${(ms / 1000).toFixed(1)} s`.padStart(9)}${note}`);
  }
  const failed = suites.some(({ code }) => code !== 0);
  const ran = suites.some(({ counts }) => counts[0] + counts[1] > 0);
  console.log(failed ? "\nFAILED" : ran ? "\nall passed" : "\nno test ran");
  return failed || !ran ? 1 : 0;
}

function testFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true }).map(String).filter((name) => name.endsWith(".test.mjs")).sort().map((name) => relative(ROOT, join(dir, name)));
}

function plain(text) {
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
