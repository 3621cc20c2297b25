//! The promises of a limiter's storage.

use super::{Broken, same};
use crate::ports::{LimitLog, limit_log::Row};

/// Runs on a log that holds nothing, and leaves it so.
pub fn limit_log(log: &dyn LimitLog) -> Result<(), Broken> {
    let row = |name: &str, state: &str, until_ms| Row { name: name.into(), state: state.into(), until_ms };
    let read = || {
        log.read().map(|mut rows| {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            rows
        })
    };
    same("a new log is empty", read()?, Vec::new())?;
    let (address, key) =
        (row("addr:2001:db8::'1", "{}", 1_900_000_000_123), row("key:ä", "{\"slots\":[]}", 1));
    log.write(&key)?;
    log.write(&address)?;
    same("rows are read as they were written", read()?, vec![address.clone(), key])?;
    let key = row("key:ä", "", 1 << 50);
    log.write(&key)?;
    same("a row takes the place of the one with its name", read()?, vec![address.clone(), key])?;
    log.remove("key:ä")?;
    log.remove("key:ä")?;
    same("a removed row is gone", read()?, vec![address])?;
    log.remove("addr:2001:db8::'1")?;
    same("the log is empty again", read()?, Vec::new())
}
