-- Where the filters begin, which are read with the footer; the length of the segment's run of words, as long as it
-- is in no index; and the index and its number there.
ALTER TABLE segments ADD COLUMN filters_offset INTEGER;
ALTER TABLE segments ADD COLUMN words_bytes INTEGER;
ALTER TABLE segments ADD COLUMN indexed_in INTEGER;
ALTER TABLE segments ADD COLUMN ordinal INTEGER;
ALTER TABLE removals ADD COLUMN filters_offset INTEGER;

-- A search for a word reads these, and what the indexes say; one more write for each segment.
CREATE INDEX segments_unindexed ON segments (tenant, max_ms, key) WHERE indexed_in IS NULL;
CREATE INDEX segments_indexed ON segments (tenant, indexed_in, ordinal) WHERE indexed_in IS NOT NULL;

-- The greatest number that an index of the tenant ever had.
ALTER TABLE epochs ADD COLUMN last_index INTEGER;

-- One row for each partition index. A greater number is a later one. `parts` are the lengths of its objects, as
-- JSON, and `header` is its header in base64.
CREATE TABLE partitions (
  tenant TEXT NOT NULL,
  number INTEGER NOT NULL,
  class TEXT NOT NULL,
  name TEXT NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  pairs INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  parts TEXT NOT NULL,
  header TEXT NOT NULL,
  PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
