//! What the service holds that is not in segments yet.

use serde::Serialize;

use super::{App, Error};
use crate::{engine::tenant::Tenant, ports::shards::ShardState};

/// Spooled objects are counted up to here.
const MAX_COUNTED: usize = 1_000;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub shards: Vec<One>,
    pub spooled: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct One {
    pub shard: u32,
    pub reachable: bool,
    #[serde(flatten)]
    pub state: Option<ShardState>,
}

pub async fn read(app: &App, tenant: &Tenant) -> Result<State, Error> {
    let mut shards = Vec::new();
    for shard in app.shards_of(tenant) {
        let state = app.shards.state(&shard).await.ok();
        shards.push(One { shard: shard.number, reachable: state.is_some(), state });
    }
    let spooled = app.catalog.spooled(tenant, MAX_COUNTED).await?.len();
    Ok(State { shards, spooled })
}
