//! What a shard answers when it is asked for what it has not flushed.
//!
//! `reply := u32 header length, header (JSON), then each append as u32 length, bytes`.

use serde::{Deserialize, Serialize};

use crate::engine::block::Corrupt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHeader {
    pub from_seq: u64,
    pub truncated: bool,
}

pub fn encode(header: &ReplyHeader, appends: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Corrupt> {
    let json = serde_json::to_vec(header).map_err(|e| Corrupt::damaged("reply", e))?;
    let mut bytes = Vec::with_capacity(appends.iter().map(|append| append.as_ref().len() + 4).sum());
    for part in std::iter::once(json.as_slice()).chain(appends.iter().map(AsRef::as_ref)) {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

pub fn decode(bytes: &bytes::Bytes) -> Result<(ReplyHeader, Vec<bytes::Bytes>), Corrupt> {
    let short = || Corrupt::damaged("reply", "it is shorter than it says");
    let mut rest = bytes.clone();
    let mut part = || {
        let length = rest.split_off(4.min(rest.len()));
        let length = std::mem::replace(&mut rest, length);
        let length = <[u8; 4]>::try_from(length.as_ref()).map_err(|_| short())?;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| short())?;
        if length > rest.len() {
            return Err(short());
        }
        let behind = rest.split_off(length);
        Ok((std::mem::replace(&mut rest, behind), rest.is_empty()))
    };
    let (json, mut last) = part()?;
    let header = serde_json::from_slice(&json).map_err(|e| Corrupt::damaged("reply", e))?;
    let mut appends = Vec::new();
    while !last {
        let (append, end) = part()?;
        appends.push(append);
        last = end;
    }
    Ok((header, appends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_a_cut_reply_is_an_error() {
        let header = ReplyHeader { from_seq: 9, truncated: true };
        for appends in [vec![], vec![b"one".to_vec(), Vec::new(), b"three".to_vec()]] {
            let bytes = bytes::Bytes::from(encode(&header, &appends).unwrap());
            let (read, parts) = decode(&bytes).unwrap();
            assert_eq!(read, header);
            assert_eq!(parts, appends);
        }
        let bytes = bytes::Bytes::from(encode(&header, &[b"one"]).unwrap());
        for end in [0, 3, 5, bytes.len() - 1] {
            assert!(decode(&bytes.slice(..end)).is_err(), "{end}");
        }
    }
}
