//! What a needle costs in 1,000, 10,000 and 100,000 segments: reads, bytes and D1 rows.
//!
//! A segment is taken to have 60,000 distinct words. Built is a thirtieth of it: every word's hash lies in the
//! first thirtieth of the hashes, 2,000 a segment, and so does every needle's. Words are as dense there as in the
//! whole, so the bytes a word, the pages' fill and the false finds are those of the whole, without extrapolation;
//! sizes of objects are 30 times what was built. Zones are full-sized, so the memory of a merge is as well.
//!
//! Run it with `cargo bench --bench needle_at_scale`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use std::{ops::Range, time::Instant};

use peak_alloc::PeakAlloc;
use timberline::engine::index::{
    HASH_BITS, Header, Lookup, Merge, Options, Ordinal, Source, Step,
    header::{Opened, TAIL_BYTES},
    keys, run,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The part of the hashes that is built.
const PARTS: u64 = 30;
/// Distinct words of a segment in that part.
const WORDS: u64 = 2_000;
const PARTITION: usize = 10_000;
/// Logs of a segment, for bytes a log: 1.5 billion in 100,000 segments.
const LOGS: f64 = 15_000.0;
/// What it takes to look whether a segment holds a needle: its end and its footer.
const FOOTER_READS: usize = 2;
const MB: f64 = (1 << 20) as f64;

/// Scatters a number over the part of the hashes that is built.
fn hash(kind: u64, n: u64) -> u64 {
    let mut z = (kind << 56 ^ n).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((u128::from(z ^ z >> 31)) / u128::from(PARTS)) as u64
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Every word in one segment: the most bytes there can be.
    Unique,
    /// 85 % in one segment, 10 % in two of four neighbours, 5 % in half of all.
    Mixed,
}

/// The words of segment `nth` of all.
fn words(kind: Kind, nth: u64) -> Vec<u64> {
    let (near, common) = if kind == Kind::Mixed { (WORDS / 10, WORDS / 20) } else { (0, 0) };
    let own = WORDS - near - common;
    let mut words: Vec<u64> = (0..own).map(|n| hash(1, nth * WORDS + n)).collect();
    let group = |n: u64| nth / 4 * WORDS + 2 * n + hash(5, nth * WORDS + n) % 2;
    words.extend((0..near).map(|n| hash(2, group(n))));
    words.extend((0..common).map(|n| hash(3, 2 * n + hash(6, nth * WORDS + n) % 2)));
    words.push(once(nth));
    if nth.is_multiple_of(5) {
        words.push(hash(4, u64::MAX >> 8));
    }
    words
}

/// A needle of segment `nth` alone.
fn once(nth: u64) -> u64 {
    hash(7, nth)
}

fn key(nth: u64) -> String {
    format!("logs/default/d30/2025/11/20/{:03}-{nth:012}-{nth:012}.seg.gz", nth % 4)
}

fn slice<'b>(object: &'b [u8], range: &Range<u64>) -> &'b [u8] {
    &object[range.start as usize..range.end as usize]
}

struct Built {
    object: Vec<u8>,
    header: Header,
    reads: usize,
    peak: usize,
}

fn drive(options: &Options, names: Vec<String>, sources: Vec<Source>, objects: &[&[u8]]) -> Built {
    let total: usize = objects.iter().map(|object| object.len()).sum();
    let mut object = Vec::with_capacity(total + names.len() * 200 + (1 << 20));
    let (before, mut reads) = (MEMORY.current_usage(), 0);
    MEMORY.reset_peak_usage();
    let mut merge = Merge::new(options, names, sources).unwrap();
    loop {
        match merge.step().unwrap() {
            Step::Read(needs) => {
                for need in needs {
                    reads += 1;
                    merge.feed(need.source, slice(objects[need.source], &need.range)).unwrap();
                }
            }
            Step::Write(bytes) => object.extend_from_slice(&bytes),
            Step::Done => break,
        }
    }
    let peak = MEMORY.peak_usage().saturating_sub(before);
    Built { header: merge.header().clone(), object, reads, peak }
}

/// What building took, of one partition or of all.
#[derive(Default)]
struct Cost {
    runs: usize,
    small: usize,
    reads: usize,
    peak: usize,
    seconds: f64,
}

/// One partition: runs, a hundred at a time, then the indexes made of them.
fn partition(kind: Kind, segments: Range<u64>, cost: &mut Cost) -> Built {
    let mut small = Vec::new();
    for first in segments.clone().step_by(100) {
        let hundred = first..(first + 100).min(segments.end);
        let runs: Vec<Vec<u8>> =
            hundred.clone().map(|nth| run::encode(&key(nth), words(kind, nth)).unwrap()).collect();
        cost.runs += runs.iter().map(Vec::len).sum::<usize>();
        let began = Instant::now();
        let sources = (0..).zip(&runs).map(|(nth, run)| Source::run(run.len() as u64, nth)).collect();
        let objects: Vec<&[u8]> = runs.iter().map(Vec::as_slice).collect();
        let built = drive(&Options::to_be_merged(first), hundred.map(key).collect(), sources, &objects);
        cost.seconds += began.elapsed().as_secs_f64();
        cost.small += built.object.len();
        cost.reads += built.reads;
        cost.peak = cost.peak.max(built.peak);
        small.push(built);
    }
    let began = Instant::now();
    let source = |(nth, built): (usize, &Built)| {
        let map = (0..built.header.segments()).map(|n| Some((nth * 100) as Ordinal + n as Ordinal)).collect();
        Source::index(&built.header, map).unwrap()
    };
    let sources = small.iter().enumerate().map(source).collect();
    let objects: Vec<&[u8]> = small.iter().map(|built| built.object.as_slice()).collect();
    let built = drive(&Options::new(segments.start + 1), segments.map(key).collect(), sources, &objects);
    cost.seconds += began.elapsed().as_secs_f64();
    cost.reads += built.reads;
    cost.peak = cost.peak.max(built.peak);
    built
}

#[derive(Clone, Copy, Default)]
struct Query {
    index_reads: usize,
    key_reads: usize,
    bytes: u64,
    segments: usize,
}

impl Query {
    fn reads(&self) -> usize {
        self.index_reads + self.key_reads + FOOTER_READS * self.segments
    }
}

/// Asks one partition.
fn ask(built: &Built, hash: u64, query: &mut Query) {
    let mut lookup = Lookup::new(&built.header, &[hash]);
    loop {
        let wants = lookup.wants();
        if wants.is_empty() {
            break;
        }
        for range in wants {
            query.index_reads += 1;
            query.bytes += range.end - range.start;
            lookup.feed(&range, slice(&built.object, &range)).unwrap();
        }
    }
    let found = lookup.found().unwrap().remove(0);
    query.segments += found.len();
    for range in keys::plan(&built.header, &found) {
        query.key_reads += 1;
        query.bytes += range.end - range.start;
        let in_range = |ordinal: &&Ordinal| keys::plan(&built.header, &[**ordinal])[0].start >= range.start;
        let first = found.iter().find(in_range).unwrap();
        keys::read(&built.header, range.start, slice(&built.object, &range), *first).unwrap();
    }
}

fn scale(segments: usize) {
    let mut cost = Cost::default();
    let firsts = (0..segments as u64).step_by(PARTITION);
    let built: Vec<Built> = firsts
        .map(|first| {
            partition(Kind::Mixed, first..(first + PARTITION as u64).min(segments as u64), &mut cost)
        })
        .collect();
    let all = |hash| {
        let mut query = Query::default();
        for built in &built {
            ask(built, hash, &mut query);
        }
        query
    };
    let object: usize = built.iter().map(|built| built.object.len()).sum();
    let pairs: u64 = built.iter().map(|built| built.header.pairs).sum();
    let header: usize = built.iter().map(|built| built.header.encode().len()).max().unwrap();
    println!(
        "\n{segments} segments in {} partitions: {:.2} bytes a pair, {:.1} a log; runs {:.2} and indexes of 100 {:.2} a pair",
        built.len(),
        object as f64 / pairs as f64,
        object as f64 * PARTS as f64 / segments as f64 / LOGS,
        cost.runs as f64 / pairs as f64,
        cost.small as f64 / pairs as f64,
    );
    println!(
        "  merges: {:.1} s, {:.0} ns a pair, {} reads, {:.1} MB at most; header {header} bytes, whole {} bytes",
        cost.seconds,
        cost.seconds * 1e9 / pairs as f64,
        cost.reads,
        cost.peak as f64 / MB,
        (header - 84) as u64 * PARTS + 84
    );
    let opened = built.iter().all(|built| {
        let length = built.object.len() as u64;
        let tail = slice(&built.object, &Header::tail(length));
        header as u64 > TAIL_BYTES || matches!(Header::open(length, tail).unwrap(), Opened::Header(_))
    });
    assert!(opened);
    println!(
        "  needle            index   keys  footers  reads: mean   99%  most  99% cold     bytes  segments  D1 rows"
    );
    let rows: [(&str, Vec<u64>); 3] = [
        ("occurs once", (0..500).map(|n| once(n * 7_919 % segments as u64)).collect()),
        ("does not occur", (0..2_000).map(|n| hash(8, n)).collect()),
        ("in 1 of 5", vec![hash(4, u64::MAX >> 8)]),
    ];
    for (name, needles) in rows {
        let asked: Vec<Query> = needles.iter().map(|needle| all(*needle)).collect();
        let mean = |of: &dyn Fn(&Query) -> f64| asked.iter().map(of).sum::<f64>() / asked.len() as f64;
        let mut reads: Vec<usize> = asked.iter().map(Query::reads).collect();
        reads.sort_unstable();
        let (most, p99) = (reads[reads.len() - 1], reads[(reads.len() - 1) * 99 / 100]);
        println!(
            "  {name:15} {:7.2} {:6.2} {:8.2} {:12.2} {p99:5} {most:5} {:9} {:9.0} {:9.3} {:8.2}",
            mean(&|q| q.index_reads as f64),
            mean(&|q| q.key_reads as f64),
            mean(&|q| (FOOTER_READS * q.segments) as f64),
            mean(&|q| q.reads() as f64),
            p99 + built.len(),
            mean(&|q| q.bytes as f64),
            mean(&|q| q.segments as f64),
            mean(&|q| q.segments as f64) + built.len() as f64,
        );
        if name == "occurs once" {
            assert!(asked.iter().all(|query| query.segments >= 1));
            assert!(most <= 30 && p99 + built.len() <= 30, "{most} reads, {p99} for 99 of 100");
        }
    }
}

/// Bloom filters of the same words, transposed: a row of one bit a segment for each bit of the filters.
fn sliced(segments: usize, target: f64, group: u64) {
    const HASHES: u64 = 8;
    let per_segment = WORDS + 1;
    let fill = target.powf(1.0 / HASHES as f64);
    let rows = (per_segment as f64 * HASHES as f64 / -(1.0 - fill).ln()) as u64;
    let stride = segments.div_ceil(64);
    let mut bits = vec![0_u64; rows as usize * stride];
    let rows_of = |hash: u64| {
        let base = rows.checked_div(group).map_or(0, |groups| hash % groups * group);
        let span = if group == 0 { rows } else { group };
        (0..HASHES).map(move |n| (base + self::hash(9, hash.rotate_left(n as u32 * 8) ^ n) % span) as usize)
    };
    for nth in 0..segments {
        for word in words(Kind::Unique, nth as u64) {
            for row in rows_of(word) {
                bits[row * stride + nth / 64] |= 1 << (nth % 64);
            }
        }
    }
    let tried = 20_000;
    let mut falsely = 0;
    for word in (0..tried).map(|n| hash(8, n)) {
        let mut hits = vec![u64::MAX; stride];
        for row in rows_of(word) {
            for (hit, bits) in hits.iter_mut().zip(&bits[row * stride..]) {
                *hit &= bits;
            }
        }
        falsely += hits.iter().map(|hit| hit.count_ones() as usize).sum::<usize>();
    }
    let p =
        bits.iter().map(|word| f64::from(word.count_ones())).sum::<f64>() / (rows as f64 * segments as f64);
    let entropy = -(p * p.log2() + (1.0 - p) * (1.0 - p).log2());
    let pairs = per_segment as f64 * segments as f64;
    let (reads, bytes) = if group == 0 { (HASHES, HASHES * 1_250) } else { (1, group * 1_250) };
    println!(
        "  {:26} {:5.2} ({:5.2} if compressed to its entropy) {reads:5} {bytes:8} {:10.5}",
        if group == 0 { "bit slices".to_owned() } else { format!("bit slices, groups of {group}") },
        bits.len() as f64 * 8.0 / pairs,
        rows as f64 * segments as f64 * entropy / 8.0 / pairs,
        falsely as f64 / tried as f64,
    );
}

fn compare() {
    println!("\n10,000 segments, every word in one of them");
    println!(
        "  structure              bytes a pair                             reads    bytes   false segments"
    );
    let mut cost = Cost::default();
    for kind in [Kind::Unique, Kind::Mixed] {
        let built = partition(kind, 0..PARTITION as u64, &mut cost);
        let tried = 20_000;
        let (mut query, mut most) = (Query::default(), 0);
        for n in 0..tried {
            let before = query.index_reads;
            ask(&built, hash(8, n), &mut query);
            most = most.max(query.index_reads - before);
        }
        println!(
            "  {:26} {:5.2} {:>31} {:7.4} {:8} {:10.5} (expected {:.5}; {most} reads at most)",
            if kind == Kind::Unique { "this index" } else { "this index, mixed words" },
            built.object.len() as f64 / built.header.pairs as f64,
            "",
            query.index_reads as f64 / tried as f64,
            query.bytes / tried,
            query.segments as f64 / tried as f64,
            built.header.pairs as f64 * PARTS as f64 / (1_u64 << HASH_BITS) as f64,
        );
    }
    let false_segments = (WORDS * PARTS * PARTITION as u64) as f64 / (1_u64 << HASH_BITS) as f64;
    for (target, group) in [(false_segments, 0), (false_segments, 32), (0.1, 0)] {
        sliced(PARTITION, target / PARTITION as f64, group);
    }
}

fn main() {
    let began = Instant::now();
    compare();
    for segments in [1_000, 10_000, 100_000] {
        scale(segments);
    }
    println!("\n{:.0} s, {:.0} MB at most", began.elapsed().as_secs_f64(), MEMORY.peak_usage_as_mb());
}
