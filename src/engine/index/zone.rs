//! A zone: as many pages as the words of a range of hashes fill, and behind them what found no room.

use std::ops::Range;

use super::{
    Pair,
    bits::rice_k,
    header::{Frame, Place},
    page::{List, Reader, Writer, by_word, list},
    put_sealed, unseal, within,
};
use crate::engine::block::Corrupt;

/// How full pages are: hashes fill them unevenly, by the root of the words of a page; this many halves of it
/// are left free on average. With two of them one word in a thousand finds no room.
const FREE_HALF_ROOTS: u64 = 2;

/// A zone's bytes, for the place `offset` of the object; how many pages they begin with; and its words.
pub(super) fn write(pairs: &[Pair], span: Range<u64>, frame: &Frame, offset: u64) -> (Vec<u8>, u32, u64) {
    let page_bytes = frame.page_bytes as usize;
    let mut writer = Writer::new(frame.identity, u64::from(frame.segments), page_bytes);
    let words = by_word(pairs).count() as u64;
    let pages = pages(&mut writer, pairs, &span, words);
    let place = Place::new(span, offset, pages, frame.page_bytes);
    writer.heap_at = place.heap();
    let mut bytes = Vec::with_capacity(pages as usize * page_bytes);
    let mut rest = pairs;
    for page in 0..pages {
        let span = place.page_span(page);
        let (mine, behind) = rest.split_at(rest.partition_point(|pair| pair.word() < span.end));
        rest = behind;
        let content = writer.page(mine, &span);
        put_sealed(&mut bytes, frame.identity, place.page_bytes(page).start, &content);
    }
    bytes.append(&mut writer.heap);
    (bytes, pages, words)
}

/// How many pages the pairs are spread over.
fn pages(writer: &mut Writer, pairs: &[Pair], span: &Range<u64>, words: u64) -> u32 {
    let k = rice_k(span.end - span.start, words);
    let (mut bits, mut next) = (0, span.start);
    for word in by_word(pairs) {
        let hash = word.first().map_or(next, |pair| pair.word());
        bits += (hash.saturating_sub(next) >> k) + 1 + u64::from(k) + writer.list_bits(word).0;
        next = hash + 1;
    }
    let room = writer.room().max(1);
    if bits <= room {
        return 1;
    }
    let deviation = (words * room / bits).isqrt().max(2);
    let with_slack = bits * (2 * deviation + FREE_HALF_ROOTS) / (2 * deviation);
    // Three bytes hold the count.
    u32::try_from(with_slack.div_ceil(room)).unwrap_or(u32::MAX).min((1 << 24) - 1)
}

/// Appends the pairs of one page of a zone that is held whole.
pub(super) fn read_page(
    zone: &Place,
    frame: &Frame,
    bytes: &[u8],
    page: u32,
    pairs: &mut Vec<Pair>,
) -> Result<(), Corrupt> {
    let part = |range: &Range<u64>, what: &'static str| {
        let part = within(bytes, zone.bytes.start, range).ok_or_else(|| short(what))?;
        unseal(frame.identity, range.start, part, what)
    };
    let mut words =
        Reader::new(part(&zone.page_bytes(page), "index page")?, zone.page_span(page), frame.segments)?;
    let mut ordinals = Vec::new();
    for spilled in [false, true] {
        while let Some((word, place)) = words.next(&mut ordinals)? {
            if let List::Elsewhere(place) = place {
                list(part(&zone.in_heap(&place)?, "index list")?, frame.segments, &mut ordinals)?;
            }
            pairs.extend(ordinals.iter().map(|ordinal| Pair::new(word, *ordinal)));
        }
        let Some(spill) = words.spill.take().filter(|_| !spilled) else { break };
        words = Reader::new(part(&zone.in_heap(&spill)?, "index page")?, words.rest(), frame.segments)?;
    }
    Ok(())
}

fn short(what: &'static str) -> Corrupt {
    Corrupt::damaged(what, "it lies outside the bytes fetched")
}
