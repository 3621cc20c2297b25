//! Addresses in a text: one, a range of them, or a network.

use std::net::IpAddr;

use ipnet::IpNet;

pub(super) struct IpPattern {
    first: IpAddr,
    last: IpAddr,
}

impl IpPattern {
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let invalid = || format!("ip: invalid pattern: {pattern:?}");
        if let Some((first, last)) = pattern.split_once('-') {
            let first: IpAddr = first.trim().parse().map_err(|_| invalid())?;
            let last: IpAddr = last.trim().parse().map_err(|_| invalid())?;
            let ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
            return if ordered { Ok(Self { first, last }) } else { Err(invalid()) };
        }
        if pattern.contains('/') {
            let network: IpNet = pattern.trim().parse().map_err(|_| invalid())?;
            return Ok(Self { first: network.network(), last: network.broadcast() });
        }
        let address = pattern.trim().parse().map_err(|_| invalid())?;
        Ok(Self { first: address, last: address })
    }

    fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether one of the addresses in a text matches.
    pub(super) fn is_in(&self, text: &str) -> bool {
        text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').any(|word| {
            let word = word.trim_end_matches('.');
            // The least that an address has, so that numbers and words are not parsed in vain.
            if word.len() < 2 || memchr::memchr2(b'.', b':', word.as_bytes()).is_none() {
                return false;
            }
            let without_port = || word.split_once(':').and_then(|(host, _)| host.parse().ok());
            let parsed = word.parse().ok().or_else(without_port);
            let parsed = parsed.or_else(|| word.trim_end_matches(':').parse().ok());
            parsed.is_some_and(|address| self.holds(address))
        })
    }
}
