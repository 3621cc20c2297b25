//! Credentials out of request headers. A query parameter never carries one: addresses end up in logs.

use base64::{Engine, engine::general_purpose::STANDARD};

/// What a caller has sent to show who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// A key or a token.
    pub secret: String,
    /// The id that was sent with the key, which must be the key's own.
    pub id: Option<String>,
}

/// More than any key or token has.
const MAX_BYTES: usize = 16 << 10;

/// The first credential of the `Authorization` header and the header for keys. `None`: there is none, or not in a
/// form that is known.
pub fn credential(authorization: Option<&str>, api_key: Option<&str>) -> Option<Credential> {
    let found = authorization
        .and_then(of_authorization)
        .or_else(|| api_key.map(|key| Credential { secret: key.trim().to_owned(), id: None }))?;
    (found.secret.len() <= MAX_BYTES).then_some(found)
}

fn of_authorization(header: &str) -> Option<Credential> {
    let (scheme, value) = header.trim().split_once(' ')?;
    let value = value.trim();
    let pair = || {
        let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        let (first, second) = text.split_once(':')?;
        Some((first.to_owned(), second.to_owned()))
    };
    match scheme.to_ascii_lowercase().as_str() {
        // Splunk's collectors name their scheme so.
        "bearer" | "splunk" => Some(Credential { secret: value.to_owned(), id: None }),
        // Shippers put whatever they like in place of a user.
        "basic" => pair().map(|(_, secret)| Credential { secret, id: None }),
        "apikey" => pair().map(|(id, secret)| Credential { secret, id: Some(id) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_in_whichever_header_carries_it() {
        let encoded = |text: &str| STANDARD.encode(text);
        let check = |authorization: Option<&str>, api_key, expected: Option<(&str, Option<&str>)>| {
            let found = credential(authorization, api_key);
            let expected = expected
                .map(|(secret, id)| Credential { secret: secret.to_owned(), id: id.map(str::to_owned) });
            assert_eq!(found, expected, "{authorization:?} {api_key:?}");
        };
        check(Some("Bearer secret"), None, Some(("secret", None)));
        check(Some("bearer  secret "), None, Some(("secret", None)));
        check(Some("Splunk secret"), None, Some(("secret", None)));
        check(None, Some(" secret"), Some(("secret", None)));
        check(Some(&format!("Basic {}", encoded("acme:secret"))), None, Some(("secret", None)));
        check(Some(&format!("basic {}", encoded(":se:cret"))), None, Some(("se:cret", None)));
        check(Some(&format!("ApiKey {}", encoded("key_1:secret"))), None, Some(("secret", Some("key_1"))));
        // The first credential that can be read is the one that counts.
        check(Some("Bearer wrong"), Some("secret"), Some(("wrong", None)));
        check(Some("Basic ???"), Some("secret"), Some(("secret", None)));
        for nothing in
            [None, Some(""), Some("Bearer"), Some("Basic abc"), Some("Digest x"), Some("ApiKey eA==")]
        {
            check(nothing, None, None);
        }
        check(Some(&format!("Bearer {}", "x".repeat(MAX_BYTES + 1))), None, None);
    }
}
