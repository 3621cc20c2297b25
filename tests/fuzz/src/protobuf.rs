//! Protobuf in a notation that changes leave whole: of the bytes themselves nearly every change breaks a length.
//!
//! `1<…>` is field 1 of what stands between, `1:7;` is a varint, `1!7;` a fixed64 and `1%7;` a fixed32. What is none of
//! these is itself.

/// Within each other; deeper ones are themselves.
const MAX_DEPTH: usize = 300;

pub fn written(notation: &[u8]) -> Vec<u8> {
    let mut open = vec![(0, Vec::new())];
    let mut rest = notation;
    while let Some(first) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = number(&rest[..digits]).unwrap_or_default();
        match rest.get(digits) {
            Some(b'<') if digits > 0 && open.len() <= MAX_DEPTH => {
                open.push((number, Vec::new()));
                rest = &rest[digits + 1..];
                continue;
            }
            Some(kind @ (b':' | b'!' | b'%')) if digits > 0 => {
                if let Some((value, after)) = value(&rest[digits + 1..]) {
                    let (wire_type, bytes) = match kind {
                        b':' => (0, varint(value)),
                        b'!' => (1, value.to_le_bytes().to_vec()),
                        _ => (5, (value as u32).to_le_bytes().to_vec()),
                    };
                    put(&mut open, &varint(number << 3 | wire_type));
                    put(&mut open, &bytes);
                    rest = after;
                    continue;
                }
            }
            _ => {}
        }
        match first {
            b'>' if open.len() > 1 => {
                close(&mut open);
                rest = &rest[1..];
            }
            _ => {
                let taken = digits.max(1);
                put(&mut open, &rest[..taken]);
                rest = &rest[taken..];
            }
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default().1
}

fn put(open: &mut [(u64, Vec<u8>)], bytes: &[u8]) {
    if let Some((_, message)) = open.last_mut() {
        message.extend_from_slice(bytes);
    }
}

fn close(open: &mut Vec<(u64, Vec<u8>)>) {
    let (number, message) = open.pop().unwrap_or_default();
    put(open, &varint(number << 3 | 2));
    put(open, &varint(message.len() as u64));
    put(open, &message);
}

fn value(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().take(21).position(|byte| *byte == b';')?;
    Some((number(&text[..end])?, &text[end + 1..]))
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.parse().ok().or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned))
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
