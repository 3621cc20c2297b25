//! A template guessed from a few values of the same build, so that the others need only be compared: ids, dates,
//! keys. It also knows that the `beef` among `d454` and `07a1` is a number.

use super::{Cut, MAX_DIGITS, MAX_HEX, Var, cut::next_word, is_hex, put_var, static_form};

const MAX_LEN: usize = 128;

/// A guess from fewer values would be a coincidence.
const MIN_SAMPLES: usize = 8;

/// Values of one length whose words stand at the same places.
#[derive(Debug)]
pub(in crate::engine::block) struct Fixed {
    len: usize,
    parts: Vec<Part>,
    form: String,
}

#[derive(Debug)]
enum Part {
    Text(usize, Vec<u8>),
    Var { var: Var, from: usize, to: usize },
}

impl Fixed {
    /// What these values have in common, if they have a word that differs.
    pub(in crate::engine::block) fn of(samples: &[&str]) -> Option<Self> {
        let first = samples.first()?;
        let alike = |value: &&str| value.len() == first.len() && value.is_ascii();
        if samples.len() < MIN_SAMPLES || first.len() > MAX_LEN || !samples.iter().all(alike) {
            return None;
        }
        let mut fixed = Self { len: first.len(), parts: Vec::new(), form: String::new() };
        let mut at = 0;
        while let Some((start, end)) = next_word(first, at) {
            fixed.text(first, at, start);
            let words: Option<Vec<&str>> = samples.iter().map(|value| value.get(start..end)).collect();
            fixed.word(first, start, end, &words?)?;
            at = end;
        }
        fixed.text(first, at, first.len());
        fixed.join_uuids();
        for part in &fixed.parts {
            match part {
                Part::Text(_, text) => static_form(str::from_utf8(text).ok()?, &mut fixed.form),
                Part::Var { var, .. } => put_var(&mut fixed.form, *var),
            }
        }
        let varies = fixed.parts.iter().any(|part| matches!(part, Part::Var { .. }));
        (varies && samples.iter().all(|value| fixed.fits(value))).then_some(fixed)
    }

    fn text(&mut self, value: &str, from: usize, to: usize) {
        let bytes = value.as_bytes().get(from..to).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        if let Some(Part::Text(_, text)) = self.parts.last_mut() {
            text.extend_from_slice(bytes);
        } else {
            self.parts.push(Part::Text(from, bytes.to_vec()));
        }
    }

    fn word(&mut self, first: &str, start: usize, end: usize, words: &[&str]) -> Option<()> {
        let length = end - start;
        let all = |test: fn(u8) -> bool| words.iter().all(|word| word.bytes().all(test));
        let some_digit = words.iter().any(|word| word.bytes().any(|b| b.is_ascii_digit()));
        if words.iter().all(|word| first.get(start..end) == Some(word)) {
            self.text(first, start, end);
            return Some(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_HEX")]
        let var = if length <= MAX_DIGITS && all(|b| b.is_ascii_digit()) {
            Var::Padded(length as u8)
        } else if length <= MAX_HEX && some_digit && all(is_hex) {
            Var::Hex(length as u8)
        } else {
            return None;
        };
        self.parts.push(Part::Var { var, from: start, to: end });
        Some(())
    }

    /// Five words of hexadecimal digits with dashes between them are one variable.
    fn join_uuids(&mut self) {
        let mut at = 0;
        while let Some(window) = self.parts.get(at..at + 9) {
            let is_uuid = window.iter().enumerate().all(|(nth, part)| match part {
                Part::Text(_, text) => nth % 2 == 1 && text == b"-",
                Part::Var { var: Var::Hex(_) | Var::Padded(_), from, to } => {
                    nth % 2 == 0 && [8, 4, 4, 4, 12].get(nth / 2) == Some(&(to - from))
                }
                Part::Var { .. } => false,
            });
            if let (true, Some(Part::Var { from, .. })) = (is_uuid, window.first()) {
                let from = *from;
                self.parts.splice(at..at + 9, [Part::Var { var: Var::Uuid, from, to: from + 36 }]);
            }
            at += 1;
        }
    }

    fn fits(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        bytes.len() == self.len
            && self.parts.iter().all(|part| match part {
                Part::Text(at, text) => bytes.get(*at..at + text.len()) == Some(text),
                Part::Var { var, from, to } => {
                    let digits = bytes.get(*from..*to).unwrap_or_default();
                    match var {
                        Var::Padded(_) => digits.iter().all(u8::is_ascii_digit),
                        Var::Uuid => digits.iter().enumerate().all(|(at, byte)| match at {
                            8 | 13 | 18 | 23 => *byte == b'-',
                            _ => is_hex(*byte),
                        }),
                        _ => digits.iter().all(|byte| is_hex(*byte)),
                    }
                }
            })
    }

    /// Cuts the value if it is of this build.
    pub(in crate::engine::block) fn cut(&self, value: &str, cut: &mut Cut) -> bool {
        if !self.fits(value) {
            return false;
        }
        cut.clear();
        cut.form.push_str(&self.form);
        for part in &self.parts {
            let Part::Var { var, from, to } = part else { continue };
            cut.vars.push((*var, *from, *to));
            if *var == Var::Uuid {
                let words = [(0, 8), (9, 13), (14, 18), (19, 23), (24, 36)];
                cut.words.extend(words.map(|(start, end)| (from + start, from + end)));
            } else {
                cut.words.push((*from, *to));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(samples: &[&str], form: Option<&str>) {
        let samples: Vec<&str> = samples.iter().copied().cycle().take(MIN_SAMPLES).collect();
        let fixed = Fixed::of(&samples);
        assert_eq!(fixed.map(|fixed| fixed.form.replace('\u{1}', "%")).as_deref(), form, "{samples:?}");
    }

    #[test]
    fn values_of_one_build_have_a_template() {
        check(&["req-ba7725a3-d454", "req-0123beef-beef"], Some("req-%x8-%x4"));
        check(&["u-00413", "u-20173"], Some("u-%z5"));
        check(&["v1/10", "v1/20"], Some("v1/%z2"));
        check(&["018f3c2e-0000-7abc-8def-0123456789ab", "118f3c2e-0100-7abd-8dee-0123456789ac"], Some("%u"));
        check(&["same", "same"], None);
        check(&["cat1", "dog2"], None);
        check(&["a-b", "a.b"], None);
        check(&["10", "9"], None);
    }

    #[test]
    fn what_is_not_of_the_build_is_not_cut() {
        let fixed = Fixed::of(&["u-00413"; 4].into_iter().chain(["u-20173"; 4]).collect::<Vec<_>>()).unwrap();
        let mut cut = Cut::default();
        assert!(fixed.cut("u-99999", &mut cut));
        assert_eq!((cut.vars, cut.words), (vec![(Var::Padded(5), 2, 7)], vec![(2, 7)]));
        for other in ["u-9999", "u-9999x", "v-99999", "u_99999"] {
            assert!(!fixed.cut(other, &mut Cut::default()), "{other}");
        }
    }
}
