-- Roll-ups and facts are hundreds of kilobytes, and no listing asks for them. What a row's first page does not hold lies in a
-- chain of pages, and to read a column behind it is to go through the chain: so they come last. And in a table WITHOUT ROWID each
-- row that is passed on the way to another is read whole: so these have rowids, for one write more with each row.
CREATE TABLE segments_ordered (
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
  filters_offset INTEGER,
  words_bytes INTEGER,
  indexed_in INTEGER,
  ordinal INTEGER,
  anonymised INTEGER NOT NULL DEFAULT 0,
  born INTEGER NOT NULL DEFAULT 0,
  services TEXT NOT NULL,
  rollup TEXT NOT NULL,
  facts TEXT,
  PRIMARY KEY (tenant, max_ms, key)
);

INSERT INTO segments_ordered
SELECT tenant, max_ms, key, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, size_bytes, footer_offset,
  filters_offset, words_bytes, indexed_in, ordinal, anonymised, born, services, rollup, facts
FROM segments;

DROP TABLE segments;
ALTER TABLE segments_ordered RENAME TO segments;

CREATE INDEX segments_by_receipt ON segments (tenant, max_received_ms);
CREATE INDEX segments_unindexed ON segments (tenant, max_ms, key) WHERE indexed_in IS NULL;
CREATE INDEX segments_indexed ON segments (tenant, indexed_in, ordinal) WHERE indexed_in IS NOT NULL;

-- Still without: every object that is replaced is noted here, and each note would be one write more.
CREATE TABLE removals_ordered (
  key TEXT NOT NULL PRIMARY KEY,
  noted_ms INTEGER NOT NULL,
  tenant TEXT,
  max_ms INTEGER,
  min_ms INTEGER,
  min_received_ms INTEGER,
  max_received_ms INTEGER,
  id TEXT,
  rows INTEGER,
  raw_bytes INTEGER,
  size_bytes INTEGER,
  footer_offset INTEGER,
  filters_offset INTEGER,
  born INTEGER,
  gone INTEGER,
  services TEXT,
  rollup TEXT,
  facts TEXT
) WITHOUT ROWID;

INSERT INTO removals_ordered
SELECT key, noted_ms, tenant, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, size_bytes,
  footer_offset, filters_offset, born, gone, services, rollup, facts
FROM removals;

DROP TABLE removals;
ALTER TABLE removals_ordered RENAME TO removals;

CREATE TABLE partitions_ordered (
  tenant TEXT NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  pairs INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  parts TEXT NOT NULL,
  header TEXT NOT NULL,
  PRIMARY KEY (tenant, number)
);

INSERT INTO partitions_ordered
SELECT tenant, number, name, min_ms, max_ms, pairs, segments, parts, header FROM partitions;

DROP TABLE partitions;
ALTER TABLE partitions_ordered RENAME TO partitions;
