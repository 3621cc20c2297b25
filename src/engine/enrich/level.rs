//! The level that a message's text names, as loggers write it: at its beginning or in brackets, behind times and
//! names. The word in the middle of a sentence says nothing: "0 errors found".

use crate::engine::record::model::Level;

/// A logger has written its level by here.
const MAX_BYTES: usize = 512;
const MAX_TOKENS: usize = 24;
/// How many names (host, process, logger, thread) may stand between the time and the level.
const MAX_NAMES: usize = 6;
/// And how many before a bracket when there is no time.
const MAX_NAMES_WITHOUT_TIME: usize = 3;

/// Beginnings that are a level without naming one.
const BEGINNINGS: &[(&str, Level)] = &[
    ("panic:", Level::Critical),
    ("fatal error:", Level::Critical),
    ("Kernel panic", Level::Critical),
    ("Segmentation fault", Level::Critical),
    ("Traceback (most recent call last)", Level::Error),
    ("Exception in thread", Level::Error),
    ("Unhandled exception", Level::Error),
    ("Uncaught ", Level::Error),
    ("UnhandledPromiseRejection", Level::Error),
    ("npm ERR!", Level::Error),
    ("npm error", Level::Error),
    ("npm WARN", Level::Warn),
    ("npm warn", Level::Warn),
];

const NAMES_OF_LEVEL: [&str; 8] =
    ["level", "lvl", "severity", "loglevel", "log_level", "log.level", "levelname", "@l"];

/// The level that the text names, or `None`.
pub fn level_of(message: &str) -> Option<Level> {
    let text = clipped(message.trim_start());
    if let Some(level) = priority(text).or_else(|| beginning(text)).or_else(|| letter(text)) {
        return Some(level);
    }
    scan(text)
}

fn clipped(text: &str) -> &str {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// `<11>`: syslog's facility times eight and its severity.
fn priority(text: &str) -> Option<Level> {
    let (number, _) = text.strip_prefix('<')?.split_once('>')?;
    let plain = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|number: &i64| plain && *number <= 191)?;
    Level::from_number(number & 7)
}

fn beginning(text: &str) -> Option<Level> {
    let known = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning));
    if let Some((_, level)) = known {
        return Some(*level);
    }
    if text.starts_with("thread '") && text.contains("panicked at") {
        return Some(Level::Critical);
    }
    // `java.io.IOException: …`, `TypeError: …`.
    let end = text.bytes().position(|byte| byte.is_ascii_whitespace() || byte == b':').unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let is_error = name.len() > 5
        && (name.ends_with("Error") || name.ends_with("Exception"))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
        && (rest.starts_with(": ") || rest.starts_with('\n') || rest.is_empty());
    is_error.then_some(Level::Error)
}

/// Loggers that begin with a letter: `E0512 12:00:00.000`, `E, [2024-…`, `E/Tag: `, `E (1234) tag: `.
fn letter(text: &str) -> Option<Level> {
    let (letter, rest) = text.split_at_checked(1)?;
    let level = letter_level(letter)?;
    let bytes = rest.as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let klog = matches!(digits, 4 | 8)
        && bytes.get(digits) == Some(&b' ')
        && bytes.get(digits + 1).is_some_and(u8::is_ascii_digit)
        && rest.get(digits..).is_some_and(|rest| rest.bytes().take(4).any(|byte| byte == b':'));
    let ruby = rest.starts_with(", [");
    let counted = rest.strip_prefix(" (").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let tagged =
        rest.strip_prefix('/').and_then(|rest| rest.split_once([':', '(', ' '])).is_some_and(|(tag, _)| {
            let behind = rest.get(tag.len() + 1..).unwrap_or_default();
            tag.len() >= 2
                && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
                && (behind.starts_with('(') || behind.starts_with(": "))
        });
    (klog || ruby || counted || tagged).then_some(level)
}

fn letter_level(letter: &str) -> Option<Level> {
    match letter {
        "V" | "D" => Some(Level::Debug),
        "I" => Some(Level::Info),
        "W" => Some(Level::Warn),
        "E" => Some(Level::Error),
        "F" | "C" => Some(Level::Critical),
        _ => None,
    }
}

/// What the scan has seen so far.
#[derive(Default)]
struct Seen {
    tokens: usize,
    names: usize,
    /// A time or a date has gone by.
    time: bool,
    /// The last token was one, or a bracket.
    just_time: bool,
    /// Nothing but times, brackets and separators since the beginning, or since a process's colon.
    fresh: bool,
}

fn scan(text: &str) -> Option<Level> {
    let mut seen = Seen { fresh: true, ..Seen::default() };
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '|');
        if let Some(colour) = rest.strip_prefix("\u{1b}[") {
            // A terminal's colour ends with its `m`.
            rest = colour.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..)?;
            continue;
        }
        seen.tokens += 1;
        if rest.is_empty() || seen.tokens > MAX_TOKENS {
            return None;
        }
        if let Some(json) = rest.strip_prefix('{') {
            return json_level(json);
        }
        if let Some((inside, behind)) = bracket(rest) {
            if let Some(level) = bracketed(inside) {
                return Some(level);
            }
            let has_time = inside.len() >= 5 && is_time(inside.split(' ').next().unwrap_or_default());
            seen.time |= has_time;
            seen.just_time = true;
            seen.fresh |= seen.names == 0;
            rest = behind;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '|' | '\u{1b}')).unwrap_or(rest.len());
        let (token, behind) = rest.split_at_checked(end)?;
        match token_level(token, &seen) {
            Judged::Level(level) => return Some(level),
            Judged::Pair | Judged::Separator => {}
            Judged::Number => seen.fresh &= seen.time,
            Judged::Time => {
                seen.time = true;
                seen.just_time = true;
            }
            Judged::Name => {
                seen.names += 1;
                let most = if seen.time { MAX_NAMES } else { MAX_NAMES_WITHOUT_TIME };
                if seen.names > most {
                    return None;
                }
                seen.just_time = false;
                // `sshd[7]:` is where a message begins anew.
                seen.fresh = token.ends_with(':') && seen.time;
            }
        }
        rest = behind;
    }
}

enum Judged {
    Level(Level),
    Time,
    Pair,
    Separator,
    Number,
    Name,
}

fn token_level(token: &str, seen: &Seen) -> Judged {
    if let Some((name, value)) = token.split_once('=')
        && !name.is_empty()
    {
        let level =
            NAMES_OF_LEVEL.contains(&name).then(|| Level::parse(value.trim_matches(['"', '\'', ',', ';'])));
        return level.flatten().map_or(Judged::Pair, Judged::Level);
    }
    if !token.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return Judged::Separator;
    }
    if is_time(token) {
        return Judged::Time;
    }
    if token.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number is a process or part of a time; a short one may also count something.
        return if token.len() >= 6 { Judged::Time } else { Judged::Number };
    }
    let word = token.trim_start_matches(|c: char| !c.is_alphanumeric());
    let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
    let (name, behind) = word.split_at_checked(end).unwrap_or((word, ""));
    let closed = behind.is_empty() || behind.starts_with([':', ',', '[', ']', '=', '>']);
    if !closed {
        return Judged::Name;
    }
    let upper = name.bytes().all(|byte| byte.is_ascii_uppercase());
    let level = match name.len() {
        1 if seen.time && (seen.just_time || seen.fresh) && behind.is_empty() => letter_level(name),
        0..=2 => None,
        _ if upper && (seen.time || seen.fresh) => Level::parse(name),
        // `error: …`, and what .NET calls its own.
        _ if seen.fresh && behind == ":" => Level::parse(name).or(match name {
            "fail" => Some(Level::Error),
            "dbug" | "trce" => Some(Level::Debug),
            _ => None,
        }),
        _ if seen.just_time && seen.time && behind.is_empty() => Level::parse(name),
        _ => None,
    };
    level.map_or(Judged::Name, Judged::Level)
}

/// A date or a time of day: digits with what stands between them, `20240131T10:00:00.5Z`, `10:00`, `31/Jan/2024`.
fn is_time(token: &str) -> bool {
    let token = token.trim_matches(['"', ',', ':']);
    let (mut digits, mut marks, mut letters) = (0, 0, 0);
    for byte in token.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'-' | b'/' | b':' | b'.' | b',' | b'+' => marks += 1,
            b'T'
            | b'Z'
            | b'U'
            | b'C'
            | b'a'..=b'z'
            | b'J'
            | b'F'
            | b'M'
            | b'A'
            | b'S'
            | b'O'
            | b'N'
            | b'D' => letters += 1,
            _ => return false,
        }
    }
    token.starts_with(|c: char| c.is_ascii_digit()) && digits >= 3 && marks >= 1 && letters <= 4
}

/// The text in the brackets that a text begins with, and what is behind them.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let close = match text.bytes().next()? {
        b'[' => ']',
        b'(' => ')',
        b'<' => '>',
        _ => return None,
    };
    text.get(1..)?.split_once(close).filter(|(inside, _)| inside.len() <= 96)
}

/// `error`, `ERROR   `, `core:error`, `2024-01-31 10:00:00 ERROR x`, `10:00:00 INF`, `E 240131 10:00:00 web:1`.
fn bracketed(inside: &str) -> Option<Level> {
    let mut words = inside
        .split(|c: char| c.is_whitespace() || matches!(c, '/' | ',' | '|'))
        .filter(|word| !word.is_empty());
    let first = words.next()?;
    let name = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
        (word.len() >= 3).then(|| Level::parse(word)).flatten()
    };
    let Some(second) = words.next() else {
        let (_, last) = first.rsplit_once(':').unwrap_or(("", first));
        return letter_level(first).or_else(|| name(last));
    };
    if second.starts_with(|c: char| c.is_ascii_digit()) && first.len() == 1 {
        return letter_level(first);
    }
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    [second].into_iter().chain(words).find_map(|word| {
        let upper = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        upper.then(|| Level::parse(word)).flatten()
    })
}

/// The level in the beginning of a JSON object, which may be cut.
fn json_level(json: &str) -> Option<Level> {
    json.match_indices('"').find_map(|(at, _)| {
        let (name, rest) = json.get(at + 1..)?.split_once('"')?;
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        if !NAMES_OF_LEVEL.contains(&name) {
            return None;
        }
        if let Some(text) = value.strip_prefix('"') {
            return Level::parse(text.split('"').next()?);
        }
        let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        value.get(..end)?.parse().ok().and_then(Level::from_number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(level: Option<Level>, messages: &[&str]) {
        for message in messages {
            assert_eq!(level_of(message), level, "{message}");
        }
    }

    #[test]
    fn a_level_at_the_beginning_is_found() {
        check(
            Some(Level::Error),
            &[
                "ERROR could not open",
                "ERROR: could not open",
                "error: could not open",
                "  Error: could not open",
                "ERROR:root:could not open",
                "[error] could not open",
                "[ERROR   ] could not open",
                "(error) could not open",
                "[Sun Dec 04 04:47:44 2005] [error] x",
                "[core:error] [pid 7] x",
                "=ERROR REPORT==== x",
                "\u{1b}[31mERROR\u{1b}[0m could not open",
                "ERROR[0012] could not open",
                "fail: Shop.Orders[0]",
                "2024/01/31 10:00:00 [error] 7#7: *1 open() failed",
                "2024-01-31T10:00:00.123Z ERROR shop::orders: x",
                "2024-01-31 10:00:00,123 - shop.orders - ERROR - x",
                "2024-01-31T10:00:00.123Z\terror\tshop/main.go:7\tx",
                "[2024-01-31T10:00:00Z ERROR shop] x",
                "[10:00:00 ERR] x",
                "[2024-01-31 10:00:00,123: ERROR/MainProcess] x",
                "17 [main] ERROR com.shop.Orders - x",
                "10:00:00.123 [main] ERROR com.shop.Orders - x",
                "2024-01-31 10:00:00.000 UTC [77] ERROR:  relation does not exist",
                "20240131-10:00:00:606|ERROR|x",
                "Jan 31 10:00:00 web-1 shop[77]: ERROR x",
                "Jan 31 10:00:00 web-1 shop[77]: error: x",
                "myapp: [ERROR] x",
                "E0131 10:00:00.123456       1 main.go:7] x",
                "E20240131 10:00:00.123456 1 main.cc:7] x",
                "E, [2024-01-31T10:00:00.123456 #7] ERROR -- : x",
                "E/Orders(  77): x",
                "E/Orders: x",
                "E (1234) wifi: x",
                "[E 240131 10:00:00 web:7] x",
                "01-31 10:00:00.123  77  78 E Orders: x",
                "<3>x",
                "<11>Jan 31 10:00:00 web-1 x",
                "Traceback (most recent call last):\n  File",
                "Exception in thread \"main\" java.lang.X",
                "java.io.IOException: x",
                "ValueError: x",
                "npm ERR! code 1",
            ],
        );
    }

    #[test]
    fn every_level_is_found() {
        check(
            Some(Level::Warn),
            &[
                "2024-01-01 12:00:00,123 WARN [main] x",
                "level=warn msg=x",
                "ts=2024-01-01T00:00:00Z caller=x.go:7 level=warn msg=x",
                "time=\"2024-01-01 00:00:00\" level=\"warning\"",
                "npm WARN deprecated",
                "warning: unused",
                "W0131 10:00:00.1 1 x.go:7] x",
                "[Warning] x",
            ],
        );
        check(
            Some(Level::Info),
            &[
                "INFO:     started",
                "info: x",
                "{\"ts\":1,\"level\":30,\"msg\":\"x\"}",
                "<14>x",
                "2024-01-01 12:00 INFO x",
            ],
        );
        check(
            Some(Level::Debug),
            &["DEBUG x", "dbug: x", "<7>x", "{\"a\":{\"lvl\" : \"debug\"", "[debug] x"],
        );
        check(
            Some(Level::Critical),
            &[
                "panic: runtime error",
                "FATAL: no pg_hba.conf entry",
                "fatal: x",
                "CRITICAL x",
                "fatal error: all goroutines are asleep",
                "thread 'main' panicked at src/main.rs:7",
                "<2>x",
                "{\"severity\":\"CRITICAL\"}",
            ],
        );
    }

    #[test]
    fn prose_has_no_level() {
        check(
            None,
            &[
                "",
                " ",
                "0 errors found",
                "5 ERROR lines",
                "no error",
                "Error while closing",
                "error handling is on",
                "the ERROR count is 5",
                "request failed with error: x",
                "ErrorHandler started",
                "ERROR_ACCESS_DENIED",
                "INFORMATIVE",
                "I/O error, dev sda",
                "A message",
                "E is a letter",
                "[main] started",
                "[3] x",
                "<b>error</b>",
                "<999>x",
                "<html>",
                "Warn me later",
                "debugging is on",
                "{\"msg\":\"x\"}",
                "{\"message\":\"a level\"}",
                "user=7 action=login",
                "Jan 31 10:00:00 web-1 kernel: CPU: L1 I cache: 16K",
                "set level to debug",
                "\u{1b}[31",
                "\u{1b}[\u{e9}",
                "[",
                "{\"level\"",
            ],
        );
    }
}
