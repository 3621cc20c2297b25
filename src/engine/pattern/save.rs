//! The state as bytes: a version, then each form with its count, the least recently seen first.

use super::{
    Limits, Miner,
    hash::hash,
    miner::Item,
    text::{frame, parts},
};

const VERSION: u8 = 1;

impl Miner {
    pub fn save(&self) -> Vec<u8> {
        let mut items: Vec<(&u64, &Item)> = self.items.iter().collect();
        items.sort_unstable_by_key(|(id, item)| (item.used, **id));
        let mut out = vec![VERSION];
        for (_, item) in items {
            number(&mut out, u64::try_from(item.text.len()).unwrap_or(0));
            out.extend_from_slice(&item.text);
            number(&mut out, item.count);
            let [low, high] = [item.open & u128::from(u64::MAX), item.open >> 64];
            number(&mut out, u64::try_from(low).unwrap_or(0));
            number(&mut out, u64::try_from(high).unwrap_or(0));
            out.extend_from_slice(&item.told.to_le_bytes());
        }
        out
    }

    /// What was saved; nothing where the bytes are not of `save`.
    pub fn load(bytes: &[u8], limits: Limits) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut miner = Self::new(limits);
        while !rest.is_empty() {
            let length = usize::try_from(take_number(&mut rest)?).ok()?;
            let (text, after) = rest.split_at_checked(length)?;
            rest = after;
            let words = parts(text)?.words.len();
            let count = take_number(&mut rest)?;
            let open = u128::from(take_number(&mut rest)?) | u128::from(take_number(&mut rest)?) << 64;
            let (told, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            let id = hash(text);
            let beyond = open.checked_shr(u32::try_from(words).ok()?).unwrap_or(0);
            if beyond != 0 || miner.items.contains_key(&id) {
                return None;
            }
            miner.now += 1;
            let told = u64::from_le_bytes(*told);
            let item = Item {
                text: text.into(),
                frame: frame(text),
                open,
                count,
                used: miner.now,
                told,
                pattern: 0,
            };
            miner.add(id, item);
        }
        miner.fit();
        miner.patterns();
        Some(miner)
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value & 0x7f).unwrap_or(0));
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
