// `npm run deploy`: the remote migrations, then the Worker, into the account that wrangler is logged in to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { ROOT, StepError, main, say } from "./run.mjs";
import { setup } from "./setup.mjs";
import { wrangler } from "./wrangler.mjs";

const FIRST_TIME = `once per account:
  npm run wrangler -- login
  npm run wrangler -- d1 create timberline          (put the database_id it prints into wrangler.toml)
  npm run wrangler -- r2 bucket create timberline
  npm run deploy
  npm run wrangler -- secret put LOG_SERVICE_API_KEY`;

await main(async () => {
  if (/database_id = "[0-]+"/.test(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))) {
    throw new StepError("wrangler.toml does not name a D1 database yet", FIRST_TIME);
  }
  const tools = await setup();
  await build(tools);
  for (const args of [["d1", "migrations", "apply", "DB", "--remote"], ["deploy", ...process.argv.slice(2)]]) {
    if ((await wrangler(tools.node, args)) !== 0) throw new StepError(`wrangler ${args.join(" ")} failed`, FIRST_TIME);
  }
  say("deployed. Without a key every request is refused: npm run wrangler -- secret put LOG_SERVICE_API_KEY");
});
