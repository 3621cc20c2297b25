// A language model for tests: a server on 127.0.0.1 that speaks as the endpoint of OpenAI does, and what its Worker has
// instead, Workers AI. What it does can be switched at any time; it keeps what it was asked.
import { createServer } from "node:http";

export const MODEL = "test-model";
export const MODEL_KEY = "sk-test-0123456789abcdef";

/** What a chat answers. */
export const completion = (text, more = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: `${MODEL}-2026-11-01`,
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: { prompt_tokens: 20, completion_tokens: 22, total_tokens: 42 },
  ...more,
});

/**
 * Starts the server; it answers `{"answer":"yes"}` until it is told otherwise.
 * - `vars`: what a Worker needs to ask it, for `startTimberline({ vars })`; `startTimberline({ model })` does the same.
 * - `requests`: what it was asked, `{ method, path, headers, body }`, the body parsed where it is JSON; `last()` is the last.
 * - `says(text)`: answers well; `text` may be a function of the request's body, and what it gives may be an object.
 * - `hangs()`: takes the request and does not answer until it is closed or switched; `dribbles()` begins a body that has no end.
 * - `fails(status, body)`, `sends(text)` (200 and this body), `isEmpty()` (no choices), `isHuge(bytes)`, `redirects(to)`.
 * - `drop()`: breaks the connection off; `close()`: is not there any more.
 */
export async function startModel({ key = MODEL_KEY, host = "127.0.0.1" } = {}) {
  const requests = [];
  const waiting = new Set();
  let behave;
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request.setEncoding("utf8")) text += part;
    const asked = { method: request.method, path: request.url, headers: request.headers, body: parsed(text) };
    requests.push(asked);
    waiting.add(response);
    response.on("error", () => {}).on("close", () => waiting.delete(response));
    try {
      await behave(response, asked);
    } catch (error) {
      response.destroy(error);
    }
  });
  await new Promise((done) => server.listen(0, host, done));

  const answer = (response, status, body, headers = {}) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
  const become = (behaviour) => {
    behave = behaviour;
    // Who waits for an answer gets none by another behaviour than that of its time.
    for (const response of waiting) response.destroy();
  };
  const model = {
    url: `http://${host}:${server.address().port}/v1`,
    requests,
    last: () => requests.at(-1),
    /** How many wait for an answer, or for the rest of one. */
    waiting: () => waiting.size,
    says: (text) =>
      become(async (response, asked) => {
        const said = typeof text === "function" ? await text(asked.body) : text;
        answer(response, 200, JSON.stringify(completion(typeof said === "string" ? said : JSON.stringify(said))));
      }),
    hangs: () => become(() => {}),
    dribbles: () =>
      become((response) => {
        response.writeHead(200, { "content-type": "application/json" }).write(" ");
        const timer = setInterval(() => response.write(" "), 20);
        response.on("close", () => clearInterval(timer));
      }),
    fails: (status = 500, body = JSON.stringify({ error: { message: `no, ${key}` } })) => become((response) => answer(response, status, body)),
    sends: (body) => become((response) => answer(response, 200, typeof body === "string" ? body : JSON.stringify(body))),
    isEmpty: () => model.sends(completion("", { choices: [] })),
    isHuge: (bytes = 1 << 20) => model.sends(completion("x".repeat(bytes))),
    redirects: (to) => become((response) => answer(response, 302, "", { location: to })),
    drop: () => become((response) => response.destroy()),
    /** Where nothing listens from now on. */
    close: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  };
  model.vars = { AI_BASE_URL: model.url, AI_MODEL: MODEL, ...(key === null ? {} : { AI_API_KEY: key }) };
  model.says({ answer: "yes" });
  return model;
}

/**
 * Workers AI for a Worker, for `startTimberline({ ...workersAi(body) })`: `body` is JavaScript that has `model` and `input`, and
 * what it gives is the answer.
 */
export function workersAi(body) {
  const script = `import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint { async run(model, input) { ${body} } }`;
  return {
    producers: [{ name: "ai", script, tails: [] }],
    worker: { serviceBindings: { AI: "ai" } },
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
