// Running other programs: with a time limit, with progress on long steps, and with errors that say what to do.
import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Where compiled tools are kept; every clone on the machine shares it. */
export const CACHE = resolve(
  process.env.TIMBERLINE_TOOLCHAIN || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "timberline"),
);

/** A failure that the reader can do something about: `hint` says what. */
export class StepError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

export const say = (line) => console.log(`timberline: ${line}`);

const children = new Set();
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]]) {
  process.on(signal, () => {
    if (process.listenerCount(signal) > 1) return; // This script has its own way of stopping.
    for (const child of children) child.kill(signal);
    process.exit(code);
  });
}

/**
 * Runs a program and resolves to `{ code, output }`; `code` is null when it could not start or ran into `limitMs`.
 * With `show`, its output goes to the terminal as it comes; otherwise it is collected.
 * With `progress`, the limit is one of standing still: it starts anew while the value that `progress()` gives changes.
 * `watch(text)` sees the output as it comes.
 */
export function run(command, args, { cwd = ROOT, env = process.env, show = false, limitMs = 0, progress, watch } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"] });
    children.add(child);
    let output = "";
    let seen = progress?.();
    const expire = () => {
      const now = progress?.();
      if (now === seen) {
        output += `\nstopped after ${limitMs / 1000} s without progress`;
        child.kill("SIGKILL");
        clearInterval(timer);
      }
      seen = now;
    };
    const timer = limitMs > 0 ? setInterval(expire, limitMs) : undefined;
    const collect = (chunk) => {
      output += chunk;
      watch?.(String(chunk));
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    const finish = (code) => {
      clearInterval(timer);
      children.delete(child);
      done({ code, output });
    };
    child.on("error", (error) => { output += error.message; finish(null); });
    child.on("close", finish);
  });
}

/** Runs a program whose failure ends the whole command, with `hint` as the advice. */
export async function must(command, args, { hint, ...options } = {}) {
  const { code, output } = await run(command, args, options);
  if (code === 0) return output;
  const tail = output.trimEnd().split("\n").slice(-200).join("\n");
  throw new StepError(`\`${[command, ...args].join(" ")}\` failed${tail ? `:\n${tail}` : ""}`, hint);
}

/** Announces a long step, reports every 20 s that it is still going, and says how long it took. */
export async function step(title, about, work) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  say(`${title} (${about}) …`);
  const beat = setInterval(() => say(`  still at it after ${seconds()} s`), 20_000);
  try {
    const result = await work();
    say(`  done in ${seconds()} s`);
    return result;
  } finally {
    clearInterval(beat);
  }
}

/** The path of a program on PATH, or undefined. */
export function which(name, path = process.env.PATH ?? "") {
  return path.split(delimiter).map((dir) => join(dir, name)).find((file) => existsSync(file) && statSync(file).isFile());
}

/** Runs a script's main function and turns a StepError into two readable lines. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(`\ntimberline: ${error.message}`);
    if (error.hint) console.error(`\ntimberline: what to do: ${error.hint}`);
    process.exitCode = 1;
  }
}
