//! Whose data it is. Every storage key, catalog row and shard name begins with a `Tenant`, and a
//! `Tenant` cannot hold a character that would let it end early in one of them.

use std::fmt;

/// A tenant's name: 1 to 63 lower-case letters, digits and inner hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// The tenant of the deployment's own key.
    pub const DEFAULT: &'static str = "default";

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

    pub fn default_tenant() -> Self {
        Self(Self::DEFAULT.to_owned())
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
        for bad in ["", "-a", "a-", "A", "a/b", "a.b", "a b", "ä", &"x".repeat(64)] {
            assert_eq!(Tenant::parse(bad), None, "{bad}");
        }
    }
}
