// Bodies on the ingest routes: every shape and encoding that is taken, and every one that is refused.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { KEY, startTimberline } from "./harness.mjs";
import { assertError, assertSameIds, call, everything, get, repeated } from "./helpers.mjs";

const LONE = ["/logs", "/api/v1/logs", "/api/v1/logs/ingest"];
const BATCH = ["/api/v1/logs/batch", "/api/v1/logs/ingest/batch"];
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MIB = 1 << 20;

let t;
before(async () => (t = await startTimberline()));
after(() => t?.dispose());

const post = (path, body, headers) => call(t, path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
const messages = async (service) => (await get(t, `/api/v1/logs/recent/${service}?limit=1000`)).data.map(({ message }) => message).reverse();
const records = (service, count = 3) => Array.from({ length: count }, (_, n) => ({ service, message: `number ${n}`, timestamp: Date.now() - count + n }));
const expected = (count = 3) => Array.from({ length: count }, (_, n) => `number ${n}`);

describe("one record", () => {
  for (const [nth, path] of LONE.entries()) {
    test(`POST ${path} answers 201 with the id under which the record is found at once`, async () => {
      const { status, body } = await post(path, JSON.stringify({ service: `lone-${nth}`, level: "warn", message: "found at once" }));
      assert.equal(status, 201);
      assert.deepEqual(Object.keys(body).sort(), ["accepted", "id"]);
      assert.equal(body.accepted, 1);
      assert.match(body.id, UUID7);
      const [record] = (await get(t, `/api/v1/logs/recent/lone-${nth}`)).data;
      assert.deepEqual([record.id, record.level, record.message, record.source_type, record.r2_key], [body.id, "WARN", "found at once", "http", null]);
    });

    test(`POST ${path} refuses a record by the field that is wrong`, async () => {
      const good = { service: "refused-lone", message: "m" };
      for (const [wrong, code, field] of [
        [{ message: undefined }, "missing_field", "message"],
        [{ message: "" }, "missing_field", "message"],
        [{ service: undefined }, "missing_field", "service_name"],
        [{ service: "has space" }, "invalid_service", "service"],
        [{ service: "x".repeat(129) }, "invalid_service", "service"],
        [{ service: "naïve" }, "invalid_service", "service"],
        [{ level: "LOUD" }, "invalid_level", "level"],
        [{ timestamp: "yesterday" }, "invalid_timestamp", "timestamp"],
        [{ executed_at: "2026-02-30T00:00:00Z" }, "invalid_timestamp", "executed_at"],
        [{ timestamp: Date.now() + 25 * 3_600_000 }, "timestamp_in_future", "timestamp"],
        [{ timestamp: Date.now() - 31 * 86_400_000 }, "timestamp_too_old", "timestamp"],
        [{ user_id: { name: "x" } }, "invalid_field", "user_id"],
      ]) {
        assertError(await post(path, JSON.stringify({ ...good, ...wrong })), 400, code, field);
      }
      assert.deepEqual(await messages("refused-lone"), []);
    });
  }

  test("what is no object is refused, and malformed JSON by its line and column", async () => {
    for (const body of ["[]", '"text"', "5", "null", '[{"service":"a","message":"m"}]']) assertError(await post("/logs", body), 400, "not_an_object");
    for (const [body, position] of [
      ['{"service":"a",\n "message":}', "line 2 column 12"],
      ['{"service":"a"', "line 1 column 14"],
      ["", "line 1 column 0"],
      ["{} {}", "line 1 column 4"],
    ]) {
      const refused = await post("/logs", body);
      assertError(refused, 400, "malformed_json");
      assert.ok(refused.body.error.message.endsWith(`at ${position}`), refused.body.error.message);
    }
    assertError(await post("/logs", Buffer.from('{"service":"a","message":"\xff"}', "latin1")), 400, "malformed_json");
  });

  test("a record of 262,144 bytes is taken and read back whole, one byte more is refused", async () => {
    const sized = (bytes) => {
      const head = '{"service":"large","message":"';
      return `${head}${"x".repeat(bytes - head.length - 2)}"}`;
    };
    const { status, body } = await post("/logs", sized(262_144));
    assert.equal(status, 201);
    assert.equal((await get(t, `/api/v1/logs/${body.id}/full`)).message.length, sized(262_144).length - 32);
    assertError(await post("/logs", sized(262_145)), 413, "record_too_large");
  });

  test("nesting of 64 levels is taken, and a field nested deeper is refused", async () => {
    const nested = (levels) => JSON.stringify({ service: "nested", message: "m", deep: null }).replace("null", "[".repeat(levels) + "]".repeat(levels));
    assert.equal((await post("/logs", nested(64))).status, 201);
    assertError(await post("/logs", nested(65)), 400, "nested_too_deep");
    assert.ok([400, 413].includes((await post("/logs", nested(100_000))).status));
  });
});

describe("a batch", () => {
  for (const [nth, path] of BATCH.entries()) {
    const shapes = {
      envelope: [(all) => JSON.stringify({ logs: all }), "application/json"],
      array: [(all) => JSON.stringify(all), "application/json; charset=utf-8"],
      ndjson: [(all) => all.map((one) => JSON.stringify(one)).join("\n"), "application/x-ndjson"],
      "ndjson-with-blank-lines": [(all) => `${all.map((one) => JSON.stringify(one)).join("\r\n\r\n")}\r\n`, "application/jsonl"],
      "lines-called-json": [(all) => all.map((one) => JSON.stringify(one)).join("\n"), "application/json"],
    };
    for (const [shape, [write, type]] of Object.entries(shapes)) {
      test(`POST ${path} takes the shape "${shape}" and answers the ids in order`, async () => {
        const service = `${shape}-${nth}`;
        const { status, body } = await post(path, write(records(service)), { "content-type": type });
        assert.equal(status, 200, JSON.stringify(body));
        assert.deepEqual([body.accepted, body.rejected, body.ids.length], [3, [], 3]);
        assert.deepEqual([...body.ids].sort(), body.ids);
        assert.deepEqual((await get(t, `/api/v1/logs/recent/${service}`)).data.map(({ id }) => id).reverse(), body.ids);
        assert.deepEqual(await messages(service), expected());
      });
    }

    test(`POST ${path} keeps the good records when others are bad and names the bad ones`, async () => {
      const service = `partial-${nth}`;
      const [first, second] = records(service, 2);
      const bad = [{ service }, "text", { service, message: "m", level: "LOUD" }];
      const answer = await post(path, JSON.stringify([bad[0], first, bad[1], second, bad[2]]));
      assert.equal(answer.status, 200);
      assert.deepEqual([answer.body.accepted, answer.body.ids.length], [2, 2]);
      const { rejected } = answer.body;
      assert.deepEqual(rejected.map(({ index, code, field }) => [index, code, field]), [[0, "missing_field", "message"], [2, "not_an_object", null], [4, "invalid_level", "level"]]);
      for (const { message } of rejected) assert.match(message, /^expected/);
      assert.deepEqual(await messages(service), expected(2));
    });

    test(`POST ${path} rejects a line of NDJSON that cannot be read and keeps its neighbours`, async () => {
      const service = `lines-${nth}`;
      const [first, second] = records(service, 2).map((one) => JSON.stringify(one));
      const { status, body } = await post(path, `${first}\n{"service":\n${second}\n`, { "content-type": "application/x-ndjson" });
      assert.equal(status, 200);
      assert.deepEqual([body.accepted, body.rejected.map(({ index, code }) => [index, code])], [2, [[1, "malformed_json"]]]);
      assert.deepEqual(await messages(service), expected(2));
    });

    test(`POST ${path} answers 400 in the same shape when no record is good`, async () => {
      const { status, body } = await post(path, JSON.stringify([{ service: "none" }, { message: "m" }]));
      assert.equal(status, 400);
      assert.deepEqual([body.accepted, body.ids, body.rejected.map(({ index, field }) => [index, field])], [0, [], [[0, "message"], [1, "service_name"]]]);
    });

    test(`POST ${path} takes 1,000 records and refuses 1,001`, async () => {
      const service = `thousand-${nth}`;
      const { status, body } = await post(path, JSON.stringify({ logs: records(service, 1_000) }));
      assert.deepEqual([status, body.accepted, new Set(body.ids).size], [200, 1_000, 1_000]);
      assert.deepEqual(await messages(service), expected(1_000));
      for (const write of [shapes.envelope[0], shapes.array[0]]) {
        assertError(await post(path, write(records(`${service}-more`, 1_001))), 413, "too_many_records");
      }
      const lines = shapes.ndjson[0](records(`${service}-more`, 1_001));
      assertError(await post(path, lines, { "content-type": "application/x-ndjson" }), 413, "too_many_records");
      assert.deepEqual(await messages(`${service}-more`), []);
    });
  }

  test("a body that is no batch is refused by what it is", async () => {
    for (const [body, code, field] of [
      ["[]", "empty_batch"],
      ['{"logs":[]}', "empty_batch"],
      ["", "empty_batch"],
      ["  \n ", "empty_batch"],
      ["{}", "missing_field", "logs"],
      ['{"logs":{}}', "invalid_field", "logs"],
      ['"text"', "not_a_batch"],
      ["7", "not_a_batch"],
    ]) {
      assertError(await post(BATCH[0], body), 400, code, field);
    }
    const refused = await post(BATCH[0], '{"logs":[\n{"service":"a","message":"m"},\n{"service"]}');
    assertError(refused, 400, "malformed_json");
    assert.match(refused.body.error.message, /at line 3 column 11$/);
  });

  test("the ids of requests that run at once are all different", async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(BATCH[0], JSON.stringify(records("at-once", 20)))));
    const ids = answers.flatMap(({ body }) => body.ids);
    assert.equal(ids.length, 600);
    assert.deepEqual(repeated(ids), []);
    assert.equal((await messages("at-once")).length, 600);
  });
});

describe("encodings and types", () => {
  for (const [name, encoding, encode] of [
    ["gzip", "gzip", gzipSync],
    ["gzip of two members", "gzip", (text) => Buffer.concat([gzipSync(text.slice(0, 20)), gzipSync(text.slice(20))])],
    ["zlib deflate", "deflate", deflateSync],
    ["raw deflate", "deflate", deflateRawSync],
    ["zstd", "zstd", (text) => zstdCompressSync(text, { params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_checksumFlag]: 1 } })],
    ["identity", "identity", (text) => text],
  ]) {
    test(`${name} is taken on every ingest route`, async () => {
      for (const [nth, path] of [...LONE, ...BATCH].entries()) {
        const service = `${name.replaceAll(" ", "-")}-${nth}`;
        const batch = BATCH.includes(path);
        const text = JSON.stringify(batch ? { logs: records(service) } : records(service, 1)[0]);
        const { status, body } = await post(path, encode(text), { "content-encoding": encoding });
        assert.deepEqual([status, body.accepted], batch ? [200, 3] : [201, 1], JSON.stringify(body));
        assert.deepEqual(await messages(service), expected(batch ? 3 : 1));
      }
    });
  }

  test("a damaged or cut body and an unknown encoding are refused", async () => {
    const whole = gzipSync(JSON.stringify(records("damaged")));
    const flipped = Buffer.from(whole);
    flipped[whole.length - 6] ^= 0xff;
    for (const body of [whole.subarray(0, -10), flipped, Buffer.from("not gzip at all")]) {
      assertError(await post(BATCH[0], body, { "content-encoding": "gzip" }), 400, "malformed_encoding", "content-encoding");
    }
    assertError(await post(BATCH[0], deflateSync("[]").subarray(0, 4), { "content-encoding": "deflate" }), 400, "malformed_encoding");
    assertError(await post(BATCH[0], whole, { "content-encoding": "br" }), 415, "unsupported_encoding", "content-encoding");
    assert.deepEqual(await messages("damaged"), []);
  });

  test("a content type that is no JSON is refused with 415 on every ingest route", async () => {
    for (const path of [...LONE, ...BATCH]) {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]) {
        assertError(await post(path, JSON.stringify(records("typed", 1)), { "content-type": type }), 415, "unsupported_content_type", "content-type");
      }
    }
    for (const type of ["application/json", "text/json", "application/vnd.logs+json", "Application/JSON; charset=UTF-8"]) {
      assert.equal((await post("/logs", JSON.stringify(records("typed", 1)[0]), { "content-type": type })).status, 201, type);
    }
  });
});

describe("limits", () => {
  /** Posts with node:http: `write(request)` sends the body as it likes, and the answer may come before its end. */
  const raw = (path, headers, write) =>
    new Promise((done, fail) => {
      const outgoing = request(new URL(path, t.url), { method: "POST", headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers } });
      outgoing.on("error", fail);
      outgoing.on("response", (answer) => {
        const chunks = [];
        answer.on("error", fail);
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => {
          outgoing.destroy();
          done({ status: answer.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) });
        });
      });
      write(outgoing);
    });

  for (const [path, limit] of [[LONE[0], MIB / 2], [BATCH[1], 10 * MIB]]) {
    test(`POST ${path} refuses a body declared as over ${limit} bytes before any of it is sent`, async () => {
      const { status, body } = await raw(path, { "content-length": limit + 1 }, (outgoing) => outgoing.flushHeaders());
      assert.deepEqual([status, body.error.code], [413, "body_too_large"]);
    });

    test(`POST ${path} refuses a streamed body at its limit, without waiting for its end`, async () => {
      const { status, body } = await raw(path, { "transfer-encoding": "chunked" }, (outgoing) => outgoing.write(Buffer.alloc(limit + 1, " ")));
      assert.deepEqual([status, body.error.code], [413, "body_too_large"]);
    });

    test(`POST ${path} stops inflating a bomb at its limit`, async () => {
      const zeros = Buffer.alloc(10 * MIB + 1);
      for (const [encoding, bomb] of [["gzip", gzipSync(zeros)], ["deflate", deflateSync(zeros)], ["zstd", zstdCompressSync(zeros)]]) {
        assert.ok(bomb.length < 16 << 10);
        assertError(await post(path, bomb, { "content-encoding": encoding }), 413, "body_too_large");
      }
    });
  }

  test("a batch of nearly 10 MB is taken and read back, in pages that hold less", async () => {
    const logs = records("nearly", 40).map((one) => ({ ...one, message: `${one.message} ${"y".repeat(255_000)}` }));
    const { status, body } = await post(BATCH[0], JSON.stringify({ logs }));
    assert.deepEqual([status, body.accepted], [200, 40], JSON.stringify(body).slice(0, 300));
    const found = await everything(t, { service: "nearly" }, { partial: true });
    assertSameIds(found.map(({ id }) => id), body.ids);
  });
});
