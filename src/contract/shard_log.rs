//! The promises of a shard's storage.

use super::{Broken, same};
use crate::{
    engine::shard::wal::{MAX_ROW_BYTES, WalRow},
    ports::{ShardLog, shard_log::Table},
};

/// Runs on a log that holds nothing. It sets an alarm at `wake_ms`.
pub async fn shard_log(log: &dyn ShardLog, wake_ms: u64) -> Result<(), Broken> {
    let row = |seq: u64, body: Vec<u8>| WalRow { seq, part: 0, parts: 1, body };
    let (first, second, keys) = (Table::Wal(1), Table::Wal(1 << 40), Table::Keys(1_900_000_000_000));
    let counts = Table::Counts(1 << 40);
    same("a new log is empty", log.tables()?, Vec::new())?;

    log.create(first)?;
    same("a new table is empty", log.read(first)?, Vec::new())?;
    let rows = vec![row(1, Vec::new()), row(2, (0..=255).collect()), row(3, vec![7; MAX_ROW_BYTES])];
    log.append(first, rows.clone())?;
    same("rows are read as they were written", log.read(first)? == rows, true)?;
    let late = WalRow { seq: 9, part: 1, parts: 3, body: vec![1] };
    log.append(first, vec![late.clone()])?;
    same("in order", log.read(first)?.last().cloned(), Some(late))?;

    log.create(second)?;
    log.create(keys)?;
    log.create(counts)?;
    log.append(second, vec![row(1 << 40, vec![2])])?;
    let mut tables = log.tables()?;
    tables.sort_unstable();
    same("tables are known by their names", tables, vec![first, second, keys, counts])?;
    same("large numbers stay exact", log.read(second)?, vec![row(1 << 40, vec![2])])?;

    log.drop_table(first)?;
    same("a dropped table is gone", log.tables()?.contains(&first), false)?;
    log.drop_table(first)?;

    same("nothing was spooled", log.was_spooled("a")?, false)?;
    log.note_spooled("a")?;
    log.note_spooled("a")?;
    same("what was noted is known", log.was_spooled("a")?, true)?;
    same("and nothing else", log.was_spooled("b")?, false)?;

    same("nothing wakes a new shard", log.wakes_at().await?, None)?;
    log.wake_at(wake_ms + 1).await?;
    log.wake_at(wake_ms).await?;
    same("the last alarm counts", log.wakes_at().await?, Some(wake_ms))?;
    log.drop_table(second)?;
    log.drop_table(keys)?;
    log.drop_table(counts)?;
    same("the log is empty again", log.tables()?, Vec::new())
}
