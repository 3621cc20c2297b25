//! Patterns: what a log message says without what varies in it.
//!
//! A *form* is a pure function of one message: its head is cut into words, what is plainly a value is masked, and
//! the hash of the rest is the id to store with the record, the same in every shard for ever. A `Miner` knows the
//! forms of one service of one tenant (other services would only make it forget sooner, and a word that varies in
//! one need not vary in another) and groups them to *patterns* by where forms that are otherwise equal differ.
//!
//! Ids and the catalog. A pattern is named by the hash of its text, as a form is, so a form that stands alone is
//! its own pattern. When a pattern becomes more general it gets the name of the new text; the old text stays among
//! the forms and its id leads to the new one, as those of all forms do. So a stored id is never rewritten: the
//! catalog keeps, for each id, the pattern it leads to and that one's text, which `news` brings (again when it
//! changes; writing it twice is harmless). A form that was let go is in no later news; a reader follows the
//! catalog until an id leads to itself. An id that the catalog does not have yet is the form of the message, which
//! anybody can compute.
//!
//! Nothing here is random or asks the time. What two miners say about the same messages does not depend on which
//! of them saw which, or when, as long as the limits are not reached.

mod form;
mod group;
mod hash;
mod head;
mod miner;
mod miners;
mod own;
mod save;
mod shape;
mod template;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub use form::{FormBuf, form};
pub use miner::{Limits, Miner, News};
pub use miners::{Miners, ServiceNews};
pub use own::{Own, State};
pub use template::Template;

/// The field that rows have their pattern's id in.
pub const PATTERN_ID: &str = "pattern_id";

/// The name of a form or of a pattern: the hash of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u64);

impl fmt::Display for PatternId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.write(&mut [0; 16]))
    }
}

impl Serialize for PatternId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; 16]))
    }
}

impl<'de> Deserialize<'de> for PatternId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected sixteen hex digits"))
    }
}

impl PatternId {
    /// As it is shown, in a buffer.
    pub fn write(self, to: &mut [u8; 16]) -> &str {
        for (place, byte) in (0_u32..).zip(to.iter_mut()) {
            let digit = u8::try_from(self.0 >> (60 - 4 * place) & 15).unwrap_or(0);
            *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        str::from_utf8(to).unwrap_or_default()
    }

    /// Sixteen hex digits, as they are shown.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

/// A group of forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub id: PatternId,
    /// Variables are `<*>`.
    pub template: String,
    /// The ids that lead here, in order. More may have led here before they were let go: the catalog has them.
    pub forms: Vec<PatternId>,
    /// How many messages, as far as the miner remembers.
    pub count: u64,
}
