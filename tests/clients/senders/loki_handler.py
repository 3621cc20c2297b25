import logging

import logging_loki

from records import KEY, RECORDS, SERVICE, URL

handler = logging_loki.LokiHandler(url=f"{URL}/loki/api/v1/push", tags={"service": SERVICE}, auth=("any", KEY), version="1")
logger = logging.getLogger("clients")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
for message, level, _, order in RECORDS:
    logger.log(getattr(logging, level.upper()), message, extra={"tags": {"order": str(order)}})
