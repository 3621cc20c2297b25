//! One pass over a text: finds where something may begin, and asks the exact rule of each.

use super::{
    anchors::{ANCHORS, Anchors, What},
    birth,
    bytes::{at, before, begins, part, run_back},
    context::{self, Meanings},
    digits::{self, Group},
    kind::{Found, Kind},
    lone,
    names::Name,
    net, pairs,
    shapes::SHAPES,
    tokens,
    values::mark_end,
};

/// What the pass needs to know beside the text.
#[derive(Clone, Copy)]
pub(super) struct Setting<'s> {
    /// The names that the text stands under; they are words beside it.
    pub(super) field: &'s str,
    /// Over the JSON of a whole record: what a word of another field makes of a number counts, what it forbids
    /// does not, and a name whose value goes whole is a find.
    pub(super) whole: bool,
    pub(super) keeps: &'s dyn Fn(Kind) -> bool,
}

/// Everything that is found, in the order of the text; nothing of it overlaps.
pub(super) fn scan(text: &[u8], setting: Setting<'_>) -> Vec<Found> {
    let mut pass = Pass::new(text, setting);
    pass.run(false);
    merged(pass.found)
}

/// Whether anything is found.
pub(super) fn finds(text: &[u8], setting: Setting<'_>) -> bool {
    let mut pass = Pass::new(text, setting);
    pass.run(true);
    !pass.found.is_empty()
}

/// Puts finds in order and joins those that touch the same bytes; the first one says what it is.
pub(super) fn merged(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (found.start, std::cmp::Reverse(found.end)));
    found.dedup_by(|next, last| {
        let overlaps = next.start < last.end;
        if overlaps {
            last.end = last.end.max(next.end);
            if next.kind.is_secret() && !last.kind.is_secret() {
                last.kind = next.kind;
            }
        }
        overlaps
    });
    found
}

struct Pass<'t> {
    text: &'t [u8],
    setting: Setting<'t>,
    anchors: &'static Anchors,
    found: Vec<Found>,
    /// Before this nothing begins any more: it is found, or was looked at.
    past: usize,
    past_digits: usize,
    past_names: usize,
    past_jwt: usize,
    past_ipv6: usize,
    field: Option<Meanings>,
    all: Option<Meanings>,
}

impl<'t> Pass<'t> {
    fn new(text: &'t [u8], setting: Setting<'t>) -> Self {
        let found = Vec::new();
        Self {
            text,
            setting,
            anchors: &ANCHORS,
            found,
            past: 0,
            past_digits: 0,
            past_names: 0,
            past_jwt: 0,
            past_ipv6: 0,
            field: None,
            all: None,
        }
    }

    fn run(&mut self, first_only: bool) {
        let rows = &self.anchors.rows;
        let row = |byte: u8| rows.get(usize::from(byte)).copied().unwrap_or_default();
        let [mut one, _, _, _] = row(0);
        let (mut two, mut three) = (0, 0);
        for (place, byte) in self.text.iter().enumerate() {
            let [a, b, c, d] = row(*byte);
            let mask = three & d;
            three = two & c;
            two = one & b;
            one = a;
            if mask != 0 {
                self.look(mask, place.wrapping_sub(2));
                if first_only && !self.found.is_empty() {
                    return;
                }
            }
        }
        // Behind the text stand zeros.
        let [a, b, c, d] = row(0);
        for place in self.text.len()..self.text.len() + 3 {
            let mask = three & d;
            three = two & c;
            two = one & b;
            one = a;
            if mask != 0 && place >= 2 {
                self.look(mask, place - 2);
            }
        }
    }

    /// Looks at the place whose anchor's second byte stands at `second`.
    #[inline(never)]
    fn look(&mut self, mask: u64, second: usize) {
        let byte = |n: usize| at(self.text, second + n);
        let bytes = [before(self.text, second), byte(0), byte(1), byte(2)];
        let mut left = mask;
        while left != 0 {
            for anchor in self.anchors.bucket(left.trailing_zeros()) {
                if !anchor.fits(bytes) {
                    continue;
                }
                let Some(start) = anchor.start(second) else { continue };
                if start >= self.past {
                    self.begin(anchor.what, start);
                }
            }
            left &= left - 1;
        }
    }

    fn add(&mut self, span: Option<(usize, usize)>, kind: Kind) {
        let Some((start, end)) = span else { return };
        if start >= end || (self.setting.keeps)(kind) {
            return;
        }
        self.found.push(Found { start, end, kind });
        self.past = self.past.max(end);
    }

    fn begin(&mut self, what: What, start: usize) {
        let text = self.text;
        match what {
            What::Digits => self.digits(start),
            What::Name => self.name(start),
            What::Email(sign) => self.add(net::email(text, start, sign, self.past), Kind::Email),
            What::Userinfo => {
                let span = net::userinfo(text, start).filter(|(from, _)| mark_end(text, *from).is_none());
                let span = span.filter(|(from, to)| !super::values::stands_for_one(part(text, *from, *to)));
                self.add(span, Kind::Secret);
            }
            What::PrivateKey => self.add(lone::private_key(text, start), Kind::PrivateKey),
            What::Jwt if start < self.past_jwt => {}
            What::Jwt => match lone::jwt(text, start) {
                Ok(span) => self.add(Some(span), Kind::Jwt),
                Err(past) => self.past_jwt = past,
            },
            What::Iban => self.add(lone::iban(text, start), Kind::Iban),
            What::Spanish => self.add(lone::spanish_foreigner(text, start), Kind::NationalId),
            What::Italian => self.add(lone::italian(text, start), Kind::NationalId),
            What::Ipv6 if start < self.past_ipv6 || (self.setting.keeps)(Kind::Ipv6) => {}
            What::Ipv6 => match net::ipv6(text, start, self.past) {
                Ok(span) => self.add(Some(span), Kind::Ipv6),
                Err(past) => self.past_ipv6 = past,
            },
            What::Discord => self.add(lone::discord(text, start), Kind::Token),
            What::Telegram => self.add(lone::telegram(text, start), Kind::Token),
            What::Mailchimp => self.add(lone::mailchimp(text, start), Kind::Token),
            What::Azure => self.add(lone::azure(text, start), Kind::Token),
            What::Facebook => self.add(lone::facebook(text, start), Kind::Token),
            What::Own => self.add(lone::own(text, start), Kind::Token),
            What::Terraform => self.add(lone::terraform(text, start), Kind::Token),
            What::Webhook(words) => self.add(lone::webhook(text, start, words), Kind::Token),
            What::Command(length) => self.add(lone::command_user(text, start + length), Kind::Secret),
            What::Birth => {
                if !(self.setting.keeps)(Kind::DateOfBirth) {
                    self.add(birth::date(text, start), Kind::DateOfBirth);
                }
            }
            What::Token(n) => {
                let end = SHAPES.get(n).and_then(|shape| tokens::end(text, start, shape));
                self.add(end.map(|end| (start, end)), Kind::Token);
            }
        }
    }

    fn name(&mut self, place: usize) {
        if place < self.past_names {
            return;
        }
        if self.setting.whole && pairs::is_key(self.text, place) {
            self.add(Some((place, place + 1)), Kind::Secret);
            return;
        }
        let named = pairs::named(self.text, place);
        self.past_names = named.end;
        if named.name == Name::Nothing {
            return;
        }
        let mut span = pairs::secret(self.text, named);
        if self.setting.whole && span.is_none() {
            // A quote that is open where its field ends goes on into the next one here.
            let quotes = memchr::memchr_iter(b'"', part(self.text, named.end, self.text.len())).take(4);
            span = quotes.into_iter().find_map(|n| pairs::secret(part(self.text, 0, named.end + n), named));
        }
        self.add(span, Kind::Secret);
    }

    fn digits(&mut self, start: usize) {
        if start < self.past_digits || !begins(self.text, start) {
            return;
        }
        let (end, digits, dots) = digits::measure(self.text, start);
        if digits < 7 && dots < 3 {
            self.past_digits = end;
            return;
        }
        // The digits of a mark are its own.
        let sign =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b':');
        if before(self.text, start) == b':' {
            let open = run_back(self.text, start, start.saturating_sub(52), sign);
            if before(self.text, open) == b'[' && mark_end(self.text, open - 1).is_some() {
                return;
            }
        }
        let mut start = start;
        loop {
            let group = Group::read(self.text, start);
            self.past_digits = group.end;
            // The last runs of a long group are read again, with what follows them.
            let enough = if group.is_full() { group.len() - 7 } else { group.len() };
            let mut from = 0;
            while from < enough {
                let found = group.at(from, &mut |start, end| self.meanings(start, end));
                let Some(number) = found else {
                    from += 1;
                    continue;
                };
                from += number.runs;
                let version = number.kind == Some(Kind::Ipv4)
                    && !self.setting.whole
                    && context::before(self.text, number.start) & context::VERSION != 0;
                if let Some(kind) = number.kind.filter(|_| !version) {
                    self.add(Some((number.start, number.end)), kind);
                }
            }
            if !group.is_full() || from >= group.len() {
                return;
            }
            start = group.start(from);
        }
    }

    /// What the words around a part of the text and those of its field mean.
    fn meanings(&mut self, start: usize, end: usize) -> Meanings {
        if self.setting.whole {
            let text = self.text;
            return *self.all.get_or_insert_with(|| context::meanings(text));
        }
        let field = self.setting.field;
        *self.field.get_or_insert_with(|| context::meanings(field.as_bytes()))
            | context::around(self.text, start, end)
    }
}
