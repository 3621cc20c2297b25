// HTTP over one connection that stays open, timed from the request's start to the answer's last byte.
import { Agent, request } from "node:http";

export class Client {
  constructor(url, key) {
    this.url = url;
    this.agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.headers = key === null ? {} : { authorization: `Bearer ${key}` };
  }

  /** `{ status, text, ms }`; with `onChunk`, the answer's bytes go there and `text` is empty. */
  send(path, { method = "GET", type, body, onChunk } = {}) {
    const headers = { ...this.headers, ...(type ? { "content-type": type } : {}), ...(body ? { "content-length": Buffer.byteLength(body) } : {}) };
    const started = performance.now();
    return new Promise((done, fail) => {
      const sent = request(new URL(path, this.url), { method, headers, agent: this.agent }, (response) => {
        const chunks = [];
        const keep = onChunk && response.statusCode === 200 ? onChunk : (chunk) => chunks.push(chunk);
        response.on("data", keep);
        response.on("error", fail);
        response.on("end", () => done({ status: response.statusCode, text: Buffer.concat(chunks).toString(), ms: performance.now() - started }));
      });
      sent.on("error", fail);
      sent.end(body);
    });
  }

  get(path) {
    return this.send(path);
  }

  post(path, body, type = "application/json") {
    return this.send(path, { method: "POST", body, type });
  }

  close() {
    this.agent.destroy();
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** How long a request takes that asks for nothing: what is left of others without it is the server's work. */
export async function baseline(client, times = 15) {
  const all = [];
  for (let n = 0; n < times + 3; n += 1) all.push((await client.get("/nothing-here")).ms);
  return median(all.slice(3));
}
