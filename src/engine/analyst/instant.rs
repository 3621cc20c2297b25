//! Times as models are told them and write them: RFC 3339 to the second.

use crate::engine::record::timestamp::Timestamp;

/// `2026-11-20T06:00:00Z`.
pub(super) fn write(ms: i64) -> String {
    Timestamp::from_ms(ms.div_euclid(1000).saturating_mul(1000)).to_string()
}

/// In ms: a date and a time of day, whose seconds may be missing. A zone may be named as well, and what is below a
/// millisecond is cut.
pub(super) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")).unwrap_or(text).trim_end();
    // A bare number would be taken for one of seconds.
    let (date, minute) =
        text.split_at_checked(16).filter(|(date, _)| date.as_bytes().get(4) == Some(&b'-'))?;
    let seconds = if minute.starts_with(':') { "" } else { ":00" };
    Timestamp::parse_text(&format!("{date}{seconds}{minute}")).ok().map(Timestamp::as_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_any_offset() {
        let cases = [
            ("2024-05-15T14:02:45Z", Some(1_715_781_765_000)),
            ("2024-05-15T14:02:45.9999Z", Some(1_715_781_765_999)),
            ("2024-05-15 14:02:45", Some(1_715_781_765_000)),
            ("2024-05-15T16:02:45+02:00", Some(1_715_781_765_000)),
            ("2024-05-15T14:02:45 UTC", Some(1_715_781_765_000)),
            ("2024-05-15T14:02:45 GMT ", Some(1_715_781_765_000)),
            ("2024-05-15T14:02", Some(1_715_781_720_000)),
            ("2024-05-15T16:02+02:00", Some(1_715_781_720_000)),
            ("2024-05-15T14:02Z", Some(1_715_781_720_000)),
            ("2024-13-01T00:00:00Z", None),
            ("2024-05-15", None),
            ("1969-12-31T23:59:59Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("1715781765", None),
            ("2024", None),
            ("äääääääääää", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(read(text), wanted, "{text}");
        }
        assert_eq!(write(1_715_781_765_999), "2024-05-15T14:02:45Z");
        assert_eq!(write(i64::MIN), "1970-01-01T00:00:00Z");
        for ms in [0, 951_782_400_000, 4_107_542_399_000, 9_214_646_400_000 - 1000] {
            assert_eq!(read(&write(ms)), Some(ms));
        }
    }
}
