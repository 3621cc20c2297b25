//! A question read from the left to the right, word by word: what each part of it says, and what none says.

use super::{
    Wants,
    clause::{Clause, Test},
    clock::{is_digits, unit},
    day::{Calendar, day},
    fields, levels,
    names::Names,
    numbers, status,
    text::{Mode, plain},
    times::Times,
    vocabulary::{NEGATIONS, is_beyond, is_filler, is_noun},
    wants::{self, Wish, is_beginning},
    words::{Kind, Tokens},
};

/// Words of no other meaning that are looked for in logs; who says more tells a story.
pub(super) const MOST_TERMS: usize = 12;

/// Words that mean something only together.
pub(super) const IDIOMS: &[&str] = &[
    "timed out",
    "timing out",
    "time out",
    "time outs",
    "out of memory",
    "out of disk",
    "no space left on device",
    "no space left",
    "no route to host",
    "no such file",
    "not found",
    "not authorized",
    "not authorised",
    "not permitted",
    "not allowed",
    "not connected",
    "log in",
    "logged in",
    "logged out",
    "log out",
    "sign in",
    "signed in",
    "shut down",
    "shutting down",
    "too many requests",
    "too many connections",
    "connection reset by peer",
    "reset by peer",
    "took too long",
    "rate limit",
    "rate limited",
    "gave up",
];
const TROUBLE: &[&str] = &[
    "not working",
    "not responding",
    "isn't working",
    "isn't responding",
    "doesn't work",
    "don't work",
    "not work",
    "aren't working",
];

/// One thing that is asked of logs, and the words that say so.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) clause: Clause,
    pub(super) is_negated: bool,
    /// Whether it is said as another choice for the one before.
    pub(super) is_choice: bool,
    is_run: bool,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) struct Reader<'q, 'k> {
    pub(super) tokens: &'q Tokens<'q>,
    pub(super) names: &'q Names<'k>,
    pub(super) calendar: Calendar,
    pub(super) items: Vec<Item>,
    pub(super) times: Times,
    pub(super) time_words: Vec<(usize, usize)>,
    pub(super) wish: Wish,
    pub(super) wishes: Vec<(usize, usize, String)>,
    pub(super) ignored: Vec<String>,
    /// Whether logs as such were asked for.
    pub(super) has_noun: bool,
    not: Option<usize>,
    pub(super) carried: Option<Mode>,
    terms: usize,
}

impl<'q, 'k> Reader<'q, 'k> {
    pub(super) fn new(tokens: &'q Tokens<'q>, names: &'q Names<'k>, calendar: Calendar) -> Self {
        Self {
            tokens,
            names,
            calendar,
            items: Vec::new(),
            times: Times::default(),
            time_words: Vec::new(),
            wish: Wish::default(),
            wishes: Vec::new(),
            ignored: Vec::new(),
            has_noun: false,
            not: None,
            carried: None,
            terms: 0,
        }
    }

    pub(super) fn read(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            if self.not.is_some_and(|not| self.tokens.begins_part(at) && at > not + 1) {
                self.drop_not();
            }
            at = self.step(at).max(at + 1);
        }
        self.drop_not();
    }

    /// Reads what begins here; answers where it ends.
    fn step(&mut self, at: usize) -> usize {
        if let Some(next) = self.more_text(at) {
            return next;
        }
        match self.tokens.kind(at) {
            Some(Kind::Operator) if self.unknown_operator(at) => return at + 1,
            Some(Kind::Phrase) if self.tokens.kind(at + 1) != Some(Kind::Operator) => {
                let text = self.tokens.text(at);
                if text.trim().is_empty() {
                    self.ignored.push(format!("\"{text}\""));
                } else {
                    self.push(Clause::Term(text.to_owned()), at, at + 1, false);
                    self.carried = None;
                }
                return at + 1;
            }
            _ => {}
        }
        let is_cut = self.tokens.eat(at, "logged out of").is_some();
        if let Some(next) = self.tokens.eat_any(at, IDIOMS).filter(|_| !is_cut) {
            let said = self.tokens.said(at, next).to_lowercase();
            let clause = if said == "timing out" { "timed out".to_owned() } else { said };
            self.run(Clause::Term(clause), at, next);
            return next;
        }
        if let Some(next) = self.tokens.eat_any(at, TROUBLE) {
            self.push(Clause::Levels(0b1_1100), at, next, false);
            return next;
        }
        if let Some(next) = self.negation(at) {
            return next;
        }
        self.time(at)
            .or_else(|| {
                self.names.long(self.tokens, at).map(|(next, clause)| self.push(clause, at, next, false))
            })
            .or_else(|| self.wish(at))
            .or_else(|| self.marker(at))
            .or_else(|| self.said_of_field(at))
            .or_else(|| self.level(at))
            .or_else(|| self.failure(at))
            .or_else(|| self.name(at))
            .unwrap_or_else(|| self.word(at))
    }

    fn name(&mut self, at: usize) -> Option<usize> {
        let (next, clause) = self.names.read(self.tokens, at)?;
        // "By user 4711" is of a user, also where a service is called so.
        let of_field = self.tokens.skip(at + 1, &["the"]);
        if of_field < next
            && self
                .field(of_field)
                .is_some_and(|(end, said)| end > next && family(&said.clause) != Some("service"))
        {
            return None;
        }
        Some(self.push(clause, at, next, false))
    }

    /// An operator that stands for no comparison is passed over.
    fn unknown_operator(&mut self, at: usize) -> bool {
        if numbers::duration(self.tokens, at).is_some() {
            return false;
        }
        self.ignored.push(self.tokens.text(at).to_owned());
        true
    }

    fn negation(&mut self, at: usize) -> Option<usize> {
        let next = self.tokens.eat_any(at, NEGATIONS).or_else(|| {
            let is_all =
                self.tokens.is(at.wrapping_sub(1), &["everything", "anything", "all", "nothing", "logs"]);
            (is_all && self.tokens.is(at, &["but"])).then_some(at + 1)
        })?;
        if self.tokens.is(next, &["know", "understand", "care", "see", "only", "sure"]) {
            return Some(next + 1);
        }
        if self.tokens.is(at, &["missing", "lacking"]) {
            let named = self.tokens.skip(next, &["a", "an", "the"]);
            fields::named(self.tokens, named)?;
        }
        self.not = Some(at);
        Some(next)
    }

    fn drop_not(&mut self) {
        if let Some(at) = self.not.take() {
            self.ignored.push(self.tokens.text(at).to_owned());
        }
    }

    fn time(&mut self, at: usize) -> Option<usize> {
        if self.tokens.is(at, &["next", "coming"]) {
            // What has not been logged yet is not found.
            let (next, _) = day(self.tokens, at + 1, &self.calendar, true)
                .or_else(|| unit(self.tokens.lower(at + 1)).map(|_| (at + 2, self.calendar.today())))?;
            self.ignored.push(self.tokens.said(at, next));
            return Some(next);
        }
        let (next, times) = self.times.read(self.tokens, at, &self.calendar)?;
        // No search leaves out a time.
        if let Some(not) = self.not.take() {
            self.ignored.push(self.tokens.said(not, next));
            return Some(next);
        }
        match times {
            Some(times) => {
                self.times = times;
                self.time_words.push((at, next));
            }
            None => self.ignored.push(self.tokens.said(at, next)),
        }
        Some(next)
    }

    fn wish(&mut self, at: usize) -> Option<usize> {
        let (next, wish) = wants::read(self.tokens, at, &|at| self.has_value(at))?;
        let rank = |wants: &Option<Wants>| match wants {
            None | Some(Wants::Logs) => 0,
            Some(Wants::Count) => 1,
            Some(Wants::Trend) => 2,
            Some(Wants::CountBy(_)) => 3,
            Some(Wants::Slowest) => 4,
        };
        let is_group =
            |wants: &Option<Wants>| matches!(wants, Some(Wants::CountBy(_) | Wants::Trend | Wants::Slowest));
        if is_group(&self.wish.wants) && is_group(&wish.wants) && self.wish.wants != wish.wants {
            // One grouping is shown; of two the more telling one.
            let weaker = if rank(&wish.wants) > rank(&self.wish.wants) {
                self.wishes.pop().map(|(from, to, _)| self.tokens.said(from, to))
            } else {
                Some(self.tokens.said(at, next))
            };
            self.ignored.extend(weaker);
        }
        if self.tokens.is(at, &["error"]) {
            // Of an error rate the errors are counted.
            self.push(levels::failure(), at, at + 1, false);
        }
        self.wishes.push((at, next, wish.meaning()));
        if rank(&wish.wants) > rank(&self.wish.wants) {
            self.wish.wants = wish.wants;
        }
        self.wish.limit = self.wish.limit.or(wish.limit);
        self.wish.oldest_first = self.wish.oldest_first.or(wish.oldest_first);
        let also = self.tokens.skip(next, &["and"]);
        if is_group(&self.wish.wants)
            && (also > next || self.tokens.begins_part(next))
            && !self.has_value(also)
            && let Some((end, _)) =
                wants::group(self.tokens, also).filter(|(end, _)| *end <= self.tokens.len())
        {
            // Only one grouping is shown.
            self.ignored.push(self.tokens.said(also, end));
            return Some(end);
        }
        Some(next)
    }

    /// Whether a field and its value begin here.
    pub(super) fn has_value(&self, at: usize) -> bool {
        let is_level =
            levels::level(self.tokens.lower(at)).is_none() && levels::read(self.tokens, at).is_some();
        self.field(at).is_some() || is_level || self.names.read(self.tokens, at).is_some()
    }

    pub(super) fn field(&self, at: usize) -> Option<(usize, fields::Said)> {
        let is_time = |at: usize| Times::default().read(self.tokens, at, &self.calendar).is_some();
        status::read(self.tokens, at)
            .or_else(|| {
                numbers::duration(self.tokens, at).map(|(next, clause)| (next, fields::Said::of(clause)))
            })
            .or_else(|| fields::read(self.tokens, at, &is_time))
    }

    fn said_of_field(&mut self, at: usize) -> Option<usize> {
        let (next, said) = self.field(at)?;
        let said_clause = match said.clause {
            Clause::Field(name, Test::Is(value))
                if matches!(name.as_str(), "service" | "environment" | "category") =>
            {
                // The name that exists, where the one that was said is only written otherwise.
                let known = self.names.read(self.tokens, at).filter(|(end, _)| *end >= next);
                known.map_or(Clause::Field(name, Test::Is(value)), |(_, clause)| clause)
            }
            clause => clause,
        };
        Some(self.push(said_clause, at, next, said.is_negated))
    }

    fn level(&mut self, at: usize) -> Option<usize> {
        let (next, level) = levels::read(self.tokens, at)?;
        Some(self.push(level.clause, at, next, level.is_negated))
    }

    /// "Failed": of a thing it is a word, alone a level, and of requests also their status.
    fn failure(&mut self, at: usize) -> Option<usize> {
        if !levels::is_failure(self.tokens.lower(at)) {
            return None;
        }
        let last = self.items.last();
        if last.is_some_and(|item| item.end == at && matches!(item.clause, Clause::Levels(_))) {
            return Some(at + 1);
        }
        let with = self.tokens.eat(at + 1, "with");
        if with.is_some_and(|with| status::read(self.tokens, with).is_some()) {
            return Some(at + 1);
        }
        let is_after = last.is_some_and(|item| {
            item.is_run
                && (item.end..at).all(|n| !self.tokens.begins_part(n) && is_filler(self.tokens.lower(n)))
                && at - item.end < 3
                && !self.tokens.begins_part(at)
        });
        let behind = self.tokens.skip(at + 1, &["to", "the", "a"]);
        let word = self.tokens.lower(behind);
        let is_plain = !word.is_empty() && !self.tokens.begins_part(at + 1) && !self.is_known(behind);
        if is_after || is_plain {
            self.run(Clause::Begins("fail".to_owned()), at, at + 1);
            return Some(at + 1);
        }
        let is_request =
            self.tokens.is(at + 1, &["request", "requests", "call", "calls", "response", "responses"])
                || self.tokens.is(at.wrapping_sub(1), &["request", "requests", "call", "calls"]);
        let clause = if is_request {
            Clause::Any(vec![levels::failure(), Clause::than("status", ">=", "500")])
        } else {
            levels::failure()
        };
        Some(self.push(clause, at, at + 1, false))
    }

    /// Whether anything but a plain word begins here.
    pub(super) fn is_known(&self, at: usize) -> bool {
        let word = self.tokens.lower(at);
        is_filler(word) || is_noun(word) || is_beyond(word) || self.tokens.is_phrase(at) || self.is_meant(at)
    }

    /// Whether a level, a field, a name or a time begins here.
    pub(super) fn is_meant(&self, at: usize) -> bool {
        Times::default().read(self.tokens, at, &self.calendar).is_some()
            || self.field(at).is_some()
            || levels::read(self.tokens, at).is_some()
            || self.names.read(self.tokens, at).is_some()
            || self.tokens.eat_any(at, NEGATIONS).is_some()
    }

    /// A word that nothing else knows is looked for in the logs.
    fn word(&mut self, at: usize) -> usize {
        let word = self.tokens.lower(at);
        let text = self.tokens.text(at);
        let is_said = text.chars().any(char::is_alphanumeric);
        let asks_when = self.tokens.is(0, &["when", "since"]) && is_beginning(word);
        if is_noun(word) {
            self.has_noun = true;
        } else if is_filler(word) || asks_when || !is_said || levels::level(word).is_some() {
            // It holds the sentence together, as "info" does in "info about".
        } else if is_beyond(word)
            || (is_digits(text) && text.len() < 4)
            || text.len() < 2
            || self.terms >= MOST_TERMS
        {
            self.ignored.push(text.to_owned());
        } else {
            self.terms += 1;
            let clause = plain(text);
            self.run(clause, at, at + 1);
        }
        at + 1
    }

    /// Words beside each other are one thing.
    fn run(&mut self, clause: Clause, start: usize, end: usize) {
        let is_fresh = self.not.is_some() || self.tokens.begins_part(start);
        if let Some(item) = self.items.last_mut().filter(|item| item.is_run && item.end == start && !is_fresh)
        {
            let old = std::mem::replace(&mut item.clause, Clause::All(Vec::new()));
            let mut parts = match old {
                Clause::All(parts) => parts,
                one => vec![one],
            };
            parts.push(clause);
            item.clause = Clause::All(parts);
            item.end = end;
            return;
        }
        self.push(clause, start, end, false);
        if let Some(item) = self.items.last_mut() {
            item.is_run = true;
        }
    }

    pub(super) fn push(&mut self, clause: Clause, start: usize, end: usize, is_negated: bool) -> usize {
        let joined = self.items.last().map(|last| (last, join(self.tokens, last.end, start)));
        let (mut goes_on, mut is_choice) = (false, false);
        if let Some((last, join)) = joined {
            let is_alike = family(&last.clause) == family(&clause);
            goes_on = last.is_negated
                && self.not.is_none()
                && (join == Join::Or || (join == Join::And && is_alike));
            let is_place = matches!(family(&clause), Some("service" | "environment"));
            is_choice = !last.is_negated && join == Join::Or && !is_place && self.not.is_none();
        }
        let is_negated = self.not.take().is_some() != is_negated || goes_on;
        let is_choice = is_choice && !is_negated;
        self.items.push(Item { clause, is_negated, is_choice, is_run: false, start, end });
        end
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
    None,
}

/// What joins two things: a word, and nothing besides but what leads to the second.
fn join(tokens: &Tokens<'_>, from: usize, to: usize) -> Join {
    let is_or = |n: usize| tokens.is(n, &["or", "nor"]);
    let is_and = |n: usize| tokens.is(n, &["and", "&", "+"]);
    let lead = |n: usize| {
        is_or(n)
            || is_and(n)
            || tokens
                .is(n, &["from", "in", "the", "any", "a", "of", "by", "containing", "mentioning", "about"])
    };
    if to < from || to - from > 4 || !(from..to).all(lead) {
        return Join::None;
    }
    if (from..to).any(is_or) {
        Join::Or
    } else if (from..to).any(is_and) || tokens.begins_part(from) {
        Join::And
    } else {
        Join::None
    }
}

/// The field that a clause is about; nothing when it is about several.
pub(super) fn family(clause: &Clause) -> Option<&str> {
    match clause {
        Clause::Term(_) | Clause::Begins(_) => Some("any text"),
        Clause::Field(name, _) => Some(name),
        Clause::Levels(_) => Some("level"),
        Clause::Not(inner) => family(inner),
        Clause::All(parts) | Clause::Any(parts) => {
            let first = family(parts.first()?)?;
            parts.iter().all(|part| family(part) == Some(first)).then_some(first)
        }
    }
}
