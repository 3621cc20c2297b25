// The servers that are measured, one at a time: Timberline as the end-to-end tests start it, and the Workers of the
// references.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { startTimberline } from "../tests/e2e/harness.mjs";
import { Client } from "./client.mjs";
import { cpuSeconds, forgetPeak, memory, workerds } from "./process.mjs";

/** A socket of the Worker's own: the one in front of all Workers of a Miniflare has a Worker of its own, which takes as long as a small request. */
const DIRECT = { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] };

/** Timberline, its state in a folder of its own below `work`. */
export async function startServer(work) {
  const state = mkdtempSync(join(work, "state-"));
  const timberline = await startTimberline({ persist: state, worker: DIRECT });
  const url = await timberline.mf.unsafeGetDirectURL("timberline");
  return {
    ...usage(),
    timberline,
    url,
    key: timberline.key,
    client: () => new Client(url, timberline.key),
    /** Begins anew with what is on disk and with nothing in memory. */
    restart: () => timberline.crash(),
    async stop() {
      await timberline.dispose();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

/** The Worker of a reference, a module in one file. */
export async function startReference(work, script, { d1 = false } = {}) {
  const state = mkdtempSync(join(work, "state-"));
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      resourcePersistencePath: state,
      log: new Log(LogLevel.ERROR),
      workers: [{ name: "reference", compatibilityDate: "2026-11-01", modules: true, script: readFileSync(script, "utf8"), ...DIRECT, ...(d1 ? { d1Databases: { DB: "reference" } } : {}) }],
    }),
  );
  await mf.ready;
  const url = await mf.unsafeGetDirectURL("reference");
  return {
    ...usage(),
    url,
    key: null,
    client: () => new Client(url, null),
    async stop() {
      await mf.dispose();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

/** What a server uses. One runs at a time, so all workerds are its own. */
const usage = () => ({
  cpu: () => cpuSeconds(workerds()),
  memory: () => memory(workerds()),
  forgetPeak: () => forgetPeak(workerds()),
});
