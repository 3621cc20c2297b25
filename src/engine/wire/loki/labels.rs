//! Labels as the text `{name="value", …}`, with the strings of Go.
//!
//! Invariant: one pass, and no value is read that has not been sent.

use super::Pairs;

/// Why a text is no labels; `at` counts bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at {at}")]
pub(super) struct LabelsError {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// Whether Loki takes it for a name; a dot is tolerated.
pub(super) fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| is_name_byte(first) && !first.is_ascii_digit() && first != b'.')
        && name.bytes().all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// Reads all of `text`. A comma may follow the last label.
pub(super) fn parse(text: &str) -> Result<Pairs, LabelsError> {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    let mut labels = Vec::new();
    scanner.want(b'{', "`{`")?;
    while !scanner.skip(b'}') {
        let name = scanner.name()?;
        scanner.want(b'=', "`=`")?;
        labels.push((name, scanner.string()?));
        if !scanner.skip(b',') {
            scanner.want(b'}', "`,` or `}`")?;
            break;
        }
    }
    match scanner.next_token() {
        None => Ok(labels),
        Some(_) => Err(scanner.error("the end")),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn error(&self, expected: &'static str) -> LabelsError {
        LabelsError { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The first byte that is no space, which is not taken.
    fn next_token(&mut self) -> Option<u8> {
        while self.peek()?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.peek()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.next_token() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, byte: u8, expected: &'static str) -> Result<(), LabelsError> {
        if self.skip(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn name(&mut self) -> Result<String, LabelsError> {
        self.next_token();
        let start = self.at;
        while self.peek().is_some_and(is_name_byte) {
            self.at += 1;
        }
        let name = self.text.get(start..self.at).and_then(|name| str::from_utf8(name).ok());
        name.filter(|name| is_name(name))
            .map(str::to_owned)
            .ok_or(LabelsError { at: start, expected: "the name of a label or `}`" })
    }

    fn string(&mut self) -> Result<String, LabelsError> {
        let quote = self.next_token().filter(|byte| matches!(byte, b'"' | b'`' | b'\''));
        let quote = quote.ok_or_else(|| self.error("a quoted value"))?;
        self.at += 1;
        let mut value = Vec::new();
        loop {
            match self.take() {
                None => return Err(self.error("the end of the value")),
                Some(byte) if byte == quote => break,
                Some(b'\\') if quote != b'`' => self.escape(&mut value)?,
                Some(byte) => value.push(byte),
            }
        }
        // `\xff` may stand for half a character.
        Ok(String::from_utf8(value)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), LabelsError> {
        let start = self.at;
        let unknown = LabelsError { at: start, expected: "an escape such as `\\n` or `\\u00e9`" };
        let byte = match self.take() {
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(byte @ (b'\\' | b'"' | b'\'')) => byte,
            Some(b'x') => {
                u8::try_from(self.digits(2, 16).ok_or_else(|| unknown.clone())?).map_err(|_| unknown)?
            }
            Some(b'0'..=b'7') => {
                self.at = start;
                u8::try_from(self.digits(3, 8).ok_or_else(|| unknown.clone())?).map_err(|_| unknown)?
            }
            Some(kind @ (b'u' | b'U')) => {
                let count = if kind == b'u' { 4 } else { 8 };
                let c = self.digits(count, 16).and_then(char::from_u32).ok_or(unknown)?;
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(unknown),
        };
        value.push(byte);
        Ok(())
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let mut number = 0_u32;
        for _ in 0..count {
            let digit = char::from(self.take()?).to_digit(radix)?;
            number = number.checked_mul(radix)?.checked_add(digit)?;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let labels = parse(text).unwrap();
        let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, expected, "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn labels_are_names_and_quoted_values() {
        check("{}", &[]);
        check(r#"{app="web"}"#, &[("app", "web")]);
        check(r#" { app = "web" , k8s.pod="a=b,}" ,} "#, &[("app", "web"), ("k8s.pod", "a=b,}")]);
        check("{a=`\\n\"`, b='it\\'s'}", &[("a", "\\n\""), ("b", "it's")]);
        check(
            r#"{_a="\a\b\f\n\r\t\v\\\"\x41\101\u00e9\U0001F600é"}"#,
            &[("_a", "\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"AAé😀é")],
        );
        check(r#"{a="\xff"}"#, &[("a", "\u{fffd}")]);
    }

    #[test]
    fn an_error_says_where_and_what() {
        check_error("", "expected `{` at 0");
        check_error("app", "expected `{` at 0");
        check_error("{", "expected the name of a label or `}` at 1");
        check_error("{1a=\"b\"}", "expected the name of a label or `}` at 1");
        check_error("{a}", "expected `=` at 2");
        check_error("{a=b}", "expected a quoted value at 3");
        check_error("{a=\"b}", "expected the end of the value at 6");
        check_error("{a=\"b\" b=\"c\"}", "expected `,` or `}` at 7");
        check_error("{a=\"b\"} x", "expected the end at 8");
        for escape in [r"\q", r"\x4", r"\400", r"\ud800", r"\U00110000", r"\U99999999"] {
            check_error(&format!("{{a=\"{escape}\"}}"), "expected an escape such as `\\n` or `\\u00e9` at 5");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}=,\"'`\\\\xuUa07 é]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_quoted_is_read_back(
            labels in prop::collection::vec(("[a-zA-Z_][a-zA-Z0-9_.]{0,8}", "[^\u{0}-\u{1f}\u{7f}-\u{ff}]{0,20}"), 0..6),
        ) {
            let quote = |value: &str| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            let text: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
            prop_assert_eq!(parse(&format!("{{{}}}", text.join(", "))), Ok(labels));
        }
    }
}
