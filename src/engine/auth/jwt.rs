//! JSON Web Tokens: whether one was signed by a key that the operator trusts, is of its time, and meant for this
//! service. It looks at no clock and fetches no keys; what a caller with these claims may do is decided elsewhere.
//!
//! The key decides which algorithm is allowed, never the token: the secret makes HS256 only, and a published key
//! the one algorithm of its kind. The crate underneath checks signatures and nothing else: its own checks of times
//! read the clock, and its parser of headers takes more than is needed here.

mod keys;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Map, Value};

pub use keys::{BadKeys, KeySet, MAX_BYTES as MAX_KEY_SET_BYTES};

/// A longer credential is no token: headers of requests end at 16 KB or so, and claims need far less.
const MAX_TOKEN_BYTES: usize = 8 << 10;

/// How far the clocks of who signs and who checks may be apart.
const LEEWAY_MS: u64 = 60_000;

/// What RFC 7518 asks of HS256: a shorter secret can be guessed from one token.
pub const MIN_SECRET_BYTES: usize = 32;

/// How much of a caller's own words an error repeats.
const SHOWN_CHARS: usize = 64;

/// Whom to trust, and where the claims are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Checks HS256; without it no such token is taken.
    pub secret: Option<Secret>,
    /// Where the keys for RS256, ES256 and `EdDSA` are published; without it none of those is taken.
    pub jwks_url: Option<String>,
    /// What `iss` must be, if anything.
    pub issuer: Option<String>,
    /// What must be in `aud`, if anything.
    pub audience: Option<String>,
    /// Names of claims, or paths to them with dots in between.
    pub tenant_claim: String,
    pub role_claim: String,
    pub services_claim: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            secret: None,
            jwks_url: None,
            issuer: None,
            audience: None,
            tenant_claim: "tenant".to_owned(),
            role_claim: "role".to_owned(),
            services_claim: "services".to_owned(),
        }
    }
}

/// A secret for HS256 that is long enough. It does not show in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `None` when it is shorter than `MIN_SECRET_BYTES`.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= MIN_SECRET_BYTES).then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a token says of its holder, once it is known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub subject: Option<String>,
    /// As the token has it: nobody has checked yet that it can be a tenant's name.
    pub tenant: Option<String>,
    pub role: Option<String>,
    pub services: Option<Vec<String>>,
    /// `exp`. The token is taken for a minute longer.
    pub expires_ms: u64,
    /// `kid`, where the token names its key.
    pub key_id: Option<String>,
}

/// Why a token is not taken. The messages are for the caller; they tell nothing of any key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this is no token: {0}")]
    BadForm(&'static str),
    #[error("tokens signed by {0:?} are not taken here")]
    Algorithm(String),
    #[error("tokens with critical extensions (`crit`) are not taken here")]
    Critical,
    #[error("there is no key to check this token with{}", named(kid.as_deref()))]
    UnknownKey { kid: Option<String> },
    #[error("the signature of this token is wrong")]
    Signature,
    #[error("this token has expired")]
    Expired,
    #[error("this token is not valid yet")]
    NotYet,
    #[error("this token never expires: the claim `exp` is missing")]
    NoExpiry,
    #[error("this token is of another issuer: the claim `iss` must be {expected:?}")]
    Issuer { expected: String },
    #[error("this token is not for this service: the claim `aud` must have {expected:?}")]
    Audience { expected: String },
    #[error("the claim {name:?} must be {expected}")]
    Claim { name: String, expected: &'static str },
}

fn named(kid: Option<&str>) -> String {
    kid.map(|kid| format!(": none is called {kid:?}")).unwrap_or_default()
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

/// Whether a credential has the form of a token: `header.claims.signature` in base64url. A signature may be empty
/// here, so that an unsigned token is told what is wrong with it.
pub fn is_token(text: &str) -> bool {
    Token::split(text).is_some()
}

/// Checks a token against the rules and the keys known at present. Nothing in it is believed before its signature
/// has been checked.
pub fn verify(token: &str, rules: &Rules, keys: Option<&KeySet>, now_ms: u64) -> Result<Claims, Refused> {
    Token::parse(token)?.verify(rules, keys, now_ms)
}

/// A token whose header has been read, and nothing else.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// What is signed: header and claims as they were sent.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
    header: Header,
}

#[derive(Clone, Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

impl<'a> Token<'a> {
    /// The message, the header, the claims, the signature.
    fn split(text: &'a str) -> Option<(&'a str, &'a str, &'a str, &'a str)> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let is_base64 =
            |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let parts = [header, claims, signature];
        let fits = text.len() <= MAX_TOKEN_BYTES && !header.is_empty() && !claims.is_empty();
        (fits && parts.into_iter().all(is_base64)).then_some((message, header, claims, signature))
    }

    pub fn parse(text: &'a str) -> Result<Self, Refused> {
        let (message, header, claims, signature) = Self::split(text)
            .ok_or(Refused::BadForm("expected three parts in base64url, of 8 KB at the most"))?;
        let header = json(header).ok_or(Refused::BadForm("its header is not a JSON object with `alg`"))?;
        Ok(Self { message, claims, signature, header })
    }

    /// That nothing it could be signed with is taken.
    pub fn refused_by_algorithm(&self) -> Refused {
        Refused::Algorithm(shown(&self.header.alg))
    }

    /// Whether a published key is needed to check it.
    pub fn needs_keys(&self, rules: &Rules) -> bool {
        rules.jwks_url.is_some() && self.algorithm().is_some_and(|algorithm| algorithm != Algorithm::HS256)
    }

    /// Whether it may be signed by a key that was published since.
    pub fn wants_newer_keys(&self, refused: &Refused) -> bool {
        match refused {
            Refused::UnknownKey { .. } => true,
            Refused::Signature => self.header.kid.is_none() && self.algorithm() != Some(Algorithm::HS256),
            _ => false,
        }
    }

    pub fn verify(&self, rules: &Rules, keys: Option<&KeySet>, now_ms: u64) -> Result<Claims, Refused> {
        if self.header.crit {
            return Err(Refused::Critical);
        }
        self.check_signature(rules, keys)?;
        let claims = json(self.claims).ok_or(Refused::BadForm("its claims are not a JSON object"))?;
        self.check_claims(&claims, rules, now_ms)
    }

    fn algorithm(&self) -> Option<Algorithm> {
        match self.header.alg.as_str() {
            "HS256" => Some(Algorithm::HS256),
            "RS256" => Some(Algorithm::RS256),
            "ES256" => Some(Algorithm::ES256),
            "EdDSA" => Some(Algorithm::EdDSA),
            _ => None,
        }
    }

    fn check_signature(&self, rules: &Rules, keys: Option<&KeySet>) -> Result<(), Refused> {
        let good = match (self.algorithm(), &rules.secret) {
            (Some(Algorithm::HS256), Some(Secret(secret))) => {
                keys::Key::of_secret(secret).has_signed(self.message, self.signature)
            }
            (Some(algorithm), _) if self.needs_keys(rules) => {
                let kid = self.header.kid.as_deref();
                let unknown = || Refused::UnknownKey { kid: kid.map(shown) };
                let named = keys.ok_or_else(unknown)?.named(kid);
                if named.is_empty() {
                    return Err(unknown());
                }
                let mut fitting = keys::fitting(&named, algorithm).peekable();
                match (fitting.peek(), kid) {
                    (None, Some(_)) => return Err(self.refused_by_algorithm()),
                    (None, None) => return Err(unknown()),
                    (Some(_), _) => fitting.any(|key| key.has_signed(self.message, self.signature)),
                }
            }
            _ => return Err(self.refused_by_algorithm()),
        };
        if good { Ok(()) } else { Err(Refused::Signature) }
    }

    fn check_claims(
        &self,
        claims: &Map<String, Value>,
        rules: &Rules,
        now_ms: u64,
    ) -> Result<Claims, Refused> {
        let expires_ms = time(claims, "exp")?.ok_or(Refused::NoExpiry)?;
        // At `exp` itself it has expired.
        if now_ms >= expires_ms.saturating_add(LEEWAY_MS) {
            return Err(Refused::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|begins_ms| begins_ms > now_ms.saturating_add(LEEWAY_MS)) {
            return Err(Refused::NotYet);
        }
        let has = |name: &str, wanted: &str| match claims.get(name) {
            Some(Value::String(text)) => text == wanted,
            // One issuer, but any number of audiences.
            Some(Value::Array(texts)) if name == "aud" => texts.iter().any(|text| text == wanted),
            _ => false,
        };
        if let Some(expected) = rules.issuer.clone().filter(|issuer| !has("iss", issuer)) {
            return Err(Refused::Issuer { expected });
        }
        if let Some(expected) = rules.audience.clone().filter(|audience| !has("aud", audience)) {
            return Err(Refused::Audience { expected });
        }
        Ok(Claims {
            subject: text(claims, "sub")?,
            tenant: text(claims, &rules.tenant_claim)?,
            role: text(claims, &rules.role_claim)?,
            services: texts(claims, &rules.services_claim)?,
            expires_ms,
            key_id: self.header.kid.clone(),
        })
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The claim of this name; else what a path of this name leads to. Names may have dots of their own, as in
/// `https://example.com/claims.tenant`: the longest name there is wins. `null` is as good as nothing.
fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    let whole = claims.get(name);
    let inside = || {
        name.rmatch_indices('.').find_map(|(dot, _)| {
            let (outer, inner) = (name.get(..dot)?, name.get(dot + 1..)?);
            find(claims.get(outer)?.as_object()?, inner)
        })
    };
    whole.or_else(inside).filter(|value| !value.is_null())
}

fn bad(name: &str, expected: &'static str) -> Refused {
    Refused::Claim { name: name.to_owned(), expected }
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match find(claims, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(name, "a text")),
    }
}

/// A text stands for a list of one.
fn texts(claims: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Refused> {
    let expected = "a list of texts, or one text";
    match find(claims, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Some).ok_or_else(|| bad(name, expected))
        }
        Some(_) => Err(bad(name, expected)),
    }
}

/// A time in ms: tokens have seconds, and may have parts of them.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refused> {
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let whole = value.as_u64().map(|seconds| seconds.saturating_mul(1_000));
    // A time before 1970 becomes 0 and one beyond all numbers the last: both compare as they should.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let time = whole.or_else(|| value.as_f64().map(|seconds| (seconds * 1_000.0) as u64));
    time.map(Some).ok_or_else(|| bad(name, "a number of seconds since 1970"))
}
