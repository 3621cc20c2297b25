//! One message to its form: one pass over its head, the same for ever for the same bytes.

use super::{
    PatternId,
    hash::hash,
    head::head,
    shape::{
        self, DIGIT, HARD, HIGH, Kind, LETTER, OTHER, SOFT, SPACE, UNSPACED, class, colour, is_calendar,
        is_clock, is_code, is_email, is_identity, is_kind, is_nothing, is_path, is_speech, is_truth, is_unit,
        is_url, kind,
    },
    text::{MASK, MAX_WORDS, OPEN, SHUT},
};

/// No number has more groups of three digits.
const MAX_GROUPS: usize = 8;

/// A form, in a buffer to use again.
#[derive(Default)]
pub struct FormBuf {
    pub(super) text: Vec<u8>,
}

impl FormBuf {
    pub fn id(&self) -> PatternId {
        PatternId(hash(&self.text))
    }

    /// The form as a template.
    pub fn template(&self) -> String {
        super::text::shown(&self.text)
    }
}

/// The form of a message.
pub fn form(message: &str, out: &mut FormBuf) {
    out.text.clear();
    let (bytes, cut) = head(message);
    let mut scan = Scan { bytes, out: &mut out.text, words: 0, unquoted: false };
    let more = scan.all(0, bytes.len(), true) || cut;
    if more && !scan.out.ends_with(MASK) {
        scan.space();
        scan.out.extend_from_slice(MASK);
    }
}

struct Scan<'a, 'b> {
    bytes: &'a [u8],
    out: &'b mut Vec<u8>,
    words: usize,
    /// No further quote is shut: looking again and again would take a time of its own for each.
    unquoted: bool,
}

impl<'a> Scan<'a, '_> {
    /// Reads on to `end`; whether it stopped before. Quotes are looked at only outside of quotes.
    fn all(&mut self, start: usize, end: usize, outside: bool) -> bool {
        let mut at = start;
        let mut space = false;
        while let Some(byte) = self.bytes.get(at).copied().filter(|_| at < end) {
            let class = class(byte);
            if class & SPACE != 0 {
                let colour = if byte == 0x1b { colour(self.part(at, end)) } else { 0 };
                space |= colour == 0;
                at += colour.max(1);
                continue;
            }
            if self.words + 1 >= MAX_WORDS {
                return true;
            }
            if space {
                self.space();
                space = false;
            }
            at = match byte {
                b'"' if outside => self.quote(at, end),
                _ if class & HARD != 0 => self.hard(at, byte),
                _ => self.run(at, end),
            };
        }
        if space && !outside {
            self.space();
        }
        false
    }

    fn part(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or(&[])
    }

    fn space(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b' ');
        }
    }

    fn hard(&mut self, at: usize, byte: u8) -> usize {
        if byte == b']' {
            self.shorten_list();
        }
        if matches!(byte, b')' | b']') && matches!(self.out.as_slice(), [.., b' ' | b'=' | b':', b'(' | b'['])
        {
            // Brackets of their own that hold nothing have an empty value; behind a name they are a call.
            self.mask();
        }
        self.out.push(byte);
        at + 1
    }

    /// A list of values is one value, however long it is.
    fn shorten_list(&mut self) {
        let mut keep = self.out.as_slice();
        let mut found = 0;
        while let Some(rest) = keep.strip_suffix(MASK) {
            found += 1;
            keep = rest;
            if let Some(rest) = keep.strip_suffix(b", ").or_else(|| keep.strip_suffix(b",")) {
                keep = rest;
            } else {
                break;
            }
        }
        if found > 1 && keep.ends_with(b"[") {
            let keep = keep.len();
            self.out.truncate(keep);
            self.out.extend_from_slice(MASK);
        }
    }

    /// What stands in double quotes is a key, words, or a value; what it is the quotes' place tells.
    fn quote(&mut self, at: usize, end: usize) -> usize {
        let Some(shut) = self.shut(at + 1, end) else {
            self.out.push(b'"');
            return at + 1;
        };
        let inner = shut.min(end);
        let is_key = self.bytes.get(shut + 1) == Some(&b':')
            && matches!(self.out.trim_ascii_end().last(), Some(b'{' | b','));
        let key = self.key();
        let is_words = key.map_or(self.out.is_empty(), |key| is_speech(key) || is_kind(key))
            || self.is_request(at + 1, inner);
        self.out.push(b'"');
        if is_key {
            self.constant(at + 1, inner);
        } else if !is_words {
            if inner > at + 1 {
                self.mask();
            }
        } else {
            self.all(at + 1, inner, false);
        }
        self.out.push(b'"');
        shut + 1
    }

    fn shut(&mut self, start: usize, end: usize) -> Option<usize> {
        let mut at = start;
        while !self.unquoted && at < end {
            match self.bytes.get(at)? {
                b'"' => return Some(at),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.unquoted = true;
        None
    }

    /// `GET /path HTTP/1.1`: its verb says more than its quotes.
    fn is_request(&self, start: usize, end: usize) -> bool {
        let line = self.part(start, end);
        let verb = line.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        (3..=7).contains(&verb)
            && line.get(verb..).is_some_and(|rest| rest.starts_with(b" /") || rest.starts_with(b" http"))
    }

    /// The key whose value comes next.
    fn key(&self) -> Option<&[u8]> {
        let spaced = self.out.strip_suffix(b" ");
        let text = spaced.unwrap_or(self.out);
        let word = if let Some(word) = text.strip_suffix(b"\":") {
            word
        } else {
            // `key = value` and `key=value`, but in `key= other=` the first is empty.
            let word = text.strip_suffix(b"=")?;
            let closer = word.strip_suffix(b" ");
            if spaced.is_some() { closer? } else { closer.unwrap_or(word) }
        };
        let word = word.strip_suffix(&[SHUT])?;
        word.get(memchr::memrchr(OPEN, word)? + 1..)
    }

    /// A run up to what parts words anywhere.
    fn run(&mut self, start: usize, end: usize) -> usize {
        let mut at = start;
        let mut classes = 0;
        while let Some(byte) = self.bytes.get(at).copied().filter(|_| at < end) {
            let class = class(byte);
            if class & (SPACE | HARD) != 0 && !(byte == b'\'' && self.is_apostrophe(at)) {
                break;
            }
            classes |= class;
            at += 1;
        }
        if self.part(start, at + 1).ends_with(b"->") && at - start > 1 {
            // An arrow stands between words.
            at -= 1;
        }
        at += self.thousands(start, at, end);
        if classes & (SOFT | DIGIT | HIGH) == 0 {
            if is_code(self.part(start, at)) {
                self.mask();
            } else {
                self.word(start, at);
            }
            return at;
        }
        let trimmed =
            self.part(start, at).iter().rev().take_while(|b| matches!(b, b'.' | b':' | b'!' | b'?')).count();
        let core = at - trimmed;
        if self.is_value(start, core) {
            let bytes = self.part(start, end);
            let to = if is_url(bytes) || is_path(bytes) {
                self.far(start, end, is_url(bytes)).max(core)
            } else {
                core
            };
            self.mask();
            self.raw(to, at);
            return to.max(at);
        }
        let mut next = start;
        while next < core {
            next = self.segment(next, core, end);
        }
        if next < at {
            self.raw(next.max(core), at);
        }
        next.max(at)
    }

    /// How long the rest of a number is that is written in groups of three digits.
    fn thousands(&self, start: usize, at: usize, end: usize) -> usize {
        let rest = self.part(at, end);
        if rest.first() != Some(&b',')
            || at - start > 3
            || !self.part(start, at).iter().all(u8::is_ascii_digit)
        {
            return 0;
        }
        let groups = rest.chunks(4).take(MAX_GROUPS).take_while(|group| {
            matches!(group, [b',', digits @ ..] if digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))
        });
        let length = groups.count() * 4;
        if rest.get(length).is_some_and(u8::is_ascii_digit) { 0 } else { length }
    }

    /// Whether a run that is more than a word is all that a key has, or all that stands in quotes.
    fn is_value(&self, start: usize, end: usize) -> bool {
        let run = self.part(start, end);
        let has_name = run.iter().any(|byte| class(*byte) & (LETTER | DIGIT | HIGH) != 0);
        match self.out.as_slice() {
            [.., b'='] => has_name && self.key().is_some(),
            [.., b' ' | b'(' | b'[' | b'=' | b':' | b',', b'\''] => {
                let is_word = run.iter().all(|byte| class(*byte) & (LETTER | OTHER) != 0 || *byte == b'.');
                has_name && !is_word && self.bytes.get(end) == Some(&b'\'')
            }
            _ => false,
        }
    }

    fn is_apostrophe(&self, at: usize) -> bool {
        let is_letter =
            |at: Option<usize>| at.and_then(|at| self.bytes.get(at)).is_some_and(|b| class(*b) & LETTER != 0);
        is_letter(at.checked_sub(1)) && is_letter(at.checked_add(1))
    }

    /// One part of a run; what comes after it. May go beyond the run, where a path or a URL does.
    fn segment(&mut self, start: usize, core: usize, end: usize) -> usize {
        let bytes = self.part(start, core);
        if is_url(bytes) || is_path(bytes) {
            let to = self.far(start, end, is_url(bytes));
            self.mask();
            return to.max(start + 1);
        }
        if let Some(length) = shape::ipv4(bytes) {
            let more = bytes.iter().skip(length).take_while(|b| **b != b':' && **b != b'/').count();
            self.mask();
            return start + length + more;
        }
        let Some(colon) = memchr::memchr(b':', bytes) else {
            self.piece(start, core);
            return core;
        };
        let (left, right) = bytes.split_at_checked(colon).unwrap_or((bytes, &[]));
        let right = right.get(1..).unwrap_or(&[]);
        let has_port = (1..=5).contains(&right.len()) && right.iter().all(u8::is_ascii_digit);
        let is_machine =
            left.iter().any(|b| *b == b'.' || b.is_ascii_digit()) && left.iter().any(u8::is_ascii_alphabetic);
        if is_clock(bytes) || (has_port && is_machine) {
            self.mask();
            return core;
        }
        self.piece(start, start + colon);
        let colons = bytes.iter().skip(colon).take_while(|byte| **byte == b':').count();
        self.raw(start + colon, start + colon + colons);
        start + colon + colons
    }

    /// Where a path or a URL ends.
    fn far(&self, start: usize, end: usize, url: bool) -> usize {
        let mut at = start;
        while let Some(byte) = self.bytes.get(at).copied().filter(|_| at < end) {
            let next = self.bytes.get(at + 1).copied().filter(|_| at + 1 < end).unwrap_or(b' ');
            let ends = match byte {
                b'"' | b'\'' | b'<' | b'>' | b'`' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' | b';'
                | b',' => true,
                b':' => (!url && !next.is_ascii_digit() && at > start + 1) || class(next) & SPACE != 0,
                b'.' => {
                    class(next) & HARD != 0 || (class(next) & SPACE != 0 && self.is_sentence(at + 1, end))
                }
                b'!' | b'?' | b'=' => class(next) & (SPACE | HARD) != 0,
                _ => class(byte) & SPACE != 0,
            };
            if ends {
                break;
            }
            at += 1;
        }
        at
    }

    /// Whether what follows a dot and a space begins as a sentence does, or is the end.
    fn is_sentence(&self, start: usize, end: usize) -> bool {
        self.part(start, end).trim_ascii_start().first().is_none_or(u8::is_ascii_uppercase)
    }

    /// A part without colons.
    fn piece(&mut self, start: usize, end: usize) {
        let mut from = start;
        let mut at = start;
        while at < end {
            let rest = self.part(at, end);
            let before = self.part(from, at);
            match rest {
                [b'/', after @ ..] if from == start && is_inner_path(before, after) => {
                    self.mask();
                    return;
                }
                [b'@', host @ ..] if from == start && is_email(before, host) => {
                    self.mask();
                    return;
                }
                [byte @ (b'/' | b'@' | b'#' | b'!' | b'?'), ..] => {
                    let byte = *byte;
                    self.atom(from, at);
                    self.out.push(byte);
                    from = at + 1;
                }
                [b'.', b'.', ..] => {
                    let dots = rest.iter().take_while(|byte| **byte == b'.').count();
                    self.atom(from, at);
                    self.raw(at, at + dots);
                    from = at + dots;
                    at = from;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        self.atom(from, end);
    }

    /// Words or values. Where words are not parted by spaces, a change of script parts them.
    fn atom(&mut self, start: usize, end: usize) {
        let mut rest = self.part(start, end);
        let mixed = rest.iter().any(|byte| *byte >= UNSPACED);
        let mut from = start;
        while let Some(first) = rest.first() {
            let length = if mixed {
                rest.iter().take_while(|byte| (**byte >= 0x80) == (*first >= 0x80)).count()
            } else {
                rest.len()
            };
            match kind(self.part(from, from + length)) {
                Kind::Word => self.word(from, from + length),
                Kind::Value => self.mask(),
                Kind::Numbered(length) => {
                    self.word(from, from + length);
                    self.out.push(b'.');
                    self.mask();
                }
            }
            from += length;
            rest = rest.get(length..).unwrap_or(&[]);
        }
    }

    fn word(&mut self, start: usize, end: usize) {
        let word = self.part(start, end);
        if is_truth(word) || self.key().is_some_and(|key| is_identity(key) || is_nothing(word)) {
            return self.mask();
        }
        if self.out.ends_with(b"\x01\x02 ") && is_unit(word) {
            self.out.pop();
            return;
        }
        self.constant(start, end);
    }

    fn constant(&mut self, start: usize, end: usize) {
        if self.words + 1 < MAX_WORDS {
            self.words += 1;
            self.out.push(OPEN);
            let word = self.bytes.get(start..end).unwrap_or(&[]);
            if word.iter().all(|byte| *byte > SHUT) {
                self.out.extend_from_slice(word);
            }
            self.out.push(SHUT);
        }
    }

    fn raw(&mut self, start: usize, end: usize) {
        let bytes = self.bytes.get(start..end).unwrap_or(&[]);
        self.out.extend_from_slice(bytes);
    }

    /// A value. Values side by side are one, and days and months belong to theirs.
    fn mask(&mut self) {
        loop {
            if self.out.ends_with(b"\x01\x02 ") || self.out.ends_with(b"\x01\x02/") {
                self.out.pop();
                return;
            }
            if !self.out.ends_with(b"\x02 ") {
                break;
            }
            let Some(open) = memchr::memrchr(OPEN, self.out) else { break };
            if !self.out.get(open + 1..self.out.len() - 2).is_some_and(is_calendar) {
                break;
            }
            self.out.truncate(open);
            self.words = self.words.saturating_sub(1);
        }
        if self.words + 1 < MAX_WORDS {
            self.words += 1;
            self.out.extend_from_slice(MASK);
        }
    }
}

/// Whether a slash stands inside of a path: there is a further one, or a file's ending behind.
fn is_inner_path(before: &[u8], after: &[u8]) -> bool {
    !before.is_empty()
        && (after.contains(&b'/')
            || after.iter().skip(1).any(|b| *b == b'.') && after.iter().any(u8::is_ascii_alphabetic))
}
