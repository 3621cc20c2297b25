-- What is out of the ordinary. `data` is all of it, as JSON. A new one writes two rows: itself and its place in the index.
CREATE TABLE anomalies (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  service TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  is_ongoing INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX anomalies_by_start ON anomalies (tenant, start_ms, id);

-- What analyses say of services: the key finds those of one service and the last of each, the index those of all. `until_ms` is
-- the end of the time that was looked at. The order of the ids is that of time.
CREATE TABLE analysis_results (
  tenant TEXT NOT NULL,
  service TEXT NOT NULL,
  id TEXT NOT NULL,
  severity TEXT NOT NULL,
  analyzed_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (tenant, service, id)
) WITHOUT ROWID;

CREATE INDEX analysis_results_by_id ON analysis_results (tenant, id);
