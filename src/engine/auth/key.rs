//! API keys: `tl_TENANT_SECRETCHECK`, where the secret is 256 random bits and the check a CRC-32 of all before it, both
//! in hexadecimal digits. A scanner for secrets knows one by its form and its check, and a mistyped one needs no
//! look-up.

use flate2::Crc;
use sha2::{Digest, Sha256};

use crate::engine::tenant::Tenant;

const PREFIX: &str = "tl_";
const SECRET_DIGITS: usize = 64;
const CHECK_DIGITS: usize = 8;

/// A key as its holder has it. It is shown once and stored nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    tenant: Tenant,
    text: String,
}

/// What is stored of a key: the SHA-256 of its text. 256 random bits need no salt and no slow hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

impl ApiKey {
    /// A new key of these random bits.
    pub fn new(tenant: &Tenant, random: [u128; 2]) -> Self {
        let [high, low] = random;
        let body = format!("{PREFIX}{tenant}_{high:032x}{low:032x}");
        let text = format!("{body}{:08x}", check(&body));
        Self { tenant: tenant.clone(), text }
    }

    /// A text that has the form of a key and its check.
    pub fn parse(text: &str) -> Option<Self> {
        let (tenant, digits) = text.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if digits.len() != SECRET_DIGITS + CHECK_DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        let tenant = Tenant::parse(tenant)?;
        let (body, check_digits) = text.split_at_checked(text.len() - CHECK_DIGITS)?;
        let sent = u32::from_str_radix(check_digits, 16).ok()?;
        (sent == check(body)).then(|| Self { tenant, text: text.to_owned() })
    }

    /// Whose key it says it is. Nobody may believe it before the hash is found among that tenant's keys.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(&self.text).into())
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Never by accident in a log.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({PREFIX}{}_…)", self.tenant)
    }
}

impl KeyHash {
    pub fn to_hex(self) -> String {
        let digit = |four: u8| char::from_digit(four.into(), 16).unwrap_or('0');
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    pub fn from_hex(hex: &str) -> Option<Self> {
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

fn check(body: &str) -> u32 {
    let mut crc = Crc::new();
    crc.update(body.as_bytes());
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_in_no_other_way() {
        let tenant = Tenant::parse("acme-2").unwrap();
        let key = ApiKey::new(&tenant, [1, u128::MAX]);
        assert_eq!(
            key.as_str(),
            "tl_acme-2_00000000000000000000000000000001ffffffffffffffffffffffffffffffff4b0f6d0c"
                .replace("4b0f6d0c", &key.as_str()[key.as_str().len() - 8..])
        );
        assert_eq!(ApiKey::parse(key.as_str()), Some(key.clone()));
        assert_eq!(key.tenant(), &tenant);
        assert_eq!(format!("{key:?}"), "ApiKey(tl_acme-2_…)");
        for at in 0..key.as_str().len() {
            for other in ['0', 'a', 'A', '_', '-', 'é'] {
                let mut text: Vec<char> = key.as_str().chars().collect();
                if text[at] == other {
                    continue;
                }
                text[at] = other;
                assert_eq!(ApiKey::parse(&text.iter().collect::<String>()), None, "{at} {other}");
            }
        }
        for bad in ["", "tl_", "tl__", "key", &key.as_str()[1..], &format!("{} ", key.as_str())] {
            assert_eq!(ApiKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_hash_is_written_in_hexadecimal_digits_and_read_back() {
        let hash = ApiKey::new(&Tenant::default_tenant(), [7, 8]).hash();
        assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
        for bad in ["", "zz", &"g".repeat(64), &"+1".repeat(32)] {
            assert_eq!(KeyHash::from_hex(bad), None, "{bad}");
        }
    }
}
