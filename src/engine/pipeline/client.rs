//! Who sent a request, as far as the platform tells.

use serde::Serialize;
use serde_json::Value;

/// What is kept of it with each record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Client {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// The data centre that took the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    colo: Option<String>,
    /// The number of the network that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip)]
    json: String,
}

impl Client {
    /// `None`: nothing is known.
    pub fn new(
        country: Option<&str>,
        colo: Option<&str>,
        asn: Option<u32>,
        user_agent: Option<&str>,
    ) -> Option<Self> {
        // Short codes; anything else would be nothing that the platform says.
        let code = |text: Option<&str>| {
            text.filter(|text| {
                (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
            .map(str::to_owned)
        };
        let user_agent = user_agent.map(|name| crate::engine::enrich::user_agent_family(name).to_owned());
        let mut client =
            Self { country: code(country), colo: code(colo), asn, user_agent, json: String::new() };
        if client.country.is_none() && client.colo.is_none() && asn.is_none() {
            return None;
        }
        client.json = serde_json::to_string(&client).ok()?;
        Some(client)
    }

    pub(super) fn json(&self) -> &str {
        &self.json
    }

    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}
