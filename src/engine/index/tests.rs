use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{header::Opened, lookup::Lookup, *};
use crate::engine::block::words::hash;

/// The words of each segment.
type Segments = Vec<Vec<u64>>;

const SMALL: Options = Options { identity: 7, page_bytes: 256, zone_pairs: 200 };

fn key(nth: usize) -> String {
    format!("logs/default/d30/2025/11/20/{:03}-{nth:012}-{nth:012}.seg.gz", nth % 4)
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(key).collect()
}

fn runs(segments: &[Vec<u64>]) -> Vec<Vec<u8>> {
    segments
        .iter()
        .enumerate()
        .map(|(nth, words)| run::encode(&key(nth), words.iter().copied()).unwrap())
        .collect()
}

fn run_source(run: &[u8], ordinal: usize) -> Source {
    Source::run(run.len() as u64, Ordinal::try_from(ordinal).unwrap())
}

fn slice<'b>(object: &'b [u8], range: &Range<u64>) -> &'b [u8] {
    within(object, 0, range).unwrap()
}

/// Merges to the end.
fn drive(mut merge: Merge, objects: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        match merge.step()? {
            Step::Read(needs) => {
                assert!(!needs.is_empty());
                for need in needs {
                    merge.feed(need.source, slice(objects[need.source], &need.range))?;
                }
            }
            Step::Write(more) => bytes.extend(more),
            Step::Done => break,
        }
    }
    assert_eq!(merge.header(), &open(&bytes).unwrap());
    Ok(bytes)
}

fn build(options: &Options, segments: &[Vec<u64>]) -> Vec<u8> {
    let runs = runs(segments);
    let sources = runs.iter().enumerate().map(|(nth, run)| run_source(run, nth)).collect();
    let objects: Vec<&[u8]> = runs.iter().map(Vec::as_slice).collect();
    drive(Merge::new(options, keys(segments.len()), sources).unwrap(), &objects).unwrap()
}

fn open(object: &[u8]) -> Result<Header, Corrupt> {
    let length = object.len() as u64;
    match Header::open(length, slice(object, &Header::tail(length)))? {
        Opened::Header(header) => Ok(*header),
        Opened::More(range) => match Header::open(length, within(object, 0, &range).unwrap_or_default())? {
            Opened::Header(header) => Ok(*header),
            Opened::More(_) => Err(Corrupt::NoEndMarker),
        },
    }
}

/// The segments of each word, and the reads and bytes it took.
fn look(object: &[u8], header: &Header, words: &[u64]) -> Result<(Vec<Vec<Ordinal>>, usize, u64), Corrupt> {
    let mut lookup = Lookup::new(header, words);
    let (mut reads, mut bytes) = (0, 0);
    loop {
        let wants = lookup.wants();
        if wants.is_empty() {
            return Ok((lookup.found()?, reads, bytes));
        }
        for range in wants {
            let part = within(object, 0, &range).ok_or(Corrupt::NoEndMarker)?;
            (reads, bytes) = (reads + 1, bytes + part.len() as u64);
            lookup.feed(&range, part)?;
        }
    }
}

fn holders(segments: &[Vec<u64>]) -> BTreeMap<u64, Vec<Ordinal>> {
    let mut holders: BTreeMap<u64, BTreeSet<Ordinal>> = BTreeMap::new();
    for (nth, words) in segments.iter().enumerate() {
        for word in words {
            holders.entry(prefix(*word)).or_default().insert(Ordinal::try_from(nth).unwrap());
        }
    }
    holders.into_iter().map(|(word, held)| (word, held.into_iter().collect())).collect()
}

/// An index finds exactly what prefixes of hashes can tell.
fn check(object: &[u8], segments: &[Vec<u64>]) {
    let header = open(object).unwrap();
    let holders = holders(segments);
    assert_eq!(header.words, holders.len() as u64);
    assert_eq!(header.pairs, holders.values().map(|held| held.len() as u64).sum::<u64>());
    for words in segments.iter().flatten().copied().collect::<Vec<_>>().chunks(7) {
        let (found, reads, _) = look(object, &header, words).unwrap();
        assert!(reads <= 2 * words.len());
        for (word, found) in words.iter().zip(found) {
            assert_eq!(Some(&found), holders.get(&prefix(*word)));
        }
    }
    for absent in (0..500).map(|n| hash(&format!("absent {n}"))) {
        let found = look(object, &header, &[absent]).unwrap().0.remove(0);
        assert_eq!(found, holders.get(&prefix(absent)).cloned().unwrap_or_default());
    }
}

/// Words that are rare, common, side by side, and at the ends of the hashes' range.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => any::<u64>(),
        6 => (0_u64..40).prop_map(|n| hash(&n.to_string())),
        2 => (0_u64..2_000).prop_map(|n| n << (64 - HASH_BITS)),
        1 => (0_u64..50).prop_map(|n| u64::MAX - (n << (64 - HASH_BITS))),
    ]
}

fn segments(most: usize) -> impl Strategy<Value = Segments> {
    proptest::collection::vec(proptest::collection::vec(word(), 0..200), 0..most)
}

fn options() -> impl Strategy<Value = Options> {
    (prop_oneof![Just(64_u32), Just(256), Just(8_192)], 1_usize..3_000)
        .prop_map(|(page_bytes, zone_pairs)| Options { identity: 7, page_bytes, zone_pairs })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_index_never_says_a_wrong_no(segments in segments(40), options in options()) {
        check(&build(&options, &segments), &segments);
    }

    #[test]
    fn an_index_of_an_index_and_runs_is_that_of_all_runs(
        segments in segments(30), options in options(), small in options(), cut in 0_usize..30,
    ) {
        let cut = cut.min(segments.len());
        let (first, second) = segments.split_at(cut);
        let (old, runs) = (build(&small, first), runs(second));
        let numbers = (0..cut).map(|nth| Some(Ordinal::try_from(nth).unwrap())).collect();
        let mut sources = vec![Source::index(&open(&old).unwrap(), numbers).unwrap()];
        sources.extend(runs.iter().enumerate().map(|(nth, run)| run_source(run, cut + nth)));
        let objects: Vec<&[u8]> = [&old].into_iter().chain(&runs).map(Vec::as_slice).collect();
        let merge = Merge::new(&options, keys(segments.len()), sources).unwrap();
        prop_assert!(drive(merge, &objects).unwrap() == build(&options, &segments));
    }

    #[test]
    fn segments_that_are_gone_leave_no_trace(segments in segments(20), options in options(), gone in any::<u32>()) {
        let stays = |nth: &usize| gone >> nth & 1 == 0;
        let old = build(&options, &segments);
        // Those that stay are numbered anew, the last first.
        let left: Vec<usize> = (0..segments.len()).rev().filter(stays).collect();
        let number = |nth| left.iter().position(|n| *n == nth).map(|new| Ordinal::try_from(new).unwrap());
        let source = Source::index(&open(&old).unwrap(), (0..segments.len()).map(number).collect()).unwrap();
        let names = left.iter().map(|nth| key(*nth)).collect();
        let new = drive(Merge::new(&options, names, vec![source]).unwrap(), &[&old]).unwrap();
        check(&new, &left.iter().map(|nth| segments[*nth].clone()).collect::<Vec<_>>());
        let header = open(&new).unwrap();
        for (new_number, nth) in left.iter().enumerate() {
            let ordinal = Ordinal::try_from(new_number).unwrap();
            let range = keys::plan(&header, &[ordinal]).remove(0);
            let found = keys::read(&header, range.start, slice(&new, &range), ordinal).unwrap();
            prop_assert_eq!(found, key(*nth));
        }
    }

    #[test]
    fn an_index_and_runs_become_what_the_runs_alone_do(segments in segments(12), options in options()) {
        let (all, runs) = (build(&options, &segments), runs(&segments));
        let (half, rest) = segments.split_at(segments.len() / 2);
        let old = build(&SMALL, half);
        let objects: Vec<&[u8]> = [&old].into_iter().chain(&runs[half.len()..]).map(Vec::as_slice).collect();
        let map = (0..half.len()).map(|nth| Some(Ordinal::try_from(nth).unwrap())).collect();
        let mut sources = vec![Source::index(&open(&old).unwrap(), map).unwrap()];
        sources.extend((half.len()..).zip(&runs[half.len()..]).map(|(nth, run)| run_source(run, nth)));
        let merge = Merge::new(&options, keys(half.len() + rest.len()), sources).unwrap();
        prop_assert!(drive(merge, &objects).unwrap() == all);
    }

    #[test]
    fn a_run_reads_as_it_was_written_in_parts_of_any_size(words in proptest::collection::vec(word(), 0..10_000),
        part in 1_usize..20_000,
    ) {
        let run = run::encode("a key", words.iter().copied()).unwrap();
        let expected: BTreeSet<u64> = words.iter().map(|word| prefix(*word)).collect();
        prop_assert_eq!(read_run(&run, part), Ok(expected.iter().copied().collect::<Vec<_>>()));
        let mut writer = run::Writer::new("a key").unwrap();
        let mut bytes = Vec::new();
        for word in words.iter().copied().collect::<BTreeSet<u64>>() {
            writer.push(word);
            bytes.extend(writer.take());
        }
        bytes.extend(writer.finish());
        prop_assert!(bytes == run);
    }
}

/// The words of a run that comes in parts; an error when it is damaged or cut short.
fn read_run(run: &[u8], part: usize) -> Result<Vec<u64>, Corrupt> {
    let (mut reader, mut words) = (run::Reader::default(), Vec::new());
    for part in run.chunks(part) {
        reader.feed(part);
        while let Some(word) = reader.next_word()? {
            words.push(word);
        }
    }
    if reader.done() { Ok(words) } else { Err(Corrupt::NoEndMarker) }
}

/// Segments with rare, shared and common words.
fn mixed(count: usize, rare: usize) -> Segments {
    let word = |nth: usize, n: usize| hash(&format!("{nth} {n}"));
    let one = |nth: usize| {
        let own = (0..rare).map(|n| word(nth, n));
        let shared = (0..20).map(|n| word(usize::MAX - n, (nth * 7 + n) % (n * n + 1)));
        own.chain(shared).chain([hash("everywhere")]).collect()
    };
    (0..count).map(one).collect()
}

#[test]
fn ten_thousand_segments_are_tested_with_at_most_two_reads_of_a_few_kilobytes() {
    let mut segments = mixed(10_000, 30);
    for nth in (0..10_000).step_by(5) {
        segments[nth].push(hash("every fifth"));
    }
    segments[7_777].push(hash("needle"));
    let object = build(&Options::new(1), &segments);
    let header = open(&object).unwrap();
    assert_eq!(header.segments(), 10_000);
    let (found, reads, bytes) = look(&object, &header, &[hash("needle")]).unwrap();
    assert_eq!((found, reads), (vec![vec![7_777]], 1));
    assert_eq!(bytes, 8_192);
    let (found, reads, bytes) = look(&object, &header, &[hash("every fifth")]).unwrap();
    assert_eq!(found, [(0..10_000).step_by(5).collect::<Vec<Ordinal>>()]);
    assert!(reads <= 2 && bytes < 10_000, "{reads} {bytes}");
    let (found, reads, _) = look(&object, &header, &[hash("everywhere")]).unwrap();
    assert_eq!((found, reads), (vec![(0..10_000).collect()], 1));
    // Four words at once are at most eight reads.
    let four = ["needle", "every fifth", "everywhere", "nowhere"].map(hash);
    let (found, reads, _) = look(&object, &header, &four).unwrap();
    assert!(found[3].is_empty() && reads <= 5, "{reads}");
    let mut all = Lookup::new(&header, &four[..3]);
    while !all.wants().is_empty() {
        for range in all.wants() {
            all.feed(&range, slice(&object, &range)).unwrap();
        }
    }
    assert_eq!(all.found_all(), Ok(vec![]));
    // One segment of them has a key that is read alone.
    let range = keys::plan(&header, &[7_777]);
    assert!(range.len() == 1 && range[0].end - range[0].start < 128);
    assert_eq!(keys::read(&header, range[0].start, slice(&object, &range[0]), 7_777), Ok(key(7_777)));
    assert_eq!(keys::plan(&header, &[1, 2, 3, 9_999, 10_000]).len(), 2);
}

#[test]
fn most_words_take_one_read() {
    let segments = mixed(1_000, 300);
    let object = build(&Options::new(1), &segments);
    let header = open(&object).unwrap();
    let words: Vec<u64> =
        segments.iter().flat_map(|words| words[..300].iter().step_by(10)).copied().collect();
    let reads: usize = words.iter().map(|word| look(&object, &header, &[*word]).unwrap().1).sum();
    assert!(reads < words.len() + words.len() / 200, "{reads} for {}", words.len());
}

#[test]
fn words_that_occur_nowhere_find_as_few_segments_as_is_promised() {
    // Hashes below 2^50 alone lie as dense as if there were 2^14 times as many words: 500 million pairs.
    let segments: Segments =
        mixed(60, 500).iter().map(|words| words.iter().map(|word| word >> 14).collect()).collect();
    let object = build(&Options::new(1), &segments);
    let header = open(&object).unwrap();
    let tried = 40_000_u64;
    let absent = |n| hash(&format!("absent {n}")) >> 14;
    let falsely: usize = (0..tried).map(|n| look(&object, &header, &[absent(n)]).unwrap().0[0].len()).sum();
    let promised = (tried * (header.pairs << 14)) >> HASH_BITS;
    assert!(promised > 250 && falsely as u64 * 100 < promised * 120, "{falsely} for {promised}");
    // 10,000 segments of 60,000 words; and as many and as large segments as there can be.
    let of = |pairs: u64| (u128::from(pairs) * 1_000_000) >> HASH_BITS;
    assert!(of(600_000_000) < 10_000 && of(16_384 * 150_000) < 100_000);
}

#[test]
fn a_damaged_byte_is_an_error_and_never_another_answer() {
    let word = |kind: usize, n: usize| hash(&format!("{kind} {n}"));
    let mut segments: Segments = (0..60)
        .map(|nth| {
            vec![word(0, nth), word(1, nth / 4), word(2, nth % 3), word(3, nth * nth % 2), word(4, nth & 16)]
        })
        .collect();
    // Neighbours that no page has room for.
    segments[3].extend((0..60).map(|n| n << 30));
    let object = build(&Options { identity: 9, page_bytes: 128, zone_pairs: 150 }, &segments);
    let header = open(&object).unwrap();
    let words: Vec<u64> = segments.iter().flatten().copied().collect::<BTreeSet<u64>>().into_iter().collect();
    let answers: Vec<_> = words.iter().map(|word| look(&object, &header, &[*word]).unwrap()).collect();
    assert!(answers.iter().filter(|(_, reads, _)| *reads == 2).count() > 10);
    let zones: Vec<_> = (0..header.zones.len()).filter_map(|nth| header.zone(nth)).collect();
    assert!(zones.len() > 1);
    for place in 0..object.len() {
        let at = place as u64;
        let mut damaged = object.clone();
        damaged[place] ^= 1 << (place % 8);
        if at >= header.body_bytes() {
            assert!(open(&damaged).is_err(), "header byte {at}");
        } else if at >= header.keys {
            let all = keys::all(&header);
            let read = |n| keys::read(&header, all.start, slice(&damaged, &all), n);
            assert_eq!((0..60).filter(|n| read(*n) != Ok(key(usize::from(*n)))).count(), 1, "key byte {at}");
            assert_eq!((0..60).filter(|n| read(*n).is_err()).count(), 1, "key byte {at}");
        } else {
            for (word, (right, ..)) in words.iter().zip(&answers) {
                let page = Lookup::new(&header, &[*word]).wants().remove(0);
                match look(&damaged, &header, &[*word]) {
                    Ok((found, ..)) => assert!(found == *right && !page.contains(&at), "byte {at}"),
                    Err(_) => {
                        assert!(page.contains(&at) || at >= header.zone_of(prefix(*word)).unwrap().heap());
                    }
                }
            }
            // A merge reads every byte.
            let map = (0..60).map(Some).collect();
            let source = Source::index(&header, map).unwrap();
            let merge = Merge::new(&SMALL, keys(60), vec![source]).unwrap();
            assert!(drive(merge, &[&damaged]).is_err(), "byte {at}");
        }
    }
    for cut in 0..object.len() {
        assert!(open(&object[..cut]).is_err());
    }
}

#[test]
fn a_damaged_run_is_an_error() {
    let words: Vec<u64> = (0..300).map(|n| hash(&n.to_string())).collect();
    let run = run::encode(&key(1), words).unwrap();
    let right = read_run(&run, 100).unwrap();
    for at in 0..run.len() {
        for flip in [1, 0x80] {
            let mut damaged = run.clone();
            damaged[at] ^= flip;
            assert!(read_run(&damaged, 1_000).is_err(), "byte {at}");
        }
        assert!(read_run(&run[..at], 50).is_err());
    }
    assert_eq!(right.len(), 300);
    let other = run::encode(&key(2), []).unwrap();
    let source = |run: &[u8]| Merge::new(&SMALL, keys(1), vec![run_source(run, 0)]).unwrap();
    assert!(drive(source(&other), &[&other]).is_ok());
    assert!(drive(source(&run[..run.len() - 1]), &[&run]).is_err());
}

#[test]
fn a_part_of_another_index_is_an_error() {
    let segments = mixed(20, 20);
    let (mine, other) = (build(&Options::new(1), &segments), build(&Options::new(2), &segments));
    let header = open(&mine).unwrap();
    assert!(look(&mine, &header, &[hash("everywhere")]).is_ok());
    assert!(look(&other, &header, &[hash("everywhere")]).is_err());
    assert!(Lookup::new(&header, &[hash("everywhere")]).found().is_err());
}

#[test]
fn words_made_to_share_their_first_bits_are_found_all_the_same() {
    let segments: Segments =
        (0..8).map(|nth| (0..3_000).map(|n| (1 << 62) + ((n * 8 + nth) << 28)).collect()).collect();
    let mut spread = segments.clone();
    spread[0].extend((0..50).map(|n| hash(&n.to_string())));
    let object = build(&Options { identity: 1, page_bytes: 1 << 10, zone_pairs: 1 << 20 }, &spread);
    check(&object, &spread);
}

#[test]
fn a_merge_refuses_what_it_cannot_number() {
    let merge = |count, sources| Merge::new(&SMALL, keys(count), sources).err();
    assert_eq!(merge(MAX_SEGMENTS + 1, vec![]), Some(Error::TooManySegments(MAX_SEGMENTS + 1)));
    assert_eq!(merge(2, vec![Source::run(9, 2)]), Some(Error::NoSuchSegment(2, 2)));
    let long = Merge::new(&SMALL, vec!["k".repeat(1_025)], vec![]).err();
    assert_eq!(long, Some(Error::KeyTooLong(1_025)));
    assert!(run::encode(&"k".repeat(1_025), []).is_err());
    let header = open(&build(&SMALL, &mixed(2, 2))).unwrap();
    assert_eq!(Source::index(&header, vec![None]).err(), Some(Error::WrongMap(1, 2)));
}
