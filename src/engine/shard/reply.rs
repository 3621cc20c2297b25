//! What a shard answers when it is asked for what it has not flushed.
//!
//! `reply := frames of the header (JSON) and of each append`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frames;
use crate::engine::block::Corrupt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    pub from_seq: u64,
    pub truncated: bool,
}

pub fn encode(header: &ReplyHeader, appends: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Corrupt> {
    let json = serde_json::to_vec(header).map_err(|e| Corrupt::damaged("reply", e))?;
    Ok(frames::join(std::iter::once(json.as_slice()).chain(appends.iter().map(AsRef::as_ref))))
}

pub fn decode(bytes: &Bytes) -> Result<(ReplyHeader, Vec<Bytes>), Corrupt> {
    let mut parts = frames::split(bytes)?.into_iter();
    let json = parts.next().ok_or_else(|| Corrupt::damaged("reply", "it is empty"))?;
    let header = serde_json::from_slice(&json).map_err(|e| Corrupt::damaged("reply", e))?;
    Ok((header, parts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_a_cut_reply_is_an_error() {
        let header = ReplyHeader { from_seq: 9, truncated: true };
        for appends in [vec![], vec![b"one".to_vec(), Vec::new(), b"three".to_vec()]] {
            let bytes = Bytes::from(encode(&header, &appends).unwrap());
            let (read, parts) = decode(&bytes).unwrap();
            assert_eq!(read, header);
            assert_eq!(parts, appends);
        }
        let bytes = Bytes::from(encode(&header, &[b"one"]).unwrap());
        for end in [0, 3, 5, bytes.len() - 1] {
            assert!(decode(&bytes.slice(..end)).is_err(), "{end}");
        }
    }
}
