//! Writing one segment anew: without some of its rows, with its addresses cut, or both.

use super::merge::{self, Addresses, Failed, Keep, Merged};
use crate::{
    app::{App, Error},
    engine::record::timestamp::Timestamp,
    ports::{CatalogEntry, catalog::WalkFrom},
};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rewritten {
    /// So many rows are left, in another segment or, when they are none, in no one.
    Anew { rows: u64 },
    /// The segment is as it was: another run was faster, it cannot be read, or it had nothing to change.
    AsItWas,
}

/// Writes a segment anew with the rows that are kept. One without addresses to cut is marked in the catalog and
/// nothing is written: its footer lacks the mark, so that who makes the catalog anew has it looked into once more.
pub(super) async fn rewrite(
    app: &App,
    entry: &CatalogEntry,
    keep: Keep<'_>,
    addresses: Addresses,
    now: Timestamp,
) -> Result<Rewritten, Error> {
    match merge::replace(app, std::slice::from_ref(entry), keep, addresses, now).await {
        Ok(Merged::Done { rows }) => Ok(Rewritten::Anew { rows }),
        Ok(Merged::Empty) => Ok(Rewritten::Anew { rows: 0 }),
        Ok(Merged::AsItWas) => {
            app.catalog.mark_anonymised(&[WalkFrom::behind(entry)]).await?;
            Ok(Rewritten::AsItWas)
        }
        Ok(Merged::Overtaken) => Ok(Rewritten::AsItWas),
        Err(Failed::Source(_, _)) if app.objects.get_range(&entry.key, 0, 1).await?.is_none() => {
            // Nothing is left to keep: the entry alone remained.
            let forgotten = app.catalog.replace(std::slice::from_ref(entry), &[], now).await?;
            Ok(if forgotten { Rewritten::Anew { rows: 0 } } else { Rewritten::AsItWas })
        }
        // One that cannot be read keeps no other from its turn, and goes when all of it has expired.
        Err(Failed::Source(_, why)) => {
            app.journal.error(&format!("segment {} cannot be rewritten: {why}", entry.key));
            Ok(Rewritten::AsItWas)
        }
        Err(Failed::Otherwise(error)) => Err(error),
    }
}
