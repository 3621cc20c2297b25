//! How a record is shown: as the JSON it is stored as, with what is to be changed changed in the text.
//!
//! No tree is made of it: a page may hold 16 MB of rows, and a tree takes many times that.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    app::{scan::Stats, search::Stored},
    engine::block::Corrupt,
};

/// Characters of a message that a list shows.
const SHOWN_CHARS: usize = 1_000;

/// Room for what is added to a row: the key of its segment, and what is said of a cut message.
pub(super) const ADDED_BYTES: usize = 250;

/// What an answer cost.
pub(in crate::http) fn stats(stats: &Stats) -> Value {
    let mut shown = json!(stats);
    if let Some(fields) = shown.as_object_mut() {
        // Of a billionth of a dollar there is no part.
        fields.insert("cost_usd".into(), json!((stats.cost_usd() * 1e9).round() / 1e9));
    }
    shown
}

/// Writes records as the members of an array, and behind it the members of `rest`.
pub(super) fn list(rows: Vec<Stored>, rest: &Value, marked: Option<usize>) -> Result<Vec<u8>, Corrupt> {
    let rest = rest.to_string();
    let room = rows.iter().map(|row| row.line.len() + ADDED_BYTES).sum::<usize>();
    let mut body = Vec::with_capacity(room + rest.len() + 16);
    body.extend_from_slice(b"{\"data\":[");
    for (nth, row) in rows.into_iter().enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        brief(&row, &mut body)?;
        if marked == Some(nth) && body.pop().is_some() {
            body.extend_from_slice(b",\"marked\":true}");
        }
    }
    body.extend_from_slice(b"],");
    body.extend_from_slice(rest.trim_start_matches('{').as_bytes());
    body.push(b'\n');
    Ok(body)
}

/// Writes a record for a list: its message cut.
pub(super) fn brief(stored: &Stored, into: &mut Vec<u8>) -> Result<(), Corrupt> {
    let line = &stored.line;
    // A line as short as this has no room for a longer message.
    let cut = if line.len() <= SHOWN_CHARS { None } else { Cut::of(line)? };
    match cut {
        None => open(line, into)?,
        Some(cut) => {
            into.extend_from_slice(cut.before);
            into.extend_from_slice(json!(cut.shown).to_string().as_bytes());
            open(cut.behind, into)?;
            let added = format!(",\"message_truncated\":true,\"message_length\":{}", cut.chars);
            into.extend_from_slice(added.as_bytes());
        }
    }
    close(stored, into);
    Ok(())
}

/// Writes a record with everything it has.
pub(super) fn whole(stored: &Stored, into: &mut Vec<u8>) -> Result<(), Corrupt> {
    open(&stored.line, into)?;
    close(stored, into);
    Ok(())
}

/// A row without its closing brace.
fn open(line: &[u8], into: &mut Vec<u8>) -> Result<(), Corrupt> {
    let fields = line.strip_suffix(b"}").ok_or_else(|| Corrupt::damaged("row", "it does not end"))?;
    into.extend_from_slice(fields);
    Ok(())
}

fn close(stored: &Stored, into: &mut Vec<u8>) {
    into.extend_from_slice(b",\"r2_key\":");
    into.extend_from_slice(json!(stored.key.as_deref()).to_string().as_bytes());
    into.push(b'}');
}

/// A row around a message that is too long.
struct Cut<'a> {
    before: &'a [u8],
    shown: String,
    chars: usize,
    behind: &'a [u8],
}

impl<'a> Cut<'a> {
    fn of(line: &'a [u8]) -> Result<Option<Self>, Corrupt> {
        #[derive(Deserialize)]
        struct Row<'a> {
            #[serde(borrow)]
            message: &'a RawValue,
        }

        let damaged = |error| Corrupt::damaged("row", error);
        let raw = serde_json::from_slice::<Row<'_>>(line).map_err(damaged)?.message.get();
        if raw.len() <= SHOWN_CHARS {
            return Ok(None);
        }
        let mut shown: String = serde_json::from_str(raw).map_err(damaged)?;
        let Some((at, _)) = shown.char_indices().nth(SHOWN_CHARS) else { return Ok(None) };
        let chars = shown.chars().count();
        shown.truncate(at);
        // `raw` is a part of `line`.
        let start = raw.as_ptr().addr().saturating_sub(line.as_ptr().addr());
        let before = line.get(..start).unwrap_or_default();
        let behind = line.get(start + raw.len()..).unwrap_or_default();
        Ok(Some(Self { before, shown, chars, behind }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;
    use crate::engine::record::{
        model::{Fields, Level, Record, SourceType},
        timestamp::Timestamp,
    };

    fn record(message: String, stack_trace: Option<String>, metadata: Map<String, Value>) -> Record {
        let at = Timestamp::from_ms(1_763_683_200_000);
        let fields = Fields { stack_trace, metadata, source_type: SourceType::Http, ..Fields::default() };
        Record {
            id: Uuid::nil(),
            timestamp: at,
            received_at: at,
            service: "api".into(),
            level: Level::Info,
            message,
            fields: Box::new(fields),
        }
    }

    /// The same by way of trees.
    fn by_trees(record: &Record, key: Option<&str>, cut: bool) -> Value {
        let mut shown = json!(record);
        let chars = record.message.chars().count();
        if cut && chars > SHOWN_CHARS {
            shown["message"] = record.message.chars().take(SHOWN_CHARS).collect::<String>().into();
            shown["message_truncated"] = true.into();
            shown["message_length"] = chars.into();
        }
        shown["r2_key"] = json!(key);
        shown
    }

    fn check(record: &Record, key: Option<&str>) {
        let line = serde_json::to_vec(record).unwrap().into();
        let stored = Stored { line, key: key.map(Into::into) };
        for (show, cut) in [(brief as fn(&Stored, &mut Vec<u8>) -> _, true), (whole, false)] {
            let mut text = Vec::new();
            show(&stored, &mut text).unwrap();
            let expected = by_trees(record, key, cut);
            assert_eq!(String::from_utf8(text).unwrap(), expected.to_string());
        }
    }

    #[test]
    fn a_message_is_cut_behind_a_thousand_characters() {
        for one in ["x", "\"", "\\", "\n", "\u{1}", "é", "😀"] {
            for count in [0, 1, 250, 999, 1_000, 1_001, 4_000] {
                check(&record(one.repeat(count), None, Map::new()), Some("logs/default/x"));
            }
        }
    }

    fn long_text() -> impl Strategy<Value = String> {
        ("[ -~\n\u{e9}\u{1f600}]{0,40}", 0..60_usize).prop_map(|(text, times)| text.repeat(times))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_row_is_shown_as_its_tree_would_be(
            message in long_text(),
            stack_trace in prop::option::of(long_text()),
            names in prop::collection::vec(("message|r2_key|[a-z\"]{0,3}", long_text()), 0..4),
            key in prop::option::of("[a-z/\"]{1,9}"),
        ) {
            let metadata = names.into_iter().map(|(name, text)| (name, json!({ "message": text }))).collect();
            check(&record(message, stack_trace, metadata), key.as_deref());
        }
    }
}
