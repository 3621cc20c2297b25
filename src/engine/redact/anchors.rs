//! Where something may begin: four bytes in a row, each of a set, for everything that is looked for.
//!
//! Each anchor is put into one of 64 buckets; a table says for each byte in which buckets it may stand first,
//! second, third, fourth. A place is worth a look when the four tables agree on a bucket: four loads a byte, no
//! branch, and so few places that exact rules may be slow.

use std::sync::LazyLock;

use super::{
    names::VENDORS,
    shapes::{Body, SHAPES},
};

/// What may begin at an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Digits,
    /// An address whose sign takes so many bytes.
    Email(usize),
    Userinfo,
    PrivateKey,
    Jwt,
    Iban,
    Spanish,
    Italian,
    Ipv6,
    Discord,
    Telegram,
    Mailchimp,
    Azure,
    Facebook,
    Own,
    Terraform,
    /// The path of a webhook, behind words that are known.
    Webhook(&'static str),
    Command(usize),
    Birth,
    Name,
    Token(usize),
}

/// A set of bytes, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set([u64; 4]);

impl Set {
    fn of(holds: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        for byte in (0..=255_u8).filter(|byte| holds(*byte)) {
            if let Some(word) = set.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        set
    }

    fn holds(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn union(self, other: Self) -> Self {
        let mut words = self.0;
        words.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        Self(words)
    }

    fn minus(self, other: Self) -> Self {
        let mut words = self.0;
        words.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        Self(words)
    }

    /// How often, of a million bytes of logs, one is of this set.
    fn weight(self) -> u64 {
        let mut weight = 0;
        for (from, word) in [0_u8, 64, 128, 192].into_iter().zip(self.0) {
            let mut left = word;
            while left != 0 {
                let bit = u8::try_from(left.trailing_zeros()).unwrap_or(0);
                weight += weight_of(from | bit);
                left &= left - 1;
            }
        }
        weight
    }
}

fn weight_of(byte: u8) -> u64 {
    match byte {
        b'"' => 90_000,
        b'a'..=b'f' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 35_000,
        b'0'..=b'9' | b':' | b',' | b' ' | b'-' => 25_000,
        b'g'..=b'z' | b'_' | b'.' | b'/' => 12_000,
        b'A'..=b'Z' | b'=' => 4_000,
        _ => 300,
    }
}

/// One anchor: the sets of its four bytes.
pub(super) struct Anchor {
    sets: [Set; 4],
    /// How far before the anchor's first byte that begins what is looked for; -1 when the first byte stands before it.
    back: isize,
    pub(super) what: What,
}

impl Anchor {
    fn new(sets: [Set; 4], back: isize, what: What) -> Self {
        Self { sets, back, what }
    }

    /// Whether the four bytes are of its sets.
    pub(super) fn fits(&self, bytes: [u8; 4]) -> bool {
        self.sets.iter().zip(bytes).all(|(set, byte)| set.holds(byte))
    }

    /// Where that begins whose anchor's second byte stands at `second`; the first may stand before the text.
    pub(super) fn start(&self, second: usize) -> Option<usize> {
        second.checked_add_signed(-1 - self.back)
    }
}

/// The anchors and their buckets.
pub(super) struct Anchors {
    pub(super) rows: [[u64; 4]; 256],
    buckets: Vec<Vec<Anchor>>,
}

pub(super) static ANCHORS: LazyLock<Anchors> = LazyLock::new(|| Anchors::new(all()));

impl Anchors {
    fn new(mut anchors: Vec<Anchor>) -> Self {
        anchors.sort_by_key(|anchor| std::cmp::Reverse(cost_of(&anchor.sets.map(Set::weight))));
        let mut sets = [[Set::default(); 4]; 64];
        let mut weights = [[0_u64; 4]; 64];
        let mut buckets: Vec<Vec<Anchor>> = (0..64).map(|_| Vec::new()).collect();
        for anchor in anchors {
            // Where it adds the fewest places that are worth no look.
            let best = (0..64_usize).min_by_key(|n| {
                let (Some(sets), Some(weights)) = (sets.get(*n), weights.get(*n)) else { return u128::MAX };
                let mut joined = *weights;
                for ((joined, mine), theirs) in joined.iter_mut().zip(anchor.sets).zip(sets) {
                    *joined += mine.minus(*theirs).weight();
                }
                cost_of(&joined) - cost_of(weights)
            });
            let Some(n) = best else { continue };
            if let (Some(sets), Some(weights), Some(bucket)) =
                (sets.get_mut(n), weights.get_mut(n), buckets.get_mut(n))
            {
                for ((set, weight), mine) in sets.iter_mut().zip(weights).zip(anchor.sets) {
                    *weight += mine.minus(*set).weight();
                    *set = set.union(mine);
                }
                bucket.push(anchor);
            }
        }
        let mut rows = [[0_u64; 4]; 256];
        for (byte, row) in (0..=255_u8).zip(&mut rows) {
            for (n, sets) in sets.iter().enumerate() {
                for (mask, set) in row.iter_mut().zip(sets) {
                    *mask |= u64::from(set.holds(byte)) << n;
                }
            }
        }
        Self { rows, buckets }
    }

    /// The anchors of a bucket.
    pub(super) fn bucket(&self, n: u32) -> &[Anchor] {
        self.buckets.get(n as usize).map_or(&[], Vec::as_slice)
    }
}

fn cost_of(weights: &[u64; 4]) -> u128 {
    weights.iter().map(|weight| u128::from(*weight)).product()
}

/// A set by its sign in a pattern; letters stand for themselves.
fn sign(sign: char, fold: bool) -> Set {
    Set::of(|byte| match sign {
        // Before a word: no letter or digit, or the end of an escape, which the rule looks at.
        '¤' => !byte.is_ascii_alphanumeric() || b"mnrt".contains(&byte),
        '¬' => !byte.is_ascii_alphanumeric(),
        '#' => byte.is_ascii_digit(),
        '§' => byte.is_ascii_digit() || b" ().-/+".contains(&byte),
        '¶' => byte.is_ascii_digit() || b" ().-/+X".contains(&byte) || byte.is_ascii_uppercase(),
        'ω' => byte.is_ascii_alphanumeric(),
        'λ' => byte.is_ascii_alphanumeric() || byte >= 0x80 || b".!#$&*+-^_~'".contains(&byte),
        'α' => byte.is_ascii_alphabetic(),
        'Α' => byte.is_ascii_uppercase(),
        'κ' => !byte.is_ascii_lowercase(),
        'χ' => byte.is_ascii_hexdigit(),
        'ξ' => byte.is_ascii_hexdigit() || byte == b':',
        'δ' => byte.is_ascii_alphanumeric() || byte >= 0x80,
        '∗' => true,
        'β' => matches!(byte, b'X' | b'Y' | b'Z'),
        'μ' => matches!(byte, b'M' | b'N' | b'O'),
        'ν' => matches!(byte, b'D' | b'T' | b'j' | b'z'),
        'ο' => b"AEIMQUYcgk".contains(&byte),
        'σ' => matches!(byte, b' ' | b'\t'),
        'ς' => matches!(byte, b' ' | b'\t' | b'"' | b'\''),
        '≈' => matches!(byte, b'=' | b'"' | b':' | b'\\' | b' ' | b'\''),
        sign if fold => byte.eq_ignore_ascii_case(&u8::try_from(sign).unwrap_or(0)),
        sign => byte == u8::try_from(sign).unwrap_or(0),
    })
}

/// The anchor of a longer pattern: the four in a row that are rarest.
fn rarest(pattern: &[Set], what: What) -> Anchor {
    let best = pattern
        .windows(4)
        .enumerate()
        .min_by_key(|(_, sets)| sets.iter().map(|set| u128::from(set.weight())).product::<u128>());
    let (back, sets) = best
        .map_or((0, [Set::default(); 4]), |(n, sets)| (n, <[Set; 4]>::try_from(sets).unwrap_or_default()));
    Anchor::new(sets, isize::try_from(back).unwrap_or(0), what)
}

fn all() -> Vec<Anchor> {
    let mut anchors: Vec<Anchor> = [
        ("¤#§§", -1, What::Digits),
        ("¤#§(", -1, What::Digits),
        ("λ@δ∗", -1, What::Email(1)),
        ("λ%40", -1, What::Email(3)),
        ("://∗", 0, What::Userinfo),
        ("BEGI", 0, What::PrivateKey),
        ("eyJω", 0, What::Jwt),
        ("¤αα#", -1, What::Iban),
        ("¤β##", -1, What::Spanish),
        ("¤β-#", -1, What::Spanish),
        ("Α##Α", 5, What::Italian),
        ("∗::∗", -1, What::Ipv6),
        ("χ:χξ", -1, What::Ipv6),
        ("¤μνο", -1, What::Discord),
        ("#:Aω", -1, What::Telegram),
        ("-us#", 0, What::Mailchimp),
        ("#Q~∗", 0, What::Azure),
        ("#|ωω", -1, What::Facebook),
        ("tl_ω", 0, What::Own),
        ("σ-uς", -3, What::Command(0)),
        ("-use", 0, What::Command(5)),
        ("dob¬", 0, What::Birth),
        ("Dob¬", 0, What::Birth),
        ("DOB¬", 0, What::Birth),
    ]
    .into_iter()
    .map(|(signs, back, what)| {
        let mut sets = signs.chars().map(|c| sign(c, false));
        let sets = [(); 4].map(|()| sets.next().unwrap_or_default());
        Anchor::new(sets, back, what)
    })
    .collect();
    let folded = |text: &str| -> Vec<Set> { text.chars().map(|c| sign(c, true)).collect() };
    for (text, what) in
        [("tl%5f", What::Own), (".atlasv1.", What::Terraform), ("birth", What::Birth), ("born¬", What::Birth)]
    {
        anchors.push(rarest(&folded(text), what));
    }
    for words in ["hooks.slack.com/", "/api/webhooks/", "/webhookb2/", "/hooks/catch/"] {
        anchors.push(rarest(&folded(words), What::Webhook(words)));
    }
    let roots = [
        "pass", "pwd¬", "secr", "oken", "keyκ", "cred", "auth", "cook", "sess", "prom", "body", "bear",
        "sig≈", "gnature", "sumo",
    ];
    for name in roots.iter().chain(&VENDORS) {
        let mut anchor = rarest(&folded(name), What::Name);
        anchor.back = 0;
        anchors.push(anchor);
    }
    for (n, shape) in SHAPES.iter().enumerate() {
        let body = Set::of(|byte| match shape.body {
            Body::Airtable => byte.is_ascii_alphanumeric(),
            body => body.holds(byte),
        });
        let prefix = shape.prefix.chars().map(|c| sign(c, false));
        let pattern: Vec<Set> = prefix.chain([body; 3]).collect();
        anchors.push(rarest(&pattern, What::Token(n)));
    }
    anchors
}
