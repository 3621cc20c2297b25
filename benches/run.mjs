// `npm run bench`: sets up, builds, and measures the built Worker; docs/benchmarks.md says what and how.
import { resolve } from "node:path";
import { build } from "../scripts/build.mjs";
import { ROOT, main, run } from "../scripts/run.mjs";
import { setup } from "../scripts/setup.mjs";
import { OFFLINE } from "../scripts/wrangler.mjs";
import { buildEngine } from "./engine.mjs";
import { readOptions } from "./options.mjs";

await main(async () => {
  const args = process.argv.slice(2);
  const { only } = readOptions(args); // A misspelt one should not wait for a build.
  const tools = await setup();
  if (only.has("engine")) await buildEngine(tools);
  if ([...only].some((part) => part !== "engine")) await build(tools);
  const measure = resolve(ROOT, "benches/measure.mjs");
  const { code } = await run(tools.node, [measure, ...args], { cwd: process.cwd(), env: { ...process.env, ...OFFLINE }, show: true });
  return code ?? 1;
});
