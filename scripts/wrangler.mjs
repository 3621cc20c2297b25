// wrangler, run by a Node.js that it accepts: `npm run wrangler -- d1 list`.
import { delimiter, dirname, join } from "node:path";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ROOT, main } from "./run.mjs";
import { nodeModules } from "./setup.mjs";

export const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");

/** No metrics, no banner, and the given Node.js also for the build command that wrangler starts. */
export function wranglerEnv(node) {
  return {
    ...process.env,
    PATH: [dirname(node), process.env.PATH].join(delimiter),
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
  };
}

/** What keeps a local run off the network and its own log of every request off the disk. */
export const OFFLINE = {
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_WRITE_LOGS: "false",
  X_LOCAL_OBSERVABILITY: "false",
};

/** Runs wrangler on the terminal, questions included; resolves to its exit code. */
export function wrangler(node, args) {
  return new Promise((done) => {
    spawn(node, [WRANGLER, ...args], { cwd: ROOT, env: wranglerEnv(node), stdio: "inherit" }).on("close", (code) => done(code ?? 1));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => wrangler(await nodeModules(), process.argv.slice(2)));
}
