// `npm run lint`: formatting, then clippy for both targets; a warning is a failure.
import { ROOT, main, must, say, which } from "./run.mjs";
import { setup } from "./setup.mjs";

const HINT = "npm run lint shows this again; `cargo fmt` repairs formatting";

await main(async () => {
  const tools = await setup();
  const lints = [
    ["formatting", ["fmt", "--check"], tools.host],
    ["clippy, host", ["clippy", "--locked", "--all-targets", "--", "-D", "warnings"], tools.host],
    ["clippy, wasm", ["clippy", "--locked", "--lib", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"], tools.env],
  ];
  for (const [name, args, env] of lints) {
    say(`${name}: cargo ${args.join(" ")}`);
    await must(which("cargo", env.PATH), args, { cwd: ROOT, env, show: true, hint: HINT });
  }
  say("lints pass");
});
