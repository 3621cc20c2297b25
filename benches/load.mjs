// The load generator, a process of its own: lone POSTs over sockets, because a whole HTTP client would cost as much as
// the server. Without a rate the next one goes out when an answer is here, otherwise when its time has come.
import { connect } from "node:net";
import { BATCH, Logs } from "./logs.mjs";

/** In place of a status. */
const LOST = "connection lost";
const HEAD_END = Buffer.from("\r\n\r\n");

/** As much as the connections take, for so many seconds. */
async function fully({ connections, seconds, ...where }) {
  const requests = requestsOf(where);
  const pool = await Promise.all(Array.from({ length: connections }, () => open(where.url)));
  const end = performance.now() + seconds * 1000;
  const tally = new Tally();
  let sent = 0;
  const drive = async (connection) => {
    for (let started; (started = performance.now()) < end; ) {
      const status = await connection.send(requests[sent++ % requests.length]);
      tally.add(status, performance.now() - started);
    }
    connection.close();
  };
  await Promise.all(pool.map(drive));
  return { ...tally.result(), sent, rate: sent / seconds };
}

/** So many a second, over as many connections as it takes, whether the answers come or not; times count from when a request was due. */
async function steadily({ seconds, rate, ...where }) {
  const requests = requestsOf(where);
  const [begin, tally, answers, free] = [performance.now(), new Tally(), [], []];
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = begin + (n / rate) * 1000;
    await new Promise((wake) => setTimeout(wake, Math.max(0, due - performance.now())));
    while (free.at(-1)?.lost()) free.pop(); // The server closes what is idle for long.
    const connection = free.pop() ?? (await open(where.url));
    const answered = connection.send(requests[n % requests.length]).then((status) => {
      tally.add(status, performance.now() - due);
      free.push(connection);
    });
    answers.push(answered);
  }
  await Promise.all(answers);
  for (const connection of free) connection.close();
  return { ...tally.result(), sent: answers.length, rate };
}

class Tally {
  times = [];
  failed = {};

  add(status, ms) {
    this.times.push(ms);
    if (status !== 201) this.failed[status] = (this.failed[status] ?? 0) + 1;
  }

  result() {
    const sorted = this.times.sort((a, b) => a - b);
    const at = (share) => sorted[Math.floor(sorted.length * share)];
    return { failed: this.failed, p50: at(0.5), p99: at(0.99) };
  }
}

/** Whole requests, ready to be sent. */
function requestsOf({ url, key, path }) {
  const { host } = new URL(url);
  const { value } = new Logs(path, BATCH).batches().next();
  const auth = key === null ? "" : `authorization: Bearer ${key}\r\n`;
  return value.body.toString().split("\n").filter(Boolean).map((body) =>
    Buffer.from(`POST /api/v1/logs/ingest HTTP/1.1\r\nhost: ${host}\r\n${auth}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
  );
}

/** A connection that carries one request at a time. */
async function open(url) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port, noDelay: true });
  await new Promise((done, fail) => socket.once("connect", done).once("error", fail));
  let received = Buffer.alloc(0);
  let answered;
  socket.on("data", (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const status = completeStatus(received);
    if (status === undefined) return;
    received = Buffer.alloc(0);
    answered(status);
  });
  const lost = () => answered?.(LOST);
  socket.on("error", lost).on("close", lost);
  return {
    send: (request) => new Promise((done) => {
      answered = done;
      if (socket.destroyed) done(LOST);
      else socket.write(request);
    }),
    lost: () => socket.destroyed || socket.readableEnded,
    close: () => socket.destroy(),
  };
}

/** The status of an answer that is here to its last byte. */
function completeStatus(answer) {
  const head = answer.indexOf(HEAD_END);
  if (head < 0) return undefined;
  const text = answer.latin1Slice(0, head);
  const length = /content-length: *(\d+)/i.exec(text)?.[1];
  const complete = length === undefined ? answer.subarray(-5).equals(Buffer.from("0\r\n\r\n")) : answer.length >= head + 4 + Number(length);
  return complete ? Number(text.slice(9, 12)) : undefined;
}

const plan = JSON.parse(process.argv[2]);
process.send(await (plan.rate ? steadily(plan) : fully(plan)));
process.disconnect();
