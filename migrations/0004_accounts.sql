-- One row a tenant: its settings, domains, keys and roles as JSON, changed as a whole. `copied` is the version that
-- readers have a copy of.
CREATE TABLE accounts (
  tenant TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  copied INTEGER NOT NULL DEFAULT 0,
  record TEXT NOT NULL
) WITHOUT ROWID;

-- No domain leads to two tenants.
CREATE TABLE domains (
  domain TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL
) WITHOUT ROWID;

-- From where each key was used.
CREATE TABLE key_uses (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  address TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, key, address)
) WITHOUT ROWID;
