from datetime import datetime, timezone

from elasticsearch import Elasticsearch, helpers

from records import KEY, RECORDS, SERVICE, URL

client = Elasticsearch(f"{URL}/elastic", basic_auth=("any", KEY))
documents = (
    {
        "_op_type": "create",
        "_index": "clients",
        "@timestamp": datetime.fromtimestamp(at, timezone.utc).isoformat(),
        "message": message,
        "log.level": level,
        "service.name": SERVICE,
        "order": order,
    }
    for message, level, at, order in RECORDS
)
stored, failed = helpers.bulk(client, documents)
assert (stored, failed) == (len(RECORDS), []), failed
