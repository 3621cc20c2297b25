//! The names of indexes and runs. They stand apart from the segments', under a class, so that one rule of the
//! bucket can name all that belongs to a class; a test pins the literal bytes.

/// The key of a segment's run; `None` for what is no segment's key.
pub fn run_key(segment_key: &str) -> Option<String> {
    Some(format!("index/{}.words", segment_key.strip_prefix("logs/")?))
}

/// The key of a partition's index. The generation grows each time it is made anew.
pub fn index_key(tenant: &str, class: &str, partition: u32, generation: u32) -> String {
    format!("index/{tenant}/{class}/{partition:06}-g{generation}.index")
}

/// What to give a merge as its identity: every key makes one object, so every key has its own.
pub fn identity(index_key: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(index_key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_these_letters_for_ever() {
        let segment = "logs/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz";
        let run = "index/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz.words";
        assert_eq!(run_key(segment).as_deref(), Some(run));
        assert_eq!(run_key("spool/default/000/abc.append"), None);
        assert_eq!(index_key("default", "d30", 7, 3), "index/default/d30/000007-g3.index");
        assert_eq!(identity("index/default/d30/000007-g3.index"), 0xf035_14c1_770a_062a);
    }
}
