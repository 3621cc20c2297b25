//! What one service has said so far, and how its forms group.

use std::collections::{HashMap, HashSet};

use super::{
    FormBuf, Pattern, PatternId, form,
    group::{Form, Group, group},
    hash::{Hashed, hash},
    text::{frame, masked, parts, shown},
};

/// A frame is grouped again when it has so many new forms, or a share of what it has.
const FRESH: usize = 16;
const FRESH_SHARE: usize = 4;
/// A pattern with so many forms needs them no longer: its template stands for all.
const SETTLED: usize = 24;
/// So many templates of a frame are held against a message of an unknown form.
const MAX_TRIED: usize = 32;
/// A frame with more forms that nothing brings together is noise, and grouping it takes its time.
const FRAME_FORMS: usize = 512;

/// How much a miner may keep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub forms: usize,
    /// Of the texts of forms.
    pub bytes: usize,
    /// News that nobody has asked for yet.
    pub news: usize,
}

impl Default for Limits {
    /// A thousand patterns are more than people read. With its tables a form takes some 400 bytes, so a miner
    /// stays below a megabyte and an isolate has room for dozens.
    fn default() -> Self {
        Self { forms: 2_000, bytes: 300_000, news: 2_000 }
    }
}

/// A line for the catalog: the id leads to the pattern, which has this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub id: PatternId,
    pub pattern: PatternId,
    pub template: String,
    /// It is a pattern of its own, and nothing that leads to it was told before.
    pub is_new: bool,
}

#[derive(Clone)]
pub(super) struct Item {
    pub(super) text: Box<[u8]>,
    pub(super) frame: u64,
    pub(super) open: u128,
    pub(super) count: u64,
    /// When it was last seen, in messages.
    pub(super) used: u64,
    /// The pattern that the catalog was told.
    pub(super) told: u64,
    /// The pattern it belongs to, by the last grouping; none yet is 0.
    pub(super) pattern: u64,
}

#[derive(Clone, Default)]
struct Bucket {
    ids: Vec<u64>,
    fresh: usize,
    patterns: Vec<Pattern>,
    /// Templates with open words, to be held against new forms.
    open: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Gone {
    pattern: u64,
    /// The catalog knows it already.
    told: bool,
}

pub struct Miner {
    limits: Limits,
    pub(super) items: HashMap<u64, Item, Hashed>,
    buckets: HashMap<u64, Bucket, Hashed>,
    bytes: usize,
    pub(super) now: u64,
    buffer: FormBuf,
    patterns: Vec<Pattern>,
    /// The places of patterns in the list, by their ids.
    places: HashMap<u64, usize, Hashed>,
    stale: bool,
    /// Where forms lead that were let go, until the catalog is told.
    gone: HashMap<u64, Gone, Hashed>,
}

impl Miner {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            items: HashMap::default(),
            buckets: HashMap::default(),
            bytes: 0,
            now: 0,
            buffer: FormBuf::default(),
            patterns: Vec::new(),
            places: HashMap::default(),
            stale: false,
            gone: HashMap::default(),
        }
    }

    /// How many forms it keeps.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The id to store with a message that came `count` times.
    pub fn learn(&mut self, message: &str, count: u64) -> PatternId {
        self.now += 1;
        form(message, &mut self.buffer);
        let id = self.buffer.id();
        self.stale = true;
        if let Some(item) = self.items.get_mut(&id.0) {
            item.count = item.count.saturating_add(count);
            item.used = self.now;
            return id;
        }
        self.learn_new(id.0, count)
    }

    /// Counts a message by its form, if that is known.
    pub fn learn_known(&mut self, form: PatternId, count: u64) -> bool {
        let Some(item) = self.items.get_mut(&form.0) else { return false };
        self.now += 1;
        item.count = item.count.saturating_add(count);
        item.used = self.now;
        true
    }

    fn learn_new(&mut self, id: u64, count: u64) -> PatternId {
        let text = std::mem::take(&mut self.buffer.text);
        let frame = frame(&text);
        let stored = self.fitting(frame, &text);
        if let Some(item) = stored.and_then(|id| self.items.get_mut(&id)) {
            item.count = item.count.saturating_add(count);
            item.used = self.now;
        } else {
            let item = Item {
                text: text.as_slice().into(),
                frame,
                open: 0,
                count,
                used: self.now,
                told: 0,
                pattern: 0,
            };
            self.add(id, item);
            let due = self.buckets.get(&frame).is_some_and(|b| b.fresh >= FRESH + b.ids.len() / FRESH_SHARE);
            if due {
                self.regroup(frame);
                self.fit_frame(frame);
            }
            self.fit();
        }
        self.buffer.text = text;
        PatternId(stored.unwrap_or(id))
    }

    /// The template of the frame that allows what the text says.
    fn fitting(&self, frame: u64, text: &[u8]) -> Option<u64> {
        let bucket = self.buckets.get(&frame).filter(|bucket| !bucket.open.is_empty())?;
        let words = parts(text)?.words;
        bucket.open.iter().take(MAX_TRIED).copied().find(|id| {
            let Some(item) = self.items.get(id) else { return false };
            let Some(known) = parts(&item.text) else { return false };
            let mut bit = 1_u128;
            known.words.iter().zip(&words).all(|(known, word)| {
                let fits = item.open & bit != 0 || known == word;
                bit = bit.checked_shl(1).unwrap_or(0);
                fits
            })
        })
    }

    pub(super) fn add(&mut self, id: u64, item: Item) {
        let bucket = self.buckets.entry(item.frame).or_default();
        bucket.ids.push(id);
        bucket.fresh += 1;
        self.bytes += item.text.len();
        self.items.insert(id, item);
        self.stale = true;
    }

    /// Groups the forms of one frame, and lets go those that a template stands for.
    fn regroup(&mut self, frame: u64) {
        let Some(mut bucket) = self.buckets.remove(&frame) else { return };
        bucket.ids.sort_unstable();
        bucket.fresh = 0;
        let items: Vec<(u64, &Item)> =
            bucket.ids.iter().filter_map(|id| self.items.get(id).map(|item| (*id, item))).collect();
        let forms: Vec<Form<'_>> = items
            .iter()
            .filter_map(|(_, item)| Some(Form { parts: parts(&item.text)?, open: item.open }))
            .collect();
        if forms.len() != items.len() {
            return;
        }
        let found: Vec<(Group, Vec<u8>)> = group(&forms)
            .into_iter()
            .map(|group| {
                let text = group
                    .members
                    .first()
                    .and_then(|at| items.get(*at))
                    .map_or(&[][..], |(_, item)| &item.text);
                let text = masked(text, group.open);
                (group, text)
            })
            .collect();
        let ids: Vec<u64> = items.iter().map(|(id, _)| *id).collect();
        bucket.patterns.clear();
        bucket.open.clear();
        bucket.ids.clear();
        for (group, text) in found {
            let members = group.members.iter().filter_map(|at| ids.get(*at).copied()).collect();
            self.settle(&mut bucket, frame, &text, group.open, members);
        }
        // The most special template first, as grouping has it.
        let items = &self.items;
        bucket.open.sort_by_cached_key(|id| (items.get(id).map(|item| item.open.count_ones()), *id));
        self.buckets.insert(frame, bucket);
        self.stale = true;
    }

    fn settle(&mut self, bucket: &mut Bucket, frame: u64, text: &[u8], open: u128, mut members: Vec<u64>) {
        let pattern = hash(text);
        let template = shown(text);
        if open != 0 && !members.contains(&pattern) {
            let item = Item { text: text.into(), frame, open, count: 0, used: self.now, told: 0, pattern };
            self.bytes += item.text.len();
            self.items.insert(pattern, item);
            members.push(pattern);
            members.sort_unstable();
        }
        if let Some(item) = self.items.get_mut(&pattern) {
            item.open |= open;
        }
        if open != 0 {
            bucket.open.push(pattern);
        }
        if open != 0 && members.len() > SETTLED {
            let mut count: u64 = 0;
            for id in members.iter().filter(|id| **id != pattern) {
                let Some(item) = self.items.remove(id) else { continue };
                self.bytes = self.bytes.saturating_sub(item.text.len());
                count = count.saturating_add(item.count);
                self.let_go(*id, pattern, item.told == pattern);
            }
            if let Some(item) = self.items.get_mut(&pattern) {
                item.count = item.count.saturating_add(count);
            }
            members = vec![pattern];
        }
        for id in &members {
            if let Some(item) = self.items.get_mut(id) {
                item.pattern = pattern;
            }
        }
        bucket.ids.extend(&members);
        let forms = members.into_iter().map(PatternId).collect();
        bucket.patterns.push(Pattern { id: PatternId(pattern), template, forms, count: 0 });
    }

    fn regroup_all(&mut self) {
        let mut frames: Vec<u64> =
            self.buckets.iter().filter(|(_, bucket)| bucket.fresh > 0).map(|(frame, _)| *frame).collect();
        frames.sort_unstable();
        for frame in frames {
            self.regroup(frame);
        }
    }

    /// Keeps to the limits: lets go what was not seen for the longest time, a quarter at once.
    pub(super) fn fit(&mut self) {
        let is_full = |miner: &Self, part: usize| {
            let share = |limit: usize| limit.saturating_mul(part) / 8;
            miner.items.len() > share(miner.limits.forms) || miner.bytes > share(miner.limits.bytes)
        };
        if !is_full(self, 8) {
            return;
        }
        self.regroup_all();
        if is_full(self, 7) {
            let mut old: Vec<(u64, u64)> = self.items.iter().map(|(id, item)| (item.used, *id)).collect();
            old.sort_unstable();
            let mut old = old.into_iter();
            while is_full(self, 6) {
                let Some((_, id)) = old.next() else { break };
                self.forget(id);
            }
            self.tidy();
        }
    }

    /// Keeps one frame to its limit in the same way.
    fn fit_frame(&mut self, frame: u64) {
        let Some(bucket) = self.buckets.get(&frame).filter(|bucket| bucket.ids.len() > FRAME_FORMS) else {
            return;
        };
        let used = bucket.ids.iter().filter_map(|id| self.items.get(id).map(|item| (item.used, *id)));
        let mut old: Vec<(u64, u64)> = used.collect();
        old.sort_unstable();
        old.truncate(FRAME_FORMS / 4);
        for (_, id) in old {
            self.forget(id);
        }
        self.tidy_bucket(frame);
    }

    fn forget(&mut self, id: u64) {
        let Some(item) = self.items.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(item.text.len());
        if item.pattern != 0 {
            self.let_go(id, item.pattern, item.told == item.pattern);
        }
    }

    fn let_go(&mut self, id: u64, pattern: u64, told: bool) {
        if id == pattern {
            return;
        }
        if self.gone.len() >= self.limits.news {
            self.gone.retain(|_, gone| !gone.told);
        }
        if self.gone.len() < self.limits.news {
            self.gone.insert(id, Gone { pattern, told });
        }
    }

    /// Remembers where a form leads that rows keep, though it was taken for a pattern's.
    pub fn remember(&mut self, form: PatternId, pattern: PatternId) {
        self.let_go(form.0, pattern.0, true);
    }

    fn tidy(&mut self) {
        let frames: Vec<u64> = self.buckets.keys().copied().collect();
        for frame in frames {
            self.tidy_bucket(frame);
        }
    }

    /// Takes what was forgotten out of its frame, which is grouped again when it is next asked for.
    fn tidy_bucket(&mut self, frame: u64) {
        let Some(bucket) = self.buckets.get_mut(&frame) else { return };
        let before = bucket.ids.len();
        bucket.ids.retain(|id| self.items.contains_key(id));
        bucket.open.retain(|id| self.items.contains_key(id));
        if bucket.ids.is_empty() {
            self.buckets.remove(&frame);
        } else if bucket.ids.len() < before {
            bucket.fresh = bucket.fresh.max(1);
            self.stale = true;
        }
    }

    /// What is known now, the most frequent first.
    pub fn patterns(&mut self) -> &[Pattern] {
        if self.stale {
            self.regroup_all();
            let mut counts: HashMap<u64, u64, Hashed> = HashMap::default();
            for item in self.items.values() {
                let count = counts.entry(item.pattern).or_default();
                *count = count.saturating_add(item.count);
            }
            self.patterns.clear();
            for pattern in self.buckets.values().flat_map(|bucket| &bucket.patterns) {
                let count = counts.get(&pattern.id.0).copied().unwrap_or(0);
                self.patterns.push(Pattern { count, ..pattern.clone() });
            }
            self.patterns.sort_by(|one, other| other.count.cmp(&one.count).then(one.id.cmp(&other.id)));
            self.places = self.patterns.iter().enumerate().map(|(at, pattern)| (pattern.id.0, at)).collect();
            self.stale = false;
        }
        &self.patterns
    }

    /// Where an id leads, as of the last call of `patterns`. An id that is not known here may be in the catalog.
    pub fn resolve(&self, id: PatternId) -> Option<&Pattern> {
        let of = |id: u64| self.items.get(&id).map(|item| item.pattern);
        let gone = || self.gone.get(&id.0).map(|gone| of(gone.pattern).unwrap_or(gone.pattern));
        let pattern = of(id.0).or_else(gone).unwrap_or(id.0);
        self.patterns.get(*self.places.get(&pattern)?)
    }

    /// What the catalog does not know yet, at most so much: patterns before what only leads to one. The rest comes the
    /// next time.
    pub fn news(&mut self, most: usize) -> Vec<News> {
        self.patterns();
        let mut ids: Vec<u64> =
            self.items.iter().filter(|(_, item)| item.told != item.pattern).map(|(id, _)| *id).collect();
        ids.sort_unstable_by_key(|id| (self.items.get(id).map(|item| item.pattern) != Some(*id), *id));
        let mut news = Vec::new();
        for id in ids {
            if news.len() >= most {
                break;
            }
            let Some(pattern) = self.resolve(PatternId(id)) else { continue };
            let told = |form: &PatternId| self.items.get(&form.0).is_some_and(|item| item.told != 0);
            let is_new = pattern.id.0 == id && !pattern.forms.iter().any(told);
            news.push(News {
                id: PatternId(id),
                pattern: pattern.id,
                template: pattern.template.clone(),
                is_new,
            });
        }
        for one in &news {
            if let Some(item) = self.items.get_mut(&one.id.0) {
                item.told = one.pattern.0;
            }
        }
        // Who was told already need not be remembered any longer.
        self.gone.retain(|_, gone| !gone.told);
        let mut gone: Vec<u64> = self.gone.keys().copied().collect();
        gone.sort_unstable();
        for id in gone.into_iter().take(most.saturating_sub(news.len())) {
            if let Some(pattern) = self.resolve(PatternId(id)) {
                let (pattern, template) = (pattern.id, pattern.template.clone());
                news.push(News { id: PatternId(id), pattern, template, is_new: false });
            }
            self.gone.remove(&id);
        }
        news
    }

    /// The ids that lead to one of these patterns.
    pub fn leading_to(&mut self, ids: &HashSet<PatternId>) -> Vec<PatternId> {
        self.patterns();
        let all = self.items.keys().chain(self.gone.keys()).copied().map(PatternId);
        all.filter(|id| self.resolve(*id).is_some_and(|pattern| ids.contains(&pattern.id))).collect()
    }

    /// Takes over what another miner of the same service knows.
    pub fn merge(&mut self, other: &Self) {
        let mut ids: Vec<(u64, u64)> = other.items.iter().map(|(id, item)| (item.used, *id)).collect();
        ids.sort_unstable();
        for (_, id) in ids {
            let Some(new) = other.items.get(&id) else { continue };
            self.now += 1;
            if let Some(item) = self.items.get_mut(&id) {
                item.count = item.count.saturating_add(new.count);
                if item.open != new.open {
                    item.open |= new.open;
                    if let Some(bucket) = self.buckets.get_mut(&item.frame) {
                        bucket.fresh += 1;
                    }
                }
                if item.told != new.told {
                    item.told = 0;
                }
                item.used = self.now;
            } else {
                self.add(id, Item { used: self.now, pattern: 0, ..new.clone() });
            }
        }
        for (id, gone) in &other.gone {
            self.let_go(*id, gone.pattern, gone.told);
        }
        self.stale = true;
        self.fit();
    }
}
