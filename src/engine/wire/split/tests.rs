use proptest::prelude::*;

use super::*;

type Split = fn(&[u8], usize) -> Result<Vec<&[u8]>, SplitError>;

fn check(split: Split, body: &str, expected: &str) {
    let got = match split(body.as_bytes(), 3) {
        Ok(parts) => parts.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("|"),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expected, "{body}");
}

#[test]
fn values_stand_in_a_row_with_or_without_white_space() {
    for (body, expected) in [
        ("{\"a\":1}{\"b\":2}", "{\"a\":1}|{\"b\":2}"),
        ("\u{feff} {\"a\":1}\r\n\n{\"b\":2} ", "{\"a\":1}|{\"b\":2}"),
        ("[{\"a\":1}, [2]]{\"b\":2}", "{\"a\":1}|[2]|{\"b\":2}"),
        ("", "expected at least one record, got none"),
        (" \n[] []", "expected at least one record, got none"),
        ("{}{}{}{}", "expected at most 3 records, got more"),
        ("[1,2,3,4]", "expected at most 3 records, got more"),
        ("{}{} {", "expected JSON, got something else after 2 values"),
        ("hello", "expected JSON, got something else after 0 values"),
    ] {
        check(values, body, expected);
    }
}

#[test]
fn lines_that_are_blank_do_not_count() {
    for (body, expected) in [
        ("a\r\n\n  b  \n \n", "a|b"),
        ("\u{feff}a", "a"),
        ("\n\n", "expected at least one record, got none"),
        ("a\nb\nc\n\n", "a|b|c"),
        ("a\nb\nc\nd", "expected at most 3 records, got more"),
    ] {
        check(lines, body, expected);
    }
}

#[test]
fn lines_are_numbered_from_one_blank_ones_too() {
    let numbers: Vec<_> = numbered_lines(b"a\n\nb\n").collect();
    assert_eq!(numbers, [(1, b"a".as_slice()), (2, b""), (3, b"b"), (4, b"")]);
    assert_eq!(numbered_lines(b"").count(), 0);
}

proptest! {
    #[test]
    fn no_body_panics_and_no_part_is_too_many(body in "[\\[\\]{}\":,a1 \n]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for body in [body.as_bytes(), bytes.as_slice()] {
            for split in [lines, values] {
                if let Ok(parts) = split(body, 4) {
                    prop_assert!((1..=4).contains(&parts.len()));
                }
            }
        }
    }
}
