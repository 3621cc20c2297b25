//! Taking records in: normalise, number, encode, make durable.

mod quota;

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{App, Error, configs};
use crate::{
    engine::{
        block::{
            MAX_ROW_BYTES, key,
            rows::{self, TooLong},
        },
        record::{
            model::SourceType,
            normalise::{self, Raw, RawRecord},
            rejection::Rejection,
            timestamp::Timestamp,
        },
        retention,
        shard::{Header, RequestKey, append},
        tenant::Tenant,
        wire::batch,
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
    pub source: SourceType,
    pub key: Option<RequestKey>,
    /// The services that the sender may write; all when absent.
    pub services: Option<&'a [String]>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The ids of the accepted records, in their order.
    pub ids: Vec<Uuid>,
    /// The others by their index in the request.
    pub rejected: Vec<(usize, Rejection)>,
    /// Seconds until there is room again, when some were over a daily quota.
    pub over_quota_s: Option<u64>,
}

/// Stores what is good of a batch. When this returns, every id in it is durable and can be found.
pub async fn ingest<'a, I>(app: &App, tenant: &Tenant, sent: Batch<'_, I>) -> Result<Taken, Error>
where
    I: IntoIterator<Item = Result<Raw<'a>, Rejection>>,
{
    let known = configs::known_or_last(app, tenant).await;
    let received_at = app.now();
    let first_id = first_id(received_at, app.random.bits());
    let rules = Rules { known: &known, services: sent.services };
    let (blocks, count, mut taken) = encode(sent.records, sent.source, first_id, received_at, &rules)?;
    if count == 0 {
        return Ok(taken);
    }
    let header = Header::new(first_id, count, sent.key);
    let kept = if known.has_quotas() {
        let counted = quota::Counted::of(&known, &taken, header, blocks)?;
        quota::keep_counted(app, tenant, counted, &mut taken).await?
    } else {
        keep(app, tenant, &header, &blocks).await?
    };
    if let Appended::Stored { first_id, count, .. } = kept {
        taken.ids = (0..count as usize).map(|nth| nth_id(first_id, nth)).collect();
    }
    Ok(taken)
}

/// What decides about a record besides the record.
struct Rules<'a> {
    known: &'a configs::Known,
    services: Option<&'a [String]>,
}

impl Rules<'_> {
    fn check(&self, service: &str) -> Result<(), Rejection> {
        if self.services.is_none_or(|own| own.iter().any(|own| own == service)) {
            return Ok(());
        }
        let message = format!("this key is not for the service {service:?}");
        Err(Rejection::of_field(Rejection::SERVICE_NOT_ALLOWED, "service", message))
    }
}

/// A block with its retention class.
type Block = (String, rows::Encoded);

/// Normalises each record, numbers those that are good without a gap, and encodes each in the blocks of its
/// retention class before it looks at the next. Answers the blocks, how many records are in them, and the
/// rejections of the others.
fn encode<'a>(
    raw: impl IntoIterator<Item = Result<Raw<'a>, Rejection>>,
    source: SourceType,
    first_id: Uuid,
    received_at: Timestamp,
    rules: &Rules<'_>,
) -> Result<(Vec<Block>, u32, Taken), Error> {
    let known = rules.known;
    let max_age_ms = |service: &str| u64::from(known.ttl_days(service)) * retention::DAY_MS.unsigned_abs();
    let context = normalise::Context { received_at, max_age_ms: &max_age_ms, source };
    let mut classes: BTreeMap<u32, rows::Encoder> = BTreeMap::new();
    let mut taken = Taken::default();
    let mut count = 0;
    for (index, raw) in raw.into_iter().enumerate() {
        let id = nth_id(first_id, count as usize);
        let pushed = match raw {
            Ok(Raw::Plain(plain)) if rules.services.is_none() => {
                let encoder = classes.entry(known.ttl_days(plain.service())).or_default();
                match encoder.push_written(|row| plain.write(id, &context, row)) {
                    Some(pushed) => Ok(pushed),
                    // The long way tells what is wrong with it.
                    None => match batch::parse_record(plain.json) {
                        Ok(raw) => push(&mut classes, rules, raw, id, &context)?,
                        Err(rejection) => Err(rejection),
                    },
                }
            }
            // The stored form of its service is what counts.
            Ok(Raw::Plain(plain)) => match batch::parse_record(plain.json) {
                Ok(raw) => push(&mut classes, rules, raw, id, &context)?,
                Err(rejection) => Err(rejection),
            },
            Ok(Raw::Parsed(raw)) => push(&mut classes, rules, raw, id, &context)?,
            Err(rejection) => Err(rejection),
        };
        match pushed {
            Ok(Ok(())) => count += 1,
            Ok(Err(TooLong { row_bytes })) => taken.rejected.push((index, too_long(row_bytes))),
            Err(rejection) => taken.rejected.push((index, rejection)),
        }
    }
    let blocks = classes.into_iter().flat_map(|(ttl_days, encoder)| {
        encoder.finish().into_iter().map(move |block| (retention::class_of(ttl_days), block))
    });
    Ok((blocks.collect(), count, taken))
}

/// The long way of a record: as a tree.
fn push(
    classes: &mut BTreeMap<u32, rows::Encoder>,
    rules: &Rules<'_>,
    raw: RawRecord,
    id: Uuid,
    context: &normalise::Context<'_>,
) -> Result<Result<Result<(), TooLong>, Rejection>, Error> {
    let record = match normalise::normalise(raw, id, context) {
        Ok(record) => record,
        Err(rejection) => return Ok(Err(rejection)),
    };
    if let Err(rejection) = rules.check(&record.service) {
        return Ok(Err(rejection));
    }
    Ok(Ok(classes.entry(rules.known.ttl_days(&record.service)).or_default().push(&record)?))
}

fn too_long(row_bytes: usize) -> Rejection {
    let message = format!(
        "expected a record whose stored form is not larger than {MAX_ROW_BYTES} bytes, got {row_bytes}: \
         numbers such as 1e15 are stored in full"
    );
    Rejection::new(Rejection::RECORD_TOO_LARGE, message)
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
fn first_id(time: Timestamp, random: u128) -> Uuid {
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
