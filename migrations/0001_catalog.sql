-- One row a segment. The primary key is the order in which searches read, and WITHOUT ROWID makes a row
-- cost one write; the second index, one write more, leads from an id to its segment.
CREATE TABLE segments (
  tenant TEXT NOT NULL,
  max_ms INTEGER NOT NULL,
  key TEXT NOT NULL,
  min_ms INTEGER NOT NULL,
  min_received_ms INTEGER NOT NULL,
  max_received_ms INTEGER NOT NULL,
  id TEXT NOT NULL,
  rows INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  footer_offset INTEGER NOT NULL,
  services TEXT NOT NULL,
  rollup TEXT NOT NULL,
  PRIMARY KEY (tenant, max_ms, key)
) WITHOUT ROWID;

CREATE INDEX segments_by_receipt ON segments (tenant, max_received_ms);

-- Objects that no segment row names any more, until they are deleted.
CREATE TABLE removals (
  key TEXT NOT NULL PRIMARY KEY,
  noted_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- Objects that hold logs whose shard could not be reached, until they are brought home.
CREATE TABLE spooled (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (tenant, key)
) WITHOUT ROWID;

CREATE TABLE service_configs (
  tenant TEXT NOT NULL,
  service TEXT NOT NULL,
  config TEXT NOT NULL,
  PRIMARY KEY (tenant, service)
) WITHOUT ROWID;
