//! Several messages in one body: each as u32 length (little endian), bytes.

use bytes::Bytes;

use crate::engine::block::Corrupt;

pub fn join<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.clone().map(|part| part.len() + 4).sum());
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The messages of a body, without a copy.
pub fn split(bytes: &Bytes) -> Result<Vec<Bytes>, Corrupt> {
    let short = || Corrupt::damaged("body", "it is shorter than it says");
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
        let end = (at + 4).checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(short)?;
        parts.push(bytes.slice(at + 4..end));
        at = end;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_is_split_and_a_cut_body_is_an_error() {
        for parts in [vec![], vec![b"one".to_vec(), Vec::new(), b"three".to_vec()]] {
            let bytes = Bytes::from(join(parts.iter().map(Vec::as_slice)));
            assert_eq!(split(&bytes).unwrap(), parts);
        }
        let bytes = Bytes::from(join([b"one".as_slice()].into_iter()));
        for end in [1, 3, 5, bytes.len() - 1] {
            assert!(split(&bytes.slice(..end)).is_err(), "{end}");
        }
    }
}
