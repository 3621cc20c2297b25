//! How a record is shown.

use serde_json::{Value, json};

use crate::{app::search::Stored, engine::record::model::Record};

/// Characters of a message that a list shows.
const SHOWN_CHARS: usize = 1_000;

/// A record for a list: its message cut.
pub(super) fn brief(stored: &Stored) -> Value {
    let record = &stored.record;
    let Some((at, _)) = record.message.char_indices().nth(SHOWN_CHARS) else { return whole(stored) };
    let (shown, _) = record.message.split_at(at);
    let mut cut = whole_without_message(record);
    if let Some(fields) = cut.as_object_mut() {
        fields.insert("message".into(), shown.into());
        fields.insert("message_truncated".into(), true.into());
        fields.insert("message_length".into(), record.message.chars().count().into());
    }
    with_key(cut, stored)
}

/// A record with everything it has.
pub(super) fn whole(stored: &Stored) -> Value {
    with_key(json!(stored.record), stored)
}

fn whole_without_message(record: &Record) -> Value {
    json!(Record { message: String::new(), ..record.clone() })
}

fn with_key(mut record: Value, stored: &Stored) -> Value {
    if let Some(fields) = record.as_object_mut() {
        fields.insert("r2_key".into(), json!(stored.key.as_deref()));
    }
    record
}
