//! The write-ahead log's rows: one commit gathers the appends that arrived together, and is cut into
//! rows that the storage takes.

use super::append::Append;
use crate::engine::block::Corrupt;

/// A row's body at the most: the storage refuses rows of 2 MB.
pub const MAX_ROW_BYTES: usize = 1_800_000;

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalRow {
    pub seq: u64,
    /// Which part of its commit this is, counted from 0.
    pub part: u32,
    pub parts: u32,
    pub body: Vec<u8>,
}

/// Appends that became durable together, under the sequence number of their first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub seq: u64,
    pub body: Vec<u8>,
}

/// Cuts a commit of these appends into rows, the first of them numbered `seq`.
pub fn rows(seq: u64, appends: &[impl AsRef<[u8]>]) -> Vec<WalRow> {
    let mut body = Vec::with_capacity(appends.iter().map(|append| append.as_ref().len() + 4).sum());
    for append in appends.iter().map(AsRef::as_ref) {
        body.extend_from_slice(&u32::try_from(append.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend_from_slice(append);
    }
    let parts = u32::try_from(body.chunks(MAX_ROW_BYTES).len()).unwrap_or(u32::MAX);
    (0_u32..)
        .zip(body.chunks(MAX_ROW_BYTES))
        .map(|(part, chunk)| WalRow { seq: seq + u64::from(part), part, parts, body: chunk.to_vec() })
        .collect()
}

/// Puts commits together again. A commit that lacks a part was never acknowledged and is left out.
pub fn commits(rows: Vec<WalRow>) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut open: Option<(Commit, u32, u32)> = None;
    for row in rows {
        let next = match open.take() {
            _ if row.part == 0 => Some((Commit { seq: row.seq, body: row.body }, 1, row.parts)),
            Some((mut commit, got, parts)) if row.part == got && row.seq == commit.seq + u64::from(got) => {
                commit.body.extend_from_slice(&row.body);
                Some((commit, got + 1, parts))
            }
            _ => None,
        };
        match next {
            Some((commit, got, parts)) if got == parts => commits.push(commit),
            unfinished => open = unfinished,
        }
    }
    commits
}

impl Commit {
    /// The bytes of each append in it.
    pub fn appends(&self) -> impl Iterator<Item = Result<&[u8], Corrupt>> {
        let mut rest = self.body.as_slice();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let cut = rest.split_first_chunk::<4>().and_then(|(length, behind)| {
                behind.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
            });
            let Some((append, behind)) = cut else {
                rest = &[];
                return Some(Err(Corrupt::damaged("commit", "it is shorter than it says")));
            };
            rest = behind;
            Some(Ok(append))
        })
    }

    /// The appends, parsed.
    pub fn parsed(&self) -> impl Iterator<Item = Result<Append<'_>, Corrupt>> {
        self.appends().map(|bytes| bytes.and_then(Append::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(commits: &[Commit]) -> Vec<Vec<usize>> {
        commits.iter().map(|commit| commit.appends().map(|append| append.unwrap().len()).collect()).collect()
    }

    #[test]
    fn commits_come_back_as_they_went_in() {
        let big = vec![1; MAX_ROW_BYTES + 10];
        let mut stored = rows(1, &[vec![0; 3], vec![0; 5]]);
        stored.extend(rows(2, std::slice::from_ref(&big)));
        stored.extend(rows(4, &[Vec::new()]));
        assert_eq!(stored.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let commits = commits(stored);
        assert_eq!(commits.iter().map(|commit| commit.seq).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(bodies(&commits), [vec![3, 5], vec![big.len()], vec![0]]);
    }

    #[test]
    fn a_commit_without_all_its_parts_is_left_out() {
        let big = vec![1; 2 * MAX_ROW_BYTES];
        let mut stored = rows(1, std::slice::from_ref(&big));
        stored.remove(1);
        stored.extend(rows(9, &[vec![0; 2]]));
        assert_eq!(bodies(&commits(stored)), [vec![2]]);
        let mut headless = rows(1, &[big]);
        headless.remove(0);
        assert_eq!(commits(headless), []);
    }
}
