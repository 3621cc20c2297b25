// The run itself: the parts in their order, then the table. Started by run.mjs, on the Node.js that Miniflare needs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, say, step } from "../scripts/run.mjs";
import { measureEngine } from "./engine.mjs";
import { environment } from "./environment.mjs";
import { measureExport } from "./export.mjs";
import { measureFresh } from "./fresh.mjs";
import { generate } from "./generate.mjs";
import { measureIngest, measureRaw } from "./ingest.mjs";
import { Logs } from "./logs.mjs";
import { measureLone } from "./lone.mjs";
import { measureProtocols } from "./protocols.mjs";
import { readOptions } from "./options.mjs";
import { measureQueries } from "./queries.mjs";
import { measureD1Rows } from "./references/d1_rows/measure.mjs";
import { measureGzip } from "./references/gzip.mjs";
import { measureVictoriaLogs } from "./references/victoria_logs.mjs";
import { measureZstd } from "./references/zstd.mjs";
import { startServer } from "./server.mjs";
import { printed } from "./table.mjs";
import { write } from "./write.mjs";

const work = mkdtempSync(join(tmpdir(), "timberline-bench-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

await main(async () => {
  const options = readOptions(process.argv.slice(2));
  const about = await environment();
  const logs = await prepare(options);
  const rows = await measure(options, logs);
  const settings = { lines: logs.facts.lines, bytes: logs.facts.bytes, seed: options.file ? null : options.seed, word: options.word };
  const result = { about, settings, rows };
  console.log(`\n${printed(result)}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.write) write(result);
});

async function prepare({ file, lines, seed, word }) {
  const path = file ?? join(work, "logs.ndjson");
  if (!file) await step("generating logs", `${lines} lines`, async () => generate(path, { lines, seed }));
  return step("reading them", "what the answers have to be", async () => Logs.read(path, { lines, word }));
}

async function measure({ only, referenceLines }, logs) {
  const wants = (...parts) => parts.some((part) => only.has(part));
  const references = wants("references") ? await measureReferences(logs, referenceLines) : {};
  const rows = wants("engine") ? await step("the engine alone", "in wasm", async () => measureEngine(logs)) : [];
  if (wants("ingest", "query", "export", "fresh")) rows.push(...(await measureLoaded(wants, logs, references)));
  if (wants("raw")) rows.push(...(await step("ingest with the pipeline off", `${logs.facts.lines} lines`, () => measureOn(work, (server) => measureRaw(server, logs, references)))));
  if (wants("lone")) rows.push(...(await step("lone logs", "a minute", () => measureLone(work, logs))));
  if (wants("protocols")) rows.push(...(await step("protocols", "in turns", () => measureProtocols(work, logs))));
  return rows;
}

async function measureOn(work, measure) {
  const server = await startServer(work);
  try {
    return await measure(server);
  } finally {
    await server.stop();
  }
}

/** What is measured on one server that holds all the logs. */
function measureLoaded(wants, logs, references) {
  return measureOn(work, async (server) => {
    const rows = await step("ingest, flush, compaction", `${logs.facts.lines} lines`, () => measureIngest(server, logs, references));
    if (!wants("ingest")) rows.length = 0;
    if (wants("query")) rows.push(...(await step("queries", "each on a server just started", () => measureQueries(server, logs, references))));
    if (wants("export")) rows.push(...(await step("export", "everything, as NDJSON", () => measureExport(server, logs))));
    if (wants("fresh")) rows.push(...(await step("fresh logs", "searched for at once", () => measureFresh(server))));
    return rows;
  });
}

/** What the same logs cost elsewhere, by the reference's name. One that is not there is undefined. */
async function measureReferences(logs, lines) {
  const few = logs.first(lines);
  const gzip = await step("reference: gzip -6", "in batches of 1,000 lines", async () => measureGzip(logs));
  const zstd = await step("reference: zstd", "the whole file", () => measureZstd(logs));
  const d1Rows = await step("reference: a D1 row a log", `${few.facts.lines} lines`, () => measureD1Rows(work, few));
  const victoriaLogs = await measureVictoriaLogs(work, few);
  if (!victoriaLogs) say("reference: VictoriaLogs is not run; VICTORIA_LOGS_BIN names its binary");
  return { gzip, zstd, d1Rows, victoriaLogs };
}
