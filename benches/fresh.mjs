// A log is searched for as soon as its 201 is here.
import { baseline, median } from "./client.mjs";
import { row } from "./table.mjs";

const TIMES = 50;
/** While a search takes seconds there are fewer of them. */
const PATIENCE_MS = 30_000;

export async function measureFresh(server) {
  const client = server.client();
  const trivial = await baseline(client);
  const [searches, ingests] = [[], []];
  let found = 0;
  for (let n = 0, end = performance.now() + PATIENCE_MS; n < TIMES && performance.now() < end; n += 1) {
    const word = `fresh${process.pid}x${n}`;
    const posted = await client.post("/api/v1/logs/ingest", JSON.stringify({ service: "bench", level: "INFO", message: `just now ${word}` }));
    if (posted.status !== 201) throw new Error(`a log was answered with ${posted.status}: ${posted.text}`);
    const searched = await client.get(`/api/v1/logs/search?q=${word}&limit=10`);
    if (searched.status === 200 && JSON.parse(searched.text).data.length === 1) found += 1;
    searches.push(searched.ms);
    ingests.push(posted.ms);
  }
  client.close();
  const whole = median(searches);
  return [
    row("fresh", "search for a log right after its 201", [{ value: Math.max(0, whole - trivial), unit: "ms", most: 15 }], {
      wrong: found === searches.length ? "" : `found ${found} of ${searches.length}`,
      note: `median of ${searches.length}, ${found} found: ${whole.toFixed(1)} ms whole, ${trivial.toFixed(1)} ms a request for nothing; the POST ${median(ingests).toFixed(1)} ms`,
    }),
  ];
}
