import winston from "winston";
import LokiTransport from "winston-loki";
import { key, records, service, url } from "./records.mjs";

const transport = new LokiTransport({
  host: url,
  basicAuth: `any:${key}`,
  labels: { service },
  json: process.argv[2] === "json",
  useWinstonMetaAsLabels: false,
  batching: true,
  interval: 1,
  onConnectionError: (error) => console.error(error),
});
const logger = winston.createLogger({ transports: [transport], format: winston.format.json() });
for (const { message, level, ms, order } of records) logger.log({ level, message, order, timestamp: new Date(ms) });
await transport.flush();
process.exit(0);
