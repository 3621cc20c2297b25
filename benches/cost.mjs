// What is counted, in dollars: Cloudflare's list prices beyond what a plan includes.

const MILLION = 1e6;
const PRICES = {
  d1_rows_written: 1.0,
  shard_rows_written: 1.0,
  d1_rows_read: 0.001,
  r2_writes: 4.5,
  r2_lists: 4.5,
  r2_reads: 0.36,
};
const WORKER_REQUEST = 0.3;
const SHARD_REQUEST = 0.15;

/** The counters of the isolate. All of Timberline runs in one here, so they are all there are. */
export async function counters(client) {
  const { text } = await client.get("/metrics");
  return Object.fromEntries([...text.matchAll(/^timberline_(\w+)_total (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

export const grown = (before, after) => Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));

/** The dollars of a million logs: rows and operations of R2, and requests apart. */
export function cost(counts, { logs, requests }) {
  const scale = MILLION / logs / MILLION;
  const counted = Object.entries(PRICES).reduce((sum, [name, price]) => sum + (counts[name] ?? 0) * price, 0);
  return { counted: counted * scale, requests: (requests * WORKER_REQUEST + (counts.shard_requests ?? 0) * SHARD_REQUEST) * scale };
}

/** The counts as a sentence. */
export const counted = (counts) =>
  `${counts.shard_rows_written} shard and ${counts.d1_rows_written} D1 rows written, ${counts.d1_rows_read} D1 rows read, ` +
  `${counts.r2_writes} R2 writes, ${counts.r2_reads} reads, ${counts.r2_lists} lists`;
