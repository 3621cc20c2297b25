//! Groups of digits: cards, phone numbers, IPv4 addresses, numbers of people.
//!
//! A group is cut into its runs of digits; at each run it is asked what may begin there. At most a dozen runs are
//! looked at together, so a text of digits costs what any other costs.

use super::{
    bytes::{at, before, begins, is_word, part, run},
    context::{self, Meanings},
    ids::{self, State},
    kind::Kind,
};

const RUNS: usize = 12;

/// How the digits of cards are grouped.
const CARDS: [&[usize]; 5] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[6, 13]];
/// Numbers of people that are known by how they are written.
const WRITTEN: [(State, &[&[usize]]); 2] =
    [(State::Brazil, &[&[3, 3, 3, 2]]), (State::France, &[&[1, 2, 2, 2, 3, 3, 2], &[13, 2], &[15]])];
/// North American numbers, and how many runs of a trunk's digits come before them.
const AMERICAN: [(&[usize], usize); 3] = [(&[3, 3, 4], 0), (&[1, 3, 3, 4], 1), (&[3, 3, 3, 4], 1)];

/// How far digits and what separates them go, up to a few, and how many digits and dots are among them. Most are
/// too few for anything.
pub(super) fn measure(text: &[u8], start: usize) -> (usize, usize, usize) {
    let (mut digits, mut dots, mut end) = (0, 0, start);
    for byte in part(text, start, start + 24) {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => dots += 1,
            b' ' | b'-' | b'/' | b'(' | b')' => {}
            _ => break,
        }
        end += 1;
    }
    (end, digits, dots)
}

/// A run of digits and what separates it from the next.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    start: usize,
    end: usize,
}

impl Run {
    fn len(self) -> usize {
        self.end - self.start
    }
}

/// The runs of one group.
pub(super) struct Group<'t> {
    text: &'t [u8],
    runs: [Run; RUNS],
    count: usize,
    /// Where the group, or as much of it as was read, ends.
    pub(super) end: usize,
}

/// What stands at a run: how many runs it takes, where it begins and ends.
pub(super) struct Number {
    pub(super) runs: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// None: it is something that stays, such as a date.
    pub(super) kind: Option<Kind>,
}

impl<'t> Group<'t> {
    /// Reads the group that begins here.
    pub(super) fn read(text: &'t [u8], start: usize) -> Self {
        let mut group = Self { text, runs: [Run::default(); RUNS], count: 0, end: start };
        let mut from = start;
        for slot in &mut group.runs {
            let end = run(text, from, |byte| byte.is_ascii_digit());
            *slot = Run { start: from, end };
            group.count += 1;
            group.end = end;
            let gap =
                run(part(text, end, end + 3), 0, |b| matches!(b, b' ' | b'-' | b'.' | b'/' | b'(' | b')'));
            if gap == 0 || gap > 2 || !at(text, end + gap).is_ascii_digit() {
                break;
            }
            from = end + gap;
        }
        group
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether there may be more of it than was read.
    pub(super) fn is_full(&self) -> bool {
        self.count == RUNS
    }

    pub(super) fn start(&self, n: usize) -> usize {
        self.run(n).start
    }

    fn run(&self, n: usize) -> Run {
        if n < self.count { self.runs.get(n).copied().unwrap_or_default() } else { Run::default() }
    }

    /// The digits from a run on, at most 19, without what separates them.
    fn digits<'b>(&self, from: usize, runs: usize, buffer: &'b mut [u8; 20]) -> &'b [u8] {
        let mut count = 0;
        for n in from..from + runs {
            let run = self.run(n);
            for digit in part(self.text, run.start, run.end) {
                let Some(slot) = buffer.get_mut(count) else { return &[] };
                *slot = *digit;
                count += 1;
            }
        }
        part(buffer, 0, count)
    }

    /// What separates a run from the one before it.
    fn gap(&self, n: usize) -> &'t [u8] {
        let from = n.checked_sub(1).map_or(0, |n| self.run(n).end);
        part(self.text, from, self.run(n).start)
    }

    /// Whether the same separator stands between all these runs.
    fn even(&self, from: usize, runs: usize, separators: &[u8]) -> bool {
        let first = self.gap(from + 1);
        first.len() == 1
            && first.iter().all(|byte| separators.contains(byte))
            && (from + 2..from + runs).all(|n| self.gap(n) == first)
    }

    /// Whether no letter or digit, and no further dot of a longer number, touches these runs.
    fn clean(&self, from: usize, runs: usize) -> bool {
        let (start, end) = (self.run(from).start, self.run(from + runs - 1).end);
        let touches = |byte: u8| is_word(byte) || byte == b'_';
        begins(self.text, start) && before(self.text, start) != b'_' && !touches(at(self.text, end))
    }

    fn lengths(&self, from: usize, expected: &[usize]) -> bool {
        from + expected.len() <= self.count
            && expected.iter().enumerate().all(|(n, length)| self.run(from + n).len() == *length)
    }

    /// Whether it is the fraction of a number, or a number that has one.
    fn is_decimal(&self, from: usize, runs: usize) -> bool {
        let (start, end) = (self.run(from).start, self.run(from + runs - 1).end);
        let fraction =
            before(self.text, start) == b'.' && start >= 2 && at(self.text, start - 2).is_ascii_digit();
        fraction || (at(self.text, end) == b'.' && at(self.text, end + 1).is_ascii_digit())
    }

    fn number(&self, from: usize, runs: usize, kind: Option<Kind>) -> Number {
        Number { runs, start: self.run(from).start, end: self.run(from + runs - 1).end, kind }
    }

    /// What begins at a run. `around` answers what the words around a part of the text mean.
    pub(super) fn at(
        &self,
        from: usize,
        around: &mut impl FnMut(usize, usize) -> Meanings,
    ) -> Option<Number> {
        if self.is_date(from) {
            return Some(self.number(from, 3, None));
        }
        if let Some(address) = self.ipv4(from) {
            return Some(address);
        }
        // Nothing else is this short.
        let rest: usize = (from..self.count).map(|n| self.run(n).len()).sum();
        if rest < 7 {
            return None;
        }
        self.card(from, around)
            .or_else(|| self.ssn(from, around))
            .or_else(|| self.national(from, around))
            .or_else(|| self.phone(from, around))
    }

    fn is_date(&self, from: usize) -> bool {
        let year = part(self.text, self.run(from).start, self.run(from).start + 2);
        self.lengths(from, &[4, 2])
            && self.run(from + 2).len() == 2
            && matches!(year, b"19" | b"20")
            && self.even(from, 3, b"-/.")
    }

    fn ipv4(&self, from: usize) -> Option<Number> {
        if from + 4 > self.count || !self.even(from, 4, b".") || self.french(from) {
            return None;
        }
        let (start, end) = (self.run(from).start, self.run(from + 3).end);
        let fits = |n: usize| {
            let digits = part(self.text, self.run(n).start, self.run(n).end);
            let value = digits.iter().take(4).fold(0, |sum, d| sum * 10 + u32::from(d - b'0'));
            digits.len() <= 3 && value <= 255 && (digits.len() == 1 || at(digits, 0) != b'0')
        };
        let (last, next) = (before(self.text, start), at(self.text, end));
        let longer = (last == b'.' && start > 1 && at(self.text, start - 2).is_ascii_digit())
            || (next == b'.' && is_word(at(self.text, end + 1)));
        let version = !begins(self.text, start)
            || is_word(next)
            || (next == b'-' && at(self.text, end + 1).is_ascii_alphabetic())
            || (last == b'/' && start > 1 && is_word(at(self.text, start - 2)));
        let address = !longer && !version && (from..from + 4).all(fits);
        Some(self.number(from, 4, address.then_some(Kind::Ipv4)))
    }

    fn card(&self, from: usize, around: &mut impl FnMut(usize, usize) -> Meanings) -> Option<Number> {
        let mut buffer = [0; 20];
        let length = self.run(from).len();
        if (12..=19).contains(&length) {
            let digits = self.digits(from, 1, &mut buffer);
            if self.clean(from, 1) && !self.is_decimal(from, 1) {
                let named = |around: &mut dyn FnMut(usize, usize) -> Meanings| {
                    ids::luhn(digits) && around(self.run(from).start, self.run(from).end) & context::CARD != 0
                };
                if ids::is_card(digits) || named(around) {
                    return Some(self.number(from, 1, Some(Kind::CreditCard)));
                }
            }
            return None;
        }
        for layout in CARDS {
            let runs = layout.len();
            if self.lengths(from, layout) && self.even(from, runs, b" -.") && self.clean(from, runs) {
                // Dashes join what belongs together: a part of a longer chain is no card.
                let dash = self.gap(from + 1) != b" ";
                let chained = (from > 0 && self.gap(from) == self.gap(from + 1))
                    || self.chained_behind(from + runs - 1);
                if !(dash && chained) && ids::is_card(self.digits(from, runs, &mut buffer)) {
                    return Some(self.number(from, runs, Some(Kind::CreditCard)));
                }
            }
        }
        None
    }

    fn chained_behind(&self, last: usize) -> bool {
        let end = self.run(last).end;
        matches!(at(self.text, end), b'-' | b'.') && is_word(at(self.text, end + 1))
    }

    fn ssn(&self, from: usize, around: &mut impl FnMut(usize, usize) -> Meanings) -> Option<Number> {
        let mut buffer = [0; 20];
        let runs = if self.lengths(from, &[3, 2, 4]) && self.even(from, 3, b"- .") {
            3
        } else if self.lengths(from, &[9]) {
            1
        } else {
            return None;
        };
        let last = from + runs - 1;
        let attached = before(self.text, self.run(from).start) == b'-' || self.chained_behind(last);
        if attached || !self.clean(from, runs) || !ids::is_ssn(self.digits(from, runs, &mut buffer)) {
            return None;
        }
        let dashed = runs == 3 && self.gap(from + 1) == b"-";
        let mut named = || around(self.run(from).start, self.run(last).end) & context::SSN != 0;
        (dashed || named()).then(|| self.number(from, runs, Some(Kind::UsSsn)))
    }

    fn national(&self, from: usize, around: &mut impl FnMut(usize, usize) -> Meanings) -> Option<Number> {
        let mut buffer = [0; 20];
        let first = self.run(from);
        // A Spanish number ends in its letter.
        let letter = at(self.text, first.end);
        let dashed = usize::from(letter == b'-');
        let letter = at(self.text, first.end + dashed);
        if first.len() == 8
            && letter.is_ascii_uppercase()
            && !is_word(at(self.text, first.end + dashed + 1))
            && at(self.text, first.end + dashed + 1) != b'-'
            && begins(self.text, first.start)
            && before(self.text, first.start) != b'-'
            && ids::is_spanish(self.digits(from, 1, &mut buffer), letter)
        {
            let end = first.end + dashed + 1;
            return Some(Number { runs: 1, start: first.start, end, kind: Some(Kind::NationalId) });
        }
        // Written in their own ways, these need no word beside them.
        for (state, layouts) in WRITTEN {
            for layout in layouts {
                let runs = layout.len();
                let written =
                    state == State::France || (self.gap(from + 1) == b"." && self.gap(from + 3) == b"-");
                if self.lengths(from, layout)
                    && written
                    && self.clean(from, runs)
                    && !self.is_decimal(from, runs)
                    && ids::is_national(state, self.digits(from, runs, &mut buffer))
                {
                    return Some(self.number(from, runs, Some(Kind::NationalId)));
                }
            }
        }
        let mut total = 0;
        for runs in 1..=5.min(self.count - from) {
            total += self.run(from + runs - 1).len();
            let spaced = (from + 1..from + runs).all(|n| matches!(self.gap(n), b" " | b"-" | b"." | b"/"));
            if total > 12 || !spaced {
                break;
            }
            if total < 8 || !self.clean(from, runs) {
                continue;
            }
            let meanings = around(first.start, self.run(from + runs - 1).end);
            let digits = self.digits(from, runs, &mut buffer);
            if context::states(meanings).any(|state| ids::is_national(state, digits)) {
                return Some(self.number(from, runs, Some(Kind::NationalId)));
            }
        }
        None
    }

    fn phone(&self, from: usize, around: &mut impl FnMut(usize, usize) -> Meanings) -> Option<Number> {
        let first = self.run(from);
        let (last, second) = (before(self.text, first.start), at(self.text, first.start.wrapping_sub(2)));
        let international = last == b'+' && !is_word(if first.start > 1 { second } else { 0 });
        let open = last == b'(' && (at(self.text, first.end) == b')');
        let start = if international || open { first.start - 1 } else { first.start };
        // Part of a name, a fraction or an amount.
        let attached = !international
            && !open
            && (!begins(self.text, first.start)
                || matches!(last, b'_' | b'$' | b'#')
                || (matches!(last, b'-' | b'.' | b',') && is_word(second)));
        let runs = self.phone_runs(from, international);
        if runs == 0 || attached {
            return None;
        }
        let end = self.run(from + runs - 1).end;
        let found = |runs: usize| {
            let end = self.extension(self.run(from + runs - 1).end);
            Some(Number { runs, start, end, kind: Some(Kind::Phone) })
        };
        let total = |runs: usize| (from..from + runs).map(|n| self.run(n).len()).sum::<usize>();
        if international
            && at(self.text, first.start) != b'0'
            && total(runs) >= if runs == 1 { 10 } else { 8 }
            && !is_word(at(self.text, end))
        {
            return found(runs);
        }
        for (layout, lead) in AMERICAN {
            if self.lengths(from, layout) && self.american(from + lead, layout.len() - lead) {
                let trunk = part(self.text, first.start, first.end);
                if lead == 0 || matches!(trunk, b"1" | b"001" | b"011") {
                    return found(layout.len());
                }
            }
        }
        let zero = at(self.text, first.start) == b'0';
        if zero
            && (self.french(from) || (open && runs >= 3 && total(runs) >= 9))
            && self.ends_clean(from + runs - 1)
        {
            return found(runs);
        }
        let separated = runs > 1;
        if !(7..=15).contains(&total(runs))
            || !self.ends_clean(from + runs - 1)
            || self.is_decimal(from, runs)
        {
            return None;
        }
        let meanings = around(start, end);
        let called = separated && total(runs) >= 7 || zero && total(runs) >= 9;
        if meanings & context::PHONE != 0 || (meanings & context::CALL != 0 && called) {
            return found(runs);
        }
        None
    }

    fn ends_clean(&self, last: usize) -> bool {
        let end = self.run(last).end;
        let next = at(self.text, end);
        !is_word(next) || (next == b'x' && at(self.text, end + 1).is_ascii_digit())
    }

    /// How many runs one phone number may take.
    fn phone_runs(&self, from: usize, international: bool) -> usize {
        let mut total = self.run(from).len();
        if total > 15 {
            return 0;
        }
        let mut runs = 1;
        while from + runs < self.count {
            let next = self.run(from + runs).len();
            let long = total >= 10 && !international && self.gap(from + runs) == b" ";
            if total + next > 15 || (runs == 1 && total >= 9) || long || (total >= 7 && next == 1) {
                break;
            }
            total += next;
            runs += 1;
        }
        runs
    }

    /// Three, three and four digits as they are written in North America.
    fn american(&self, from: usize, runs: usize) -> bool {
        let first = |n: usize| matches!(at(self.text, self.run(n).start), b'2'..=b'9');
        let (one, two) = (self.gap(from + 1), self.gap(from + 2));
        let open = before(self.text, self.run(from).start) == b'(';
        let written = (open && matches!(one, b") " | b")" | b")-") && matches!(two, b"-" | b" " | b"."))
            || (one == two && matches!(one, b"-" | b"."));
        runs == 3
            && written
            && first(from)
            && self.ends_clean(from + 2)
            && !self.chained_behind(from + 2)
            && first(from + 1)
    }

    /// Five pairs that begin with a zero.
    fn french(&self, from: usize) -> bool {
        self.lengths(from, &[2, 2, 2, 2, 2]) && self.even(from, 5, b" .-") && self.count == from + 5
    }

    /// Where the number ends with its extension, `x123`.
    fn extension(&self, end: usize) -> usize {
        if at(self.text, end) == b'x' && at(self.text, end + 1).is_ascii_digit() {
            return run(part(self.text, 0, end + 7), end + 1, |byte| byte.is_ascii_digit());
        }
        end
    }
}
