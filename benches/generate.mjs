// Logs to measure with: one JSON object a line, spread evenly over the 24 hours that end now. What they say depends
// on the seed alone; only their times move.
import { closeSync, openSync, writeSync } from "node:fs";
import { NOTES, PATHS, REGIONS, SERVICES, TABLES } from "./vocabulary.mjs";

const DAY_MS = 24 * 60 * 60 * 1000;
const CUSTOMERS = 25_000;
/** Requests whose lines are mixed with each other, as they are where services run beside each other. */
const OPEN_REQUESTS = 64;
const LINES_A_WRITE = 2_000;

/** Writes `lines` lines to the file `path`. */
export function generate(path, { lines, seed = 1, end = Date.now() }) {
  const line = lineMaker(randomOf(seed));
  const file = openSync(path, "w");
  const [start, step] = [end - DAY_MS, DAY_MS / lines];
  for (let n = 0; n < lines; ) {
    let text = "";
    for (const stop = Math.min(n + LINES_A_WRITE, lines); n < stop; n += 1) text += line(new Date(start + n * step).toISOString());
    writeSync(file, text);
  }
  closeSync(file);
}

/** A function that makes the next line of a given time. */
function lineMaker(random) {
  const below = (limit) => Math.floor(random() * limit);
  const pick = (list) => list[below(list.length)];
  const fill = filler(below);
  const services = spread(SERVICES.map((service) => [prepared(service, below), service.share]));
  const notes = NOTES.map(compiled);
  const paths = PATHS.map(compiled);
  const open = Array.from({ length: OPEN_REQUESTS }, () => undefined);

  const begin = () => {
    const trace = hex(below, 32);
    const request = { id: 100_000 + below(900_000), method: below(5) === 0 ? "POST" : "GET", region: pick(REGIONS), left: 1 + below(8) };
    const user = String(Math.floor(CUSTOMERS * random() ** 2)).padStart(5, "0");
    const ids = `"correlation_id":"req-${trace.slice(0, 8)}-${trace.slice(8, 12)}","trace_id":"${trace}","user_id":"u-${user}"`;
    return { ...request, ids, path: fill(pick(paths), request) };
  };
  const next = () => {
    const at = below(OPEN_REQUESTS);
    const request = (open[at] ??= begin());
    if ((request.left -= 1) === 0) open[at] = undefined;
    return request;
  };

  return (time) => {
    const service = pick(services);
    const level = pick(service.levels);
    const request = service.daemon ? undefined : next();
    const facts = { id: request?.id, method: request?.method, status: request?.method === "POST" ? 201 : 200, ms: 2 + Math.floor(60 * random() ** 3), slow: 400 + below(4_000), bad: pick(BAD), broken: pick(BROKEN) };
    const head = `{"timestamp":"${time}","level":"${level}","service":"${service.name}","message":"${fill(pick(service.says[level]), facts)}"`;
    const component = `"component":"${pick(service.components)}"`;
    if (!request) {
      return `${head},"correlation_id":null,"trace_id":null,"user_id":null,${component},"endpoint":null,"environment":"production","metadata":{"region":"${pick(REGIONS)}"}}\n`;
    }
    const took = level === "ERROR" || level === "WARN" ? facts.slow : facts.ms;
    const status = level === "ERROR" ? facts.broken : level === "WARN" ? facts.bad : facts.status;
    const note = below(500) === 0 ? `,"note":"${fill(pick(notes), facts)}"` : "";
    return `${head},${request.ids},${component},"endpoint":"${request.path}","environment":"production","metadata":{"latency_ms":${took},"http_status":${status},"method":"${request.method}","region":"${request.region}","pod":"${pick(service.names)}","version":"${service.version}"${note}}}\n`;
  };
}

const BAD = [400, 401, 403, 404, 404, 404, 409, 422, 429];
const BROKEN = [500, 500, 502, 503, 503, 504];

/** A service with its templates compiled and its pods named. */
function prepared(service, below) {
  const says = Object.fromEntries(Object.entries(service.says).map(([level, templates]) => [level, templates.map(compiled)]));
  const names = Array.from({ length: service.pods ?? 0 }, () => `${service.name}-${hex(below, 8)}-${hex(below, 5)}`);
  return { ...service, says, names, levels: spread(Object.entries(service.mix)) };
}

/** A list in which each value stands as often as its weight says. */
const spread = (weighted) => weighted.flatMap(([value, weight]) => Array(weight).fill(value));

/** A template as what is said and what is filled in, in turn. */
const compiled = (template) => template.split(/[{}]/);

/** Fills a template: from the facts of the line, otherwise by chance. */
function filler(below) {
  const chance = {
    n: () => 1 + below(99),
    k: () => below(10_000),
    d: () => below(10),
    big: () => below(2 ** 31),
    port: () => 1_024 + below(64_000),
    secs: () => (below(100_000) / 1_000).toFixed(3),
    ip: () => `10.${below(32)}.${below(256)}.${below(256)}`,
    hex8: () => hex(below, 8),
    hex12: () => hex(below, 12),
    table: () => TABLES[below(TABLES.length)],
  };
  return (parts, facts) => {
    let text = parts[0];
    for (let n = 1; n < parts.length; n += 2) text += String(facts[parts[n]] ?? chance[parts[n]]()) + parts[n + 1];
    return text;
  };
}

function hex(below, digits) {
  let text = "";
  while (text.length < digits) text += below(2 ** 32).toString(16).padStart(8, "0");
  return text.slice(0, digits);
}

/** Evenly distributed numbers from 0 to 1, the same ones for the same seed. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let n = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    n = Math.imul(n ^ (n >>> 15), 0x735a2d97);
    return ((n ^ (n >>> 15)) >>> 0) / 2 ** 32;
  };
}
