//! Statements of the catalog as they were sent: each is about the tenants that it names, or is a job's that goes over
//! all of them.

use super::Broken;

/// Tenants of the suites begin like this.
const SUITE: &str = "contract";

/// Beginnings of what jobs ask of all tenants; readers have no way to them.
const OF_ALL: [&str; 10] = [
    // The walks of compaction, expiry and index.
    "SELECT key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, size_bytes, footer_offset, filters_offset, services, words_bytes, indexed_in, ordinal FROM segments WHERE (tenant, max_ms, key) > ",
    "SELECT tenant, max_ms, key FROM segments WHERE (tenant, max_ms, key) > ",
    "SELECT tenant, number, class, name, min_ms, max_ms, pairs, segments, parts FROM partitions",
    // Objects to be removed, by their keys, which begin with their tenants.
    "SELECT key FROM removals WHERE noted_ms < ",
    "DELETE FROM removals WHERE key IN ",
    "DELETE FROM spooled WHERE key IN ",
    "INSERT OR REPLACE INTO removals (key, noted_ms) SELECT value, ",
    // The administration of tenants.
    "SELECT tenant, version, record FROM accounts WHERE copied < version",
    "SELECT tenant, version, record FROM accounts WHERE tenant > ",
    "SELECT key FROM segments LIMIT 1",
];

/// A statement and its parameters, as text.
pub type Sent = (String, Vec<String>);

/// Every statement names its tenant: as a parameter, or in each item of a list that is one.
pub fn statements(sent: &[Sent]) -> Result<(), Broken> {
    if sent.len() < 50 {
        return Err(Broken(format!("only {} statements were sent", sent.len())));
    }
    match sent.iter().find(|(sql, values)| !is_of_tenant(sql, values) && !is_of_all(sql)) {
        Some((sql, values)) => Err(Broken(format!("a statement lacks its tenant: {sql} with {values:?}"))),
        None => Ok(()),
    }
}

fn is_of_all(sql: &str) -> bool {
    OF_ALL.iter().any(|start| sql.starts_with(start))
}

fn is_of_tenant(sql: &str, values: &[String]) -> bool {
    sql.contains("tenant") && values.iter().any(|value| names_tenant(value))
}

fn names_tenant(value: &str) -> bool {
    if value.starts_with(SUITE) {
        return true;
    }
    match serde_json::from_str::<Vec<serde_json::Value>>(value) {
        Ok(items) => items.iter().all(|item| {
            let first = item.as_array().map_or(Some(item), |parts| parts.first());
            first.and_then(serde_json::Value::as_str).is_some_and(|name| name.starts_with(SUITE))
        }),
        Err(_) => false,
    }
}
