-- How many times a tenant's segments were replaced: a listing of several pages is of one such moment.
CREATE TABLE epochs (
  tenant TEXT NOT NULL PRIMARY KEY,
  epoch INTEGER NOT NULL
) WITHOUT ROWID;

-- The replacement that added the segment, 0 for a flush.
ALTER TABLE segments ADD COLUMN born INTEGER NOT NULL DEFAULT 0;

-- A row that is replaced moves here whole, for listings that began before; `gone` is the replacement that took
-- it. Objects that were never listed have none of it.
ALTER TABLE removals ADD COLUMN tenant TEXT;
ALTER TABLE removals ADD COLUMN max_ms INTEGER;
ALTER TABLE removals ADD COLUMN min_ms INTEGER;
ALTER TABLE removals ADD COLUMN min_received_ms INTEGER;
ALTER TABLE removals ADD COLUMN max_received_ms INTEGER;
ALTER TABLE removals ADD COLUMN id TEXT;
ALTER TABLE removals ADD COLUMN rows INTEGER;
ALTER TABLE removals ADD COLUMN raw_bytes INTEGER;
ALTER TABLE removals ADD COLUMN size_bytes INTEGER;
ALTER TABLE removals ADD COLUMN footer_offset INTEGER;
ALTER TABLE removals ADD COLUMN services TEXT;
ALTER TABLE removals ADD COLUMN rollup TEXT;
ALTER TABLE removals ADD COLUMN born INTEGER;
ALTER TABLE removals ADD COLUMN gone INTEGER;
