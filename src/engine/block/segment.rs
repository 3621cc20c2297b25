//! Writing a segment: `block* filters footer end`, see FORMAT.md.

use std::cell::Cell;

use super::{
    Corrupt, MAX_BLOCK_BYTES, MAX_INFLATED_BYTES, MAX_SEGMENT_BLOCK_ROWS, SegmentId, VERSION,
    chunks::{self, Interner, Room},
    column::{self, Column, Dictionary, Parsed},
    facts::Facts,
    fields::{CountedRow, Fields},
    footer::{BlockColumn, BlockMeta, ColumnMeta, Footer, Place},
    gzip::{self, Deflater},
    packed::{self, Body},
    parted::{self, Head, Parted},
    ribbon,
    rows::{self, Row},
    shred::{Kind, Shredded, Shredder},
    summary::{self, Rollup, Summary},
    view::Block,
    words,
};
use crate::engine::record::{row, timestamp::Timestamp};

/// Deflate's levels: of what a flush writes, which is written again within a day, and of what a merge does, whose bytes are
/// paid for every month. The first takes a quarter more bytes, and a tenth less of the writer's time.
const FRESH_LEVEL: u32 = 1;
const MERGED_LEVEL: u32 = 6;

/// So few bytes pack to more than four fifths of them, whatever they are.
const TINY_BYTES: usize = 24;

/// Identifies the extra field of the end marker.
pub(super) const END_FIELD: [u8; 2] = *b"TL";

/// Bytes of footer that columns of blocks may take, and what one takes with each of its templates. A block that
/// has no room is written as lines.
const META_BYTES: usize = 6 << 20;
const COLUMN_WEIGHT: usize = 150;
const TEMPLATE_WEIGHT: usize = 14;

/// Length of the end marker: gzip header 10, extra length 2, field header 4, field 16, empty deflate
/// stream 2, CRC and size 8.
pub const END_LEN: usize = 42;

/// A finished segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub bytes: Vec<u8>,
    pub footer: Footer,
    /// Where the footer begins in `bytes`.
    pub footer_offset: u64,
    /// Hashes of all words that a search can ask for, sorted; none of a fresh segment, which no index takes in.
    pub words: Vec<u64>,
}

impl Segment {
    pub fn object_key(&self) -> String {
        self.footer.id.object_key(self.footer.max_received)
    }
}

/// A row that can be written to a segment.
pub trait Writable<'a> {
    fn head(&self) -> Head;
    fn body(&self) -> Body<'a>;
    /// With its JSON, which may be written to the buffer.
    fn read<'b>(&self, buffer: &'b mut Vec<u8>) -> Row<'b>
    where
        'a: 'b;
}

impl<'a> Writable<'a> for Row<'a> {
    fn head(&self) -> Head {
        Head::of(&self.head, self.line.len())
    }

    fn body(&self) -> Body<'a> {
        Body::Line(self.line)
    }

    fn read<'b>(&self, _: &'b mut Vec<u8>) -> Row<'b>
    where
        'a: 'b,
    {
        self.clone()
    }
}

impl<'a> Writable<'a> for packed::Row<'a> {
    fn head(&self) -> Head {
        packed::Row::head(self)
    }

    fn body(&self) -> Body<'a> {
        packed::Row::body(self)
    }

    fn read<'b>(&self, buffer: &'b mut Vec<u8>) -> Row<'b>
    where
        'a: 'b,
    {
        packed::Row::read(self, buffer)
    }
}

/// Writes the rows as one segment, sorted by time and then id. `None` when there are no rows.
pub fn write<'a>(id: SegmentId, mut rows: Vec<impl Writable<'a>>) -> Result<Option<Segment>, Corrupt> {
    rows.sort_by_key(|row| row.head().key());
    let mut writer = Writer::new(id);
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(block_len(rest));
        rest = behind;
        writer.push(block)?;
    }
    writer.finish()
}

/// How many of the rows go into the next block; at least one.
pub fn block_len<'a>(rows: &[impl Writable<'a>]) -> usize {
    let mut bytes = 0;
    let sizes = rows.iter().take(MAX_SEGMENT_BLOCK_ROWS).map(|row| row.head().bytes);
    let fits = |size: &usize| {
        bytes += size;
        bytes <= MAX_BLOCK_BYTES
    };
    sizes.take_while(fits).count().max(1)
}

/// Writes a segment block by block. It holds what it has written, packed, and one block's columns.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    footer: Footer,
    deflater: Deflater,
    shredder: Shredder,
    templates: Vec<Interner>,
    template_room: Cell<usize>,
    meta_room: usize,
    /// What the facts weigh at the most.
    facts_weight: usize,
    /// The filters of each column's blocks, end to end.
    filters: Vec<Vec<u8>>,
    /// Of each block, and some of them of several, where the segment is to tell its words.
    words: Option<Vec<u64>>,
}

impl Writer {
    pub fn new(id: SegmentId) -> Self {
        Self::at_level(id, FRESH_LEVEL)
    }

    fn at_level(id: SegmentId, level: u32) -> Self {
        let footer = Footer {
            format: "timberline-segment".into(),
            version: VERSION,
            id,
            rows: 0,
            raw_bytes: 0,
            min_time: Timestamp::MAX,
            max_time: Timestamp::EPOCH,
            min_received: Timestamp::MAX,
            max_received: Timestamp::EPOCH,
            services: Summary::new(),
            rollup: Rollup::default(),
            facts: Facts::default(),
            sources: Vec::new(),
            anonymised: false,
            columns: Vec::new(),
            shapes: Vec::new(),
            blocks: Vec::new(),
        };
        Self {
            bytes: Vec::new(),
            footer,
            deflater: Deflater::new(level),
            shredder: Shredder::default(),
            templates: Vec::new(),
            template_room: Room::all(),
            meta_room: META_BYTES,
            facts_weight: 0,
            filters: Vec::new(),
            words: None,
        }
    }

    /// A writer of a segment that stands for these, by their keys, and says of its rows whether their addresses
    /// are those of networks.
    pub fn made_of(id: SegmentId, sources: Vec<String>, anonymised: bool) -> Self {
        let mut writer = Self::at_level(id, MERGED_LEVEL);
        (writer.footer.sources, writer.footer.anonymised) = (sources, anonymised);
        writer.words = Some(Vec::new());
        writer
    }

    /// Adds a block of at most `block_len` rows, sorted by time and id; blocks come in that order too.
    pub fn push<'a>(&mut self, rows: &[impl Writable<'a>]) -> Result<(), Corrupt> {
        let heads: Vec<Head> = rows.iter().map(Writable::head).collect();
        let Some(mut meta) = self.begin(&heads)? else { return Ok(()) };
        let shredded = self.shredder.shred(rows.iter().map(Writable::body));
        // What is not JSON as it is stored, or has more shapes than a footer can take, is counted row by row.
        let is_counted = shredded.is_ok();
        if !shredded.is_ok_and(|shredded| self.write_columns(&heads, &shredded, &mut meta)) {
            let (mut lines, mut buffer) = (Vec::new(), Vec::new());
            for row in rows {
                let row = row.read(&mut buffer);
                lines.extend_from_slice(row.line);
                lines.push(b'\n');
                if !is_counted {
                    count_row(&mut self.footer, &row);
                }
            }
            if !is_counted {
                self.facts_weight = self.footer.facts.make_room();
            }
            self.write_rows(&lines)?;
        }
        self.end(meta);
        Ok(())
    }

    /// Takes the rows of another segment's block apart; `None` when this segment has no room for their shapes.
    pub fn part(&mut self, block: &Block<'_>) -> Result<Option<Parted>, Corrupt> {
        Parted::of(block, &mut self.shredder)
    }

    /// Adds a block of such rows, sorted as others.
    pub fn push_parted(&mut self, mut rows: Parted) -> Result<(), Corrupt> {
        let (heads, shredded) = rows.take_columns();
        let Some(mut meta) = self.begin(heads)? else { return Ok(()) };
        if !self.write_columns(heads, &shredded, &mut meta) {
            let lines = parted::lines(&self.shredder, heads, &shredded)?;
            self.write_rows(&lines)?;
        }
        self.end(meta);
        Ok(())
    }

    /// Such rows as lines.
    pub fn lines_of(&self, mut rows: Parted) -> Result<Vec<u8>, Corrupt> {
        let (heads, shredded) = rows.take_columns();
        parted::lines(&self.shredder, heads, &shredded)
    }

    fn begin(&self, heads: &[Head]) -> Result<Option<BlockMeta>, Corrupt> {
        let Some(first) = heads.first() else { return Ok(None) };
        let mut meta = BlockMeta {
            offset: self.bytes.len() as u64,
            length: 0,
            rows: u32::try_from(heads.len()).map_err(|e| Corrupt::damaged("block", e))?,
            raw_bytes: heads.iter().map(|head| head.bytes as u64).sum(),
            min_time: first.timestamp,
            max_time: first.timestamp,
            min_received: first.received_at,
            max_received: first.received_at,
            heads: None,
            columns: Vec::new(),
        };
        for head in heads {
            meta.min_time = meta.min_time.min(head.timestamp);
            meta.max_time = meta.max_time.max(head.timestamp);
            meta.min_received = meta.min_received.min(head.received_at);
            meta.max_received = meta.max_received.max(head.received_at);
        }
        Ok(Some(meta))
    }

    fn end(&mut self, mut meta: BlockMeta) {
        meta.length = self.bytes.len() as u64 - meta.offset;
        let footer = &mut self.footer;
        footer.rows += u64::from(meta.rows);
        footer.raw_bytes += meta.raw_bytes;
        footer.min_time = footer.min_time.min(meta.min_time);
        footer.max_time = footer.max_time.max(meta.max_time);
        footer.min_received = footer.min_received.min(meta.min_received);
        footer.max_received = footer.max_received.max(meta.max_received);
        footer.blocks.push(meta);
    }

    /// Counts rows that were taken apart, and writes their columns; whether there was room for them.
    fn write_columns(&mut self, heads: &[Head], shredded: &Shredded<'_>, meta: &mut BlockMeta) -> bool {
        let columns = shredded.columns.iter().map(|(_, values)| values.iter().map(|value| &**value));
        let dictionaries: Vec<_> = columns.map(Dictionary::of).collect();
        let fields = Fields { shredder: &self.shredder, shredded, dictionaries: &dictionaries };
        count_columns(&mut self.footer, heads, &fields, &mut self.facts_weight);
        self.templates.resize_with(self.shredder.columns.len(), Interner::default);
        self.filters.resize_with(self.shredder.columns.len(), Vec::new);
        let left = self.template_room.clone();
        let mut parsed = Vec::new();
        for (((number, (_, kind)), (in_rows, values)), dictionary) in
            (0_u32..).zip(&self.shredder.columns).zip(&shredded.columns).zip(dictionaries)
        {
            let Some(known) = self.templates.get(number as usize).filter(|_| !values.is_empty()) else {
                continue;
            };
            let values: Vec<&str> = values.iter().map(|value| &**value).collect();
            let numbers = dictionary.as_ref().map_or(&values, |dictionary| &dictionary.texts);
            let range = if *kind == Kind::Number { chunks::range(numbers) } else { None };
            let room = Room::new(known, &left);
            let one = match kind {
                Kind::Raw => {
                    Parsed::of_json(&values, dictionary, |form| room.take(form), &chunks::json_words)
                }
                Kind::Text | Kind::Number => Parsed::of_texts(&values, dictionary, |form| room.take(form)),
            };
            parsed.push((number, in_rows, one, range));
        }
        let weights =
            parsed.iter().map(|(_, _, one, _)| COLUMN_WEIGHT + TEMPLATE_WEIGHT * one.templates.len());
        let weight = weights.sum::<usize>();
        if weight > self.meta_room {
            return false;
        }
        self.meta_room -= weight;
        self.template_room = left;
        meta.heads = Some([
            self.chunk(&chunks::times(heads.iter().map(|head| head.timestamp))),
            self.chunk(&chunks::ids(heads.iter().map(|head| head.id))),
            self.chunk(&chunks::received(heads.iter().map(|head| (head.id, head.received_at)))),
            self.chunk(&chunks::shapes(&shredded.shapes)),
        ]);
        let columns: Vec<Column<'_>> =
            parsed.iter().map(|(number, rows, parsed, _)| Column { number: *number, rows, parsed }).collect();
        let placed = column::place(&columns, heads.len());
        let numbers: Vec<u64> = placed.iter().map(|placed| self.chunk(&placed.tids)).collect();
        let variables: Vec<u64> = placed.iter().map(|placed| self.chunk(&placed.vars)).collect();
        for (((column, in_rows, one, range), numbers), variables) in parsed.iter().zip(numbers).zip(variables)
        {
            let Some((templates, filters)) =
                self.templates.get_mut(*column as usize).zip(self.filters.get_mut(*column as usize))
            else {
                continue;
            };
            let filter = ribbon::build(&one.words);
            filters.extend_from_slice(&filter);
            if let Some(words) = &mut self.words {
                words.extend_from_slice(&one.words);
            }
            meta.columns.push(BlockColumn {
                column: *column,
                rows: u32::try_from(in_rows.len()).unwrap_or(u32::MAX),
                templates: one
                    .templates
                    .iter()
                    .map(|rows| (templates.number(&rows.form), rows.count))
                    .collect(),
                numbers,
                variables,
                filter: filter.len() as u64,
                range: *range,
            });
        }
        true
    }

    /// Writes a block as version 1 did: as lines.
    fn write_rows(&mut self, lines: &[u8]) -> Result<(), Corrupt> {
        if lines.len() > MAX_INFLATED_BYTES {
            return Err(Corrupt::damaged("row", "it is longer than a reader takes"));
        }
        if let Some(words) = &mut self.words {
            for line in rows::lines(lines) {
                chunks::row_words(line, words);
            }
        }
        self.chunk(lines);
        Ok(())
    }

    /// Appends a chunk and answers its length; nothing for nothing.
    fn chunk(&mut self, raw: &[u8]) -> u64 {
        if raw.is_empty() {
            return 0;
        }
        let packed = (raw.len() > TINY_BYTES).then(|| self.deflater.deflate(raw));
        // What is as good as random, such as trace ids: each read would inflate it for less than a fifth.
        let packed = packed.filter(|packed| packed.len() * 5 <= raw.len() * 4);
        let member = packed.unwrap_or_else(|| gzip::stored(raw));
        self.bytes.extend_from_slice(&member);
        member.len() as u64
    }

    /// `None` when there are no rows.
    pub fn finish(mut self) -> Result<Option<Segment>, Corrupt> {
        if self.footer.rows == 0 {
            return Ok(None);
        }
        // More than its blocks have, if one was written as lines after all.
        self.templates.resize_with(self.shredder.columns.len(), Interner::default);
        self.filters.resize_with(self.shredder.columns.len(), Vec::new);
        let columns = self.shredder.columns.iter().zip(&self.templates).zip(&self.filters);
        for (((path, kind), templates), filters) in columns {
            let offset = self.bytes.len() as u64;
            if !filters.is_empty() {
                self.bytes.extend(gzip::stored(filters));
            }
            let length = self.bytes.len() as u64 - offset;
            self.footer.columns.push(ColumnMeta {
                path: path.clone(),
                kind: *kind,
                templates: templates.forms().to_vec(),
                filters: (length > 0).then_some(Place { offset, length }),
            });
            if let Some(words) = &mut self.words {
                for form in templates.forms() {
                    let template = super::Template::parse(form)?;
                    words.extend(template.words().iter().map(|word| words::hash(word)));
                }
            }
        }
        self.footer.shapes = std::mem::take(&mut self.shredder.shapes);
        self.footer.facts.fit();
        let mut words = self.words.unwrap_or_default();
        words.sort_unstable();
        words.dedup();
        let footer_offset = self.bytes.len() as u64;
        let mut text = serde_json::to_vec(&self.footer).map_err(|e| Corrupt::damaged("footer", e))?;
        text.push(b'\n');
        let member = self.deflater.deflate(&text);
        self.bytes.extend_from_slice(&member);
        self.bytes.extend_from_slice(&end_marker(footer_offset, &member));
        Ok(Some(Segment { bytes: self.bytes, footer: self.footer, footer_offset, words }))
    }
}

/// Counts a row by itself.
fn count_row(footer: &mut Footer, row: &Row<'_>) {
    let (Row { head, line }, weight) = (row, row.weight());
    let (service, level, time) = (&*head.service, head.level, head.timestamp);
    summary::count(&mut footer.services, service, level, time, line.len() as u64 + 1, weight);
    footer.rollup.count(service, level, time, weight);
    footer.facts.count_row(row);
}

/// Counts rows that were taken apart.
fn count_columns(footer: &mut Footer, heads: &[Head], fields: &Fields<'_, '_>, facts_weight: &mut usize) {
    let weights = fields.first(&[&["sample_rate"]]).into_iter();
    let weights = weights.map(|rate| rate.map_or(1, row::weight_of).into());
    let counted = |(head, weight): (&Head, u64)| CountedRow {
        time: head.timestamp,
        level: head.level,
        bytes: head.bytes as u64,
        weight,
    };
    let rows: Vec<CountedRow> = heads.iter().zip(weights).map(counted).collect();
    let services = fields.numbered(&[&["service"]]);
    summary::count_block(&mut footer.services, &mut footer.rollup, &rows, &services);
    footer.facts.count_block(&rows, &services, fields, facts_weight);
}

/// An empty gzip member that says where the footer is: tools that read gzip skip over it.
fn end_marker(footer_offset: u64, footer: &[u8]) -> [u8; END_LEN] {
    let mut crc = flate2::Crc::new();
    crc.update(footer);
    let mut end = [0_u8; END_LEN];
    let fields: [&[u8]; 9] = [
        // Magic, deflate, flag FEXTRA, no time, no extra flags, unknown system.
        &[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255],
        // Length of the extra area.
        &20_u16.to_le_bytes(),
        &END_FIELD,
        &16_u16.to_le_bytes(),
        &footer_offset.to_le_bytes(),
        &u32::try_from(footer.len()).unwrap_or(u32::MAX).to_le_bytes(),
        &crc.sum().to_le_bytes(),
        // An empty deflate stream.
        &[3, 0],
        // CRC and size of nothing.
        &[0; 8],
    ];
    for (slot, byte) in end.iter_mut().zip(fields.concat()) {
        *slot = byte;
    }
    end
}

#[cfg(test)]
mod tests;
