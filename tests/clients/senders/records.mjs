// What every client sends, and where.
export const { URL: url, KEY: key, SERVICE: service } = process.env;
const LEVELS = ["info", "warn", "error"];
const START = Date.now() - 60_000;

/** Records in order: a message, a level, a time of its own, and the number of an order. */
export const records = Array.from({ length: Number(process.env.COUNT) }, (_, n) => ({
  message: `order ${n} was "paid" for 5 €`,
  level: LEVELS[n % LEVELS.length],
  ms: START + n,
  order: n,
}));
