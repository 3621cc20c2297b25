// A logger as one is written first: a row of D1 for each log, indices on what is asked for most, and LIKE for the rest.

const TABLE = [
  `CREATE TABLE IF NOT EXISTS logs (id TEXT PRIMARY KEY, timestamp TEXT NOT NULL, level TEXT NOT NULL, service TEXT NOT NULL,
    message TEXT NOT NULL, correlation_id TEXT, trace_id TEXT, user_id TEXT, component TEXT, endpoint TEXT, environment TEXT, metadata TEXT)`,
  "CREATE INDEX IF NOT EXISTS logs_by_time ON logs (timestamp)",
  "CREATE INDEX IF NOT EXISTS logs_by_service ON logs (service, timestamp)",
  "CREATE INDEX IF NOT EXISTS logs_by_level ON logs (level, timestamp)",
];
const COLUMNS = ["timestamp", "level", "service", "message", "correlation_id", "trace_id", "user_id", "component", "endpoint", "environment"];
const INSERT = `INSERT INTO logs (id, ${COLUMNS.join(", ")}, metadata) VALUES (${Array(COLUMNS.length + 2).fill("?").join(", ")})`;
const SEARCHED = ["message", "correlation_id", "trace_id", "user_id", "metadata"];

export default {
  async fetch(request, { DB }) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/setup") return Response.json(await DB.batch(TABLE.map((sql) => DB.prepare(sql))));
    if (pathname === "/ingest") return Response.json(await ingest(DB, await request.text()));
    if (pathname === "/search") return Response.json(await ask(DB, "SELECT * FROM logs", searchParams, "ORDER BY timestamp DESC, id DESC LIMIT 100"));
    if (pathname === "/count") return Response.json(await ask(DB, "SELECT service, level, count(*) AS count FROM logs", searchParams, "GROUP BY service, level"));
    if (pathname === "/minutes") return Response.json(await ask(DB, "SELECT substr(timestamp, 1, 16) AS minute, count(*) AS count FROM logs", searchParams, "GROUP BY minute"));
    return new Response("nothing here", { status: 404 });
  },
};

async function ingest(DB, text) {
  const insert = DB.prepare(INSERT);
  const logs = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const row = (log) => [crypto.randomUUID(), ...COLUMNS.map((name) => log[name] ?? null), JSON.stringify(log.metadata)];
  const results = await DB.batch(logs.map((log) => insert.bind(...row(log))));
  return {
    accepted: logs.length,
    rows_written: results.reduce((sum, { meta }) => sum + meta.rows_written, 0),
    bytes: results.at(-1).meta.size_after,
  };
}

async function ask(DB, select, parameters, rest) {
  const conditions = [];
  const values = [];
  const want = (name, condition, times = 1) => {
    const value = parameters.get(name);
    if (value === null) return;
    conditions.push(condition);
    values.push(...Array(times).fill(name === "q" ? `%${value}%` : value));
  };
  want("service", "service = ?");
  want("level", "level = ?");
  want("start", "timestamp >= ?");
  want("end", "timestamp <= ?");
  want("q", `(${SEARCHED.map((column) => `${column} LIKE ?`).join(" OR ")})`, SEARCHED.length);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const { results } = await DB.prepare(`${select} ${where} ${rest}`).bind(...values).all();
  return { data: results };
}
