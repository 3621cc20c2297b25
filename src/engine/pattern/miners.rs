//! The miners of a shard: one for each service that it has rows of.

use std::collections::{BTreeMap, HashSet};

use super::{Limits, Miner, News, Pattern, PatternId};

/// Services whose miners are kept; of more, those that were not heard of for the longest time begin anew.
const MAX_SERVICES: usize = 48;

/// Of the state as bytes; services that were heard of last come first.
const MAX_SAVED_BYTES: usize = 8 << 20;

const VERSION: u8 = 1;

/// What is new of a service's patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceNews {
    pub service: String,
    /// Whether patterns of the service were known before.
    pub was_known: bool,
    pub news: Vec<News>,
}

struct Kept {
    miner: Miner,
    /// The round in which the service was last heard of.
    used: u64,
    was_known: bool,
}

pub struct Miners {
    services: BTreeMap<String, Kept>,
    round: u64,
    most: usize,
    limits: Limits,
}

impl Default for Miners {
    fn default() -> Self {
        Self::new(MAX_SERVICES, Limits::default())
    }
}

impl Miners {
    /// With so many services, and limits for each.
    pub fn new(services: usize, limits: Limits) -> Self {
        Self { services: BTreeMap::new(), round: 0, most: services, limits }
    }

    /// Begins a round: what is learnt in it is told by `news`.
    pub fn begin(&mut self) {
        self.round += 1;
        self.fit();
        for kept in self.services.values_mut() {
            kept.was_known = true;
        }
    }

    /// Counts a message whose form has this id, and learns it where that is new. The id to store leads to its pattern.
    pub fn learn(&mut self, service: &str, form: PatternId, message: impl FnOnce() -> String) -> PatternId {
        if !self.services.contains_key(service) {
            let kept = Kept { miner: Miner::new(self.limits), used: 0, was_known: false };
            self.services.insert(service.to_owned(), kept);
        }
        let Some(kept) = self.services.get_mut(service) else { return form };
        kept.used = self.round;
        if kept.miner.learn_known(form, 1) { form } else { kept.miner.learn(&message(), 1) }
    }

    /// The same for a message that stays stored with the id of its form.
    pub fn learn_stored(&mut self, service: &str, form: PatternId, message: impl FnOnce() -> String) {
        let id = self.learn(service, form, message);
        if let Some(kept) = self.services.get_mut(service).filter(|_| id != form) {
            kept.miner.remember(form, id);
        }
    }

    /// Groups all that was learnt in this round, so that `pattern` can be asked.
    pub fn group(&mut self) {
        for kept in self.services.values_mut().filter(|kept| kept.used == self.round) {
            kept.miner.patterns();
        }
    }

    /// The pattern that an id leads to.
    pub fn pattern(&self, service: &str, id: PatternId) -> Option<&Pattern> {
        self.services.get(service)?.miner.resolve(id)
    }

    /// What was not told before, at most so much of a service and of all; ends the round.
    pub fn news(&mut self, of_one: usize, of_all: usize) -> Vec<ServiceNews> {
        let round = self.round;
        let mut room = of_all;
        let mut all = Vec::new();
        for (service, kept) in self.services.iter_mut().filter(|(_, kept)| kept.used == round) {
            let news = kept.miner.news(of_one.min(room));
            room -= news.len().min(room);
            if !news.is_empty() {
                all.push(ServiceNews { service: service.clone(), was_known: kept.was_known, news });
            }
        }
        self.fit();
        all
    }

    /// Lets go the services that were not heard of for the longest time, where there are too many.
    fn fit(&mut self) {
        let Some(over) = self.services.len().checked_sub(self.most).filter(|over| *over > 0) else { return };
        let mut by_use: Vec<(u64, String)> =
            self.services.iter().map(|(name, kept)| (kept.used, name.clone())).collect();
        by_use.sort_unstable();
        for (_, name) in by_use.into_iter().take(over) {
            self.services.remove(&name);
        }
    }

    /// The pattern that an id leads to, by all that was learnt so far.
    pub fn look(&mut self, service: &str, id: PatternId) -> Option<(PatternId, String)> {
        let kept = self.services.get_mut(service)?;
        kept.miner.patterns();
        kept.miner.resolve(id).map(|pattern| (pattern.id, pattern.template.clone()))
    }

    /// Forgets the services whose names begin so.
    pub fn forget(&mut self, services: &str) {
        self.services.retain(|name, _| !name.starts_with(services));
    }

    /// The forms that lead to one of these patterns, of services whose names begin so.
    pub fn leading_to(&mut self, services: &str, ids: &HashSet<PatternId>) -> Vec<PatternId> {
        let of =
            self.services.range_mut(services.to_owned()..).take_while(|(name, _)| name.starts_with(services));
        of.flat_map(|(_, kept)| kept.miner.leading_to(ids)).collect()
    }

    pub fn save(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let mut services: Vec<(&String, &Kept)> = self.services.iter().collect();
        services.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.used));
        for (service, kept) in services {
            let miner = kept.miner.save();
            if out.len() + miner.len() > MAX_SAVED_BYTES {
                continue;
            }
            out.extend_from_slice(&kept.used.to_le_bytes());
            for part in [service.as_bytes(), &miner] {
                out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_le_bytes());
                out.extend_from_slice(part);
            }
        }
        out
    }

    /// What was saved; nothing where the bytes are not of `save`.
    pub fn load(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut miners = Self::default();
        while !rest.is_empty() {
            let (used, after) = rest.split_first_chunk::<8>()?;
            let used = u64::from_le_bytes(*used);
            let (service, after) = part(after)?;
            let (miner, after) = part(after)?;
            rest = after;
            let service = str::from_utf8(service).ok()?.to_owned();
            let miner = Miner::load(miner, Limits::default())?;
            miners.round = miners.round.max(used);
            miners.services.insert(service, Kept { miner, used, was_known: true });
        }
        Some(miners)
    }
}

/// Bytes with their length in front, and what is behind them.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}
