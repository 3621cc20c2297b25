//! Values of variables as text.

use std::{fmt::Write, ops::Range};

use crate::engine::block::template::Var;

pub(super) fn number(var: Var, number: u64, to: &mut String) {
    // Writing to a String cannot fail.
    let _ = match var {
        Var::Padded(digits) => write!(to, "{number:00$}", usize::from(digits)),
        Var::Ip4 => {
            let [.., a, b, c, d] = number.to_be_bytes();
            write!(to, "{a}.{b}.{c}.{d}")
        }
        _ => {
            to.push_str(itoa::Buffer::new().format(number));
            Ok(())
        }
    };
}

/// The digits of this part of a value of which `byte` has the nth byte.
pub(super) fn hex(var: Var, byte: impl Fn(usize) -> u8, part: Range<usize>, to: &mut String) {
    for (written, at) in part.enumerate() {
        if var == Var::Uuid && matches!(written, 8 | 12 | 16 | 20) {
            to.push('-');
        }
        let byte = byte(at / 2);
        let digit = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
        to.push(char::from(b"0123456789abcdef".get(usize::from(digit)).copied().unwrap_or(b'0')));
    }
}
