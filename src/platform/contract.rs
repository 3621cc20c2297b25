//! Runs the contract suite on the real parts: `GET /__contract/PART`.

use worker::{Env, Request, Response, Result};

use super::{
    copies::KvCopies,
    d1::{self, D1Catalog},
    durable::{client::ShardStubs, limiter::LimiterStubs},
    r2::R2Objects,
};
use crate::{
    contract::{self, Broken},
    engine::tenant::Tenant,
    ports::ShardName,
};

pub(crate) async fn run(request: &Request, env: &Env) -> Result<Option<Response>> {
    let path = request.path();
    let Some(part) = path.strip_prefix("/__contract/") else { return Ok(None) };
    let kept = match part {
        "objects" => contract::objects(&R2Objects::new(env.bucket("BUCKET")?)).await,
        "catalog" => contract::catalog(&D1Catalog::new(env.d1("DB")?)).await,
        "partitions" => {
            let catalog = D1Catalog::new(env.d1("DB")?);
            contract::partitions(&catalog, &catalog).await
        }
        "accounts" => contract::accounts(&D1Catalog::new(env.d1("DB")?)).await,
        "events" => contract::events(&D1Catalog::new(env.d1("DB")?)).await,
        "patterns" => contract::patterns(&D1Catalog::new(env.d1("DB")?)).await,
        "copies" => contract::copies(&KvCopies::new(env.kv("KV")?)).await,
        // What the other parts have sent so far.
        "statements" => contract::statements(&d1::sent::all()),
        "shard_log" => {
            let shard = ShardName { tenant: Tenant::default_tenant(), number: 99 };
            let stubs = ShardStubs::new(env.durable_object("SHARD")?);
            stubs.contract(&shard).await.map_err(Broken::from)
        }
        "limit_log" => {
            let stubs = LimiterStubs::new(env.durable_object("LIMITER")?);
            stubs.contract(&Tenant::default_tenant()).await.map_err(Broken::from)
        }
        "limits" => {
            let stubs = LimiterStubs::new(env.durable_object("LIMITER")?);
            contract::limits(&stubs, &Tenant::default_tenant()).await
        }
        _ => return Response::error("there is no such contract", 404).map(Some),
    };
    answer(kept).map(Some)
}

pub(crate) fn answer(kept: std::result::Result<(), Broken>) -> Result<Response> {
    match kept {
        Ok(()) => Response::ok("kept"),
        Err(broken) => Response::error(broken.to_string(), 500),
    }
}
