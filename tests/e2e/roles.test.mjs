// What each role may do, at every route, and what of the logs it sees: nothing that is not in the table of roles.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline } from "./harness.mjs";
import { as, assertError, assertSameIds, call, flush, get, makeKey, makeTenant, store } from "./helpers.mjs";

const NOW = Date.now();
const UNLIMITED = { vars: { RATE_LIMIT_ENABLED: "false" } };
const NOBODY = "01a1f000-0000-7000-8000-000000000000";

/** What a path and a body may have so that a call changes nothing but a log more. */
const NAMES = { id: NOBODY, service: "api", name: "nobody", domain: "nobody.example.com" };
const BODIES = {
  "/logs": { service: "api", message: "m" },
  "/api/v1/logs": { service: "api", message: "m" },
  "/api/v1/logs/ingest": { service: "api", message: "m" },
  "/api/v1/logs/batch": [{ service: "api", message: "m" }],
  "/api/v1/logs/ingest/batch": [{ service: "api", message: "m" }],
  "/admin/self-healing/actions": { action: "execute", actionId: "none" },
  "/admin/roles/{name}": { permissions: ["none"] },
};

const putRole = (who, name, permissions, more = {}) => call(who, `/admin/roles/${name}`, { json: { permissions, ...more }, method: "PUT" });

describe("the table of roles", () => {
  let t;
  let table;
  before(async () => {
    t = await startTimberline(UNLIMITED);
    assert.equal((await putRole(t, "watcher", ["audit:read", "service:read", "config:read"])).status, 200);
    assert.equal((await putRole(t, "nothing", [])).status, 200);
    table = await get(t, "/admin/roles");
  });
  after(() => t?.dispose());

  for (const role of ["ingest", "developer", "operator", "security", "support", "admin", "root", "watcher", "nothing"]) {
    test(`${role} may do what the table says at every route, and nothing else`, async () => {
      const { permissions, needs_services } = table.data.find(({ name }) => name === role);
      const who = as(t, (await makeKey(t, { role, ...(needs_services ? { services: ["api"] } : {}) })).key);
      assert.ok(table.routes.length > 40);
      for (const { method, path, permission } of table.routes) {
        const named = path.replace(/\{(\w+)\}/g, (_, name) => NAMES[name]);
        const answer = await call(who, named, { method, ...(method === "GET" ? {} : { json: BODIES[path] ?? {}, method }) });
        const at = `${role}: ${method} ${path}`;
        if (permissions.includes(permission)) {
          // 501: traces and metrics are no logs, whoever sends them.
          assert.ok((answer.status < 500 || answer.status === 501) && ![401, 403, 405].includes(answer.status), `${at}: ${answer.status} ${JSON.stringify(answer.body)}`);
        } else {
          // Some routes say it in the words of another protocol.
          assert.equal(answer.status, 403, at);
          const text = JSON.stringify(answer.body);
          assert.ok(text.includes(`this needs the permission ${permission}`), `${at}: ${text}`);
        }
      }
    });
  }

  test("the table has every role that there is, and only those of this tenant", async () => {
    const names = (roles) => roles.map(({ name, custom }) => (custom ? `${name}*` : name));
    const built = ["ingest", "developer", "operator", "security", "support", "admin", "root"];
    assert.deepEqual(names(table.data), [...built, "nothing*", "watcher*"]);
    assert.deepEqual(names((await get(await makeTenant(t, "other"), "/admin/roles")).data), built);
  });

  test("the catalog of the deployment is rebuilt by root alone", async () => {
    const rebuild = async (role) => call(as(t, (await makeKey(t, { role })).key), "/admin/self-healing/actions", { json: { action: "execute", actionId: "rebuild-catalog" } });
    for (const role of ["operator", "admin"]) {
      const refused = await rebuild(role);
      assertError(refused, 403, "not_allowed");
      assert.match(refused.body.error.message, /deployment:operate/);
    }
    const done = await rebuild("root");
    assert.deepEqual([done.status, done.body.status], [200, "done"]);
  });
});

describe("what a role sees of the logs", () => {
  const RECORDS = Array.from({ length: 24 }, (_, n) => ({
    service: ["api", "web", "db"][n % 3],
    level: n % 2 ? "ERROR" : "INFO",
    message: `shared words, number ${n}`,
    timestamp: NOW - (24 - n) * 1_000,
    trace_id: "shared-trace",
    host: "node-1",
    ...(n % 4 === 0 ? { category: ["security", "SECURITY", "Audit"][(n / 4) % 3] } : n % 4 === 1 ? { category: "database" } : {}),
  }));
  const isSecret = ({ category }) => ["security", "audit"].includes(category?.toLowerCase());
  const SEES = {
    developer: (one) => one.service === "api" && !isSecret(one),
    support: (one) => !isSecret(one),
    operator: (one) => !isSecret(one),
    security: () => true,
    admin: () => true,
  };
  // Counts of services are by service alone: see "What it does not do" in docs/security.md.
  const COUNTS = { ...SEES, developer: (one) => one.service === "api", support: () => true, operator: () => true };
  let t;
  let ids;
  const who = {};
  before(async () => {
    t = await startTimberline(UNLIMITED);
    ids = await store(t, RECORDS);
    for (const role of Object.keys(SEES)) who[role] = as(t, (await makeKey(t, { role, ...(role === "developer" ? { services: ["api"] } : {}) })).key);
  });
  after(() => t?.dispose());

  for (const state of ["not flushed", "in segments", "in segments with an index"]) {
    for (const [role, sees] of Object.entries(SEES)) {
      test(`${role}, with the logs ${state}`, async () => {
        if (state !== "not flushed") await flush(t);
        if (state.endsWith("index")) assert.equal((await t.cron("17 * * * *", NOW + 7_200_000)).outcome, "ok");
        const me = who[role];
        const own = RECORDS.flatMap((one, n) => (sees(one) ? [ids[n]] : []));
        const seen = RECORDS.filter(sees);
        const services = [...new Set(seen.map(({ service }) => service))].sort();
        const count = (wanted) => seen.filter(wanted).length;
        const found = async (path, expected, options) => {
          const { status, body } = await call(me, path, options);
          assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
          assertSameIds(body.data.map(({ id }) => id), expected, `${role} ${path}`);
          return body;
        };
        const where = (wanted) => RECORDS.flatMap((one, n) => (sees(one) && wanted(one) ? [ids[n]] : []));

        for (const path of ["/logs", "/api/v1/logs", "/logs/search", "/api/v1/logs/search?sort=oldest", "/logs?q=shared", "/logs?q=shared&sort=relevance", "/logs?q=category:security+OR+shared", "/logs?limit=1000&service=api,web,db"]) {
          await found(path, own);
        }
        await found("/logs?category=security,SECURITY,Audit", where(isSecret));
        await found("/logs?q=category:security", where(({ category }) => category?.toLowerCase() === "security"));
        await found("/logs?q=NOT+service:api", where(({ service }) => service !== "api"));
        await found("/logs?service=web", where(({ service }) => service === "web"));
        await found("/api/v1/logs/recent/web", where(({ service }) => service === "web"));
        await found("/api/v1/logs/search", own, { json: { query: "shared" } });
        await found("/logs/search", where(({ service }) => service === "db"), { json: { filters: { service: ["db"] } } });

        for (const [n, id] of ids.entries()) {
          const paths = [`/api/v1/logs/${id}`, `/api/v1/logs/${id}/full`, `/api/v1/logs/logs/${id}`, `/api/v1/logs/logs/${id}/full`, `/api/v1/logs/${id}/context`];
          for (const path of n < 6 ? paths : paths.slice(0, 1)) {
            const answer = await call(me, path);
            if (sees(RECORDS[n])) assert.equal(answer.status, 200, path);
            else assertError(answer, 404, "not_found");
          }
        }
        for (const scope of ["all", "host"]) await found(`/api/v1/logs/${own[3]}/context?before=200&after=200&scope=${scope}`, own);
        const { service } = RECORDS[ids.indexOf(own[3])];
        await found(`/api/v1/logs/${own[3]}/context?before=200&after=200`, where((one) => one.service === service));

        const trace = await found("/api/v1/trace/shared-trace", own);
        assert.deepEqual([[...trace.summary.services].sort(), trace.summary.logs, trace.summary.errors], [services, own.length, count(({ level }) => level === "ERROR")]);
        const lines = (await get(me, "/api/v1/logs/export")).trim().split("\n").map((line) => JSON.parse(line).id);
        assertSameIds(lines, own, `${role} export`);
        assert.equal((await get(me, "/api/v1/logs/export?format=csv&fields=service,category")).trim().split("\n").length, own.length + 1);

        const groups = (await get(me, "/api/v1/stats?by=service")).data;
        assert.deepEqual(groups.map(({ service, count }) => [service, count]).sort(), services.map((name) => [name, count(({ service }) => service === name)]));
        assert.equal((await get(me, "/api/v1/stats")).data[0].count, own.length);
        assert.equal((await get(me, "/api/v1/histogram?interval=1h")).data.reduce((sum, { count }) => sum + count, 0), own.length);
        const facets = Object.fromEntries((await get(me, "/api/v1/facets?fields=service,category,level")).data.map(({ field, values }) => [field, values]));
        assert.deepEqual(facets.service.map(({ value }) => value).sort(), services);
        assert.equal(facets.level.reduce((sum, { count }) => sum + count, 0), own.length);
        // Those that were sent: every other log is given one.
        const sent = new Set(RECORDS.flatMap(({ category }) => category ?? []));
        assert.deepEqual(facets.category.map(({ value }) => value).filter((value) => sent.has(value)).sort(), [...new Set(seen.flatMap(({ category }) => category ?? []))].sort());
        assert.equal((await get(me, "/api/v1/fields")).rows, own.length);
      });

      test(`${role}, in the counts of services, with the logs ${state}`, async () => {
        const me = who[role];
        const seen = RECORDS.filter(COUNTS[role]);
        const services = [...new Set(seen.map(({ service }) => service))].sort();
        const count = (wanted) => seen.filter(wanted).length;
        const list = (await get(me, "/api/v1/logs/services")).data;
        assert.deepEqual(list.map(({ service, total }) => [service, total]), services.map((name) => [name, count(({ service }) => service === name)]));
        for (const name of ["api", "web", "db"]) {
          const { total, by_level, per_hour } = await get(me, `/api/v1/logs/stats/${name}`);
          const of = (level) => count((one) => one.service === name && one.level === level);
          assert.deepEqual([total, by_level.INFO, by_level.ERROR], [of("INFO") + of("ERROR"), of("INFO"), of("ERROR")], name);
          assert.equal(per_hour.reduce((sum, { count }) => sum + count, 0), total, name);
        }
      });
    }
  }
});

test("a role sees no more through scanners", async (context) => {
  const t = await startTimberline(UNLIMITED);
  context.after(() => t.dispose());
  // Enough segments that some of them are looked into by scanners.
  for (let n = 0; n < 30; n += 1) {
    await store(t, ["api", "web"].flatMap((service) => [{ service, message: "plain", user_id: "u-1", took: n }, { service, message: "secret", user_id: "u-2", category: "security" }]));
    await flush(t);
  }
  for (const [fields, users] of [
    [{ role: "developer", services: ["api"] }, [["u-1", 30]]],
    [{ role: "support" }, [["[MASKED]", 60]]],
    [{ role: "security" }, [["u-1", 60], ["u-2", 60]]],
    [{ role: "security", services: ["web"] }, [["u-1", 30], ["u-2", 30]]],
  ]) {
    const who = as(t, (await makeKey(t, fields)).key);
    const what = JSON.stringify(fields);
    const { data, stats } = await get(who, "/api/v1/stats?by=user_id");
    assert.deepEqual([stats.partial, stats.scanner_requests > 0], [false, true], what);
    assert.deepEqual(data.map(({ user_id, count }) => [user_id, count]).sort(), users, what);
    const facets = await get(who, "/api/v1/facets?fields=user_id");
    assert.deepEqual(facets.data[0].values.map(({ value, count }) => [value, count]).sort(), users, what);
    const total = users.reduce((sum, [, count]) => sum + count, 0);
    assert.equal((await get(who, "/api/v1/histogram?interval=1h&q=plain+OR+secret")).data.reduce((sum, { count }) => sum + count, 0), total, what);
    const ranked = await get(who, "/logs?q=plain+OR+secret&sort=relevance&limit=1000");
    assert.deepEqual([ranked.data.length, ranked.stats.partial], [total, false], what);
  }
});

describe("roles of one's own", () => {
  let t;
  let acme;
  before(async () => {
    t = await startTimberline(UNLIMITED);
    acme = await makeTenant(t, "acme");
  });
  after(() => t?.dispose());

  const newKey = (who, fields) => call(who, "/admin/keys", { json: { name: "given", ...fields } });

  test("are made, changed, shown and taken away", async () => {
    const made = await putRole(acme, "reader", ["logs:read"], { description: "reads" });
    assert.deepEqual([made.status, made.body], [200, { name: "reader", description: "reads", permissions: ["logs:read"], needs_services: false, custom: true }]);
    const { id, key } = await makeKey(acme, { role: "reader" });
    const reader = as(t, key);
    assert.equal((await call(reader, "/logs")).status, 200);
    assertError(await call(reader, "/logs", { json: { service: "s", message: "m" } }), 403, "not_allowed");
    assert.equal((await putRole(acme, "reader", ["logs:write"])).status, 200);
    assertError(await call(reader, "/logs"), 403, "not_allowed");
    assert.equal((await call(reader, "/logs", { json: { service: "s", message: "m" } })).status, 201);

    const remove = () => call(acme, "/admin/roles/reader", { method: "DELETE" });
    assertError(await remove(), 409, "conflict", "name");
    await call(acme, `/admin/keys/${id}`, { method: "DELETE" });
    const removed = await remove();
    assert.deepEqual([removed.status, removed.body], [200, { name: "reader", removed: true }]);
    assertError(await remove(), 404, "not_found");
    assertError(await newKey(acme, { role: "reader" }), 400, "invalid_value", "role");
  });

  test("that cannot be are refused by what is wrong", async () => {
    for (const name of ["admin", "root", "developer"]) assertError(await putRole(acme, name, ["logs:read"]), 409, "conflict", "name");
    assertError(await putRole(acme, "a%20b", ["logs:read"]), 400, "invalid_value", "name");
    for (const permissions of [["logs"], [1], "logs:read", null]) assertError(await putRole(acme, "r", permissions), 400, "invalid_value", "permissions");
    assertError(await putRole(acme, "r", ["logs:read"], { admin: true }), 400, "unknown_field", "admin");
    assertError(await call(acme, "/admin/roles/support", { method: "DELETE" }), 404, "not_found");
    assert.deepEqual((await get(acme, "/admin/roles")).data.filter(({ custom }) => custom), []);
  });

  test("give nobody more than its giver has", async () => {
    const boss = await makeKey(acme, { role: "admin" });
    assert.equal((await putRole(acme, "keeper", ["access:manage", "logs:read", "config:read"])).status, 200);
    const keeper = as(t, (await makeKey(acme, { role: "keeper" })).key);
    assert.equal((await putRole(keeper, "less", ["logs:read"])).status, 200);
    for (const permissions of [["logs:write"], ["logs:read", "audit:read"], ["tenants:manage"]]) {
      assertError(await putRole(keeper, "more", permissions), 403, "forbidden");
    }
    assertError(await putRole(acme, "more", ["tenants:manage"]), 403, "forbidden");
    for (const role of ["less", "support", "keeper"]) assert.equal((await newKey(keeper, { role })).status, 201, role);
    for (const role of ["admin", "operator", "security", "root", "ingest", "developer"]) {
      assertError(await newKey(keeper, { role, services: ["api"] }), 403, "forbidden");
    }
    assertError(await call(keeper, `/admin/keys/${boss.id}/rotate`, { json: {} }), 403, "forbidden");
    assert.equal((await call(as(t, boss.key), "/admin/keys")).status, 200);
    const names = (await get(acme, "/admin/roles")).data.filter(({ custom }) => custom).map(({ name }) => name);
    assert.deepEqual(names, ["keeper", "less"]);
  });

  test("a key for some services gives none for others", async () => {
    const bounded = as(t, (await makeKey(acme, { role: "admin", services: ["api"] })).key);
    const wide = await makeKey(acme, { role: "support" });
    for (const services of [undefined, ["api"], ["api", "web"]]) assertError(await newKey(bounded, { role: "support", services }), 403, "not_allowed");
    assertError(await call(bounded, `/admin/keys/${wide.id}/rotate`, { json: {} }), 403, "not_allowed");
  });

  test("who manages tenants gives in its own tenant no more than it has", async () => {
    assert.equal((await putRole(t, "onboarder", ["access:manage", "tenants:manage"])).status, 200);
    const onboarder = as(t, (await makeKey(t, { role: "onboarder" })).key);
    assert.equal((await newKey(onboarder, { role: "admin", tenantId: "acme" })).status, 201);
    const boss = await makeKey(t, { role: "root" });
    for (const role of ["root", "admin", "support"]) assertError(await newKey(onboarder, { role }), 403, "forbidden");
    assertError(await call(onboarder, `/admin/keys/${boss.id}/rotate`, { json: {} }), 403, "forbidden");
  });
});
