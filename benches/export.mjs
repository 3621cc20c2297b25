// Everything, as NDJSON: how fast it comes, and how much memory the server wants for it.
import { refusal } from "./queries.mjs";
import { mb } from "./ingest.mjs";
import { row } from "./table.mjs";

export async function measureExport(server, { facts }) {
  await server.restart();
  const client = server.client();
  await client.get("/health");
  server.forgetPeak();
  const before = server.memory()?.now;
  let [bytes, lines] = [0, 0];
  const onChunk = (chunk) => {
    bytes += chunk.length;
    for (let at = -1; (at = chunk.indexOf(10, at + 1)) >= 0; ) lines += 1;
  };
  const answer = await client.send("/api/v1/logs/export?format=ndjson", { onChunk });
  const peak = server.memory()?.peak;
  client.close();
  const missing = answer.status === 200 ? "" : refusal(answer);
  const wrong = lines === facts.lines ? "" : `${lines} of ${facts.lines} lines`;
  const speed = { value: missing ? undefined : bytes / 1e6 / (answer.ms / 1000), unit: "MB/s", least: 40 };
  const memory = { value: before === undefined ? undefined : (peak - before) / 1e6, unit: "MB", most: 128 };
  return [
    row("export", "speed of the export", [speed], { missing, wrong, note: missing ? "" : `${mb(bytes)} in ${(answer.ms / 1000).toFixed(1)} s` }),
    row("export", "memory of the export", [memory], { missing, note: missing ? "" : `workerd's peak ${mb(peak)}, ${mb(before)} before` }),
  ];
}
