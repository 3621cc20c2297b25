//! The protobuf wire format, without schemas: fields of a message as they come, borrowed from its bytes,
//! and the few that an answer needs. A code generator would bring more bytes than this, and its decoders
//! copy a whole request at once. Invariant: no input panics, and nothing is allocated before it was read.

use std::borrow::Cow;

use crate::engine::record::rejection::Rejection;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("expected more bytes, got the end of the message")]
    Cut,
    #[error("expected a varint of at most 64 bits")]
    Varint,
    #[error("expected a field number from 1 to 536870911, got {0}")]
    Number(u64),
    #[error("expected wire type 0, 1, 2 or 5, got {0}")]
    WireType(u64),
    #[error("expected a field of another wire type")]
    Mismatch,
}

impl Malformed {
    pub(super) const CODE: &'static str = "malformed_protobuf";
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self::new(Malformed::CODE, malformed.to_string())
    }
}

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Field<'a> {
    pub(super) const fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Malformed::Mismatch),
        }
    }

    /// An `int64`; of an `int32` or an enum that is out of range, no more than the sign is of use.
    pub(super) fn int64(self) -> Result<i64, Malformed> {
        self.varint().map(u64::cast_signed)
    }

    pub(super) fn uint32(self) -> Result<u32, Malformed> {
        self.varint().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(super) const fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(number) => Ok(number),
            _ => Err(Malformed::Mismatch),
        }
    }

    pub(super) const fn fixed32(self) -> Result<u32, Malformed> {
        match self {
            Self::Fixed32(number) => Ok(number),
            _ => Err(Malformed::Mismatch),
        }
    }

    pub(super) const fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::Mismatch),
        }
    }

    /// Text that is not UTF-8 is mended: Go's encoders send what a log file held, and a log with a damaged
    /// character is worth more than none.
    pub(super) fn text(self) -> Result<Cow<'a, str>, Malformed> {
        self.bytes().map(String::from_utf8_lossy)
    }
}

/// The fields of one message, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The next field with its number, or nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let Ok(number @ 1..=0x1FFF_FFFF) = u32::try_from(key >> 3) else {
            return Err(Malformed::Number(key >> 3));
        };
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(usize::try_from(length).map_err(|_| Malformed::Cut)?)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            // Groups, 3 and 4, were given up before any protocol read here was made.
            other => return Err(Malformed::WireType(other)),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed::Varint)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// Adds a field that is a number; 0 is what an absent one says.
pub(super) fn put_int(message: &mut Vec<u8>, number: u32, value: i64) {
    if value != 0 {
        put_varint(message, u64::from(number) << 3);
        put_varint(message, value.cast_unsigned());
    }
}

/// Adds a field that is text, bytes or a message; empty ones, too.
pub(super) fn put_bytes(message: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_varint(message, u64::from(number) << 3 | 2);
    put_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            message.push(low & 0x7F);
            return;
        }
        message.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u32, Field<'_>)>, Malformed> {
        let mut reader = Reader::new(message);
        let mut fields = Vec::new();
        while let Some(field) = reader.next()? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn fields_come_in_order_whatever_their_type() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1D, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            fields(&message).unwrap(),
            [
                (1, Field::Varint(150)),
                (2, Field::Bytes(b"hi")),
                (3, Field::Fixed32(1)),
                (4, Field::Fixed64(2))
            ]
        );
        assert_eq!(fields(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        for (message, expected) in [
            (&[0x08][..], Malformed::Cut),
            (&[0x0A, 5, 1], Malformed::Cut),
            (&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], Malformed::Cut),
            (&[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], Malformed::Varint),
            (&[0x02, 0], Malformed::Number(0)),
            (&[0x0B], Malformed::WireType(3)),
            (&[0x0F], Malformed::WireType(7)),
        ] {
            assert_eq!(fields(message), Err(expected), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(number in 1_u32..0x2000_0000, int in any::<i64>(), text in ".{0,200}") {
            let mut message = Vec::new();
            put_int(&mut message, number, int);
            put_bytes(&mut message, number, text.as_bytes());
            let mut expected = vec![(number, Field::Bytes(text.as_bytes()))];
            if int != 0 {
                expected.insert(0, (number, Field::Varint(int.cast_unsigned())));
            }
            prop_assert_eq!(fields(&message), Ok(expected));
        }

        #[test]
        fn no_bytes_panic(message in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = fields(&message);
        }
    }
}
