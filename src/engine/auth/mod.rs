//! Who is asking: credentials out of request headers, compared in constant time. It decides nothing
//! about what a caller may do.

pub mod jwt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::engine::tenant::Tenant;

/// A caller that has shown a valid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub tenant: Tenant,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credential was sent, or not in a form that is known.
    Missing,
    /// A credential was sent and it is not valid.
    Wrong,
}

/// Checks the `Authorization` and `X-API-Key` headers against the deployment's key.
///
/// Both sides are hashed first, so neither the time taken nor the length tells anything of the key.
pub fn authenticate(
    authorization: Option<&str>,
    api_key: Option<&str>,
    expected: &str,
) -> Result<Principal, Refusal> {
    let given = bearer(authorization).or(api_key).ok_or(Refusal::Missing)?;
    let same = Sha256::digest(given.trim()).ct_eq(&Sha256::digest(expected));
    if bool::from(same) { Ok(Principal { tenant: Tenant::default_tenant() }) } else { Err(Refusal::Wrong) }
}

fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// The first 128 bits of the SHA-256: as good as all of it for telling things apart.
pub fn digest(bytes: &[u8]) -> Uuid {
    let hash = Sha256::digest(bytes);
    Uuid::from_slice(hash.get(..16).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lets_in_whichever_header_carries_it() {
        let check = |authorization, api_key, expected: Result<(), Refusal>| {
            let got = authenticate(authorization, api_key, "secret").map(|_| ());
            assert_eq!(got, expected, "{authorization:?} {api_key:?}");
        };
        check(Some("Bearer secret"), None, Ok(()));
        check(Some("bearer  secret"), None, Ok(()));
        check(None, Some("secret"), Ok(()));
        check(Some("Basic abc"), Some("secret"), Ok(()));
        check(None, None, Err(Refusal::Missing));
        check(Some("Basic abc"), None, Err(Refusal::Missing));
        check(Some("Bearer"), None, Err(Refusal::Missing));
        check(Some("Bearer Secret"), None, Err(Refusal::Wrong));
        check(Some("Bearer secret2"), None, Err(Refusal::Wrong));
        check(None, Some(""), Err(Refusal::Wrong));
        // The first credential found is the one that counts.
        check(Some("Bearer wrong"), Some("secret"), Err(Refusal::Wrong));
    }
}
