// Appends to a shard that come while a call to it is under way go together, with the next call.
//
// A request may wait for what another one does, on three conditions:
// - The promise comes from `Promise.withResolvers`. Once `new Promise` is compiled in place it does not note whose it is,
//   and what waits for it goes on as the request that keeps it.
// - Who waits has a timer of its own. The runtime takes a request for hung when nothing of its own is under way.
// - What the other one does outlives its own answer, by `waitUntil`.
import { waitUntil } from "cloudflare:workers";

/** A shard that has not answered by then cannot be reached. */
const LATE_MS = 10_000;

/** How long a call waits for the one before it, to gather company: what an append may be delayed by. */
const TURN_MS = 2;

/** A group that has not gone by then has lost who was to take it. */
const LOST_MS = 250;

/** What a call has room for; a larger append goes by itself. */
const ROOM = 256 * 1024;

/** By shard, while there is a group of appends or a call to it. */
const lines = new Map();

let calls = 0;

/** Calls that this isolate has made. */
export const calls_made = () => calls;

/** Answers the shard's line for this message. */
export function append(namespace, name, url, message) {
  const { promise, resolve, reject } = Promise.withResolvers();
  // It ends with the request at the latest; to clear it would cost as much as to set it.
  setTimeout(() => reject(new Error(`it did not answer in ${LATE_MS / 1000} s`)), LATE_MS);
  const line = lines.get(name) ?? begin(name);
  const group = join(line, { message, resolve, reject });
  if (group !== null) waitUntil(lead(line, group, (body) => call(namespace, name, url, body)));
  return promise;
}

function begin(name) {
  const line = { name, group: null, flight: null, next: null };
  lines.set(name, line);
  return line;
}

/** Puts an append into the open group. Answers the group that it is to lead when there is none, or it has no room. */
function join(line, member) {
  const { group } = line;
  const size = member.message.length;
  const isOpen = isYoung(group, LOST_MS);
  if (isOpen && group.size + size <= ROOM) {
    group.members.push(member);
    group.size += size;
    return null;
  }
  const own = { members: [member], size, since: Date.now() };
  if (!isOpen && size <= ROOM) line.group = own;
  return own;
}

/** Nobody waits for long for what another request does: that one may have been ended. */
const isYoung = (it, ms) => it !== null && Date.now() - it.since < ms;

async function lead(line, group, call) {
  const flight = { since: 0 };
  try {
    if (line.group === group && isYoung(line.flight, LATE_MS)) await turn(line);
    if (line.group === group) line.group = null;
    flight.since = Date.now();
    line.flight = flight;
    const answers = await call(frames(group));
    if (answers.length !== group.members.length) throw new Error("it did not answer each append");
    group.members.forEach(({ resolve }, nth) => resolve(answers[nth]));
  } catch (error) {
    for (const { reject } of group.members) reject(error);
  }
  if (line.flight === flight) line.flight = null;
  if (line.flight === null && line.group === null && lines.get(line.name) === line) lines.delete(line.name);
  line.next?.();
}

async function turn(line) {
  const { promise, resolve } = Promise.withResolvers();
  const longEnough = setTimeout(resolve, TURN_MS);
  line.next = resolve;
  await promise;
  line.next = null;
  clearTimeout(longEnough);
}

async function call(namespace, name, url, body) {
  calls += 1;
  const response = await namespace.getByName(name).fetch(url, { method: "POST", body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`it answered ${response.status}: ${text}`);
  return text.split("\n").slice(0, -1);
}

/** As `engine/shard/frames.rs` splits them. */
function frames({ members, size }) {
  const body = new Uint8Array(size + 4 * members.length);
  const view = new DataView(body.buffer);
  let at = 0;
  for (const { message } of members) {
    view.setUint32(at, message.length, true);
    body.set(message, at + 4);
    at += 4 + message.length;
  }
  return body;
}
