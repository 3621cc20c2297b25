//! From raw records to blocks: each is normalised, passes its tenant's pipeline, is numbered and encoded before the next
//! is looked at.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use uuid::Uuid;

use super::{Block, How, Taken, nth_id};
use crate::{
    app::{Error, configs::Known},
    engine::{
        block::{
            MAX_ROW_BYTES,
            rows::{self, TooLong},
        },
        pattern::{FormBuf, PatternId, form},
        pipeline::{Effects, Options, Passed, Pipeline, Subject, Way},
        record::{
            model::Record,
            normalise::{self, Context, Raw, RawRecord},
            plain::{Additions, Plain},
            rejection::Rejection,
            timestamp::Timestamp,
        },
        retention::{self, Class, DAY_MS, Place},
        triage::Observation,
        wire::batch,
    },
};

/// What the rows of one request may take: a shard holds all of them, and 16 MB more, while it flushes. Some protocols say once what
/// is of many records, and each row says it again.
const MAX_ROWS_BYTES: usize = 32 << 20;

/// What decides about a record besides the record.
pub(super) struct About<'a> {
    pub(super) known: &'a Known,
    /// Absent for the audit stream, whose records the service writes itself.
    pub(super) pipeline: Option<&'a Pipeline>,
    pub(super) sent: &'a How<'a>,
    pub(super) received_at: Timestamp,
    pub(super) first_id: Uuid,
    /// Told of the messages that are taken, one of each form: its service, its form, and itself.
    pub(super) learn: &'a (dyn Fn(&str, PatternId, &str) + Sync),
}

/// What a batch has become.
#[derive(Default)]
pub(super) struct Encoded {
    pub(super) blocks: Vec<Block>,
    /// Records in them.
    pub(super) count: u32,
    pub(super) taken: Taken,
    pub(super) effects: Effects,
}

/// What would be stored of a record, or why nothing.
pub struct Dry {
    /// The record as it would be stored, as JSON.
    pub record: Result<Vec<u8>, Rejection>,
    /// How it was made; nothing for what is rejected.
    pub passed: Option<Passed>,
    /// The name of the class that it would be kept in.
    pub retention_class: String,
}

type Count<'c> = dyn FnMut(Observation) -> u32 + 'c;

impl About<'_> {
    fn options(&self) -> Options<'_> {
        Options { client: self.sent.client, redact: self.sent.redact }
    }

    fn check_service(&self, service: &str) -> Result<(), Rejection> {
        if self.sent.services.is_none_or(|own| own.iter().any(|own| own == service)) {
            return Ok(());
        }
        let message = format!("this key is not for the service {service:?}");
        Err(Rejection::of_field(Rejection::SERVICE_NOT_ALLOWED, "service", message))
    }

    /// Where a record is kept; refuses one that would expire at once.
    fn place(&self, class: Class, service: &str, time: Timestamp) -> Result<Place, Rejection> {
        let place = self.known.place(class, service);
        let days = self.known.days_at(place);
        if !retention::is_expired(time, days, self.received_at) {
            return Ok(place);
        }
        let oldest = Timestamp::from_ms(self.received_at.as_ms() - i64::from(days) * DAY_MS);
        let class = place.name();
        let message = format!(
            "expected a time since {oldest}, as long as {service} keeps logs of class {class}, got {time}"
        );
        Err(Rejection::of_field(Rejection::TIMESTAMP_TOO_OLD, "timestamp", message))
    }

    /// The long way of a record: as a tree.
    fn pass(
        &self,
        raw: RawRecord,
        id: Uuid,
        context: &Context<'_>,
        count: &mut Count<'_>,
    ) -> Result<(Record, Passed), Rejection> {
        let mut record = normalise::normalise(raw, id, context)?;
        self.check_service(&record.service)?;
        let passed = match self.pipeline {
            Some(pipeline) => pipeline.pass(&mut record, self.options(), count)?,
            None => Passed::untouched(Class::Standard),
        };
        Ok((record, passed))
    }
}

/// Runs `each` with the context of a batch.
fn with_context<T>(about: &About<'_>, each: impl FnOnce(&Context<'_>) -> T) -> T {
    let max_age_ms = |service: &str| u64::from(about.known.longest_days(service)) * DAY_MS.unsigned_abs();
    let level_in = |message: &str| about.pipeline?.level_in(message);
    each(&Context {
        received_at: about.received_at,
        max_age_ms: &max_age_ms,
        source: about.sent.source,
        level_in: &level_in,
    })
}

/// Takes each record, numbers those that are kept without a gap, and encodes each in the blocks of its place.
pub(super) fn encode<'a>(
    raw: impl IntoIterator<Item = Result<Raw<'a>, Rejection>>,
    about: &About<'_>,
    count: &mut Count<'_>,
) -> Result<Encoded, Error> {
    with_context(about, |context| {
        let (places, encoded, form, learnt) = Default::default();
        let mut encoding = Encoding { about, context, places, encoded, form, learnt };
        for (index, raw) in raw.into_iter().enumerate() {
            encoding.take(index, raw, count)?;
        }
        Ok(encoding.finish())
    })
}

struct Encoding<'a> {
    about: &'a About<'a>,
    context: &'a Context<'a>,
    places: BTreeMap<Place, rows::Encoder>,
    encoded: Encoded,
    form: FormBuf,
    /// The forms that were told of, by service.
    learnt: BTreeMap<String, HashSet<PatternId>>,
}

impl Encoding<'_> {
    fn take(
        &mut self,
        index: usize,
        raw: Result<Raw<'_>, Rejection>,
        count: &mut Count<'_>,
    ) -> Result<(), Error> {
        let id = nth_id(self.about.first_id, self.encoded.count as usize);
        if self.places.values().map(rows::Encoder::written).sum::<usize>() > MAX_ROWS_BYTES {
            let message = format!(
                "expected the records of a request to take at most {MAX_ROWS_BYTES} bytes when each is written out, got more"
            );
            self.note(index, Err(Rejection::new(Rejection::RECORD_TOO_LARGE, message)));
            return Ok(());
        }
        let raw = match raw {
            Ok(Raw::Plain(plain)) => {
                if let Some(pushed) = self.push_plain(&plain, id, count) {
                    self.note(index, Ok(pushed));
                    return Ok(());
                }
                // The long way does the rest, or tells what is wrong with it.
                batch::parse_record(plain.json)
            }
            Ok(Raw::Parsed(raw)) => Ok(raw),
            Err(rejection) => Err(rejection),
        };
        // Its place in the request and not the number it would get: what is sampled by its id must not all have one id.
        let own = nth_id(self.about.first_id, index);
        let passed = raw.and_then(|raw| self.about.pass(raw, own, self.context, count));
        match passed
            .map(|(record, passed)| (Record { id: if passed.dropped { own } else { id }, ..record }, passed))
        {
            Err(rejection) => self.note(index, Err(rejection)),
            Ok((record, passed)) if passed.dropped => {
                self.encoded.effects.note(&record, &passed);
                self.encoded.taken.dropped.push(index);
            }
            Ok((record, passed)) => match self.about.place(passed.class, &record.service, record.timestamp) {
                Err(rejection) => self.note(index, Err(rejection)),
                Ok(place) => {
                    let pushed = self.places.entry(place).or_default().push(&record)?;
                    if pushed.is_ok() {
                        self.encoded.effects.note(&record, &passed);
                        if let Some(form) = record.fields.pattern_id {
                            self.learn(&record.service, form, &record.message);
                        }
                    }
                    self.note(index, Ok(pushed));
                }
            },
        }
        Ok(())
    }

    /// The quick way; `None` when there is more to do for the record than to write it down, to count it and to tell of it.
    fn push_plain(
        &mut self,
        plain: &Plain<'_>,
        id: Uuid,
        count: &mut Count<'_>,
    ) -> Option<Result<(), TooLong>> {
        // The stored form of its service is what counts.
        if self.about.sent.services.is_some() {
            return None;
        }
        let (class, way) = match self.about.pipeline {
            Some(pipeline) => {
                let way = pipeline.plain(plain, self.about.options())?;
                (way.class, Some(way))
            }
            None => (Class::Standard, None),
        };
        let mut added = way.as_ref().map_or_else(Additions::default, Way::additions);
        let mut message = Cow::default();
        if self.about.pipeline.is_some_and(|pipeline| pipeline.steps.patterns) {
            message = plain.text("message")?;
            form(&message, &mut self.form);
            added.pattern = Some(self.form.id());
        }
        let time = plain.time(self.context);
        let place = self.about.place(class, plain.service(), time).ok()?;
        let encoder = self.places.entry(place).or_default();
        let received_at = self.about.received_at;
        let pushed = encoder.push_values(id, received_at, |row| plain.write(self.context, &added, row));
        if !matches!(pushed, Some(Ok(()))) {
            return pushed;
        }
        if let Some(way) = &way
            && let Some(passed) = way.pass(count)
        {
            let subject = Subject {
                id,
                received_at,
                service: plain.service(),
                level: way.level(),
                category: way.category(),
                message: &plain.text("message").unwrap_or_default(),
            };
            self.encoded.effects.note(subject, &passed);
        }
        if let Some(form) = added.pattern {
            self.learn(plain.service(), form, &message);
        }
        pushed
    }

    /// Tells of a message, once for all of a batch that have its form.
    fn learn(&mut self, service: &str, form: PatternId, message: &str) {
        if !self.learnt.contains_key(service) {
            self.learnt.insert(service.to_owned(), HashSet::new());
        }
        if self.learnt.get_mut(service).is_some_and(|learnt| learnt.insert(form)) {
            (self.about.learn)(service, form, message);
        }
    }

    fn note(&mut self, index: usize, pushed: Result<Result<(), TooLong>, Rejection>) {
        let rejected = match pushed {
            Ok(Ok(())) => {
                self.encoded.count += 1;
                return;
            }
            Ok(Err(TooLong { row_bytes })) => too_long(row_bytes),
            Err(rejection) => rejection,
        };
        self.encoded.taken.rejected.push((index, rejected));
    }

    fn finish(mut self) -> Encoded {
        let about = self.about;
        let blocks = self.places.into_iter().flat_map(|(place, encoder)| {
            // The audit stream has one class, which is called by its days.
            let class = match about.pipeline {
                Some(_) => place.name(),
                None => retention::class_of(about.known.days_at(place)),
            };
            encoder.finish().into_iter().map(move |block| (class.clone(), block))
        });
        self.encoded.blocks = blocks.collect();
        self.encoded
    }
}

/// The same without storing: what each record would be.
pub(super) fn dry_run<'a>(
    raw: impl IntoIterator<Item = Result<Raw<'a>, Rejection>>,
    about: &About<'_>,
    count: &mut Count<'_>,
) -> Result<Vec<Dry>, Error> {
    with_context(about, |context| {
        let mut all = Vec::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let id = nth_id(about.first_id, index);
            let raw = match raw {
                Ok(Raw::Plain(plain)) => batch::parse_record(plain.json),
                Ok(Raw::Parsed(raw)) => Ok(raw),
                Err(rejection) => Err(rejection),
            };
            let passed = raw.and_then(|raw| about.pass(raw, id, context, count));
            let placed = passed.and_then(|(record, passed)| {
                let place = about.place(passed.class, &record.service, record.timestamp)?;
                let row = serde_json::to_vec(&record).unwrap_or_default();
                if row.len() > MAX_ROW_BYTES {
                    return Err(too_long(row.len()));
                }
                Ok((row, passed, place))
            });
            all.push(match placed {
                Ok((row, passed, place)) => {
                    Dry { record: Ok(row), passed: Some(passed), retention_class: place.name() }
                }
                Err(rejection) => {
                    Dry { record: Err(rejection), passed: None, retention_class: String::new() }
                }
            });
        }
        Ok(all)
    })
}

fn too_long(row_bytes: usize) -> Rejection {
    let message = format!(
        "expected a record whose stored form is not larger than {MAX_ROW_BYTES} bytes, got {row_bytes}: \
         numbers such as 1e15 are stored in full"
    );
    Rejection::new(Rejection::RECORD_TOO_LARGE, message)
}
