// What a catalog holds outlives the migrations that make its tables anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { migrate } from "./harness.mjs";

const TABLES = { segments: "key", removals: "key", partitions: "number" };

test("rows keep all that they say when roll-ups and facts become the last columns", async (context) => {
  const worker = { name: "none", modules: true, script: "export default {}", compatibilityDate: "2026-11-01", d1Databases: ["DB"] };
  const mf = new Miniflare(convertV4MiniflareOptions({ host: "127.0.0.1", port: 0, log: new Log(LogLevel.ERROR), workers: [worker] }));
  context.after(() => mf.dispose());
  const db = await mf.getD1Database("DB", "none");
  await migrate(db, "0011");
  for (const table of Object.keys(TABLES)) {
    for (const row of [1, 2, 3]) await insert(db, table, row);
  }
  // Noted, and never listed.
  await db.prepare("INSERT INTO removals (key, noted_ms) VALUES ('an object', 7)").run();
  const before = await contents(db);
  assert.deepEqual(Object.values(before).map((rows) => rows.length), [3, 4, 3]);

  await migrate(db);
  const after = await contents(db);
  for (const [table, rows] of Object.entries(before)) {
    assert.deepEqual(after[table].map((row) => only(Object.keys(rows[0]), row)), rows, table);
    // Each is still there once.
    await assert.rejects(insert(db, table, 1), /UNIQUE constraint failed/);
  }
  assert.deepEqual((await columns(db, "segments")).map(({ name }) => name).slice(-2), ["rollup", "facts"]);
});

/** Inserts a row with a value of its own in each column. */
async function insert(db, table, row) {
  const all = await columns(db, table);
  const values = all.map(({ name, type }, nth) => (type === "INTEGER" ? row * 1_000 + nth : `${name} ${row} ${"x".repeat(5_000)}`));
  const sql = `INSERT INTO ${table} (${all.map(({ name }) => name).join()}) VALUES (${values.map(() => "?").join()})`;
  await db.prepare(sql).bind(...values).run();
}

async function contents(db) {
  const all = {};
  for (const [table, key] of Object.entries(TABLES)) all[table] = (await db.prepare(`SELECT * FROM ${table} ORDER BY ${key}`).all()).results;
  return all;
}

const columns = async (db, table) => (await db.prepare("SELECT name, type FROM pragma_table_info(?)").bind(table).all()).results;

const only = (names, row) => Object.fromEntries(names.map((name) => [name, row[name]]));
