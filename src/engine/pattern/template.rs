//! A template that a user wrote, or a mined one, held against messages.

use super::{head::clean, text::SHOWN};

/// Text with `<*>` for anything, also for nothing. Runs of spaces are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What stands between the variables; one more than there are variables.
    texts: Vec<Vec<u8>>,
}

impl Template {
    pub fn parse(text: &str) -> Option<Self> {
        let mut cleaned = Vec::new();
        clean(text, &mut cleaned);
        if cleaned.is_empty() {
            return None;
        }
        let mut texts = Vec::new();
        let mut rest = cleaned.as_slice();
        while let Some(at) = memchr::memmem::find(rest, SHOWN.as_bytes()) {
            let (text, after) = rest.split_at_checked(at)?;
            texts.push(text.to_vec());
            rest = after.get(SHOWN.len()..)?;
        }
        texts.push(rest.to_vec());
        Some(Self { texts })
    }

    /// Whether the head of the message, which is all a form looks at, is one of the template's.
    pub fn matches(&self, message: &str) -> bool {
        Self::first(std::slice::from_ref(self), message).is_some()
    }

    /// The place of the first template that matches.
    pub fn first(templates: &[Self], message: &str) -> Option<usize> {
        if templates.is_empty() {
            return None;
        }
        let mut cleaned = Vec::new();
        clean(message, &mut cleaned);
        templates.iter().position(|template| template.fits(&cleaned).unwrap_or(false))
    }

    fn fits(&self, message: &[u8]) -> Option<bool> {
        let (first, others) = self.texts.split_first()?;
        let rest = message.strip_prefix(first.as_slice())?;
        let Some((last, between)) = others.split_last() else { return Some(rest.is_empty()) };
        let mut rest = rest;
        for text in between {
            // The first place that fits leaves the most for what follows.
            let at = memchr::memmem::find(rest, text)?;
            rest = rest.get(at + text.len()..)?;
        }
        Some(rest.ends_with(last))
    }
}
