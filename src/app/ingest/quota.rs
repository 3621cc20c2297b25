//! Taking no more records than quotas have room for. The shard counts; what is done here is to say what there is to
//! count, and to leave out what the shard has no room for.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Block, Taken, keep, nth_id, received_at};
use crate::{
    app::{App, Error, audit, configs::Known},
    engine::{
        block::{Corrupt, packed::Row, rows},
        record::rejection::Rejection,
        shard::{
            Header,
            quota::{self, Charge, Left, Of, Quota, Refused},
        },
        tenant::Tenant,
    },
    ports::shards::Appended,
};

/// The field that both quotas are called by.
const FIELD: &str = "max_logs_per_day";

/// So often records are chosen anew because others took the room that there was. Every time some of them did.
const MAX_TRIES: usize = 8;

/// An append with what its records count towards.
pub(super) struct Counted {
    header: Header,
    blocks: Vec<Block>,
    now_ms: u64,
    /// The quotas that it has to do with.
    limits: Vec<(Of, u64)>,
    records: Vec<One>,
}

/// A record, in the order of the ids.
#[derive(Clone, Copy)]
struct One {
    index: usize,
    /// The place of its service's quota among `limits`.
    service: Option<usize>,
}

impl Counted {
    /// `taken` has the records that are not in the blocks.
    pub(super) fn of(
        known: &Known,
        taken: &Taken,
        header: Header,
        blocks: Vec<Block>,
    ) -> Result<Self, Error> {
        let mut limits: Vec<(Of, u64)> = Vec::new();
        let mut places: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let mut services: Vec<(u32, Option<usize>)> = Vec::with_capacity(header.count as usize);
        for_each_row(&blocks, |_, row| {
            let service = &*row.service();
            let place = if let Some(place) = places.get(service) {
                *place
            } else {
                let place = known.max_logs_per_day_of(service).map(|limit| {
                    limits.push((Of::Service(service.to_owned()), limit));
                    limits.len() - 1
                });
                places.insert(service.to_owned(), place);
                place
            };
            services.push((nth_of(header.first_id, row.id()), place));
            Ok(())
        })?;
        limits.extend(known.max_logs_per_day().map(|limit| (Of::Tenant, limit)));
        services.sort_unstable_by_key(|(nth, _)| *nth);
        // The n-th that is good has the n-th id.
        let mut rejected: Vec<usize> = taken.rejected.iter().map(|(index, _)| *index).collect();
        rejected.extend(&taken.dropped);
        rejected.sort_unstable();
        let mut rejected = rejected.into_iter().peekable();
        let good = (0..).filter(|index| rejected.next_if_eq(index).is_none());
        let records = good.zip(services).map(|(index, (_, service))| One { index, service }).collect();
        let now_ms = received_at(header.first_id).map_or(0, |at| at.as_ms().unsigned_abs());
        Ok(Self { header, blocks, now_ms, limits, records })
    }

    fn quota(&self) -> Option<Quota> {
        let mut counts = vec![0_u32; self.limits.len()];
        for place in self.records.iter().filter_map(|one| one.service) {
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
        let charge = |((of, limit), count): (&(Of, u64), u32)| {
            let count = if *of == Of::Tenant { self.header.count } else { count };
            Charge { of: of.clone(), count, limit: *limit, told: false }
        };
        let charges: Vec<Charge> = self.limits.iter().zip(counts).map(charge).collect();
        (!charges.is_empty()).then(|| Quota { day: quota::day_of(self.now_ms), charges })
    }

    /// Leaves out the records that are over these quotas, and answers them.
    fn cut(&mut self, left: &[Left]) -> Result<Vec<(usize, Left)>, Error> {
        let services: Vec<Option<usize>> = self.records.iter().map(|one| one.service).collect();
        let over = quota::choose(&services, left);
        let mut refused = Vec::new();
        // The places that the others have now.
        let mut places: Vec<Option<usize>> = Vec::with_capacity(over.len());
        let mut kept = Vec::new();
        for (one, over) in self.records.iter().zip(&over) {
            if let Some(left) = over.and_then(|over| left.get(over)) {
                refused.push((one.index, left.clone()));
                places.push(None);
            } else {
                places.push(Some(kept.len()));
                kept.push(*one);
            }
        }
        self.blocks = without(&self.blocks, self.header.first_id, &places)?;
        self.header.count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        self.records = kept;
        Ok(refused)
    }
}

/// Runs of refused records that are remembered of a request; a batch of the service's own routes cannot have more.
const MAX_RUNS: usize = 1_000;

/// Makes durable what there is room for, and adds the others to the rejected ones.
pub(super) async fn keep_counted(
    app: &App,
    tenant: &Tenant,
    mut counted: Counted,
    taken: &mut Taken,
) -> Result<Appended, Error> {
    let mut over: Vec<(usize, Left)> = Vec::new();
    let mut kept = Appended::OverQuota { left: Vec::new() };
    for tries in 0..=MAX_TRIES {
        counted.header.quota = counted.quota();
        if counted.header.key.is_some() {
            counted.header.refused = runs(&over);
            // A shard remembers them as long as the key. So many are of a shipper's large request, which has a key whether or
            // not it is ever sent again.
            if counted.header.refused.len() > MAX_RUNS {
                (counted.header.key, counted.header.refused) = (None, Vec::new());
            }
        }
        kept = keep(app, tenant, &counted.header, &counted.blocks).await?;
        let Appended::OverQuota { left } = &mut kept else { break };
        for one in left.iter().filter(|one| one.first) {
            audit::alert_of_quota(app, tenant, one, counted.now_ms);
        }
        if tries + 1 >= MAX_TRIES {
            // What nothing counts is stored the next time.
            for one in left.iter_mut() {
                one.left = 0;
            }
        }
        over.extend(counted.cut(left)?);
        over.sort_unstable_by_key(|(index, _)| *index);
        if counted.records.is_empty() {
            break;
        }
    }
    let refused = match &kept {
        // What the first request with this key was refused, and not what this one would be.
        Appended::Stored { duplicate: true, refused, .. } => refused.clone(),
        _ => runs(&over),
    };
    for run in &refused {
        let indexes = run.from as usize..=run.to as usize;
        taken.rejected.extend(indexes.map(|index| (index, rejection(&run.of, run.limit))));
        taken.over_quota_s = Some(quota::seconds_left(counted.now_ms));
    }
    taken.rejected.sort_by_key(|(index, _)| *index);
    Ok(kept)
}

/// The same, as few as they are when they are kept with a key.
fn runs(over: &[(usize, Left)]) -> Vec<Refused> {
    let mut runs: Vec<Refused> = Vec::new();
    for (index, left) in over {
        // A request has far fewer records.
        let index = u32::try_from(*index).unwrap_or(u32::MAX);
        match runs.last_mut() {
            Some(run) if run.to.checked_add(1) == Some(index) && run.of == left.of => run.to = index,
            _ => runs.push(Refused { from: index, to: index, of: left.of.clone(), limit: left.limit }),
        }
    }
    runs
}

fn rejection(of: &Of, limit: u64) -> Rejection {
    let message = match of {
        Of::Service(service) => format!(
            "the service {service:?} has sent the {limit} logs that its {FIELD} allows on one day, which ends at \
             midnight UTC"
        ),
        Of::Tenant => format!(
            "the tenant has sent the {limit} logs that its {FIELD} allows on one day, which ends at midnight UTC"
        ),
    };
    Rejection::of_field(Rejection::QUOTA_EXCEEDED, FIELD, message)
}

/// The blocks with only the records that have a place, and those at that place.
fn without(blocks: &[Block], first_id: Uuid, places: &[Option<usize>]) -> Result<Vec<Block>, Corrupt> {
    let mut classes: BTreeMap<&str, rows::Encoder> = BTreeMap::new();
    for_each_row(blocks, |class, row| {
        let nth = nth_of(first_id, row.id()) as usize;
        let Some(place) = places.get(nth).copied().flatten() else { return Ok(()) };
        let pushed = classes.entry(class).or_default().push_row(row, nth_id(first_id, place));
        // Neither longer nor shorter than it was.
        let damaged = || Corrupt::damaged("row", "it is not as it was written");
        matches!(pushed, Some(Ok(()))).then_some(()).ok_or_else(damaged)
    })?;
    let blocks = classes.into_iter().flat_map(|(class, encoder)| {
        encoder.finish().into_iter().map(move |block| (class.to_owned(), block))
    });
    Ok(blocks.collect())
}

fn for_each_row<'a>(
    blocks: &'a [Block],
    mut work: impl FnMut(&'a str, Row<'_>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    for (class, block) in blocks {
        let rows = rows::unpack(block.codec, &block.bytes)?;
        rows.rows().try_for_each(|row| work(class, row))?;
    }
    Ok(())
}

/// The other way round of `nth_id`.
fn nth_of(first: Uuid, id: Uuid) -> u32 {
    u32::try_from(id.as_u128().wrapping_sub(first.as_u128())).unwrap_or(u32::MAX)
}
