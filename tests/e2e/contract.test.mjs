// The platform keeps the contract of the ports, the same suite that tests/contract.rs runs on the fakes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { buildContract } from "../../scripts/build.mjs";
import { startTimberline, until } from "./harness.mjs";
import { counters } from "./helpers.mjs";

let t;
before(async () => {
  t = await startTimberline({ build: await buildContract() });
});
after(() => t?.dispose());

for (const part of ["objects", "catalog", "partitions", "accounts", "events", "patterns", "anomalies", "analyses", "copies", "statements", "shard_log", "limit_log", "limits"]) {
  test(`${part}: every promise of the port is kept on workerd`, async () => {
    const answer = await t.fetch(`/__contract/${part}`);
    assert.equal(`${answer.status} ${await answer.text()}`, "200 kept");
  });
}

test("a promise that is not kept is noticed", async () => {
  const bucket = await t.bucket();
  await bucket.put("contract/one", "left over");
  const answer = await t.fetch("/__contract/objects");
  assert.equal(answer.status, 500);
  assert.match(await answer.text(), /no object reads as none/);
});

test("a Worker that has trapped begins anew with the next request", async () => {
  const post = async () => assert.equal((await t.fetch("/logs", { json: { service: "trap", message: "x" } })).status, 201);
  const read = async () => (await counters(t)).d1_rows_read;
  await (await t.fetch("/__contract/catalog")).text();
  await post();
  const before = await read();
  assert.equal((await t.fetch("/__contract/trap")).status, 500);
  // Counts are those of an instance.
  assert.ok((await read()) < before);
  await post();
  await until(() => t.logs.some(({ message }) => message.includes("Reinitializing Wasm application")), { what: "a line that says so" });
});

test("what ships has no contract route", async () => {
  const shipped = await startTimberline();
  try {
    assert.equal((await shipped.fetch("/__contract/objects")).status, 404);
  } finally {
    await shipped.dispose();
  }
});
