//! The published checks of numbers: cards, accounts, and what states number their people with.

/// The check of Luhn over ASCII digits.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match (n % 2, value) {
                (0, value) => value,
                (_, value) if value > 4 => value * 2 - 9,
                (_, value) => value * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether it begins and is as long as the cards of a known network are, and its check holds.
pub(super) fn is_card(digits: &[u8]) -> bool {
    let head = |n: usize| digits.iter().take(n).fold(0, |sum, d| sum * 10 + u32::from(d.wrapping_sub(b'0')));
    let (one, two, three, four) = (head(1), head(2), head(3), head(4));
    let fits = match digits.len() {
        13 => one == 4,
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&three),
        15 => matches!(two, 34 | 37) || matches!(four, 2131 | 1800),
        16 => {
            one == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || (644..=659).contains(&three)
                || (3528..=3589).contains(&four)
                || two == 62
                || matches!(two, 50 | 56..=58 | 60 | 63 | 67)
                || matches!(two, 81 | 82)
                || (2200..=2204).contains(&four)
                || matches!(two, 36 | 38 | 39)
                || (300..=305).contains(&three)
        }
        17 => two == 62,
        18 => two == 62 || matches!(four, 6304 | 6759 | 6761..=6763 | 5018 | 5020 | 5038),
        19 => one == 4 || matches!(two, 62 | 65) || matches!(four, 6011 | 6304 | 6759 | 6761..=6763),
        _ => false,
    };
    fits && digits.iter().any(|digit| Some(digit) != digits.first()) && luhn(digits)
}

/// Country and length of an IBAN.
const IBAN: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// How long an IBAN of this country is.
pub(super) fn iban_length(country: [u8; 2]) -> Option<usize> {
    let country = country.map(|c| c.to_ascii_uppercase());
    IBAN.iter().find(|(code, _)| **code == country).map(|(_, length)| *length)
}

/// The check of an IBAN without its spaces: modulo 97, its first four put last.
pub(super) fn is_iban(text: &[u8]) -> bool {
    let turned = text.iter().skip(4).chain(text.iter().take(4));
    let rest = turned.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'a'..=b'z' => (rest * 100 + u32::from(byte - b'a') + 10) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => 97,
    });
    rest == 1
}

/// The weighted sum of digits.
fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum()
}

fn digit(digits: &[u8], n: usize) -> u32 {
    digits.get(n).map_or(99, |digit| u32::from(digit.wrapping_sub(b'0')))
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// A state's number of a person, by the word that has to stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Britain,
    Germany,
    Netherlands,
    Brazil,
    India,
    Canada,
    Poland,
    Sweden,
    France,
}

/// Whether the digits are a person's number there.
pub(super) fn is_national(state: State, digits: &[u8]) -> bool {
    match (state, digits.len()) {
        (State::Britain, 10) => {
            let check = 11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            check != 10 && check % 11 == digit(digits, 9)
        }
        (State::Germany, 11) => {
            let product = digits.iter().take(10).fold(10, |product, d| {
                let sum = (u32::from(d.wrapping_sub(b'0')) + product) % 10;
                (if sum == 0 { 10 } else { sum }) * 2 % 11
            });
            digit(digits, 0) != 0 && (11 - product) % 10 == digit(digits, 10)
        }
        (State::Netherlands, 8 | 9) => {
            let weights: &[u32] =
                if digits.len() == 9 { &[9, 8, 7, 6, 5, 4, 3, 2] } else { &[8, 7, 6, 5, 4, 3, 2] };
            let last = digit(digits, digits.len() - 1);
            let sum = weighted(digits, weights);
            sum > 0 && sum % 11 == last
        }
        (State::Brazil, 11) => {
            let check = |n: u32| if n % 11 < 2 { 0 } else { 11 - n % 11 };
            let first = check(weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
            let second = check(weighted(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
            digits.iter().any(|d| Some(d) != digits.first())
                && (first, second) == (digit(digits, 9), digit(digits, 10))
        }
        (State::India, 12) => digit(digits, 0) > 1 && verhoeff(digits),
        (State::Canada, 9) => !matches!(digit(digits, 0), 0 | 8) && luhn(digits),
        (State::Poland, 11) => {
            let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
            is_day(digit(digits, 4) * 10 + digit(digits, 5)) && (10 - sum % 10) % 10 == digit(digits, 10)
        }
        (State::Sweden, 10 | 12) => {
            let short = digits.get(digits.len() - 10..).unwrap_or_default();
            let day = digit(short, 4) * 10 + digit(short, 5);
            let month = digit(short, 2) * 10 + digit(short, 3);
            (1..=12).contains(&month) && is_day(if day > 60 { day - 60 } else { day }) && luhn(short)
        }
        (State::France, 15) => {
            let month = digit(digits, 3) * 10 + digit(digits, 4);
            let body = number(digits.get(..13).unwrap_or_default());
            matches!(digit(digits, 0), 1 | 2)
                && matches!(month, 1..=12 | 20..=42)
                && u64::from(digit(digits, 13) * 10 + digit(digits, 14)) == 97 - body % 97
        }
        _ => false,
    }
}

fn is_day(day: u32) -> bool {
    (1..=31).contains(&day)
}

fn verhoeff(digits: &[u8]) -> bool {
    // Multiplication in the dihedral group of order ten, and the permutation of each place.
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let turn = |value: u32| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(value as usize).copied().unwrap_or(0);
    let check = digits.iter().rev().enumerate().fold(0, |check, (place, digit)| {
        let value = (0..place % 8).fold(u32::from(digit.wrapping_sub(b'0')), |value, _| turn(value));
        times(check, value)
    });
    check == 0
}

/// The letter of a Spanish DNI; of a NIE, X, Y and Z are 0, 1 and 2.
pub(super) fn is_spanish(digits: &[u8], letter: u8) -> bool {
    let place = usize::try_from(number(digits) % 23).unwrap_or(99);
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(place) == Some(&letter.to_ascii_uppercase())
}

/// The letter that ends an Italian tax code of sixteen.
pub(super) fn is_italian(code: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let sum: u32 = code
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, byte)| {
            let value = if byte.is_ascii_digit() {
                byte - b'0'
            } else {
                byte.to_ascii_uppercase().wrapping_sub(b'A')
            };
            let odd = ODD.get(usize::from(value)).copied().unwrap_or(0);
            if place % 2 == 0 { odd } else { u32::from(value) }
        })
        .sum();
    code.len() == 16
        && code.last().is_some_and(|last| u32::from(last.to_ascii_uppercase()) == u32::from(b'A') + sum % 26)
}

/// A social security number that can have been given out.
pub(super) fn is_ssn(digits: &[u8]) -> bool {
    let part = |from: usize, to: usize| number(digits.get(from..to).unwrap_or_default());
    let area = part(0, 3);
    digits.len() == 9 && area != 0 && area != 666 && area < 900 && part(3, 5) != 0 && part(5, 9) != 0
}
