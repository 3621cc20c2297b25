// Each batch through gzip -6: what keeping them as they come would take.
import { gzipSync } from "node:zlib";

export function measureGzip(logs) {
  let [bytes, micros] = [0, 0];
  for (const { body } of logs.batches()) {
    const before = process.cpuUsage();
    bytes += gzipSync(body, { level: 6 }).length;
    const { user, system } = process.cpuUsage(before);
    micros += user + system;
  }
  const { lines } = logs.facts;
  return { bytesALine: bytes / lines, cpuAMillion: micros / lines };
}
