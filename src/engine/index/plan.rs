//! Which indexes become one. Sizes are told apart by powers of four; as soon as there are four of one size they
//! are merged. So a word is written anew once for each size, and there are at most three indexes of each. Only the
//! smallest one takes in all that is new, until it is of some dozens of segments.

use super::MAX_SEGMENTS;

/// Pairs of an index that is merged no more: 1.6 GB are made of twice as many.
const FULL_PAIRS: u64 = 1 << 28;

/// Segments of an index that is merged no more.
const FULL_SEGMENTS: u32 = 1 << 12;

/// Pairs and segments of an index that all that is new goes into: until then a search asks one where there would be three of
/// each size. Each segment is rows of the catalog that are written anew.
const SMALL_PAIRS: u64 = 1 << 21;
const SMALL_SEGMENTS: u32 = 32;

/// Indexes of one size that become one.
const TOGETHER: usize = 4;
const MOST_TOGETHER: usize = 2 * TOGETHER;

/// How large an index is, or what waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub pairs: u64,
    pub segments: u32,
}

impl Size {
    /// `None` when it is full.
    fn level(self) -> Option<u32> {
        let is_full = self.pairs >= FULL_PAIRS || self.segments >= FULL_SEGMENTS;
        (!is_full).then(|| self.pairs.max(1).ilog2() / 2)
    }

    fn is_small(self) -> bool {
        self.pairs < SMALL_PAIRS && self.segments < SMALL_SEGMENTS
    }
}

/// Which of these indexes are merged with what waits, by their numbers. What is smaller than that comes along.
pub fn with_new(known: &[(u32, Size)], new: Size) -> Vec<u32> {
    let Some(level) = new.level() else { return Vec::new() };
    let of = |wanted: fn(&u32, &u32) -> bool| -> Vec<(u32, Size)> {
        let of = known.iter().filter(|(_, size)| size.level().is_some_and(|own| wanted(&own, &level)));
        of.copied().collect()
    };
    let (mut chosen, peers) = (of(u32::lt), of(u32::eq));
    let are_enough = peers.len() + 1 >= TOGETHER;
    chosen.extend(peers.into_iter().filter(|(_, size)| are_enough || size.is_small()));
    chosen.extend(of(u32::gt).into_iter().filter(|(_, size)| size.is_small()));
    fitting(chosen, new.segments)
}

/// Which of these indexes are merged with each other, by their numbers; none when it is well as it is.
pub fn among(known: &[(u32, Size)]) -> Vec<u32> {
    let mut levels: Vec<(u32, u32, Size)> =
        known.iter().filter_map(|(number, size)| Some((size.level()?, *number, *size))).collect();
    levels.sort_unstable_by_key(|(level, number, _)| (*level, *number));
    let mut full = levels.chunk_by(|a, b| a.0 == b.0).filter(|level| level.len() >= TOGETHER);
    let fitting = |level: &[(u32, u32, Size)]| {
        fitting(level.iter().take(MOST_TOGETHER).map(|(_, number, size)| (*number, *size)).collect(), 0)
    };
    full.find_map(|level| Some(fitting(level)).filter(|chosen| chosen.len() > 1)).unwrap_or_default()
}

/// As many of these as an index has numbers for, those with few segments first.
fn fitting(mut chosen: Vec<(u32, Size)>, mut segments: u32) -> Vec<u32> {
    chosen.sort_by_key(|(_, size)| size.segments);
    chosen.retain(|(_, size)| {
        let sum = segments.saturating_add(size.segments);
        let fits = sum as usize <= MAX_SEGMENTS;
        segments = if fits { sum } else { segments };
        fits
    });
    chosen.into_iter().map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(pairs: u64) -> Size {
        Size { pairs, segments: u32::try_from(pairs / 60_000 + 1).unwrap() }
    }

    /// Takes in what is new as the job does; the pairs and segments that are written.
    fn take(known: &mut Vec<(u32, Size)>, mut new: Size) -> (u64, u32) {
        let (mut chosen, mut pairs, mut segments) = (with_new(known, new), 0, 0);
        loop {
            let next = known.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
            known.retain(|(number, size)| {
                let taken = chosen.contains(number);
                if taken {
                    new.pairs += size.pairs;
                    new.segments += size.segments;
                }
                !taken
            });
            (pairs, segments) = (pairs + new.pairs, segments + new.segments);
            known.push((next, new));
            chosen = among(known);
            if chosen.is_empty() {
                return (pairs, segments);
            }
            new = Size { pairs: 0, segments: 0 };
        }
    }

    #[test]
    fn few_indexes_are_left_and_words_are_written_few_times() {
        let (mut known, mut written, mut fed, mut most) = (Vec::new(), 0, 0, 0);
        // Two million pairs an hour for a year.
        for hour in 0..8_760_u64 {
            let new = size(1_500_000 + hour * 7_919 % 1_000_000);
            fed += new.pairs;
            written += take(&mut known, new).0;
            most = most.max(known.len());
        }
        let pairs: u64 = known.iter().map(|(_, size)| size.pairs).sum();
        assert_eq!(pairs, fed);
        let full = usize::try_from(fed / FULL_PAIRS).unwrap();
        assert!(most <= full + 3 * 4, "{most} indexes, {full} times a full one");
        assert!(written < 6 * fed, "{written} pairs written for {fed}");
        assert!(known.iter().all(|(_, size)| size.pairs < 5 * FULL_PAIRS));
    }

    #[test]
    fn no_more_segments_come_together_than_have_numbers() {
        let few = |number, segments| (number, Size { pairs: 1_000_000, segments });
        let known = [few(1, 4_000), few(2, 4_095), few(3, 4_095), few(4, 4_000), few(5, 4_095)];
        assert_eq!(among(&known), [1, 4, 2, 3]);
        let many: Vec<_> = (0..40).map(|number| (number, Size { pairs: 1_000, segments: 4_000 })).collect();
        assert_eq!(with_new(&many, Size { pairs: 1_000_000, segments: 90 }).len(), 4);
        assert_eq!(with_new(&known[..3], Size { pairs: 1_000_000, segments: 4_095 }), [1, 2, 3]);
    }

    #[test]
    fn a_quiet_tenants_rows_are_written_few_times() {
        // Each day a segment of each of five classes, and few words in it.
        let (mut known, mut written) = (Vec::new(), 0);
        for _day in 0..400 {
            written += take(&mut known, Size { pairs: 10_000, segments: 5 }).1;
            assert!(known.len() <= 10, "{known:?}");
        }
        assert!(written < 8 * 400 * 5, "{written}");
    }

    #[test]
    fn a_small_index_takes_in_all_that_is_new() {
        let small = (1, Size { pairs: SMALL_PAIRS - 1, segments: SMALL_SEGMENTS - 1 });
        let many = (3, Size { pairs: 1 << 20, segments: SMALL_SEGMENTS });
        for new in [1, 100_000, SMALL_PAIRS / 4] {
            assert_eq!(with_new(&[small, (2, size(SMALL_PAIRS * 4)), many], size(new)), [1]);
        }
    }

    #[test]
    fn what_is_full_is_left_alone() {
        let full = (1, size(FULL_PAIRS));
        let many = (2, Size { pairs: 1, segments: FULL_SEGMENTS });
        assert_eq!(with_new(&[full, many, (3, size(5))], size(100_000)), [3]);
        assert!(among(&[full, full, full, full, many]).is_empty());
        assert!(with_new(&[(3, size(5))], size(FULL_PAIRS)).is_empty());
    }
}
