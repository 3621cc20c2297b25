// All logs in batches, then a flush, then compaction: what they take, and what is left of them in R2.
import { Client } from "./client.mjs";
import { cost, counted, counters, grown } from "./cost.mjs";
import { row } from "./table.mjs";

const CONNECTIONS = 2;
const COMPACTION = "17 * * * *";
const HOUR_MS = 60 * 60 * 1000;
/** Only finished hours and days are compacted: by then all of these are. */
const AHEAD_MS = 26 * HOUR_MS;
const MOST_ROUNDS = 48;
const OFF = { "/admin/pipeline": { enrichment: false, attacks: false, patterns: false }, "/admin/redaction": { enabled: false } };

export async function measureIngest(server, logs, { gzip, zstd, d1Rows, victoriaLogs }) {
  const { facts } = logs;
  const client = server.client();
  const before = await counters(client);
  const took = await fill(server, logs);
  const counts = grown(before, await counters(client));
  client.close();

  const spent = cost(counts, { logs: facts.lines, requests: facts.batches });
  const stored = await storedBytes(server.timberline);
  return [
    row("ingest", "bytes a line in R2", [{ value: stored.bytes / facts.lines, unit: "bytes", most: 30 }], {
      against: [{ name: "gzip -6 of each batch", value: gzip?.bytesALine }, { name: "zstd of the file", value: zstd?.bytesALine }, ...others("bytesALine")],
      note: `${stored.objects} objects under logs/ and index/, without those noted for removal`,
    }),
    ...cpuRows("", took, {}, [{ name: "gzip -6", value: gzip?.cpuAMillion }, ...others("cpuAMillion")]),
    row("ingest", "counted cost of a million lines", [{ value: spent.counted, unit: "$", most: 0.005 }], {
      against: [{ name: "a D1 row a log", value: d1Rows?.costAMillion }],
      note: `${counted(counts)}; requests apart: $${spent.requests.toFixed(4)}`,
    }),
  ];

  function others(figure) {
    return [{ name: "a D1 row a log", value: d1Rows?.[figure] }, { name: "VictoriaLogs", value: victoriaLogs?.[figure] }];
  }
}

/** The same through a pipeline whose steps are all off: what storing alone takes. */
export async function measureRaw(server, logs, { gzip, victoriaLogs }) {
  const client = server.client();
  for (const [path, off] of Object.entries(OFF)) {
    const { status, text } = await client.send(path, { method: "PUT", body: JSON.stringify(off), type: "application/json" });
    if (status !== 200) throw new Error(`${path} was answered with ${status}: ${text.slice(0, 300)}`);
  }
  client.close();
  const took = await fill(server, logs);
  const against = [{ name: "gzip -6", value: gzip?.cpuAMillion }, { name: "VictoriaLogs", value: victoriaLogs?.cpuAMillion }];
  return cpuRows(", pipeline off", took, { ingest: 12, compaction: 8 }, against);
}

function cpuRows(how, { ingest, compaction, seconds, idle, peak, rounds, lines }, most, against) {
  const million = (value) => (value === undefined ? undefined : (value * 1e6) / lines);
  return [
    row("ingest", `CPU of a million lines, flush included${how}`, [{ value: million(ingest), unit: "s", most: most.ingest }], {
      against,
      note: `batches of 1,000, ${CONNECTIONS} at a time: ${Math.round(lines / seconds).toLocaleString("en")} lines/s, workerd's peak ${mb(peak)} (${mb(idle)} idle)`,
    }),
    row("ingest", `CPU of compacting a million lines${how}`, [{ value: million(compaction), unit: "s", most: most.compaction }], {
      missing: rounds === 0 ? "not there" : "",
      note: rounds === 0 ? "the cron changed nothing" : `${rounds} runs of the cron`,
    }),
  ];
}

/** Sends everything, flushes and compacts it. */
async function fill(server, logs) {
  const { lines } = logs.facts;
  const client = server.client();
  const [idle, started] = [server.memory()?.now, performance.now()];
  server.forgetPeak();
  const ingest = await cpuOf(server, async () => {
    const accepted = await ingestAll(server, logs);
    if (accepted !== lines) throw new Error(`${accepted} of ${lines} logs were accepted`);
    await flush(client);
  });
  const [seconds, peak] = [(performance.now() - started) / 1000, server.memory()?.peak];
  client.close();
  let rounds;
  const compaction = await cpuOf(server, async () => (rounds = await compact(server)));
  return { lines, ingest, compaction, seconds, idle, peak, rounds };
}

/** What the server used for `work`, in CPU seconds. */
export async function cpuOf(server, work) {
  const before = server.cpu();
  await work();
  return before === undefined ? undefined : server.cpu() - before;
}

/** Sends all batches and answers how many logs were accepted. */
async function ingestAll(server, logs) {
  const batches = logs.batches();
  let accepted = 0;
  const sender = async () => {
    const client = new Client(server.url, server.key);
    for (const { body } of batches) {
      const { status, text } = await client.post("/api/v1/logs/ingest/batch", body, "application/x-ndjson");
      if (status !== 200) throw new Error(`a batch was answered with ${status}: ${text.slice(0, 300)}`);
      accepted += JSON.parse(text).accepted;
    }
    client.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sender));
  return accepted;
}

/** Writes to segments what the shards hold. */
export async function flush(client) {
  const { status, text } = await client.post("/admin/self-healing/actions", JSON.stringify({ action: "execute", actionId: "flush" }));
  if (status !== 200) throw new Error(`the flush was answered with ${status}: ${text.slice(0, 300)}`);
}

/** Runs the cron until it changes nothing; answers how often it changed something. */
async function compact({ timberline }) {
  let state = await catalog(timberline);
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds += 1) {
    await timberline.cron(COMPACTION, nextRun(Date.now() + AHEAD_MS + rounds * HOUR_MS));
    const after = await catalog(timberline);
    if (after === state) return rounds;
    state = after;
  }
  return MOST_ROUNDS;
}

/** The cron's next time from a given one. */
const nextRun = (ms) => Math.ceil((ms - 17 * 60_000) / HOUR_MS) * HOUR_MS + 17 * 60_000;

/** The catalog's segments and the objects of the index, as one text. */
async function catalog(timberline) {
  const segments = await timberline.rows("SELECT key FROM segments ORDER BY key");
  const index = await timberline.objects("index/");
  return [...segments, ...index].map(({ key }) => key).join("\n");
}

async function storedBytes(timberline) {
  const removed = new Set((await timberline.rows("SELECT key FROM removals")).map(({ key }) => key));
  const all = [...(await timberline.objects("logs/")), ...(await timberline.objects("index/"))];
  const kept = all.filter(({ key }) => !removed.has(key));
  return { objects: kept.length, bytes: kept.reduce((sum, { size }) => sum + size, 0) };
}

export const mb = (bytes) => (bytes === undefined ? "?" : `${Math.round(bytes / 1e6)} MB`);
