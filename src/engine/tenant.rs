//! Whose data it is. Every storage key, catalog row and shard name begins with a `Tenant`, and a
//! `Tenant` cannot hold a character that would let it end early in one of them.

use std::fmt;

/// Ends the name of a tenant's audit stream. No tenant's own name has an underscore.
const AUDIT: &str = "_audit";

/// A tenant's name: 1 to 63 lower-case letters, digits and inner hyphens; or the audit stream of one, whose name
/// nobody can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// The tenant of the deployment's own key.
    pub const DEFAULT: &'static str = "default";

    /// A name that somebody gave.
    pub fn parse(name: &str) -> Option<Self> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = name.as_bytes();
        let (first, last) = (bytes.first()?, bytes.last()?);
        let valid = bytes.len() <= 63
            && inner(*first)
            && inner(*last)
            && bytes.iter().all(|c| inner(*c) || *c == b'-');
        valid.then(|| Self(name.to_owned()))
    }

    /// A name that the service wrote itself: a tenant's, or that of its audit stream.
    pub fn stored(name: &str) -> Option<Self> {
        match name.strip_suffix(AUDIT) {
            Some(of) => Self::parse(of).map(|tenant| tenant.audit()),
            None => Self::parse(name),
        }
    }

    pub fn default_tenant() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// The tenant's audit stream: stored beside its logs in all things like another tenant's, so that no query,
    /// statistic or retention of its logs can meet it.
    #[must_use]
    pub fn audit(&self) -> Self {
        if self.is_audit() { self.clone() } else { Self(format!("{}{AUDIT}", self.0)) }
    }

    pub fn is_audit(&self) -> bool {
        self.0.ends_with(AUDIT)
    }

    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_name_cannot_leave_its_place_in_a_key() {
        for good in ["default", "a", "acme-2", "0"] {
            assert_eq!(Tenant::parse(good).map(|t| t.to_string()), Some(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a.b", "a b", "a_b", "a_audit", "ä", &"x".repeat(64)] {
            assert_eq!(Tenant::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_audit_stream_is_read_from_storage_and_from_nowhere_else() {
        let audit = Tenant::default_tenant().audit();
        assert_eq!(audit.as_str(), "default_audit");
        assert_eq!(audit.audit(), audit);
        assert_eq!(Tenant::stored("default_audit"), Some(audit));
        assert_eq!(Tenant::stored("acme"), Tenant::parse("acme"));
        for bad in ["_audit", "a_audit_audit", "A_audit", "a_b"] {
            assert_eq!(Tenant::stored(bad), None, "{bad}");
        }
    }
}
