//! Values of variables as text.

use std::ops::Range;

use crate::engine::block::template::Var;

pub(super) fn number(var: Var, number: u64, to: &mut String) {
    match var {
        Var::Padded(digits) => decimal(number, usize::from(digits), to),
        Var::Ip4 => {
            let [.., a, b, c, d] = number.to_be_bytes();
            for (nth, byte) in [a, b, c, d].into_iter().enumerate() {
                if nth > 0 {
                    to.push('.');
                }
                decimal(u64::from(byte), 0, to);
            }
        }
        _ => decimal(number, 0, to),
    }
}

/// With zeros in front up to so many digits.
fn decimal(number: u64, digits: usize, to: &mut String) {
    let mut buffer = itoa::Buffer::new();
    // wasm divides 64 bits slowly, and most numbers are small.
    let text = match u32::try_from(number) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(number),
    };
    for _ in text.len()..digits {
        to.push('0');
    }
    to.push_str(text);
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
