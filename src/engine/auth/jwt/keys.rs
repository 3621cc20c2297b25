//! The keys that check signatures: the secret, and those of a published set (JWKS, RFC 7517). A key that cannot be
//! used is passed over, so that one of a kind we do not know spoils nothing. Which keys can be used is decided
//! here and not left to the crate underneath: it ends the isolate over an Ed25519 key that is too short.

use std::iter;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A set is no longer than this; those of the large providers have 2 to 20 KB.
pub const MAX_BYTES: usize = 256 << 10;

/// Nor has it more keys than this.
const MAX_KEYS: usize = 100;

/// How many keys a token is tried on: an RSA signature takes a good part of a millisecond to check.
const MAX_TRIED: usize = 8;

/// Shorter RSA keys are passed over, and so are longer ones, which the crate refuses.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

/// Public exponents that the crate takes; they are odd as well.
const RSA_EXPONENTS: std::ops::RangeInclusive<u64> = 3..=(1 << 33) - 1;

/// The keys of a published set that can check a token.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why something is no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    #[error("a key set has {MAX_BYTES} bytes at the most, not {0}")]
    TooLarge(usize),
    #[error("a key set has {MAX_KEYS} keys at the most, not {0}")]
    TooMany(usize),
    #[error("a key set is a JSON object with a list `keys`")]
    NotJson,
}

/// A key, and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: DecodingKey,
}

#[derive(Deserialize)]
struct Jwks<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    pub fn parse(bytes: &[u8]) -> Result<Self, BadKeys> {
        if bytes.len() > MAX_BYTES {
            return Err(BadKeys::TooLarge(bytes.len()));
        }
        let jwks: Jwks<'_> = serde_json::from_slice(bytes).map_err(|_| BadKeys::NotJson)?;
        if jwks.keys.len() > MAX_KEYS {
            return Err(BadKeys::TooMany(jwks.keys.len()));
        }
        let usable = |text: &RawValue| Key::of_jwk(serde_json::from_str(text.get()).ok()?);
        Ok(Self { keys: jwks.keys.into_iter().filter_map(usable).collect() })
    }

    /// How many of its keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys of this name; all of them for a token that names none.
    pub(super) fn named(&self, kid: Option<&str>) -> Vec<&Key> {
        self.keys.iter().filter(|key| kid.is_none() || key.id.as_deref() == kid).collect()
    }
}

/// Those of the keys that are for this algorithm, as many as a token is tried on.
pub(super) fn fitting<'k>(keys: &[&'k Key], algorithm: Algorithm) -> impl Iterator<Item = &'k Key> {
    keys.iter().copied().filter(move |key| key.algorithm == algorithm).take(MAX_TRIED)
}

impl Key {
    pub(super) fn of_secret(secret: &str) -> Self {
        Self { id: None, algorithm: Algorithm::HS256, material: DecodingKey::from_secret(secret.as_bytes()) }
    }

    /// `None` for a key that cannot check a token.
    fn of_jwk(jwk: Jwk) -> Option<Self> {
        let may_verify = jwk.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if jwk.r#use.is_some_and(|usage| usage != "sig") || !may_verify {
            return None;
        }
        let (algorithm, name, material) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, "RS256", rsa(&jwk.n?, &jwk.e?)?),
            ("EC", Some("P-256")) => {
                let point = iter::once(4).chain(coordinate(&jwk.x?)?).chain(coordinate(&jwk.y?)?);
                (Algorithm::ES256, "ES256", DecodingKey::from_ec_der(&point.collect::<Vec<u8>>()))
            }
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_der(&coordinate(&jwk.x?)?))
            }
            _ => return None,
        };
        let key = Self { id: jwk.kid, algorithm, material };
        (jwk.alg.is_none_or(|alg| alg == name) && key.is_usable()).then_some(key)
    }

    /// Whether a point is on its curve: asked to check anything with one that is not, the crate returns an error.
    fn is_usable(&self) -> bool {
        crypto::verify("", b"", &self.material, self.algorithm).is_ok()
    }

    pub(super) fn has_signed(&self, message: &str, signature: &str) -> bool {
        crypto::verify(signature, message.as_bytes(), &self.material, self.algorithm).unwrap_or(false)
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let (n, e) = (number(modulus)?, number(exponent)?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let in_range = e.len() <= 8
        && RSA_EXPONENTS.contains(&e.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    let usable = RSA_BITS.contains(&bits) && in_range && is_odd(&n) && is_odd(&e);
    usable.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

/// A number without zeros in front: some providers put one there.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

/// A part of a point on a curve of 256 bits.
fn coordinate(text: &str) -> Option<[u8; 32]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
