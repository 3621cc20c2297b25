//! A record before it is stored: each of its texts, and metadata down to its last name.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    Failed, Redaction, Redactor,
    kind::Kind,
    pairs::{self, goes_whole},
    policy::Strategy,
    values::is_random,
};
use crate::engine::record::model::{Record, Status};

/// No deeper than `serde_json` reads.
const DEEPEST: usize = 128;

/// What becomes of a text.
enum Becomes {
    Itself,
    Text(String),
    /// It is dropped.
    Nothing,
}

impl Redactor {
    /// Redacts a record before it is stored.
    pub fn record(&self, record: &mut Record, found: &mut Vec<Redaction>) -> Result<(), Failed> {
        if !self.policy.enabled {
            return Ok(());
        }
        match self.changed("message", &record.message, found)? {
            Becomes::Itself => {}
            Becomes::Text(text) => record.message = text,
            Becomes::Nothing => "[REDACTED]".clone_into(&mut record.message),
        }
        let fields = &mut *record.fields;
        for (name, field) in [
            ("environment", &mut fields.environment),
            ("component", &mut fields.component),
            ("endpoint", &mut fields.endpoint),
            ("method", &mut fields.method),
            ("category", &mut fields.category),
            ("correlation_id", &mut fields.correlation_id),
            ("user_id", &mut fields.user_id),
            ("error_type", &mut fields.error_type),
            ("stack_trace", &mut fields.stack_trace),
            ("logger", &mut fields.logger),
            ("thread", &mut fields.thread),
            ("host", &mut fields.host),
        ] {
            let Some(text) = field else { continue };
            match self.changed(name, text, found)? {
                Becomes::Itself => {}
                Becomes::Text(changed) => *text = changed,
                Becomes::Nothing => *field = None,
            }
        }
        if let Some(Status::Name(text)) = &mut fields.status {
            match self.changed("status", text, found)? {
                Becomes::Itself => {}
                Becomes::Text(changed) => *text = changed,
                Becomes::Nothing => fields.status = None,
            }
        }
        let mut tags = Vec::with_capacity(fields.tags.len());
        for tag in std::mem::take(&mut fields.tags) {
            match self.changed("tags", &tag, found)? {
                Becomes::Itself => tags.push(tag),
                Becomes::Text(changed) => tags.push(changed),
                Becomes::Nothing => {}
            }
        }
        fields.tags = tags;
        let mut path = "metadata".to_owned();
        if let Some(strategy) = self.of_field(&path).filter(|strategy| *strategy != Strategy::Keep) {
            let text = Value::Object(std::mem::take(&mut fields.metadata)).to_string();
            if let Some(mark) =
                self.whole(Kind::Field, strategy, &path, &text, found).filter(|_| text != "{}")
            {
                fields.metadata.insert("redacted".to_owned(), Value::String(mark));
            }
            return Ok(());
        }
        self.object(&mut fields.metadata, &mut path, 1, found)
    }

    /// What becomes of a text.
    fn changed(&self, field: &str, text: &str, found: &mut Vec<Redaction>) -> Result<Becomes, Failed> {
        Ok(match self.text(field, text, found)? {
            None => Becomes::Nothing,
            Some(Cow::Borrowed(_)) => Becomes::Itself,
            Some(Cow::Owned(text)) => Becomes::Text(text),
        })
    }

    fn object(
        &self,
        object: &mut Map<String, Value>,
        path: &mut String,
        depth: usize,
        found: &mut Vec<Redaction>,
    ) -> Result<(), Failed> {
        let length = path.len();
        let mut renamed = Vec::new();
        let mut dropped = Vec::new();
        for (key, value) in object.iter_mut() {
            path.push('.');
            path.push_str(key);
            let kept = self.value(key, value, path, depth, found)?;
            path.truncate(length);
            if !kept {
                dropped.push(key.clone());
            } else if !self.is_untouched(path) {
                // A name is a text as well, and no word beside itself.
                match self.changed(path, key, found)? {
                    Becomes::Itself => {}
                    Becomes::Nothing => dropped.push(key.clone()),
                    Becomes::Text(name) => renamed.push((key.clone(), name)),
                }
            }
        }
        for key in &dropped {
            object.shift_remove(key);
        }
        if !renamed.is_empty() {
            *object = with_names(std::mem::take(object), &renamed);
        }
        Ok(())
    }

    /// Redacts a value below a name; false: it is dropped.
    fn value(
        &self,
        name: &str,
        value: &mut Value,
        path: &mut String,
        depth: usize,
        found: &mut Vec<Redaction>,
    ) -> Result<bool, Failed> {
        if depth > DEEPEST {
            return Err(Failed::TooDeep(DEEPEST));
        }
        if matches!(value, Value::Null | Value::Bool(_)) && self.of_field(path).is_none() {
            return Ok(true);
        }
        if self.is_untouched(path) {
            return Ok(true);
        }
        if let Some(strategy) = self.of_field(path) {
            return Ok(self.whole_value(Kind::Field, strategy, value, path, found));
        }
        let strategy = self.strategy(Kind::Secret);
        if strategy != Strategy::Keep && goes_whole(name.as_bytes()) {
            return Ok(self.whole_value(Kind::Secret, strategy, value, path, found));
        }
        match value {
            Value::String(text) => {
                let named = pairs::may_be_secret(name.as_bytes()) && is_random(text.as_bytes());
                if strategy != Strategy::Keep && named {
                    return Ok(self.whole_value(Kind::Secret, strategy, value, path, found));
                }
                match self.changed(path, text, found)? {
                    Becomes::Itself => {}
                    Becomes::Text(changed) => *text = changed,
                    Becomes::Nothing => return Ok(false),
                }
            }
            Value::Number(number) if number.is_u64() || number.is_i64() => {
                let digits = number.to_string();
                if digits.len() >= 7 {
                    match self.changed(path, &digits, found)? {
                        Becomes::Itself => {}
                        Becomes::Text(changed) => *value = Value::String(changed),
                        Becomes::Nothing => return Ok(false),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::Array(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for mut item in std::mem::take(items) {
                    if self.value("", &mut item, path, depth + 1, found)? {
                        kept.push(item);
                    }
                }
                *items = kept;
            }
            Value::Object(fields) => self.object(fields, path, depth + 1, found)?,
        }
        Ok(true)
    }

    /// Puts a mark in place of a value and all below it; false: it is dropped.
    fn whole_value(
        &self,
        kind: Kind,
        strategy: Strategy,
        value: &mut Value,
        path: &str,
        found: &mut Vec<Redaction>,
    ) -> bool {
        let text = match &mut *value {
            Value::String(text) => std::mem::take(text),
            Value::Null | Value::Bool(_) if kind == Kind::Secret => return true,
            other => other.to_string(),
        };
        match self.whole(kind, strategy, path, &text, found) {
            Some(mark) => {
                *value = Value::String(mark);
                true
            }
            None => false,
        }
    }
}

/// The same object, some of its names changed. A name that is there already gets a number.
fn with_names(object: Map<String, Value>, renamed: &[(String, String)]) -> Map<String, Value> {
    let mut left = Map::with_capacity(object.len());
    for (key, value) in object {
        let name = renamed.iter().find(|(old, _)| *old == key).map_or(&key, |(_, new)| new);
        let mut free = name.clone();
        let mut number = 2;
        while left.contains_key(&free) {
            free = format!("{name} {number}");
            number += 1;
        }
        left.insert(free, value);
    }
    left
}
