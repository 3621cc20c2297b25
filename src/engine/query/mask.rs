//! A set of a block's rows.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    words: Vec<u64>,
    len: usize,
}

impl Mask {
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    pub fn all(len: usize) -> Self {
        let mut mask = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        if let (Some(last), used @ 1..) = (mask.words.last_mut(), len % 64) {
            *last = (1 << used) - 1;
        }
        mask
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub fn has(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub fn set(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64).filter(|_| row < self.len) {
            *word |= 1 << (row % 64);
        }
    }

    pub fn clear(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn and(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= theirs);
    }

    pub fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub fn and_not(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// The rows in it, rising.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(nth, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let at = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(nth * 64 + at)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set() {
        for len in [0, 1, 63, 64, 65, 200] {
            let all = Mask::all(len);
            assert_eq!(all.count(), len);
            assert_eq!(all.rows().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            let mut odd = Mask::none(len);
            (0..len + 5).filter(|row| row % 2 == 1).for_each(|row| odd.set(row));
            assert_eq!(odd.count(), len / 2);
            let mut even = all.clone();
            even.and_not(&odd);
            assert!((0..len).all(|row| even.has(row) == (row % 2 == 0) && odd.has(row) != even.has(row)));
            even.or(&odd);
            assert_eq!(even, all);
            even.and(&Mask::none(len));
            assert!(even.is_empty());
        }
    }
}
