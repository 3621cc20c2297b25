//! The names of indexes and runs. They stand apart from the segments': a run under its segment's class, an index under
//! its tenant, because it is of segments of all classes. A test pins the literal bytes.

use super::Parts;

/// What all indexes and runs lie under.
pub const FOLDER: &str = "index/";

/// The key of a segment's run; `None` for what is no segment's key.
pub fn run_key(segment_key: &str) -> Option<String> {
    Some(format!("{FOLDER}{}{RUN}", segment_key.strip_prefix("logs/")?))
}

/// The key of the segment whose run this is.
pub fn segment_key(run_key: &str) -> Option<String> {
    Some(format!("logs/{}", run_key.strip_prefix(FOLDER)?.strip_suffix(RUN)?))
}

/// What the keys of an index's parts begin with. Each attempt to make one has a number of its own, so that none
/// writes over what another has written.
pub fn index_name(tenant: &str, partition: u32, attempt: u128) -> String {
    // The upper half of its bits is as random as the whole.
    let attempt = (attempt >> 64) as u64;
    format!("{FOLDER}{tenant}/{partition:010}-{attempt:016x}")
}

/// The key of one part of an index.
pub fn part_key(name: &str, part: usize) -> String {
    format!("{name}-{part:03}{INDEX}")
}

/// What the key of an index's part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartName {
    /// What `index_name` made.
    pub name: String,
    pub tenant: String,
    pub partition: u32,
    pub part: usize,
}

impl PartName {
    /// `None` for the key of anything else.
    pub fn parse(key: &str) -> Option<Self> {
        let (name, part) = key.strip_suffix(INDEX)?.rsplit_once('-')?;
        let (tenant, rest) = name.strip_prefix(FOLDER)?.split_once('/')?;
        // Indexes were of one class once.
        let file = rest.split_once('/').map_or(rest, |(_class, file)| file);
        let (partition, _) = file.split_once('-')?;
        let parsed = Self {
            name: name.to_owned(),
            tenant: tenant.to_owned(),
            partition: partition.parse().ok()?,
            part: part.parse().ok().filter(|part| *part < Parts::MAX)?,
        };
        (!file.contains('/') && part_key(name, parsed.part) == key).then_some(parsed)
    }
}

/// What to give a merge as its identity: every name makes one index, so every name has its own.
pub fn identity(index_name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(index_name.as_bytes())
}

const RUN: &str = ".words";
const INDEX: &str = ".index";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_these_letters_for_ever() {
        let segment = "logs/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz";
        let run = "index/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz.words";
        assert_eq!(run_key(segment).as_deref(), Some(run));
        assert_eq!(segment_key(run).as_deref(), Some(segment));
        assert_eq!(run_key("spool/default/000/abc.append"), None);
        assert_eq!(segment_key("index/default/d30/1763682436-00000000000000ff-000.index"), None);
        let name = index_name("default", 1_763_682_436, 0xff << 64 | 7);
        assert_eq!(name, "index/default/1763682436-00000000000000ff");
        assert_eq!(part_key(&name, 3), "index/default/1763682436-00000000000000ff-003.index");
        assert_eq!(identity("index/default/d30/000007-g3.index"), 0xf035_14c1_770a_062a);
    }

    #[test]
    fn the_key_of_a_part_is_read_and_nothing_else() {
        let of_a_class = "index/shop/d7/0000000012-0000000000000001".to_owned();
        for name in [index_name("shop", 12, 1 << 64), of_a_class] {
            let part = PartName::parse(&part_key(&name, 41));
            assert_eq!(part, Some(PartName { name, tenant: "shop".to_owned(), partition: 12, part: 41 }));
        }
        for other in [
            "index/shop/d7/0000000012-0000000000000001-41.index",
            "index/shop/d7/12-0000000000000001-041.index.words",
            "index/shop/d7/x/0000000012-0000000000000001-041.index",
            "logs/shop/d7/0000000012-0000000000000001-041.index",
            "index/shop/d7/0000000012-0000000000000001-41x.index",
        ] {
            assert_eq!(PartName::parse(other), None, "{other}");
        }
    }
}
