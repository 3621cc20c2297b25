//! The host names that lead to a tenant.

use serde::{Deserialize, Serialize};

use super::{Account, MAX_DOMAINS, Refused, Why};
use crate::engine::record::timestamp::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    pub domain: String,
    pub created_at: Timestamp,
}

/// A host name as it is kept: in lower case, without port and final dot. `None` where it cannot be one.
pub fn host_name(host: &str) -> Option<String> {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (host.len() <= 253 && host.split('.').all(label)).then_some(host)
}

impl Account {
    pub fn add_domain(&mut self, domain: &str, now: Timestamp) -> Result<(), Refused> {
        // An address or a bare name is nobody's.
        let of_letters = |name: &String| {
            name.rsplit_once('.').is_some_and(|(_, top)| top.bytes().any(|c| c.is_ascii_alphabetic()))
        };
        let Some(name) = host_name(domain).filter(|_| !domain.contains(':')).filter(of_letters) else {
            return Err(Refused::new(
                "domain",
                format!("expected a name as logs.example.com, got {domain:?}"),
            ));
        };
        if self.domains.iter().any(|known| known.domain == name) {
            return Err(Refused::new("domain", "it is this tenant's already").because(Why::Conflict));
        }
        if self.domains.len() >= MAX_DOMAINS {
            let message = format!("a tenant has at most {MAX_DOMAINS} domains");
            return Err(Refused::new("domain", message).because(Why::Conflict));
        }
        self.domains.push(Domain { domain: name, created_at: now });
        Ok(())
    }

    pub fn remove_domain(&mut self, name: &str) -> Result<(), Refused> {
        let before = self.domains.len();
        self.domains.retain(|known| known.domain != name);
        if self.domains.len() < before {
            return Ok(());
        }
        Err(Refused::new("domain", "there is no such domain").because(Why::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        for (host, name) in [
            ("Logs.Example.COM", Some("logs.example.com")),
            ("logs.example.com:8787", Some("logs.example.com")),
            ("logs.example.com.", Some("logs.example.com")),
            ("localhost", Some("localhost")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("", None),
            ("a..b", None),
            ("-a.b", None),
            ("a b.c", None),
            ("[::1]:80", None),
            ("bücher.example", None),
        ] {
            assert_eq!(host_name(host).as_deref(), name, "{host:?}");
        }
    }
}
