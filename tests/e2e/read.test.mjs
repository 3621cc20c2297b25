// What was sent is found: lists with every parameter, single records, services, counts and settings, flushed or not.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTimberline, stateDir } from "./harness.mjs";
import { assertError, call, flush, get, store } from "./helpers.mjs";

const HOUR = 3_600_000;
const NOW = Date.now();
const LISTS = ["/logs", "/api/v1/logs", "/api/v1/logs/search"];

/** Twelve records of two services, one a minute, the oldest first. */
const RECORDS = Array.from({ length: 12 }, (_, n) => ({
  service: n % 3 === 0 ? "web" : "api",
  level: ["DEBUG", "INFO", "WARN", "ERROR"][n % 4],
  message: n === 5 ? 'Disk FULL on "node-5", 100% used' : `request number ${n} took a while`,
  user_id: `user-${n}`,
  timestamp: NOW - (12 - n) * 60_000,
}));

describe("lists", () => {
  let t;
  before(async () => {
    t = await startTimberline();
    await store(t, RECORDS.slice(0, 7));
    await flush(t);
    await store(t, RECORDS.slice(7));
  });
  after(() => t?.dispose());

  /** Which of RECORDS a list shows, in its order. */
  const shown = async (path) => (await get(t, path)).data.map(({ user_id }) => Number(user_id.slice("user-".length)));
  const all = RECORDS.map((_, n) => n).reverse();
  const where = (wanted) => all.filter((n) => wanted(RECORDS[n], n));
  const iso = (n) => encodeURIComponent(new Date(RECORDS[n].timestamp).toISOString());

  for (const path of LISTS) {
    test(`GET ${path} shows the newest first, flushed or not`, async () => {
      const { data, next_cursor, stats } = await get(t, path);
      assert.deepEqual(data.map(({ user_id }) => user_id), all.map((n) => `user-${n}`));
      assert.deepEqual(data.map(({ r2_key }) => r2_key !== null), all.map((n) => n < 7));
      assert.deepEqual([next_cursor, stats.partial, stats.rows_matched], [null, false, 12]);
    });

    test(`GET ${path} takes every parameter under every spelling`, async () => {
      for (const [query, wanted] of [
        ["service=web", where(({ service }) => service === "web")],
        ["service_name=api&serviceName=web", all],
        ["service=web,api", all],
        ["service=nobody", []],
        ["level=ERROR", where(({ level }) => level === "ERROR")],
        ["severity=warning,err", where(({ level }) => level === "WARN" || level === "ERROR")],
        ["level=DEBUG&level=INFO", where(({ level }) => level === "DEBUG" || level === "INFO")],
        ["level=CRITICAL", []],
        [`start_time=${iso(4)}`, where((_, n) => n >= 4)],
        [`startTime=${RECORDS[4].timestamp}&endTime=${RECORDS[8].timestamp}`, where((_, n) => n >= 4 && n <= 8)],
        [`start=${RECORDS[4].timestamp / 1_000}&end=${iso(8)}`, where((_, n) => n >= 4 && n <= 8)],
        [`from=${iso(10)}&to=${iso(10)}`, [10]],
        ["q=number", where((_, n) => n !== 5)],
        ["q=NUMBER+took", where((_, n) => n !== 5)],
        ["query=%22number+1+took%22", [1]],
        ["search=full+disk", [5]],
        ["q=100%25", [5]],
        ["q=user-11", [11]],
        ["q=nowhere", []],
        [`service=api&level=ERROR&q=number&start_time=${iso(6)}`, where(({ service, level }, n) => service === "api" && level === "ERROR" && n >= 6)],
        ["q=&cursor=", all],
        ["start_time=7d", all],
        ["limit=5", all.slice(0, 5)],
        ["limit=5&offset=4", all.slice(4, 9)],
        ["offset=11", [0]],
        ["offset=10000", []],
        ["page=2&page_size=5", all.slice(5, 10)],
        ["page=3&pageSize=5", all.slice(10)],
        ["page=4&page_size=5", []],
        ["page=1&limit=3", all.slice(0, 3)],
      ]) {
        assert.deepEqual(await shown(`${path}?${query}`), wanted, query);
      }
    });

    test(`GET ${path} goes on where its cursor points`, async () => {
      const found = [];
      for (let cursor = ""; cursor !== null; ) {
        const page = await get(t, `${path}?limit=5&cursor=${cursor}`);
        found.push(...page.data.map(({ user_id }) => Number(user_id.slice(5))));
        cursor = page.next_cursor;
      }
      assert.deepEqual(found, all);
    });

    test(`GET ${path} tells the page and its size when it was asked by number`, async () => {
      const { page, page_size } = await get(t, `${path}?page=2&page_size=5`);
      assert.deepEqual([page, page_size], [2, 5]);
      assert.ok(!("page" in (await get(t, path))));
    });

    test(`GET ${path} refuses a wrong parameter by its name`, async () => {
      for (const [query, code, field] of [
        ["limit=0", "invalid_parameter", "limit"],
        ["limit=1001", "invalid_parameter", "limit"],
        ["limit=ten", "invalid_parameter", "limit"],
        ["offset=-1", "invalid_parameter", "offset"],
        ["offset=10001", "invalid_parameter", "offset"],
        ["page=0", "invalid_parameter", "page"],
        ["page=102&page_size=100", "invalid_parameter", "page"],
        ["page_size=1001", "invalid_parameter", "page_size"],
        ["level=LOUD", "invalid_level", "level"],
        ["start_time=yesterday", "invalid_timestamp", "start_time"],
        ["start=20&end=10", "invalid_time_range", "end_time"],
        ["cursor=abc", "invalid_cursor", "cursor"],
        ["service=&level=ERROR", "invalid_parameter", "service"],
        ["level=", "invalid_parameter", "level"],
        ["q=%22open", "invalid_query", "q"],
        ["limt=5", "unknown_parameter", "limt"],
      ]) {
        assertError(await call(t, `${path}?${query}`), 400, code, field);
      }
      assert.ok((await call(t, `${path}?q=%ff`)).status < 500);
    });
  }

  test("GET /api/v1/logs/recent/{service} shows that service, and takes the other parameters", async () => {
    assert.deepEqual(await shown("/api/v1/logs/recent/web"), where(({ service }) => service === "web"));
    assert.deepEqual(await shown("/api/v1/logs/recent/api?limit=2&level=WARN"), where(({ service, level }) => service === "api" && level === "WARN").slice(0, 2));
    assert.deepEqual(await shown("/api/v1/logs/recent/nobody"), []);
    assertError(await call(t, "/api/v1/logs/recent/no%20service"), 400, "invalid_service", "service");
  });

  test("GET /api/v1/logs/services lists every service with its counts, by name", async () => {
    const { data, next_cursor, partial } = await get(t, "/api/v1/logs/services");
    assert.deepEqual([next_cursor, partial], [null, false]);
    assert.deepEqual(data.map(({ service, total }) => [service, total]), [["api", 8], ["web", 4]]);
    const api = RECORDS.filter(({ service }) => service === "api");
    const level = (name) => api.filter((one) => one.level === name).length;
    assert.deepEqual(data[0].by_level, { DEBUG: level("DEBUG"), INFO: level("INFO"), WARN: level("WARN"), ERROR: level("ERROR"), CRITICAL: 0 });
    assert.deepEqual([Date.parse(data[0].first_seen), Date.parse(data[0].last_seen)], [api[0].timestamp, api.at(-1).timestamp]);
    assert.ok(data[0].bytes > 8 * 100);
  });
});

describe("one record", () => {
  let t;
  before(async () => (t = await startTimberline()));
  after(() => t?.dispose());

  test("a message of 5,000 characters is cut at 1,000 in lists and by id, and whole in /full", async () => {
    const message = "ä👋x語z".repeat(1_000);
    const [short, exact, long] = await store(t, ["short", "é".repeat(1_000), message].map((text) => ({ service: "long", message: text })));
    for (const flushed of [false, true]) {
      if (flushed) await flush(t);
      const [{ key = null } = {}] = await t.objects("logs/");
      const listed = (await get(t, "/api/v1/logs/recent/long")).data.find(({ id }) => id === long);
      for (const brief of [listed, await get(t, `/api/v1/logs/${long}`), await get(t, `/api/v1/logs/logs/${long}`)]) {
        assert.deepEqual([...brief.message], [...message].slice(0, 1_000));
        assert.deepEqual([brief.message_truncated, brief.message_length, brief.r2_key], [true, 5_000, key]);
      }
      for (const path of [`/api/v1/logs/${long}/full`, `/api/v1/logs/logs/${long}/full`]) {
        const whole = await get(t, path);
        assert.equal(whole.message, message);
        assert.deepEqual([whole.id, whole.message_truncated, whole.r2_key], [long, undefined, key]);
      }
      for (const id of [short, exact]) {
        assert.deepEqual(await get(t, `/api/v1/logs/${id}`), await get(t, `/api/v1/logs/${id}/full`));
      }
    }
  });

  test("an id that nothing has answers 404, and what is no id 400", async () => {
    const [id] = await store(t, [{ service: "found", message: "m" }]);
    const other = `${id.slice(0, -1)}${id.endsWith("f") ? "e" : "f"}`;
    for (const path of ["/api/v1/logs/", "/api/v1/logs/logs/"]) {
      for (const end of ["", "/full"]) {
        assertError(await call(t, `${path}${other}${end}`), 404, "not_found");
        assertError(await call(t, `${path}6b3f8e0a-1c9d-4b7e-9f66-0a1b2c3d4e5f${end}`), 404, "not_found");
        assertError(await call(t, `${path}not-an-id${end}`), 400, "invalid_id", "id");
        assert.equal((await get(t, `${path}${id.toUpperCase()}${end}`)).id, id);
      }
    }
  });
});

describe("counts and settings", () => {
  test("GET /api/v1/logs/stats/{service} counts by level and by the hour for a day", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const logs = Array.from({ length: 60 }, (_, n) => ({ service: "busy", level: n % 6 === 0 ? "ERROR" : "INFO", message: "m", timestamp: NOW - (n % 30) * HOUR }));
    await store(t, logs.slice(0, 40));
    await flush(t);
    await store(t, [...logs.slice(40), { service: "other", message: "not counted" }]);
    const within = (hour, level) => logs.filter((one) => Math.floor(one.timestamp / HOUR) * HOUR === Date.parse(hour) && (!level || one.level === level)).length;
    for (const flushed of [false, true]) {
      if (flushed) await flush(t);
      const stats = await get(t, "/api/v1/logs/stats/busy");
      assert.deepEqual([stats.service, stats.total, stats.partial], ["busy", 60, false]);
      assert.deepEqual(stats.by_level, { DEBUG: 0, INFO: 50, WARN: 0, ERROR: 10, CRITICAL: 0 });
      assert.deepEqual([Date.parse(stats.first_seen), Date.parse(stats.last_seen)], [NOW - 29 * HOUR, NOW]);
      assert.equal(stats.per_hour.length, 24);
      for (const [nth, { hour, count, by_level }] of stats.per_hour.entries()) {
        assert.equal(Date.parse(hour), Date.parse(stats.per_hour[0].hour) + nth * HOUR);
        assert.deepEqual([count, by_level.ERROR, by_level.INFO], [within(hour), within(hour, "ERROR"), within(hour, "INFO")], hour);
      }
      assert.ok(Date.parse(stats.per_hour.at(-1).hour) > NOW - HOUR);
    }
    const nobody = await get(t, "/api/v1/logs/stats/nobody");
    assert.deepEqual([nobody.total, nobody.first_seen, nobody.bytes, nobody.per_hour.length], [0, null, 0, 24]);
    assertError(await call(t, "/api/v1/logs/stats/no%20service"), 400, "invalid_service", "service");
  });

  test("settings are the defaults until they are put, change only where they are named, and outlive a crash", async (context) => {
    const t = await startTimberline({ persist: stateDir(context) });
    context.after(() => t.dispose());
    const path = "/api/v1/logs/config/api";
    const put = (json, to = path) => call(t, to, { json, method: "PUT" });
    const defaults = { service: "api", ttl_days: 30, retention_policy: "standard", alert_on_errors: false, max_logs_per_day: null, created_at: null, updated_at: null };
    assert.deepEqual(await get(t, path), defaults);
    assert.deepEqual((await get(t, "/api/v1/logs/configs")).data, []);

    const first = (await put({ retention_policy: "extended", max_logs_per_day: 5_000 })).body;
    assert.deepEqual(first, { ...defaults, ttl_days: 90, retention_policy: "extended", max_logs_per_day: 5_000, created_at: first.created_at, updated_at: first.created_at });
    assert.ok(Math.abs(Date.parse(first.created_at) - Date.now()) < 60_000);
    const second = (await put({ service: "api", alert_on_errors: true, ttl_days: 45, max_logs_per_day: null })).body;
    assert.deepEqual(second, { ...first, ttl_days: 45, alert_on_errors: true, max_logs_per_day: null, updated_at: second.updated_at });
    await put({ retention_policy: "minimal" }, "/api/v1/logs/config/Other.service_1-x");

    await t.crash();
    assert.deepEqual(await get(t, path), second);
    const { data, next_cursor } = await get(t, "/api/v1/logs/configs");
    assert.equal(next_cursor, null);
    assert.deepEqual(data.map(({ service, ttl_days, retention_policy }) => [service, ttl_days, retention_policy]), [["Other.service_1-x", 7, "minimal"], ["api", 45, "extended"]]);
  });

  test("a setting that cannot be is refused by its name and changes nothing", async (context) => {
    const t = await startTimberline();
    context.after(() => t.dispose());
    const put = (json, to = "api") => call(t, `/api/v1/logs/config/${to}`, { json, method: "PUT" });
    for (const [json, field] of [
      [{ ttl_days: 0 }, "ttl_days"],
      [{ ttl_days: 3_651 }, "ttl_days"],
      [{ retention_policy: "forever" }, "retention_policy"],
      [{ max_logs_per_day: 0 }, "max_logs_per_day"],
      [{ service: "web" }, "service"],
      [{ ttl_days: "thirty" }, "body"],
      [{ ttl: 30 }, "body"],
      [[], "body"],
    ]) {
      assertError(await put(json), 400, "invalid_config", field);
    }
    assertError(await put({ ttl_days: 5 }, "no%20service"), 400, "invalid_service", "service");
    assertError(await call(t, "/api/v1/logs/config/no%20service"), 400, "invalid_service", "service");
    assertError(await call(t, "/api/v1/logs/config/api", { method: "PUT", body: "{", headers: { "content-type": "application/json" } }), 400, "invalid_config", "body");
    assert.deepEqual((await get(t, "/api/v1/logs/configs")).data, []);
  });
});
