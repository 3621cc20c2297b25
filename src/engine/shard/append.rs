//! The append message: what a Worker sends its shard, and what the write-ahead log keeps, byte for byte.
//!
//! `append := u32 header length, header (JSON), block bytes in the order of the header`; numbers are
//! little-endian. The shard reads the header only.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::quota::{Quota, Refused};
use crate::engine::{
    block::{
        Corrupt,
        rows::{Codec, Encoded},
    },
    record::timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The id of the first record; the others count up from it.
    pub first_id: Uuid,
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RequestKey>,
    /// Set when this comes home from the spool: what tells it from every other append that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<String>,
    /// What it counts towards; absent where nothing of it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// What of the request was over a quota: for the answer to the same key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    pub blocks: Vec<BlockHead>,
}

impl Header {
    /// Of an append that no quota counts.
    pub fn new(first_id: Uuid, count: u32, key: Option<RequestKey>) -> Self {
        Self { first_id, count, key, spool: None, quota: None, refused: Vec::new(), blocks: Vec::new() }
    }
}

/// A client's `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestKey {
    pub key: Digest,
    /// Of the request's body: the same key with another body is a mistake.
    pub body: Digest,
}

/// 128 bits of a SHA-256, as a `Uuid` for its size: a busy shard remembers 600,000 keys at a time.
pub type Digest = Uuid;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockHead {
    pub class: String,
    pub codec: Codec,
    pub rows: u32,
    pub raw_bytes: u32,
    pub length: u32,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
}

/// A parsed append; borrows its bytes.
#[derive(Clone, Debug)]
pub struct Append<'a> {
    pub header: Header,
    blocks: &'a [u8],
}

/// Builds the message. `blocks` are the encoded blocks with their retention classes.
pub fn encode(mut header: Header, blocks: &[(String, Encoded)]) -> Result<Vec<u8>, Corrupt> {
    header.blocks = blocks
        .iter()
        .map(|(class, block)| BlockHead {
            class: class.clone(),
            codec: block.codec,
            rows: block.rows,
            raw_bytes: block.raw_bytes,
            length: u32::try_from(block.bytes.len()).unwrap_or(u32::MAX),
            min_time: block.min_time,
            max_time: block.max_time,
        })
        .collect();
    let parts: Vec<&[u8]> = blocks.iter().map(|(_, block)| block.bytes.as_slice()).collect();
    join(&header, &parts)
}

/// The same message, marked as coming home from the spool.
pub fn with_spool(append: &Append<'_>, mark: &str) -> Result<Vec<u8>, Corrupt> {
    let parts: Vec<&[u8]> = append.blocks().map(|(_, bytes)| bytes).collect();
    join(&Header { spool: Some(mark.to_owned()), ..append.header.clone() }, &parts)
}

fn join(header: &Header, blocks: &[&[u8]]) -> Result<Vec<u8>, Corrupt> {
    let json = serde_json::to_vec(header).map_err(|e| Corrupt::damaged("append header", e))?;
    let length = u32::try_from(json.len()).map_err(|e| Corrupt::damaged("append header", e))?;
    Ok([&length.to_le_bytes(), json.as_slice()]
        .into_iter()
        .chain(blocks.iter().copied())
        .collect::<Vec<_>>()
        .concat())
}

impl<'a> Append<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let short = || Corrupt::damaged("append", "it is shorter than it says");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
        let (json, blocks) = rest.split_at_checked(length).ok_or_else(short)?;
        let header: Header =
            serde_json::from_slice(json).map_err(|e| Corrupt::damaged("append header", e))?;
        let total: u64 = header.blocks.iter().map(|block| u64::from(block.length)).sum();
        if total == blocks.len() as u64 { Ok(Self { header, blocks }) } else { Err(short()) }
    }

    /// Each block's head and bytes.
    pub fn blocks(&self) -> impl Iterator<Item = (&BlockHead, &'a [u8])> {
        let mut rest = self.blocks;
        self.header.blocks.iter().map(move |head| {
            // `parse` has checked that the lengths add up.
            let (bytes, behind) = rest.split_at(rest.len().min(head.length as usize));
            rest = behind;
            (head, bytes)
        })
    }

    /// The same message with only the blocks that `keep` wants; `None` when none is left.
    pub fn only(&self, keep: impl Fn(&BlockHead) -> bool) -> Result<Option<Vec<u8>>, Corrupt> {
        let (heads, parts): (Vec<_>, Vec<_>) = self.blocks().filter(|(head, _)| keep(head)).unzip();
        if heads.is_empty() {
            return Ok(None);
        }
        let blocks = heads.into_iter().cloned().collect();
        join(&Header { blocks, ..self.header.clone() }, &parts).map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(first: u128, text: &[u8], key: Option<RequestKey>) -> Vec<u8> {
        let at = Timestamp::from_ms(1_000);
        let block = Encoded {
            codec: Codec::Raw,
            rows: 1,
            raw_bytes: u32::try_from(text.len()).unwrap(),
            min_time: at,
            max_time: at,
            bytes: text.to_vec(),
        };
        encode(Header::new(Uuid::from_u128(first), 1, key), &[("d30".to_owned(), block)]).unwrap()
    }

    #[test]
    fn what_is_encoded_is_parsed() {
        let bytes = sample(7, b"row\n", None);
        let append = Append::parse(&bytes).unwrap();
        assert_eq!(append.header.first_id, Uuid::from_u128(7));
        let blocks: Vec<_> = append.blocks().map(|(head, bytes)| (head.class.clone(), bytes)).collect();
        assert_eq!(blocks, [("d30".to_owned(), b"row\n".as_slice())]);
        assert_eq!(append.only(|_| true).unwrap(), Some(bytes.clone()));
        assert_eq!(append.only(|_| false).unwrap(), None);
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error() {
        let bytes = sample(7, b"row\n", None);
        for end in 0..bytes.len() {
            assert!(Append::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Append::parse(&[bytes, vec![0]].concat()).is_err());
    }
}
