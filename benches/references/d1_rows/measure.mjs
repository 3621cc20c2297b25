// The Worker beside this file, loaded and asked as Timberline is.
import { fileURLToPath } from "node:url";
import { baseline } from "../../client.mjs";
import { cpuOf } from "../../ingest.mjs";
import { startReference } from "../../server.mjs";
import { timeAll } from "../queries.mjs";

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));
const ROW_WRITTEN = 1e-6; // Dollars.

export async function measureD1Rows(work, logs) {
  const server = await startReference(work, WORKER, { d1: true });
  const client = server.client();
  try {
    await client.get("/setup");
    let stored;
    const cpu = await cpuOf(server, async () => (stored = await ingest(client, logs)));
    const { lines } = logs.facts;
    const trivial = await baseline(client);
    return {
      lines,
      bytesALine: stored.bytes / lines,
      cpuAMillion: cpu === undefined ? undefined : (cpu * 1e6) / lines,
      costAMillion: ((stored.rows * ROW_WRITTEN) / lines) * 1e6,
      queries: await timeAll(questions(logs.facts), (path) => client.get(path), trivial),
    };
  } finally {
    client.close();
    await server.stop();
  }
}

async function ingest(client, logs) {
  const stored = { rows: 0, bytes: 0 };
  for (const { body } of logs.batches()) {
    const { status, text } = await client.post("/ingest", body, "application/x-ndjson");
    if (status !== 200) throw new Error(`the D1 reference answered ${status}: ${text.slice(0, 300)}`);
    const { rows_written, bytes } = JSON.parse(text);
    stored.rows += rows_written;
    stored.bytes = bytes;
  }
  return stored;
}

function questions({ trace, user, rare, recent, word }) {
  const path = (name, parameters) => `/${name}?${new URLSearchParams(parameters)}`;
  return {
    trace: path("search", { q: trace.id }),
    rare: path("search", { q: rare }),
    user: path("search", { q: user.id }),
    recent: path("search", { service: recent.service, level: "ERROR", start: new Date(recent.start).toISOString(), end: new Date(recent.end).toISOString() }),
    by_level: path("count", {}),
    count: path("count", {}),
    errors: path("minutes", { level: "ERROR" }),
    word: path("count", { q: word }),
    newest: path("search", { q: word }),
  };
}
