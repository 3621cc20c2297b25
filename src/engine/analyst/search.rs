//! Searches to run, in the search language. A value can hold anything, so it is quoted unless it is plainly a word: no
//! value of a log can add a term to a search.

/// Values above this are not worth a search that somebody reads.
const LONGEST: usize = 200;

/// `field:value`, unless the value is too long or holds what does not belong into one line.
pub(super) fn term(field: &str, value: &str) -> Option<String> {
    if value.is_empty() || value.len() > LONGEST || value.chars().any(super::clean::is_hidden) {
        return None;
    }
    let plain = value.starts_with(|first: char| first.is_ascii_alphanumeric())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !["AND", "OR", "NOT", "TO"].contains(&value);
    if plain {
        return Some(format!("{field}:{value}"));
    }
    let mut text = format!("{field}:\"");
    for sign in value.chars() {
        if matches!(sign, '"' | '\\') {
            text.push('\\');
        }
        text.push(sign);
    }
    text.push('"');
    Some(text)
}

/// `service:checkout AND pattern_id:…` in backticks, or nothing when a value cannot be searched for.
pub(super) fn search(service: &str, more: &[Option<String>]) -> Option<String> {
    let mut text = format!("`{}", term("service", service)?);
    for part in more {
        text.push_str(" AND ");
        text.push_str(part.as_deref()?);
    }
    // A backtick in a value would end the search too early for whoever reads it.
    if text.get(1..)?.contains('`') {
        return None;
    }
    text.push('`');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_unless_they_are_words() {
        let cases = [
            ("checkout", Some("f:checkout")),
            ("a-b.c_d", Some("f:a-b.c_d")),
            ("-a", Some("f:\"-a\"")),
            ("AND", Some("f:\"AND\"")),
            ("/api/v1", Some("f:\"/api/v1\"")),
            ("a OR *", Some("f:\"a OR *\"")),
            ("\" OR \"", Some("f:\"\\\" OR \\\"\"")),
            ("a\\", Some("f:\"a\\\\\"")),
            ("zürich", Some("f:\"zürich\"")),
            ("", None),
            ("a\nb", None),
            ("a\u{202e}b", None),
        ];
        for (value, wanted) in cases {
            assert_eq!(term("f", value).as_deref(), wanted);
        }
        assert_eq!(term("f", &"x".repeat(201)), None);
        assert_eq!(search("a b", &[term("x", "1")]).as_deref(), Some("`service:\"a b\" AND x:1`"));
        assert_eq!(search("a", &[term("x", "`")]), None);
        assert_eq!(search("a", &[None]), None);
    }
}
