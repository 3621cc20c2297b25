//! Taking records in: normalise, number, encode, make durable.

mod encode;
mod quota;

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

pub use encode::Dry;
use encode::{About, Encoded};

use super::{App, Error, configs, pipelines, watch};
use crate::{
    engine::{
        block::{key, rows},
        pipeline::{Client, Effects},
        record::{model::SourceType, normalise::Raw, rejection::Rejection, timestamp::Timestamp},
        shard::{Header, RequestKey, append},
        tenant::Tenant,
        triage::{Observation, Windows},
    },
    ports::{ShardName, shards::Appended},
};

/// Ids of one request differ in their last 20 bits only.
const COUNTER_BITS: u32 = 20;

/// The shard that counts, and so has all that is counted.
const COUNTS: u32 = 0;

/// What came in one request. `records` gives each record when it is asked for, and one that could not be
/// read as its rejection: they are taken one at a time, because a batch of trees takes up to 60 times the
/// memory of its text.
#[derive(Clone, Debug)]
pub struct Batch<'a, I> {
    pub records: I,
    pub key: Option<RequestKey>,
    pub how: How<'a>,
}

/// How records came in.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    pub source: SourceType,
    /// The services that the sender may write; all when absent.
    pub services: Option<&'a [String]>,
    /// Who sent them, where that is kept.
    pub client: Option<&'a Client>,
    /// Whether they are redacted.
    pub redact: bool,
}

impl How<'_> {
    pub const fn of(source: SourceType) -> Self {
        Self { source, services: None, client: None, redact: true }
    }
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The ids of the accepted records, in their order.
    pub ids: Vec<Uuid>,
    /// Those that are not, by their index in the request.
    pub rejected: Vec<(usize, Rejection)>,
    /// Those that a rule dropped or sampled out, by their index.
    pub dropped: Vec<usize>,
    /// Seconds until there is room again, when some were over a daily quota.
    pub over_quota_s: Option<u64>,
}

/// What this isolate has taken in, whatever the way.
#[derive(Debug, Default)]
pub struct Intake {
    accepted: AtomicU64,
    rejected: AtomicU64,
}

impl Intake {
    /// Records accepted and rejected.
    pub fn counts(&self) -> (u64, u64) {
        (self.accepted.load(Ordering::Relaxed), self.rejected.load(Ordering::Relaxed))
    }

    fn count(&self, taken: &Taken) {
        self.accepted.fetch_add(taken.ids.len() as u64, Ordering::Relaxed);
        self.rejected.fetch_add(taken.rejected.len() as u64, Ordering::Relaxed);
    }
}

/// A block with its retention class.
type Block = (String, rows::Encoded);

/// Stores what is good of a batch. When this returns, every id in it is durable and can be found.
pub async fn ingest<'a, I>(app: &App, tenant: &Tenant, sent: Batch<'_, I>) -> Result<Taken, Error>
where
    I: IntoIterator<Item = Result<Raw<'a>, Rejection>>,
{
    let known = configs::known_or_last(app, tenant).await;
    let pipeline = if tenant.is_audit() { None } else { Some(pipelines::of(app, tenant).await?) };
    let (received_at, now_ms) = (app.now(), app.clock.now_ms());
    let first_id = first_id(received_at, app.random.bits());
    let mut effects = Effects::default();
    let mut count = |seen: Observation| {
        let counted = watch::count(app, tenant, &seen, now_ms);
        effects.observe(seen);
        counted
    };
    app.mined.begin();
    let learn = |service: &str, form, message: &str| app.mined.learn(tenant, service, form, message);
    let (sent_how, pipeline) = (&sent.how, pipeline.as_deref());
    let about = About { known: &known, pipeline, sent: sent_how, received_at, first_id, learn: &learn };
    let Encoded { blocks, count, mut taken, effects: fired } =
        encode::encode(sent.records, &about, &mut count)?;
    effects.merge(fired);
    if count == 0 {
        watch::report(app, tenant, effects);
        count_in(app, tenant, &taken);
        return Ok(taken);
    }
    let header = Header::new(first_id, count, sent.key);
    let kept = if known.has_quotas() {
        let counted = quota::Counted::of(&known, &taken, header, blocks)?;
        quota::keep_counted(app, tenant, counted, &mut taken).await?
    } else {
        keep(app, tenant, &header, &blocks).await?
    };
    let mut is_new = true;
    if let Appended::Stored { first_id, count, duplicate, .. } = kept {
        is_new = !duplicate;
        taken.ids = (0..count as usize).map(|nth| nth_id(first_id, nth)).collect();
    }
    if taken.over_quota_s.is_some() {
        // Records were numbered anew.
        effects.events.values_mut().for_each(|event| event.log_id = None);
    }
    // What is sent again was told of when it was new.
    if is_new {
        watch::report(app, tenant, effects);
        count_in(app, tenant, &taken);
    }
    Ok(taken)
}

/// The service's own stream is nobody's.
fn count_in(app: &App, tenant: &Tenant, taken: &Taken) {
    if !tenant.is_audit() {
        app.intake.count(taken);
    }
}

/// What would be stored of a batch. Nothing is; windows count this batch alone.
pub async fn dry_run<'a, I>(app: &App, tenant: &Tenant, sent: Batch<'_, I>) -> Result<Vec<Dry>, Error>
where
    I: IntoIterator<Item = Result<Raw<'a>, Rejection>>,
{
    let known = configs::known_or_last(app, tenant).await;
    let pipeline = pipelines::of(app, tenant).await?;
    let received_at = app.now();
    let first_id = first_id(received_at, app.random.bits());
    let mut windows = Windows::default();
    let now = app.clock.now_ms();
    let mut count = |seen: Observation| {
        windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, now)
    };
    let about = About {
        known: &known,
        pipeline: Some(&pipeline),
        sent: &sent.how,
        received_at,
        first_id,
        learn: &|_, _, _| {},
    };
    encode::dry_run(sent.records, &about, &mut count)
}

/// Makes an append durable in its shard, or in the spool when the shard cannot be reached. Answers the
/// ids under which it is stored, or that it is over a quota.
///
/// A request with a key is not spooled: only its shard knows whether it was stored before, and whoever
/// sends a key sends again.
async fn keep(app: &App, tenant: &Tenant, header: &Header, blocks: &[Block]) -> Result<Appended, Error> {
    let message = append::encode(header.clone(), blocks)?;
    let spread = match &header.key {
        // The same key must meet the same shard again.
        Some(key) => key.key.as_u128(),
        None => app.random.bits(),
    };
    let number = u32::try_from(spread % u128::from(app.settings.shards_per_tenant)).unwrap_or_default();
    let mut shard = ShardName { tenant: tenant.clone(), number };
    if header.quota.is_some() && number != COUNTS {
        if let Some(key) = &header.key {
            // It may have been stored there while nothing was counted.
            match app.shards.known(&shard, key).await? {
                Some(Appended::KeyReused) => return Err(Error::KeyReused),
                Some(stored @ Appended::Stored { .. }) => return Ok(stored),
                Some(Appended::OverQuota { .. }) | None => {}
            }
        }
        shard.number = COUNTS;
    }
    // What may have to be spooled is kept until the shard has answered.
    let copy = header.key.is_none().then(|| message.clone());
    match (app.shards.append(&shard, message).await, copy) {
        (Ok(Appended::KeyReused), _) => Err(Error::KeyReused),
        (Ok(kept), _) => Ok(kept),
        (Err(error), None) => Err(error.into()),
        // The append may have taken effect all the same: readers and the drain tell records apart by id.
        (Err(_), Some(message)) => spool(app, &shard, header, message).await,
    }
}

async fn spool(app: &App, shard: &ShardName, header: &Header, message: Vec<u8>) -> Result<Appended, Error> {
    let key = key::spool_key(shard.tenant.as_str(), shard.number, &header.first_id.to_string());
    app.objects.put(&key, message).await?;
    // Without the note readers find it when the cron has brought it home.
    let _ = app.catalog.note_spooled(shard.tenant.as_str(), &key).await;
    let (first_id, count) = (header.first_id, header.count);
    Ok(Appended::Stored { first_id, count, duplicate: false, refused: Vec::new() })
}

/// A `UUIDv7` whose counter is zero.
pub(super) fn first_id(time: Timestamp, random: u128) -> Uuid {
    let millis = u128::from(time.as_ms().unsigned_abs()) << 80;
    let version = 7 << 76;
    let variant = 2 << 62;
    let random = random & !(0xf << 76) & !(3 << 62) & ((1 << 80) - 1);
    Uuid::from_u128(millis | version | variant | (random >> COUNTER_BITS << COUNTER_BITS))
}

fn nth_id(first: Uuid, nth: usize) -> Uuid {
    Uuid::from_u128(first.as_u128().wrapping_add(nth as u128))
}

/// When the record of this id was received, if it is an id of ours.
pub(super) fn received_at(id: Uuid) -> Option<Timestamp> {
    let ms = i64::try_from(id.as_u128() >> 80).ok()?;
    (id.get_version_num() == 7).then(|| Timestamp::from_ms(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_count_up() {
        let time = Timestamp::from_ms(1_763_682_436_123);
        for random in [0, u128::MAX, 0x1234_5678_9abc_def0_1234_5678_9abc_def0] {
            let first = first_id(time, random);
            assert_eq!((first.get_version_num(), first.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(received_at(first), Some(time));
            let last = nth_id(first, (1 << COUNTER_BITS) - 1);
            assert!(last > first);
            assert_eq!(received_at(last), Some(time));
            assert_eq!((last.get_version_num(), last.get_variant()), (7, uuid::Variant::RFC4122));
        }
        assert_eq!(received_at(Uuid::nil()), None);
    }
}
