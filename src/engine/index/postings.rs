//! The list of the segments that hold a word: their count, then the gaps between those that do or those that do
//! not, whichever are fewer.

use super::{
    Ordinal,
    bits::{BitReader, Sink, rice_k},
};

/// A count that no list has: the list stands elsewhere.
pub(super) const ELSEWHERE: u64 = 1 << 15;

/// Writes ordinals, which are in order, of a partition of so many segments.
pub(super) fn write(sink: &mut impl Sink, ordinals: &[Ordinal], segments: u64) {
    let count = ordinals.len() as u64;
    sink.gamma(count);
    match ordinals {
        [one] => sink.below(u64::from(*one), segments),
        some if count <= segments / 2 => gaps(sink, some.iter().map(|n| u64::from(*n)), count, segments),
        most => {
            let mut held = most.iter().map(|n| u64::from(*n)).peekable();
            let absent = (0..segments).filter(|n| held.next_if_eq(n).is_none());
            gaps(sink, absent, segments.saturating_sub(count), segments);
        }
    }
}

fn gaps(sink: &mut impl Sink, ordinals: impl Iterator<Item = u64>, count: u64, segments: u64) {
    let k = rice_k(segments, count);
    let mut next = 0;
    for ordinal in ordinals {
        sink.rice(ordinal - next, k);
        next = ordinal + 1;
    }
}

/// Reads what follows a count that is not `ELSEWHERE`.
pub(super) fn read(
    bits: &mut BitReader<'_>,
    count: u64,
    segments: u64,
    list: &mut Vec<Ordinal>,
) -> Option<()> {
    list.clear();
    if count == 1 {
        list.push(Ordinal::try_from(bits.below(segments)?).ok()?);
        return Some(());
    }
    let listed = if count <= segments / 2 { count } else { segments.checked_sub(count)? };
    let k = rice_k(segments, listed);
    let mut next = 0;
    for _ in 0..listed {
        let ordinal = bits.rice(k)?.checked_add(next).filter(|n| *n < segments)?;
        if count == listed {
            list.push(Ordinal::try_from(ordinal).ok()?);
        } else {
            list.extend((next..ordinal).filter_map(|n| Ordinal::try_from(n).ok()));
        }
        next = ordinal + 1;
    }
    if count != listed {
        list.extend((next..segments).filter_map(|n| Ordinal::try_from(n).ok()));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{super::bits::BitWriter, *};

    #[test]
    fn a_list_of_any_length_reads_as_it_was_written() {
        for segments in [1_u16, 2, 3, 7, 100, 10_000, 16_384] {
            for every in [1, 2, 3, 10, 5_000] {
                for flipped in [false, true] {
                    let list: Vec<Ordinal> = (0..segments).filter(|n| (n % every == 0) != flipped).collect();
                    if list.is_empty() {
                        continue;
                    }
                    let mut writer = BitWriter::default();
                    write(&mut writer, &list, u64::from(segments));
                    let bytes = writer.finish();
                    let (mut bits, mut back) = (BitReader::new(&bytes), vec![9]);
                    let count = bits.gamma().unwrap();
                    read(&mut bits, count, u64::from(segments), &mut back).unwrap();
                    assert_eq!(back, list, "{segments} {every} {flipped}");
                    assert!(bytes.len() <= 16 + usize::from(segments) / 7, "{} {}", segments, bytes.len());
                }
            }
        }
    }

    #[test]
    fn a_word_of_all_segments_costs_its_count() {
        let all: Vec<Ordinal> = (0..10_000).collect();
        let mut writer = BitWriter::default();
        write(&mut writer, &all, 10_000);
        assert_eq!(writer.finish().len(), 4);
    }
}
