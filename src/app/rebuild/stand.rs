//! Which objects of a folder stand for others, told from the objects alone.
//!
//! A merge writes its object, and then the catalog takes it in place of its sources; a day later those are
//! deleted. So an object that was made of others was taken in for certain when one of its sources is gone or
//! when another was made of it, and for certain not when one of its sources is still listed or stands for
//! something else. Where neither is known all its sources are there, and both are right: then the merged one
//! is taken, unless two lay claim to one source.

use std::collections::{BTreeMap, BTreeSet};

/// An object that was made of others.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) key: String,
    pub(super) sources: Vec<String>,
}

/// The keys of those whose rows others have: sources of what was taken in, and what was not. `there` are the
/// objects that are not noted for removal, and `listed` says which of them the catalog has.
pub(super) fn dead<'a>(
    made: &'a [Made],
    there: &BTreeSet<&str>,
    listed: &impl Fn(&str) -> bool,
) -> BTreeSet<&'a str> {
    let mut claims: BTreeMap<&str, Vec<&Made>> = BTreeMap::new();
    for one in made {
        for source in &one.sources {
            claims.entry(source).or_default().push(one);
        }
    }
    let sources_listed = |one: &Made| one.sources.iter().any(|source| listed(source));
    let is_certain = |one: &Made| {
        let source_gone = one.sources.iter().any(|source| !there.contains(source.as_str()));
        let was_source = claims.contains_key(one.key.as_str());
        listed(&one.key) || (!sources_listed(one) && (source_gone || was_source))
    };
    let rivals = |one: &'a Made| {
        let claimed = one.sources.iter().filter_map(|source| claims.get(source.as_str())).flatten();
        claimed.filter(|other| other.key != one.key).copied().collect::<Vec<_>>()
    };
    let is_taken = |one: &'a Made| {
        is_certain(one) || (!sources_listed(one) && !one.sources.is_empty() && rivals(one).is_empty())
    };
    let mut dead = BTreeSet::new();
    for one in made {
        if is_taken(one) {
            dead.extend(one.sources.iter().map(String::as_str).filter(|source| there.contains(source)));
        } else {
            dead.insert(one.key.as_str());
        }
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_object_that_is_left() {
        // What is there, what is listed, and what is left of it.
        for (what, made, there, listed, left) in [
            ("one merge that nobody disputes", "O=a,b", "abOc", "", "Oc"),
            ("its sources are deleted", "O=a,b", "Oc", "", "Oc"),
            ("one of them is", "O=a,b", "bO", "", "O"),
            ("it was never taken in: its sources are listed", "O=a,b", "abO", "ab", "ab"),
            ("or one of them is", "O=a,b", "abO", "b", "ab"),
            ("it is listed, and its sources are not noted", "O=a,b", "abO", "O", "O"),
            ("a merge of a merge", "O=a,b P=O,c", "abcOP", "", "P"),
            ("whose own sources are deleted", "O=a,b P=O,c", "cOP", "", "P"),
            ("and then all of them", "O=a,b P=O,c", "P", "", "P"),
            ("two for the same source", "O=a,b P=a,b,c", "abcOP", "", "abc"),
            ("of which one was taken in", "O=a,b P=a,b,c", "cOP", "c", "cO"),
            ("as another tells", "O=a,b P=a,b,c Q=O,d", "abcdOPQ", "", "cQ"),
            ("nothing is made of others", "", "abc", "", "abc"),
        ] {
            let made: Vec<Made> = made
                .split_whitespace()
                .map(|one| {
                    let (key, sources) = one.split_once('=').unwrap();
                    Made { key: key.into(), sources: sources.split(',').map(str::to_owned).collect() }
                })
                .collect();
            let letters = |text: &'static str| -> Vec<&'static str> {
                text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect()
            };
            let there: BTreeSet<&str> = letters(there).into_iter().collect();
            let dead = dead(&made, &there, &|key| listed.contains(key));
            let mut kept: Vec<&str> = there.iter().filter(|key| !dead.contains(*key)).copied().collect();
            kept.sort_unstable();
            let mut expected = letters(left);
            expected.sort_unstable();
            assert_eq!(kept, expected, "{what}");
        }
    }
}
