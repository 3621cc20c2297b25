import pino from "pino";
import { key, records, service, url } from "./records.mjs";

const options = { host: url, headers: { Authorization: `Bearer ${key}` }, labels: { service }, interval: 1, silenceErrors: false };
const transport = pino.transport({ target: "pino-loki", options: { ...options, batching: { interval: 1 } } });
const logger = pino({ timestamp: false }, transport);
for (const { message, level, ms, order } of records) logger[level]({ time: ms, order }, message);
transport.end();
