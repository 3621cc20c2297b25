import logging

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from records import KEY, RECORDS, SERVICE, URL

provider = LoggerProvider(resource=Resource.create({"service.name": SERVICE}))
exporter = OTLPLogExporter(f"{URL}/v1/logs", headers={"Authorization": f"Bearer {KEY}"}, compression=Compression.Gzip)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=5_000))
logger = logging.getLogger("clients")
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=provider))
for message, level, _, order in RECORDS:
    logger.log(getattr(logging, level.upper()), message, extra={"order": order})
provider.shutdown()
