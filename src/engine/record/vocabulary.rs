//! The spellings under which a field may come in, and the sorting of one raw object by them.
//!
//! It decides which value belongs to which field and never what the value means. Invariant: a value that
//! is not chosen for a field is kept for the metadata; only `null` under a known spelling is dropped.

use serde_json::{Map, Value};

use super::field::Field;

/// What the spellings lead to; each slot is read by one line of `normalise`. Texts come first, in the order in
/// which they are stored: `plain` counts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Message,
    Environment,
    Component,
    Endpoint,
    Method,
    Category,
    CorrelationId,
    TraceId,
    SpanId,
    UserId,
    ErrorType,
    StackTrace,
    Logger,
    Thread,
    Host,
    Service,
    Level,
    Timestamp,
    Status,
    Duration,
    SampleRate,
    Tags,
    Metadata,
}

const SLOTS: usize = Slot::Metadata as usize + 1;

impl Slot {
    /// The field of a row that it becomes; a timestamp is none.
    pub(super) const fn field(self) -> Option<Field> {
        Some(match self {
            Self::Timestamp => return None,
            Self::Service => Field::Service,
            Self::Component => Field::Component,
            Self::Message => Field::Message,
            Self::Level => Field::Level,
            Self::Environment => Field::Environment,
            Self::Endpoint => Field::Endpoint,
            Self::Method => Field::Method,
            Self::Category => Field::Category,
            Self::CorrelationId => Field::CorrelationId,
            Self::TraceId => Field::TraceId,
            Self::SpanId => Field::SpanId,
            Self::UserId => Field::UserId,
            Self::ErrorType => Field::ErrorType,
            Self::StackTrace => Field::StackTrace,
            Self::Logger => Field::Logger,
            Self::Thread => Field::Thread,
            Self::Status => Field::Status,
            Self::Duration => Field::DurationMs,
            Self::Host => Field::Host,
            Self::SampleRate => Field::SampleRate,
            Self::Tags => Field::Tags,
            Self::Metadata => Field::Metadata,
        })
    }

    /// The name under which a record is stored with it.
    pub(super) const fn stored(self) -> &'static str {
        match self.field() {
            Some(field) => field.name(),
            None => "timestamp",
        }
    }
}

/// The field that a spelling leads to, by the name it is stored under; `None` is metadata.
pub fn stored_name(spelling: &str) -> Option<&'static str> {
    place(spelling).map(|(slot, _)| slot.stored())
}

/// The slot of a spelling, and its place among those of the slot.
pub(super) fn place(key: &str) -> Option<(Slot, usize)> {
    let mut seat = seat_of(key.as_bytes());
    // Fewer than all seats are taken, so this comes to an empty one.
    while let Some(spelling) = INDEX.get(seat)? {
        if spelling.text == key {
            return Some((spelling.slot, spelling.rank));
        }
        seat = (seat + 1) % SEATS;
    }
    None
}

/// Whether a level under this spelling is one of OTLP's numbers.
pub(super) fn is_otlp_level(key: &str) -> bool {
    matches!(key, "severity_number" | "severityNumber")
}

/// Whether a duration under this spelling is in seconds.
pub(super) fn is_in_seconds(key: &str) -> bool {
    matches!(key, "execution_time_seconds" | "executionTimeSeconds")
}

/// Whether an unknown field of this name makes a record a workflow's report.
pub(super) fn is_of_workflow(key: &str) -> bool {
    WORKFLOW.contains(&key)
}

const WORKFLOW: [&str; 3] = ["workflow_version", "ticket_id", "client_id"];

/// When several spellings of one field are sent, the first of its line is taken.
pub(super) const VOCABULARY: &[(Slot, &[&str])] = &[
    (Slot::Message, &["message", "msg", "body", "text"]),
    (Slot::Service, &["service_name", "serviceName", "service", "app", "application"]),
    (
        Slot::Level,
        &[
            "level",
            "severity",
            "severity_text",
            "severityText",
            "log_level",
            "logLevel",
            "severity_number",
            "severityNumber",
        ],
    ),
    (Slot::Timestamp, &["timestamp", "executed_at", "executedAt", "time", "@timestamp", "ts"]),
    (Slot::Component, &["component"]),
    (Slot::Environment, &["environment", "env"]),
    (Slot::Endpoint, &["endpoint", "request_path", "requestPath", "path"]),
    (Slot::Method, &["request_method", "requestMethod", "method"]),
    (Slot::Category, &["category"]),
    (Slot::CorrelationId, &["correlation_id", "correlationId", "request_id", "requestId"]),
    (Slot::TraceId, &["trace_id", "traceId"]),
    (Slot::SpanId, &["span_id", "spanId"]),
    (Slot::UserId, &["user_id", "userId"]),
    (Slot::ErrorType, &["error_type", "errorType"]),
    (Slot::StackTrace, &["stack_trace", "stackTrace"]),
    (Slot::Logger, &["logger", "logger_name", "loggerName"]),
    (Slot::Thread, &["thread", "thread_name", "threadName"]),
    (Slot::Status, &["status", "response_status", "responseStatus", "status_code", "statusCode"]),
    (Slot::Duration, &["duration_ms", "durationMs", "execution_time_seconds", "executionTimeSeconds"]),
    (Slot::Host, &["host", "hostname"]),
    (Slot::SampleRate, &["sample_rate", "sampleRate"]),
    (Slot::Tags, &["tags"]),
    (Slot::Metadata, &["metadata"]),
];

#[derive(Clone, Copy)]
struct Spelling {
    text: &'static str,
    slot: Slot,
    rank: usize,
}

/// About two for each spelling.
const SEATS: usize = 128;

/// The vocabulary by its letters: every field of every log is looked up. A spelling sits where `seat_of` leads,
/// or on the next empty seat.
static INDEX: [Option<Spelling>; SEATS] = index();

#[expect(clippy::indexing_slicing, reason = "the compiler runs it: out of bounds does not build")]
const fn index() -> [Option<Spelling>; SEATS] {
    let mut seats = [None; SEATS];
    let mut line = 0;
    while line < VOCABULARY.len() {
        let (slot, spellings) = VOCABULARY[line];
        let mut rank = 0;
        while rank < spellings.len() {
            let text = spellings[rank];
            let mut seat = seat_of(text.as_bytes());
            while seats[seat].is_some() {
                seat = (seat + 1) % SEATS;
            }
            seats[seat] = Some(Spelling { text, slot, rank });
            rank += 1;
        }
        line += 1;
    }
    seats
}

/// The factors are those of a few thousand tried with which the fewest spellings want the same seat.
const fn seat_of(key: &[u8]) -> usize {
    match (key.first(), key.last()) {
        (Some(first), Some(last)) => (*first as usize * 19 + *last as usize * 13 + key.len() * 35) % SEATS,
        _ => 0,
    }
}

/// One value with the spelling it came under.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: Value,
    rank: usize,
}

/// One raw object, sorted: at most one value a slot, and the rest in the order it came.
pub(super) struct Sorted {
    slots: [Option<Found>; SLOTS],
    pub(super) rest: Vec<(String, Value)>,
}

impl Sorted {
    pub(super) fn new(raw: Map<String, Value>) -> Self {
        let mut sorted = Self { slots: [const { None }; SLOTS], rest: Vec::new() };
        for (key, value) in raw {
            match place(&key) {
                None => sorted.rest.push((key, value)),
                Some(_) if value.is_null() => {}
                Some((slot, rank)) => sorted.put(slot, Found { key, value, rank }),
            }
        }
        sorted
    }

    pub(super) fn take(&mut self, slot: Slot) -> Option<Found> {
        self.slots.get_mut(slot as usize).and_then(Option::take)
    }

    /// A workflow's report has its own rules for what it must carry.
    pub(super) fn is_workflow(&self) -> bool {
        WORKFLOW.iter().any(|key| self.scalar(key).is_some())
    }

    /// The text of an unknown field that is a string, a number or a boolean.
    pub(super) fn scalar(&self, key: &str) -> Option<String> {
        let (_, value) = self.rest.iter().find(|(name, _)| name == key)?;
        scalar_text(value)
    }

    fn put(&mut self, slot: Slot, found: Found) {
        let Some(seat) = self.slots.get_mut(slot as usize) else { return };
        let loser = match seat {
            Some(seated) if seated.rank < found.rank => found,
            seat => match seat.replace(found) {
                Some(unseated) => unseated,
                None => return,
            },
        };
        self.rest.push((loser.key, loser.value));
    }
}

/// A string as it is, a number or boolean as its JSON text.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(raw: Value) -> Sorted {
        match raw {
            Value::Object(fields) => Sorted::new(fields),
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn every_slot_has_its_line_and_every_spelling_one_place() {
        assert_eq!(VOCABULARY.len(), SLOTS);
        for (slot, spellings) in VOCABULARY {
            for (rank, spelling) in spellings.iter().enumerate() {
                assert_eq!(place(spelling), Some((*slot, rank)), "{spelling}");
                assert_eq!(stored_name(spelling), Some(slot.stored()));
            }
            assert!(spellings.contains(&slot.stored()), "{slot:?}");
        }
        let spellings = VOCABULARY.iter().map(|(_, spellings)| spellings.len()).sum::<usize>();
        assert_eq!(INDEX.iter().flatten().count(), spellings);
        assert!(spellings < SEATS);
    }

    #[test]
    fn what_is_nearly_a_spelling_has_no_place() {
        for spelling in VOCABULARY.iter().flat_map(|(_, spellings)| *spellings) {
            for near in [
                spelling.to_uppercase(),
                format!("{spelling}_"),
                format!(" {spelling}"),
                // Mostly of the same length, first and last letter.
                spelling.replace('_', "-"),
                spelling.replace('e', "E"),
            ] {
                let known = VOCABULARY.iter().any(|(_, spellings)| spellings.contains(&near.as_str()));
                assert_eq!(place(&near).is_some(), known, "{near}");
            }
        }
        for key in ["", "x", "id", "source_type", "ünï", "client_id"] {
            assert_eq!(place(key), None, "{key}");
        }
    }

    #[test]
    fn every_spelling_stands_in_the_documentation() {
        let page = include_str!("../../../docs/fields.md");
        for spelling in VOCABULARY.iter().flat_map(|(_, spellings)| *spellings) {
            assert!(page.contains(&format!("`{spelling}`")), "`{spelling}` is not in docs/fields.md");
        }
    }

    #[test]
    fn the_first_spelling_wins_in_whatever_order_they_come() {
        for raw in [
            json!({"msg": 1, "message": 2, "text": 3}),
            json!({"text": 3, "message": 2, "msg": 1, "body": null}),
        ] {
            let mut sorted = sorted(raw);
            assert_eq!(sorted.take(Slot::Message).map(|found| found.value), Some(json!(2)));
            sorted.rest.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(sorted.rest, [("msg".to_owned(), json!(1)), ("text".to_owned(), json!(3))]);
        }
    }

    #[test]
    fn null_is_absent_in_a_known_field_and_kept_in_an_unknown_one() {
        let mut sorted = sorted(json!({"message": null, "msg": "m", "other": null}));
        assert_eq!(sorted.take(Slot::Message).map(|found| found.key), Some("msg".to_owned()));
        assert_eq!(sorted.rest, [("other".to_owned(), Value::Null)]);
    }
}
