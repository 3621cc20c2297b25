use super::*;
use crate::{
    engine::{
        block::{Block, Segment, SegmentId, rows, segment},
        record::timestamp::Timestamp,
    },
    fakes::World,
};

const NOW_MS: u64 = 1_763_683_200_000;

/// A segment of so many rows of about 2 kB that nothing makes smaller.
fn segment_of(count: u64) -> Segment {
    let mut state = count;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x} ", state >> 32)
    };
    let time = Timestamp::from_ms(NOW_MS.cast_signed());
    let line = |n| {
        let text: String = (0..250).map(|_| noise()).collect();
        format!(
            "{{\"id\":\"{}\",\"timestamp\":\"{time}\",\"received_at\":\"{time}\",\"service\":\"api\",\"level\":\"INFO\",\
             \"message\":\"{text}\",\"source_type\":\"http\"}}\n",
            uuid::Uuid::from_u64_pair(0, n),
        )
    };
    let text: String = (0..count).map(line).collect();
    let rows = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let id = SegmentId {
        tenant: "default".into(),
        class: "d30".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    };
    segment::write(id, rows).unwrap().unwrap()
}

/// The same segment as often as it is wanted, under keys of their own.
struct Copies {
    world: World,
    app: App,
    entry: CatalogEntry,
    bytes: Vec<u8>,
}

impl Copies {
    fn of(rows: u64) -> Self {
        let world = World::at(NOW_MS);
        let segment = segment_of(rows);
        Self { app: world.app(&[]), world, entry: CatalogEntry::of(&segment), bytes: segment.bytes }
    }

    /// Opens one, and asserts that the bound is kept.
    async fn open(&self, nth: usize) -> Arc<Held> {
        let entry = CatalogEntry { key: format!("logs/{nth}"), ..self.entry.clone() };
        if self.world.objects.bytes(&entry.key).is_none() {
            self.world.objects.overwrite(&entry.key, self.bytes.clone());
        }
        let held = open(&self.app, &entry, Reads::Footer, &mut Stats::default()).await.unwrap().unwrap();
        self.check();
        held
    }

    /// The weight that is kept is that of the segments that are, and no more than there may be.
    fn check(&self) -> usize {
        let weight = self.app.segments.weight();
        let kept = self.app.segments.held.values().iter().map(|held| held.weight()).sum::<usize>();
        assert_eq!(weight, kept);
        assert!(weight <= MAX_CACHED_BYTES, "{weight}");
        weight
    }

    /// Whether a segment is opened without a read.
    async fn is_kept(&self, nth: usize) -> bool {
        let reads = || self.world.calls("objects.get") + self.world.calls("objects.get_range");
        let before = reads();
        self.open(nth).await;
        reads() == before
    }
}

#[tokio::test]
async fn the_segments_used_last_are_kept_and_no_more_than_fit() {
    let copies = Copies::of(180);
    let size = copies.bytes.len();
    assert!((100 << 10..=512 << 10).contains(&size), "{size}");
    let fit = MAX_CACHED_BYTES / copies.open(0).await.weight();
    for nth in 1..fit {
        copies.open(nth).await;
    }
    assert!(copies.check() > MAX_CACHED_BYTES - 2 * size);
    assert!(copies.is_kept(0).await);
    // It takes the place of the one that was used longest ago, and that is no longer the first.
    copies.open(fit).await;
    assert!(copies.is_kept(0).await && copies.is_kept(2).await && copies.is_kept(fit).await);
    assert!(!copies.is_kept(1).await);
    for nth in 0..2 * fit {
        copies.open(nth).await;
    }
    assert_eq!(copies.app.segments.held.values().len(), fit);
}

#[tokio::test]
async fn those_that_an_index_points_to_are_brought_in_one_read_each() {
    let copies = Copies::of(1_400);
    assert!(
        (WHOLE_BELOW_BYTES..WANTED_WHOLE_BYTES).contains(&copies.entry.size_bytes),
        "{}",
        copies.entry.size_bytes
    );
    let entry = |nth: usize| CatalogEntry { key: format!("logs/{nth}"), ..copies.entry.clone() };
    let mut entries: Vec<_> = (0..3).map(entry).collect();
    for entry in &entries {
        copies.world.objects.overwrite(&entry.key, copies.bytes.clone());
    }
    entries[1].size_bytes = WANTED_WHOLE_BYTES + 1;
    let mut stats = Stats::default();
    bring(&copies.app, &entries.iter().collect::<Vec<_>>(), &mut stats).await;
    assert_eq!((stats.r2_reads, stats.segments), (2, 0));
    assert!(copies.is_kept(0).await && !copies.is_kept(1).await && copies.is_kept(2).await);
    copies.check();
    // What is kept is not brought again, and no harm is done by what is not there.
    bring(&copies.app, &[&entries[0]], &mut stats).await;
    assert_eq!(stats.r2_reads, 2);
    bring(&copies.app, &[&entry(20)], &mut stats).await;
    assert_eq!(stats.r2_reads, 3);
    assert_eq!(copies.world.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_read_of_a_segment_later_has_weight() {
    let copies = Copies::of(2_000);
    let app = &copies.app;
    let held = copies.open(0).await;
    let opened = copies.check();
    assert!(copies.bytes.len() > 2 << 20 && opened < 1 << 20, "{} {opened}", copies.bytes.len());

    let columns: Vec<u32> = (0..).zip(&held.opened.footer.columns).map(|(nth, _)| nth).collect();
    held.load_filters(app, &columns, &mut Stats::default()).await.unwrap().unwrap();
    let filters = held.filters().0.values().map(Bytes::len).sum::<usize>();
    assert!(filters > 10_000, "{filters}");
    assert_eq!(copies.check(), opened + filters);

    for _ in 0..2 {
        held.read(app, 7, 100_000).await.unwrap().unwrap();
        assert_eq!(copies.check(), opened + filters + 100_000);
    }
    assert!(!held.costs_a_read(7, 100_000));
    // What only an export reads is not kept.
    held.read(app, 0, MAX_PART_BYTES + 1).await.unwrap().unwrap();
    assert_eq!(copies.check(), opened + filters + 100_000);
}

#[tokio::test]
async fn segments_that_grow_drive_out_others_and_at_last_themselves() {
    let copies = Copies::of(2_000);
    let first = copies.open(0).await;
    for nth in 1..=20 {
        let held = copies.open(nth).await;
        for part in 0..4 {
            held.read(&copies.app, part * MAX_PART_BYTES, MAX_PART_BYTES).await.unwrap().unwrap();
            copies.check();
        }
    }
    assert!(copies.check() > MAX_CACHED_BYTES - (4 << 20));
    // A reader may still hold one that is not kept; what it reads is its own.
    let before = copies.check();
    first.read(&copies.app, 0, 1_000).await.unwrap().unwrap();
    assert_eq!(copies.check(), before);
    assert!(!copies.is_kept(1).await);

    let whole = copies.open(30).await;
    for part in 0..100 {
        whole.read(&copies.app, part * 1_000, MAX_PART_BYTES).await.unwrap().unwrap();
        copies.check();
    }
    assert_eq!(copies.app.segments.held.values().len(), 0);
}

#[tokio::test]
async fn the_newest_blocks_come_with_the_filters() {
    let copies = Copies::of(2_000);
    let (app, end) = (&copies.app, copies.entry.filters_offset.unwrap());
    let mut stats = Stats::default();
    copies.world.objects.overwrite(&copies.entry.key, copies.bytes.clone());
    let held = open(app, &copies.entry, Reads::Newest, &mut stats).await.unwrap().unwrap();
    let columns: Vec<u32> = (0..).zip(&held.opened.footer.columns).map(|(nth, _)| nth).collect();
    held.load_filters(app, &columns, &mut stats).await.unwrap().unwrap();
    assert_eq!(stats.r2_reads, 1);
    copies.check();
    let from = end - NEWEST_BYTES;
    assert!(!held.costs_a_read(from, NEWEST_BYTES) && held.costs_a_read(from - 1, NEWEST_BYTES));
    let read = held.read(app, from, NEWEST_BYTES).await.unwrap().unwrap();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    assert!(read == copies.bytes[at(from)..at(end)]);
}

#[tokio::test]
async fn what_was_read_of_blocks_is_kept_within_bounds() {
    let copies = Copies::of(2_000);
    let (held, cache) = (copies.open(0).await, &copies.app.segments);
    let meta = &held.opened.footer.blocks[0];
    let bytes = copies.bytes[..usize::try_from(meta.length).unwrap()].to_vec();
    let block = Block::with(&held.opened, meta, bytes.into(), cache.parts_of(&held, 0));
    let ids = block.ids().unwrap();
    cache.keep_parts(&held, 0, block.into_parts());
    assert!(cache.parts_of(&held, 0).weight() >= meta.rows as usize * 16);
    // The next reader reads nothing: there are no bytes to read it from.
    let again = Block::with(&held.opened, meta, Bytes::new(), cache.parts_of(&held, 0));
    assert!(Arc::ptr_eq(&ids, &again.ids().unwrap()));
    assert!(again.times().is_err());
    assert_eq!(cache.parts_of(&held, 1).weight(), 0);
    for block in 1..2_000 {
        cache.keep_parts(&held, block, cache.parts_of(&held, block - 1));
        assert!(cache.parts.weight() <= MAX_PARTS_BYTES);
    }
    assert!(cache.parts.weight() > MAX_PARTS_BYTES / 2);
    assert_eq!(cache.parts_of(&held, 0).weight(), 0);
    copies.check();
}
