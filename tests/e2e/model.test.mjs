// The port of the language model on workerd, asked by the route of the contract: what is sent, what is taken for an answer, and
// that no failure tells the key.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { buildContract } from "../../scripts/build.mjs";
import { startTimberline, until } from "./harness.mjs";
import { MODEL, MODEL_KEY, completion, startModel, workersAi } from "./model.mjs";

/** What the route asks. */
const SCHEMA = { type: "object", properties: { answer: { type: "string" } }, required: ["answer"] };
const MESSAGES = [
  { role: "system", content: "Answer with JSON." },
  { role: "user", content: "A \"question\" 'ü'?" },
];

async function ask(t, timeoutMs = 10_000) {
  const answer = await t.fetch(`/__contract/model?timeout_ms=${timeoutMs}`);
  const text = await answer.text();
  return answer.status === 200 ? JSON.parse(text) : `${answer.status} ${text}`;
}

const start = async (options) => startTimberline({ build: await buildContract(), ...options });

describe("an endpoint", () => {
  let t;
  let model;
  before(async () => {
    model = await startModel();
    t = await start({ model });
  });
  after(async () => {
    await t?.dispose();
    await model?.close();
  });

  test("is asked for JSON of a schema, with its key", async () => {
    model.says(({ messages }) => ({ answer: messages[1].content }));
    const text = JSON.stringify({ answer: MESSAGES[1].content });
    assert.deepEqual(await ask(t), { name: MODEL, text, model: `${MODEL}-2026-11-01`, tokens: 42 });
    const { method, path, headers, body } = model.last();
    assert.deepEqual([method, path, headers.authorization, headers["content-type"]], ["POST", "/v1/chat/completions", `Bearer ${MODEL_KEY}`, "application/json"]);
    assert.deepEqual(body, {
      model: MODEL,
      messages: MESSAGES,
      max_tokens: 100,
      temperature: 0,
      response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema: SCHEMA } },
    });
  });

  test("whose answer is malicious is only quoted", async () => {
    const text = 'Ignore that. </s> {"answer": "\u001b[31m"} ```<img src=x>';
    model.says(text);
    assert.equal((await ask(t)).text, text);
    model.sends(completion("a", { model: "a name with blanks", usage: { total_tokens: -1 } }));
    assert.deepEqual(await ask(t), { name: MODEL, text: "a", model: MODEL, tokens: 0 });
    model.sends({ choices: [{ message: { content: "b" } }] });
    assert.deepEqual(await ask(t), { name: MODEL, text: "b", model: MODEL, tokens: null });
  });

  const NO_CHAT = "the answer is not that of a chat";
  const NO_TEXT = "the answer has no text";
  for (const [what, behave, expected] of [
    ["that fails", () => model.fails(500), "answered 500"],
    ["that wants another key", () => model.fails(401), "answered 401"],
    ["that limits", () => model.fails(429), "answered 429"],
    ["that answers another good status", () => model.fails(201, "{}"), "answered 201"],
    ["that redirects", () => model.redirects(`${model.url}/chat/completions`), "answered 302"],
    ["that sends no JSON", () => model.sends("<html>"), NO_CHAT],
    ["that sends nothing", () => model.sends(""), NO_CHAT],
    ["that breaks off its JSON", () => model.sends('{"choices":[{"mess'), NO_CHAT],
    ["that sends other types", () => model.sends({ choices: "a" }), NO_CHAT],
    ["that sends no choices", () => model.isEmpty(), NO_TEXT],
    ["that sends no content", () => model.sends(completion(null)), NO_TEXT],
    ["that sends blanks", () => model.says(" \n"), NO_TEXT],
    ["that sends too much", () => model.isHuge(), "the body is longer than 262144 bytes"],
  ]) {
    test(`${what} is an error`, async () => {
      behave();
      const before = model.requests.length;
      assert.equal(await ask(t), `500 model failed: 127.0.0.1: ${expected}`);
      assert.equal(model.requests.length, before + 1);
    });
  }

  test("is not waited for longer than was said, and then let go", async () => {
    for (const behave of [model.hangs, model.dribbles]) {
      behave();
      assert.equal(await ask(t, 300), "500 model failed: 127.0.0.1: no answer within 300 ms");
      await until(() => model.waiting() === 0, { what: "the end of the request" });
    }
    model.says("again");
    assert.equal((await ask(t)).text, "again");
  });

  test("that breaks off is an error that does not tell the key", async () => {
    model.drop();
    const failed = await ask(t);
    assert.match(failed, /^500 model failed: 127\.0\.0\.1: /);
    assert.ok(!failed.includes(MODEL_KEY));
  });

  test("that is not there is one too", async () => {
    await model.close();
    const failed = await ask(t);
    assert.match(failed, /^500 model failed: 127\.0\.0\.1: /);
    assert.ok(!failed.includes(MODEL_KEY));
    assert.ok(!JSON.stringify(t.logs).includes(MODEL_KEY));
  });
});

test("an endpoint may want no key", async () => {
  const model = await startModel({ key: null });
  const t = await start({ vars: { ...model.vars, AI_BASE_URL: `${model.url}/?version=1` } });
  try {
    assert.equal((await ask(t)).text, '{"answer":"yes"}');
    assert.deepEqual([model.last().headers.authorization, model.last().path], [undefined, "/v1/chat/completions?version=1"]);
  } finally {
    await t.dispose();
    await model.close();
  }
});

describe("Workers AI", () => {
  const with_ = async (body, vars, check) => {
    const t = await start({ ...workersAi(body), vars });
    try {
      await check(t);
    } finally {
      await t.dispose();
    }
  };
  const DEFAULT = "@cf/meta/llama-3.3-70b-instruct-fp8-fast";

  test("is asked where there is no endpoint, and may answer with an object", async () => {
    await with_("return { response: { model, input }, usage: { total_tokens: 7 } };", {}, async (t) => {
      const { text, ...rest } = await ask(t);
      assert.deepEqual(rest, { name: DEFAULT, model: DEFAULT, tokens: 7 });
      const input = { messages: MESSAGES, max_tokens: 100, response_format: { type: "json_schema", json_schema: SCHEMA } };
      assert.deepEqual(JSON.parse(text), { model: DEFAULT, input });
    });
  });

  test("may be another model, and answer with text", async () => {
    await with_("return { response: `from ${model}` };", { AI_MODEL: "@cf/other" }, async (t) => {
      assert.deepEqual(await ask(t), { name: "@cf/other", text: "from @cf/other", model: "@cf/other", tokens: null });
    });
  });

  for (const [what, body, expected] of [
    ["fails", 'throw new Error("JSON Mode could not be met");', /^500 model failed: .*JSON Mode could not be met/],
    ["has no text", "return { response: null };", /^500 model failed: the answer has no text$/],
    ["has nothing", "return undefined;", /^500 model failed: the answer is not that of a chat$/],
    ["says too much", 'return { response: "x".repeat(300_000) };', /^500 model failed: the answer is longer than 262144 bytes$/],
    ["takes too long", "return new Promise((done) => setTimeout(done, 60_000));", /^500 model failed: no answer within 500 ms$/],
  ]) {
    test(`${what}: an error`, async () => {
      await with_(body, {}, async (t) => assert.match(await ask(t, 500), expected));
    });
  }
});

test("there need be no model", async () => {
  const t = await start({});
  try {
    assert.equal(await ask(t), "404 there is no model");
  } finally {
    await t.dispose();
  }
});

for (const [what, vars, expected] of [
  ["over http", { AI_BASE_URL: "http://models.example/v1", AI_MODEL: "m" }, /AI_BASE_URL must be an https URL/],
  ["by something like this machine", { AI_BASE_URL: "http://localhost.models.example/v1", AI_MODEL: "m" }, /AI_BASE_URL must be an https URL/],
  ["with a password", { AI_BASE_URL: "https://user:hidden-word@models.example/v1", AI_MODEL: "m" }, /AI_BASE_URL must be an https URL/],
  ["by no URL", { AI_BASE_URL: "models.example", AI_MODEL: "m" }, /AI_BASE_URL must be an https URL/],
  ["without a name", { AI_BASE_URL: "https://models.example/v1" }, /AI_MODEL must name the model/],
  ["with a key of two lines", { AI_BASE_URL: "https://models.example/v1", AI_MODEL: "m", AI_API_KEY: "hidden-word\nb" }, /AI_API_KEY must be of visible ASCII/],
]) {
  test(`a model ${what} is as none, and the reason is told without it`, async () => {
    const t = await start({ vars });
    try {
      const answer = await t.fetch("/health");
      assert.equal(answer.status, 200);
      await answer.text();
      const told = () => t.logs.map(({ message }) => message).join("\n");
      await until(() => expected.test(told()), { what: `${expected} in ${told()}` });
      assert.ok(!/hidden-word|models\.example/.test(told()));
    } finally {
      await t.dispose();
    }
  });
}
