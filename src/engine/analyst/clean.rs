//! Text made fit to be shown: on one line, without what is invisible, without markup, and without links that the evidence
//! does not have. A link is how an answer could carry data out or lead somebody astray, so nothing stays that a mail, a
//! chat or a dashboard would make one.

use std::collections::HashSet;

/// What an answer may repeat because the evidence has it.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    words: HashSet<String>,
}

/// Longer words are no links that anybody wrote, and not kept.
const LONGEST_WORD: usize = 2000;

const LINK: &str = "(link removed)";
const ID: &str = "(unknown id)";

impl Allowed {
    /// Remembers links, addresses and ids of a text.
    pub(super) fn add(&mut self, text: &str) {
        let text = visible(text);
        // Also as an answer may cut it out: without the quotes around it, and from the link on.
        for word in text.split(' ').chain(text.split(is_quote)) {
            let (_, core, _) = trimmed(word);
            for part in [core, core.get(link_start(core)..).unwrap_or(core)] {
                if part.len() <= LONGEST_WORD && (is_link(part) || is_id(part)) {
                    self.words.insert(part.to_owned());
                }
            }
        }
    }

    pub(super) fn add_id(&mut self, id: &str) {
        self.words.insert(id.to_owned());
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}

/// One line of at most `most` characters.
pub(super) fn line(text: &str, most: usize) -> String {
    cut(&without_markup(&visible(beginning(text, most))), most)
}

/// The same with its markup, for what is escaped afterwards.
pub(super) fn short(text: &str, most: usize) -> String {
    cut(&visible(beginning(text, most)), most)
}

/// Enough of a text for so many characters to be left: a log line may be a quarter of a megabyte.
fn beginning(text: &str, most: usize) -> &str {
    let end =
        text.char_indices().nth(most.saturating_mul(8).saturating_add(64)).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// The same for text that nobody vouches for: links, addresses and ids stay only when the evidence has them.
pub(super) fn untrusted(text: &str, allowed: &Allowed, most: usize) -> String {
    let text = without_markup(&visible(text));
    let mut clean = String::with_capacity(text.len());
    // Only blanks part words: renderers take quotes and brackets for parts of a link, and so could add to a known one.
    for word in text.split(' ') {
        let (before, core, after) = trimmed(word);
        let (head, link) = core.split_at_checked(link_start(core)).unwrap_or(("", core));
        let known = allowed.has(core) || (allowed.has(link) && !is_link(head));
        if is_link(core) && !known {
            let apart = if before.ends_with(']') { " " } else { "" };
            clean.extend([before, apart, LINK, after]);
        } else if is_id(core) && !allowed.has(core) {
            let apart = if before.ends_with(']') { " " } else { "" };
            clean.extend([before, apart, ID, after]);
        } else {
            clean.push_str(word);
        }
        clean.push(' ');
    }
    cut(&clean, most)
}

/// At most so many characters, the last of which says that something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Signs that are not seen or change what is seen: controls, joiners, directions, variation selectors, tags, private
/// use.
pub(super) fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}')
}

/// Without hidden signs and escape sequences of terminals; blanks and ends of lines become one blank.
pub(super) fn visible(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' || sign == '\u{9b}' {
            skip_escape(sign, &mut signs);
        } else if sign.is_whitespace() || matches!(sign, '\u{2028}' | '\u{2029}') {
            if !clean.ends_with(' ') {
                clean.push(' ');
            }
        } else if !is_hidden(sign) {
            clean.push(sign);
        }
    }
    clean.trim().to_owned()
}

/// `ESC [ 3 1 m`, and titles and links up to their end (BEL or `ESC \`).
fn skip_escape(escape: char, signs: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = if escape == '\u{9b}' { Some('[') } else { signs.next_if(char::is_ascii_punctuation) };
    match kind {
        Some('[') => while signs.next_if(|sign| matches!(sign, '0'..='?' | ' '..='/')).is_some() {},
        Some(']') => {
            while signs.next_if(|&sign| !matches!(sign, '\u{7}' | '\u{1b}' | '\n')).is_some() {}
            if signs.next_if_eq(&'\u{1b}').is_none() {
                return;
            }
        }
        _ => return,
    }
    let _ = signs.next_if(|sign| matches!(sign, '@'..='~'));
}

/// Without what HTML and Markdown would take for markup. The words between stay; what is put in keeps them apart, so that
/// nothing new comes together.
fn without_markup(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let after = rest.get(sign.len_utf8()..).unwrap_or_default();
        let next = after.chars().next();
        match sign {
            // A tag, with its attributes when it ends soon.
            '<' if next.is_some_and(|next| {
                next.is_alphabetic() || matches!(next, '/' | '!' | '?' | '@' | '#' | '|')
            }) =>
            {
                let end = after.bytes().take(500).position(|byte| matches!(byte, b'>' | b'<'));
                let inside = end.filter(|&end| after.as_bytes().get(end) == Some(&b'>'));
                push_blank(&mut clean);
                rest = inside.and_then(|end| after.get(end + 1..)).unwrap_or(after);
                continue;
            }
            // `![image](…)`, `[link](…)` and `[name]: …`.
            '!' if next == Some('[') => pop_all(&mut clean, '!'),
            ']' if matches!(next, Some('(' | '[' | ':')) => clean.push_str("] "),
            // A fence.
            '`' if after.starts_with("``") => {
                push_blank(&mut clean);
                rest = rest.trim_start_matches('`');
                continue;
            }
            // Calls everybody in a chat.
            '@' if ["everyone", "here", "channel", "all"].iter().any(|name| after.starts_with(name)) => {
                pop_all(&mut clean, '@');
            }
            ' ' => push_blank(&mut clean),
            _ => clean.push(sign),
        }
        rest = after;
    }
    clean.trim().to_owned()
}

fn push_blank(text: &mut String) {
    if !text.ends_with(' ') {
        text.push(' ');
    }
}

/// What is left out must not leave its like at the end.
fn pop_all(text: &mut String, sign: char) {
    text.truncate(text.trim_end_matches(sign).len());
}

fn is_quote(sign: char) -> bool {
    matches!(sign, ' ' | '"' | '\'' | '`' | '<' | '>' | '|' | '“' | '”' | '«' | '»' | '„')
}

/// A word without the signs of the sentence around it.
fn trimmed(word: &str) -> (&str, &str, &str) {
    let around =
        |sign| is_quote(sign) || matches!(sign, '*' | '_' | '~' | '!' | '(' | ')' | '[' | ']' | '{' | '}');
    let core = word.trim_start_matches(around);
    let before = word.get(..word.len() - core.len()).unwrap_or_default();
    let kept =
        core.trim_end_matches(|sign| around(sign) || matches!(sign, '.' | ',' | ';' | ':' | '?' | '…'));
    let after = core.get(kept.len()..).unwrap_or_default();
    (before, kept, after)
}

/// Where a link begins in a word such as `url=https://…`; 0 when there is none.
fn link_start(word: &str) -> usize {
    let scheme = word.find("://").and_then(|colon| word.get(..colon)).unwrap_or_default();
    let name =
        scheme.rsplit(|sign: char| !sign.is_ascii_alphanumeric() && !matches!(sign, '+' | '-' | '.')).next();
    scheme.len() - name.map_or(0, str::len)
}

/// What something that shows text would make a link of, or could.
fn is_link(word: &str) -> bool {
    const SCHEMES: [&str; 11] = [
        "www.",
        "mailto:",
        "javascript:",
        "vbscript:",
        "data:",
        "file:",
        "tel:",
        "sms:",
        "magnet:",
        "intent:",
        "blob:",
    ];
    let lower = word.to_lowercase();
    lower.contains("//")
        || lower.contains("\\\\")
        || SCHEMES.iter().any(|scheme| contains_from_start_of_word(&lower, scheme))
        || lower
            .split(|sign| {
                is_quote(sign) || matches!(sign, '=' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}')
            })
            .any(|part| is_address(part) || is_host(part))
}

fn contains_from_start_of_word(text: &str, needle: &str) -> bool {
    text.match_indices(needle).any(|(at, _)| {
        !text.get(..at).is_some_and(|before| before.ends_with(|sign: char| sign.is_alphanumeric()))
    })
}

/// `somebody@somewhere.example`.
fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// `example.com`, with a port and a path or without: what ends in a domain that is widely used. Names of classes and
/// files end otherwise.
fn is_host(word: &str) -> bool {
    const ENDS: [&str; 58] = [
        "com", "net", "org", "io", "dev", "app", "xyz", "info", "biz", "co", "me", "site", "online", "top",
        "link", "click", "ai", "ly", "cc", "tk", "ml", "ga", "gg", "to", "tv", "ws", "su", "ru", "cn", "de",
        "uk", "eu", "us", "fr", "nl", "ch", "at", "jp", "kr", "in", "br", "ca", "au", "pl", "it", "es", "se",
        "no", "shop", "live", "pro", "icu", "vip", "example", "onion", "cloud", "page", "zip",
    ];
    let host = word.split(['/', '?', '#', ':', '\\']).next().unwrap_or_default();
    let path = host.len() < word.len();
    let Some((name, end)) = host.rsplit_once('.') else { return false };
    let shaped = !name.is_empty() && !name.starts_with('.') && !name.contains(['(', ')']);
    let number = name.split('.').count() == 3 && host.split('.').all(|part| part.parse::<u8>().is_ok());
    // An IP address with a path, or the domain itself.
    shaped && (ENDS.contains(&end) || (number && path) || end.starts_with("xn--"))
}

/// A long run of hexadecimal digits, as ids of logs, traces and patterns are.
fn is_id(word: &str) -> bool {
    word.len() >= 16
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
