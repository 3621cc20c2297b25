//! Which records of a sampled kind are kept.

use crate::engine::{block::words, record::model::Record};

/// What decides for a record: its trace, or what else ties records together, or itself.
pub(super) fn trace_of(record: &Record) -> u64 {
    let fields = &record.fields;
    let tie = fields.trace_id.as_deref().or(fields.correlation_id.as_deref());
    tie.map_or_else(|| words::hash(&record.id.to_string()), words::hash)
}

/// Whether what has this hash is among one in so many. What is kept at a rate is kept at every lower one.
pub(super) fn is_kept(hash: u64, one_in: u32) -> bool {
    hash <= u64::MAX / u64::from(one_in.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_kept_and_the_kept_of_a_high_rate_are_among_those_of_a_low_one() {
        let hashes: Vec<u64> = (0..100_000).map(|nth| words::hash(&format!("trace-{nth}"))).collect();
        let mut before = hashes;
        for one_in in [1_u32, 2, 10, 100, 1_000] {
            let kept: Vec<u64> = before.iter().copied().filter(|hash| is_kept(*hash, one_in)).collect();
            let expected = 100_000 / one_in as usize;
            // Five times what chance does.
            assert!(kept.len().abs_diff(expected) <= 5 * expected.isqrt() + 1, "{one_in}: {}", kept.len());
            before = kept;
        }
    }
}
