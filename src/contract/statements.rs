//! Statements of the catalog as they were sent: each is about the tenants that it names, or is a job's that goes over
//! all of them.

use super::Broken;

/// Tenants of the suites begin like this.
const SUITE: &str = "contract";

/// Parts of what jobs and the administration of tenants ask of all tenants; readers have no way to them.
const OF_ALL: [&str; 11] = [
    // The walks of compaction, expiry and index.
    "(tenant, max_ms, key) > (?1, ?2, ?3)",
    "ORDER BY tenant, number",
    // Objects to be removed or brought home, by their keys, in which their tenants stand.
    "SELECT key FROM removals WHERE noted_ms < ?1",
    "DELETE FROM removals WHERE key IN (SELECT value FROM json_each(?1))",
    "DELETE FROM spooled WHERE key IN (SELECT value FROM json_each(?1))",
    "INSERT OR REPLACE INTO removals (key, noted_ms) SELECT value, ?2 FROM json_each(?1)",
    "SELECT tenant, version, record FROM accounts WHERE",
    "SELECT key FROM segments LIMIT 1",
    "DELETE FROM events WHERE last_ms < ?1",
    "DELETE FROM anomalies WHERE end_ms < ?1",
    "DELETE FROM analysis_results WHERE analyzed_ms < ?1",
];

/// A statement and its parameters, as text.
pub type Sent = (String, Vec<String>);

/// Every statement names its tenant: as a parameter, or in each item of a list that is one.
pub fn statements(sent: &[Sent]) -> Result<(), Broken> {
    if sent.len() < 50 {
        return Err(Broken(format!("only {} statements were sent", sent.len())));
    }
    let lacking = sent.iter().filter(|(sql, values)| !is_of_tenant(sql, values) && !is_of_all(sql));
    let lacking: Vec<String> = lacking.map(|(sql, values)| format!("{sql} with {values:?}")).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Broken(format!("statements lack their tenants: {}", lacking.join("; "))))
}

fn is_of_all(sql: &str) -> bool {
    OF_ALL.iter().any(|part| sql.contains(part))
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
