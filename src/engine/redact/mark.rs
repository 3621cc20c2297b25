//! What stands in place of what was found.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{kind::Kind, policy::Strategy};

/// Shorter values would be given away by their last four characters.
const SHORTEST_PARTIAL: usize = 12;

/// The mark of a value. `name` is its kind's.
pub(super) fn mark(strategy: Strategy, kind: Kind, name: &str, value: &str, key: &[u8; 32]) -> String {
    let capitals = name.to_ascii_uppercase();
    match strategy {
        Strategy::Partial => {
            let last: String = {
                let mut last: Vec<char> =
                    value.chars().rev().filter(|c| c.is_alphanumeric()).take(4).collect();
                last.reverse();
                last.into_iter().collect()
            };
            if value.chars().count() < SHORTEST_PARTIAL || last.len() < 4 || kind == Kind::PrivateKey {
                format!("[{capitals}]")
            } else {
                format!("[{capitals} …{last}]")
            }
        }
        Strategy::Tokenize => format!("[{capitals}:{}]", token(name, &normal(kind, value), key)),
        Strategy::Mask | Strategy::Drop | Strategy::Keep => format!("[{capitals}]"),
    }
}

/// A value as it is the same however it was written.
fn normal(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Email => value.to_lowercase().replace("%40", "@"),
        Kind::CreditCard | Kind::UsSsn => value.chars().filter(char::is_ascii_digit).collect(),
        Kind::Phone => value.chars().filter(|c| c.is_ascii_digit() || matches!(c, '+' | 'x')).collect(),
        Kind::Iban | Kind::NationalId => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
        }
        Kind::Ipv6 => {
            value.parse::<std::net::Ipv6Addr>().map_or_else(|_| value.to_owned(), |ip| ip.to_string())
        }
        _ => value.to_owned(),
    }
}

fn token(name: &str, value: &str, key: &[u8; 32]) -> String {
    // Keys of any length are taken, so this is never refused; a token without one would be none.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        hex
    })
}
