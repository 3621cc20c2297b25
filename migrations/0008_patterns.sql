-- What each service says without what varies in it. `id` is what rows are stored with; it leads to the pattern that they
-- belong to by now, whose template this is. `own` is what users say of it, as JSON.
CREATE TABLE patterns (
  tenant TEXT NOT NULL,
  service TEXT NOT NULL,
  id TEXT NOT NULL,
  leads_to TEXT NOT NULL,
  template TEXT NOT NULL,
  level INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  own TEXT,
  PRIMARY KEY (tenant, service, id)
) WITHOUT ROWID;
