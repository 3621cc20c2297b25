//! An index as it lies in the bucket: cut between zones into objects that are written one at a time. Its offsets
//! are those of all of them end to end.

use std::ops::Range;

use crate::engine::block::Corrupt;

/// The lengths of an index's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(Vec<u64>);

/// Bytes of one of the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub part: usize,
    pub range: Range<u64>,
}

impl Parts {
    /// Objects of an index at the most.
    pub const MAX: usize = 1_000;

    pub fn new(lengths: Vec<u64>) -> Result<Self, Corrupt> {
        let length = lengths.iter().try_fold(0_u64, |sum, length| sum.checked_add(*length));
        if lengths.len() > Self::MAX || length.is_none_or(|length| length >= 1 << 48) {
            return Err(Corrupt::damaged("index", "it is longer than an index can be"));
        }
        Ok(Self(lengths))
    }

    pub fn lengths(&self) -> &[u64] {
        &self.0
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Where these bytes lie, in order.
    pub fn pieces(&self, range: &Range<u64>) -> Result<Vec<Piece>, Corrupt> {
        if range.start > range.end || range.end > self.bytes() {
            return Err(Corrupt::damaged("index", "it leads outside of its objects"));
        }
        let mut pieces = Vec::with_capacity(1);
        let mut begins = 0;
        for (part, length) in self.0.iter().enumerate() {
            let ends = begins + length;
            let own = range.start.max(begins)..range.end.min(ends);
            if own.start < own.end {
                pieces.push(Piece { part, range: own.start - begins..own.end - begins });
            }
            begins = ends;
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_in_its_objects() {
        let parts = Parts::new(vec![10, 20, 5]).unwrap();
        assert_eq!(parts.bytes(), 35);
        let pieces = |range: Range<u64>| {
            let pieces = parts.pieces(&range).unwrap().into_iter();
            pieces.map(|piece| (piece.part, piece.range)).collect::<Vec<_>>()
        };
        assert_eq!(pieces(0..10), [(0, 0..10)]);
        assert_eq!(pieces(10..11), [(1, 0..1)]);
        assert_eq!(pieces(8..32), [(0, 8..10), (1, 0..20), (2, 0..2)]);
        assert_eq!(pieces(34..35), [(2, 4..5)]);
        assert_eq!(pieces(5..5), []);
        assert!(parts.pieces(&(30..36)).is_err());
        assert!(parts.pieces(&Range { start: 6, end: 5 }).is_err());
        assert!(Parts::new(vec![u64::MAX, 2]).is_err());
        assert!(Parts::new(vec![1; 1_001]).is_err());
    }
}
