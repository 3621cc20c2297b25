import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { key, records, service, url } from "./records.mjs";

const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${process.argv[2]}`);
const exporter = new OTLPLogExporter({ url: `${url}/v1/logs`, headers: { Authorization: `Bearer ${key}` }, compression: "gzip" });
const provider = new LoggerProvider({ resource: resourceFromAttributes({ "service.name": service }) });
provider.addLogRecordProcessor(new BatchLogRecordProcessor(exporter, { maxQueueSize: 5_000 }));
const logger = provider.getLogger("clients", "1.0.0");
for (const { message, level, ms, order } of records) {
  const severityNumber = SeverityNumber[level.toUpperCase()];
  logger.emit({ body: message, severityNumber, severityText: level, timestamp: new Date(ms), attributes: { order } });
}
await provider.forceFlush();
await provider.shutdown();
