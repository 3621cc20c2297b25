//! Personal data, hidden on reading from who may not see it. What is stored stays as it is.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::{
    kind::Kind,
    scan::{self, Setting},
};

/// What stands in place of a value that says who somebody is.
const MASKED: &str = "[MASKED]";

/// Names of fields, without case and separators, whose values say who somebody is or where.
const PERSONAL: [&str; 31] = [
    // Who guesses a message knows its hash.
    "patternid",
    "userid",
    "user",
    "username",
    "login",
    "email",
    "emailaddress",
    "mail",
    "ip",
    "ipaddress",
    "clientip",
    "remoteip",
    "remoteaddr",
    "remoteaddress",
    "xforwardedfor",
    "phone",
    "phonenumber",
    "mobile",
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "birthdate",
    "dateofbirth",
    "street",
    "postalcode",
    "zipcode",
    "iban",
    "cardnumber",
    "ssn",
    "passport",
];

/// Fields of a record that only the service or a tracer writes; digits in them are nobody's.
const OWN: [&str; 10] = [
    "id",
    "timestamp",
    "received_at",
    "service",
    "level",
    "trace_id",
    "span_id",
    "correlation_id",
    "source_type",
    "duration_ms",
];

/// Telephone, card and account numbers that no rule knows: eight digits or more, in groups.
static DIGITS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\+?\b(?-u:\d(?:[ ().-]{0,2}\d){7,22})\b").ok());

/// Keys and tokens, which do not belong into an address and may be there all the same.
static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)tl(?:_|%5f)[a-z0-9-]{1,63}(?:_|%5f)[0-9a-f]{16,}|eyj[\w-]+\.[\w-]+\.[\w-]*").ok()
});
static SECRET_PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b((?:api|access)?[_-]?(?:key|token)|authorization|password|secret)=[^&\s]+").ok()
});

/// A text without keys and tokens.
pub fn without_secrets(text: &str) -> String {
    let (Some(secret), Some(parameter)) = (SECRET.as_ref(), SECRET_PARAMETER.as_ref()) else {
        return MASKED.to_owned();
    };
    parameter.replace_all(&secret.replace_all(text, "[SECRET]"), "${1}=[SECRET]").into_owned()
}

/// A field's value as it is shown to who may not see personal data.
pub fn mask(field: &str, value: &str) -> String {
    if is_personal(field) {
        return MASKED.to_owned();
    }
    if OWN.contains(&field) { value.to_owned() } else { mask_text(value) }
}

/// The same of a value that is JSON; it is JSON again.
pub fn mask_json(field: &str, json: &str) -> String {
    let mut value = serde_json::from_str(json).unwrap_or(Value::Null);
    mask_value(field, &mut value);
    value.to_string()
}

/// A stored row as it is shown to who may not see personal data. `None` for what is no JSON object.
pub fn mask_row(line: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else { return None };
    for (name, value) in &mut fields {
        if !OWN.contains(&name.as_str()) {
            mask_value(name, value);
        }
    }
    serde_json::to_vec(&Value::Object(fields)).ok()
}

/// Whether a field is shown as it is stored, whatever is in it.
pub fn is_shown_as_stored(field: &str) -> bool {
    OWN.contains(&field)
}

/// Whether a field of this path says who somebody is.
pub fn is_personal(path: &str) -> bool {
    path.split('.').any(|name| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let plain: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        PERSONAL.contains(&plain.as_str())
    })
}

fn mask_value(name: &str, value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        // What is below it says it as well.
        Value::Array(_) | Value::Object(_) if is_personal(name) => *value = MASKED.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_value(name, item)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| mask_value(name, value)),
        _ if is_personal(name) => *value = MASKED.into(),
        Value::String(text) => *text = mask_text(text),
        Value::Number(_) => {}
    }
}

/// A text without what a rule knows, addresses among it, and without long numbers.
fn mask_text(text: &str) -> String {
    let keeps = |kind: Kind| kind.is_secret();
    let found = scan::scan(text.as_bytes(), Setting { field: "", whole: false, keeps: &keeps });
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for part in found {
        let Some(kept) = text.get(from..part.start) else { return MASKED.to_owned() };
        masked.push_str(kept);
        masked.push_str(match part.kind {
            Kind::Email => "[EMAIL]",
            Kind::Ipv4 | Kind::Ipv6 => "[IP]",
            _ => "[NUMBER]",
        });
        from = part.end;
    }
    let (Some(rest), Some(digits)) = (text.get(from..), DIGITS.as_ref()) else { return MASKED.to_owned() };
    masked.push_str(rest);
    match digits.replace_all(&masked, "[NUMBER]") {
        Cow::Borrowed(_) => masked,
        Cow::Owned(masked) => masked,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_loses_its_secrets() {
        let key = format!("tl_acme-2_{}", "0123456789abcdef".repeat(4) + "01234567");
        for (text, left) in [
            (format!("/admin/keys/{key}"), "/admin/keys/[SECRET]"),
            (format!("q=a&api_key={key}&limit=3"), "q=a&api_key=[SECRET]&limit=3"),
            ("access_token=eyJhbGci.eyJzdWIi.x-_y&x=1".to_owned(), "access_token=[SECRET]&x=1"),
            ("q=key+token&user=tl_x_1".to_owned(), "q=key+token&user=tl_x_1"),
        ] {
            assert_eq!(without_secrets(&text), left);
        }
    }

    #[test]
    fn patterns_are_patterns() {
        assert!([&DIGITS, &SECRET, &SECRET_PARAMETER].into_iter().all(|pattern| pattern.is_some()));
    }

    #[test]
    fn a_text_loses_what_says_who_somebody_is() {
        for (text, masked) in [
            ("user jane.doe+x@mail.example.com failed", "user [EMAIL] failed"),
            ("from 192.0.2.17:443", "from [IP]:443"),
            ("from 2001:db8::7f1 and fe80:0:0:0:1:2:3:4", "from [IP] and [IP]"),
            ("call +43 660 123 45 67 now", "call [NUMBER] now"),
            ("card 4111-1111-1111-1111", "card [NUMBER]"),
            ("took 1234 ms, status 500, 7 of 10", "took 1234 ms, status 500, 7 of 10"),
            ("at 12:30:45 v1.2.3", "at 12:30:45 v1.2.3"),
        ] {
            assert_eq!(mask_text(text), masked, "{text}");
        }
    }

    #[test]
    fn a_row_keeps_its_form_and_loses_its_people() {
        let row = json!({
            "id": "019aa3a8-0e00-7000-8000-000000000000", "timestamp": "2025-11-21T00:00:00Z",
            "received_at": "2025-11-21T00:00:00Z", "service": "api", "level": "INFO", "message": "a@b.example logged in",
            "user_id": "u-1", "trace_id": "12345678901234567890123456789012", "duration_ms": 1_234_567_890,
            "metadata": {"Client-IP": "10.0.0.1", "list": [{"e_mail": 7, "email": "x"}, "192.0.2.1"], "ok": true, "n": 1_234_567_890},
        });
        let masked: Value =
            serde_json::from_slice(&mask_row(&serde_json::to_vec(&row).unwrap()).unwrap()).unwrap();
        let mut expected = row.clone();
        expected["message"] = "[EMAIL] logged in".into();
        expected["user_id"] = MASKED.into();
        expected["metadata"] = json!({"Client-IP": MASKED, "list": [{"e_mail": MASKED, "email": MASKED}, "[IP]"], "ok": true, "n": 1_234_567_890});
        assert_eq!(masked.to_string(), expected.to_string());
        assert_eq!(mask_row(b"[]"), None);
    }

    #[test]
    fn a_field_is_personal_by_its_last_name() {
        for (field, personal) in [
            ("user_id", true),
            ("metadata.user.Email-Address", true),
            ("metadata.email_count", false),
            ("metadata.user.name", true),
            ("level", false),
        ] {
            assert_eq!(is_personal(field), personal, "{field}");
        }
        assert_eq!(mask("service", "12345678901"), "12345678901");
        assert_eq!(mask("metadata.x", "12345678901"), "[NUMBER]");
        assert_eq!(mask_json("metadata.phone", "12345678901"), "\"[MASKED]\"");
        assert_eq!(mask_json("metadata.x", "[1,\"a@b.example\"]"), "[1,\"[EMAIL]\"]");
    }
}
