// What is asked of the loaded server, how long it takes warm, and how much it reads cold and warm.
import { baseline, median } from "./client.mjs";
import { row } from "./table.mjs";

const WARM_UPS = 3;
const RUNS = 15;
/** A query that takes seconds is not run so often. */
const PATIENCE_MS = 10_000;
const HOUR_MS = 60 * 60 * 1000;

/** The name of each query is also what the references call it. */
function queries({ trace, user, rare, recent, word, withWord, errors, lines, start, end }) {
  const search = (parameters) => `/api/v1/logs/search?${new URLSearchParams({ limit: 100, ...parameters })}`;
  const all = { start_time: time(Math.floor(start / HOUR_MS) * HOUR_MS), end_time: time(Math.ceil(end / HOUR_MS) * HOUR_MS - 1) };
  const over = (path, parameters) => `${path}?${new URLSearchParams({ ...parameters, ...all })}`;
  const needle = { reads: 8, ms: 15 };
  const page = (expected) => ({ expected: Math.min(expected, 100), found: ({ data }) => data.length });
  const share = ((withWord / lines) * 100).toPrecision(2);
  const sum = (expected) => ({ expected, found: total });
  return [
    { name: "trace", figure: "trace id, q=trace_id:…", path: search({ q: `trace_id:${trace.id}` }), ...needle, ...page(trace.count) },
    { name: "trace", figure: "trace id, bare", path: search({ q: trace.id }), ...needle, ...page(trace.count) },
    { name: "rare", figure: "a word of one line in all", path: search({ q: rare }), ...needle, ...page(1) },
    { name: "user", figure: "user id", path: search({ q: user.id }), ...needle, ...page(user.count) },
    {
      name: "recent", figure: "ERROR of one service, last hour", reads: 4, ms: 15, ...page(recent.count),
      path: search({ service: recent.service, level: "ERROR", start_time: time(recent.start), end_time: time(recent.end) }),
    },
    { name: "by_level", figure: "histogram by level, hours", path: over("/api/v1/histogram", { interval: "1h" }), reads: 0, ms: 15, ...sum(lines) },
    { name: "count", figure: "count by service and level", path: over("/api/v1/stats", { by: "service,level", stats: "count" }), reads: 0, ms: 15, ...sum(lines) },
    { name: "errors", figure: "errors a minute", path: over("/api/v1/histogram", { q: "level:ERROR", interval: "1m" }), reads: 0, ms: 15, ...sum(errors) },
    { name: "word", figure: `count of "${word}" (in ${share} % of the lines)`, path: over("/api/v1/stats", { q: word, stats: "count" }), ms: 120, ...sum(withWord) },
    { name: "newest", figure: `newest 100 with "${word}"`, path: search({ q: word }), reads: 3, ms: 15, ...page(withWord) },
  ];
}

export async function measureQueries(server, { facts }, references) {
  const rows = [];
  for (const query of queries(facts)) {
    await server.restart();
    rows.push(await measureOne(server, query, references));
  }
  return rows;
}

async function measureOne(server, query, references) {
  const client = server.client();
  const cold = await client.get(query.path);
  const against = againstOthers(query.name, references);
  const bounds = [{ value: undefined, unit: "ms", most: query.ms }, ...("reads" in query ? [{ value: undefined, unit: "reads cold", most: query.reads }] : [])];
  if (cold.status !== 200) {
    client.close();
    return row("query", query.figure, bounds, { missing: refusal(cold), against });
  }
  const trivial = await baseline(client);
  const runs = [];
  for (const end = performance.now() + PATIENCE_MS; runs.length < WARM_UPS + RUNS; ) {
    runs.push(await client.get(query.path));
    if (performance.now() > end && runs.length > 1) break;
  }
  client.close();
  const counted = runs.slice(Math.min(WARM_UPS, runs.length - 1));
  const whole = median(counted.map(({ ms }) => ms));
  const last = JSON.parse(runs.at(-1).text);
  const reads = [cold, runs.at(-1)].map(({ text }) => JSON.parse(text).stats?.r2_reads);
  bounds[0].value = Math.max(0, whole - trivial);
  // The isolate keeps what it has read: only the first time shows what a query has to read.
  if (bounds[1]) bounds[1].value = reads[0];
  const found = query.found(last);
  const wrong = found === query.expected ? "" : `found ${found} of ${query.expected}`;
  const note = `median of ${counted.length}: ${whole.toFixed(1)} ms whole, ${trivial.toFixed(1)} ms a request for nothing, first ${cold.ms.toFixed(0)} ms; reads ${reads[0] ?? "?"} cold, ${reads[1] ?? "?"} warm`;
  return row("query", query.figure, bounds, { against, note, wrong });
}

function againstOthers(name, { d1Rows, victoriaLogs }) {
  return [[d1Rows, "a D1 row a log"], [victoriaLogs, "VictoriaLogs"]].map(([reference, title]) => ({
    name: reference ? `${title}, ${reference.lines.toLocaleString("en")} lines` : title,
    value: reference?.queries[name],
  }));
}

/** What to show instead of figures when a path does not answer. */
export function refusal({ status, text }) {
  if (status === 404) return "not there";
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return `refused: ${status}${code ? ` ${code}` : ""}`;
}

/** The sum of the counts in an answer, in whatever list they are. */
function total(body) {
  const rows = Object.values(body).find(Array.isArray) ?? [body];
  const levels = (by = {}) => Object.values(by).reduce((sum, count) => sum + count, 0);
  return rows.reduce((sum, { count, by_level }) => sum + (count ?? levels(by_level)), 0);
}

const time = (ms) => new Date(ms).toISOString();
