// The logs of a run: read from their file batch by batch, and surveyed once, so that every answer can be checked.
import { closeSync, openSync, readSync } from "node:fs";

export const BATCH = 1_000;
const CHUNK = 4 << 20;
const HOUR_MS = 60 * 60 * 1000;
/** In the message of one line of all, and nowhere else. */
const RARE = "zwoelfkantschluessel";
/** A needle is a trace or a customer with not more lines than a page shows. */
const NEEDLES = { least: 2, most: 90 };

export class Logs {
  /** The first `lines` lines of a file. */
  static read(path, { lines, word }) {
    const logs = new Logs(path, lines);
    logs.facts = survey(logs, word.toLowerCase());
    return logs;
  }

  constructor(path, limit) {
    this.path = path;
    this.limit = limit;
  }

  /** The same logs, not more than so many. */
  first(limit) {
    return limit >= this.facts.lines ? this : Logs.read(this.path, { lines: limit, word: this.facts.word });
  }

  /** Batches in order, `{ body, lines }`, the body a Buffer of NDJSON. */
  *batches() {
    let number = 0;
    for (const batch of split(this.path, this.limit)) {
      yield number === this.facts?.rareBatch ? withRareWord(batch) : batch;
      number += 1;
    }
  }
}

function withRareWord({ body, lines }) {
  const text = body.toString();
  return { body: Buffer.from(text.replace('"message":"', `"message":"${RARE} `)), lines };
}

function* split(path, limit) {
  let [rest, left] = [Buffer.alloc(0), limit];
  for (const chunk of chunks(path)) {
    rest = Buffer.concat([rest, chunk]);
    for (let end; left > 0 && (end = endOfLine(rest, Math.min(BATCH, left))) > 0; rest = rest.subarray(end)) {
      const lines = Math.min(BATCH, left);
      left -= lines;
      yield { body: rest.subarray(0, end), lines };
    }
    if (left === 0) return;
  }
  const lines = rest.toString().split("\n").filter(Boolean).length;
  if (lines > 0) yield { body: rest, lines };
}

function* chunks(path) {
  const file = openSync(path, "r");
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = readSync(file, chunk, 0, CHUNK, null);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/** Where the `count`th line ends; 0 when there are fewer. */
function endOfLine(buffer, count) {
  let end = 0;
  for (let n = 0; n < count; n += 1) {
    end = buffer.indexOf(10, end) + 1;
    if (end === 0) return 0;
  }
  return end;
}

/** What is in the logs: the needles to look for, and how many lines each query has to find. */
function survey(logs, word) {
  const whole = new RegExp(`(?<![0-9a-z])${word}(?![0-9a-z])`, "i");
  const facts = { lines: 0, bytes: 0, start: Infinity, end: -Infinity, word, withWord: 0, rare: RARE, batches: 0 };
  const counts = { trace_id: new Map(), user_id: new Map() };
  const errors = [];
  for (const { body, lines } of logs.batches()) {
    facts.lines += lines;
    facts.bytes += body.length;
    facts.batches += 1;
    for (const line of body.toString().split("\n")) {
      if (line === "") continue;
      const log = JSON.parse(line);
      const time = Date.parse(log.timestamp);
      facts.start = Math.min(facts.start, time);
      facts.end = Math.max(facts.end, time);
      if (whole.test(line)) facts.withWord += 1;
      if (log.level === "ERROR") errors.push({ time, service: log.service });
      for (const field of ["trace_id", "user_id"]) if (log[field]) counts[field].set(log[field], (counts[field].get(log[field]) ?? 0) + 1);
    }
  }
  return {
    ...facts,
    rareBatch: Math.floor(facts.batches / 2),
    trace: needle(counts.trace_id),
    user: needle(counts.user_id),
    errors: errors.length,
    recent: recent(errors, facts.end),
  };
}

/** An id from the middle of the logs, `{ id, count }`. */
function needle(counts) {
  const entries = [...counts];
  const middle = entries.slice(Math.floor(entries.length / 2));
  const [id, count] = middle.find(([, count]) => count >= NEEDLES.least && count <= NEEDLES.most) ?? entries[0] ?? ["none", 0];
  return { id, count };
}

/** The last hour, and the service with the most errors in it. */
function recent(errors, end) {
  const start = end - HOUR_MS;
  const services = new Map();
  for (const { time, service } of errors) if (time >= start) services.set(service, (services.get(service) ?? 0) + 1);
  const [service, count] = [...services].sort((a, b) => b[1] - a[1])[0] ?? ["none", 0];
  return { service, start, end, count };
}
