import { Client } from "@elastic/elasticsearch";
import { key, records, service, url } from "./records.mjs";

const client = new Client({ node: `${url}/elastic`, auth: { username: "any", password: key } });
const datasource = records.map(({ message, level, ms, order }) => ({
  "@timestamp": new Date(ms).toISOString(),
  message,
  log: { level },
  service: { name: service },
  order,
}));
const done = await client.helpers.bulk({ datasource, onDocument: () => ({ create: { _index: "clients" } }) });
if (done.failed > 0 || done.successful !== records.length) throw new Error(JSON.stringify(done));
