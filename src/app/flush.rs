//! Flush on demand: everything acknowledged so far is in segments when this answers.

use super::{App, Error, jobs};
use crate::{engine::tenant::Tenant, ports::shards::Flushed};

/// Brings home what is spooled and flushes every shard of a tenant.
pub async fn flush(app: &App, tenant: &Tenant) -> Result<Flushed, Error> {
    jobs::spool::drain(app).await?;
    let mut total = Flushed::default();
    for shard in app.shards_of(tenant) {
        let flushed = app.shards.flush(&shard).await?;
        total.segments += flushed.segments;
        total.rows += flushed.rows;
        total.size_bytes += flushed.size_bytes;
    }
    Ok(total)
}
