-- What rules set off: one row for all that is alike within a window. The id begins with the window, so that the order of
-- the ids is that of time.
CREATE TABLE events (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  event TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- How often each rule held.
CREATE TABLE rule_hits (
  tenant TEXT NOT NULL,
  rule TEXT NOT NULL,
  count INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, rule)
) WITHOUT ROWID;
