//! Runs the contract suite on the real parts: `GET /__contract/PART`.

use worker::{Env, Request, Response, Result, web_sys};

use super::{
    copies::KvCopies,
    d1::{self, D1Catalog},
    durable::{client::ShardStubs, limiter::LimiterStubs},
    model,
    r2::R2Objects,
};
use crate::{
    contract::{self, Broken},
    engine::tenant::Tenant,
    ports::{ShardName, model::Question},
};

pub(crate) async fn run(request: &web_sys::Request, env: &Env) -> Result<Option<Response>> {
    let request = Request::from(Clone::clone(request));
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
        "anomalies" => contract::anomalies(&D1Catalog::new(env.d1("DB")?)).await,
        "analyses" => contract::analyses(&D1Catalog::new(env.d1("DB")?)).await,
        "copies" => contract::copies(&KvCopies::new(env.kv("KV")?)).await,
        "model" => return ask(&request, env).await.map(Some),
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
        // What a panic ends in.
        "trap" => std::process::abort(),
        _ => return Response::error("there is no such contract", 404).map(Some),
    };
    answer(kept).map(Some)
}

/// Asks the model of this deployment: a suite cannot, as what it answers is no promise.
async fn ask(request: &Request, env: &Env) -> Result<Response> {
    let Some(model) = model::model(env)? else { return Response::error("there is no model", 404) };
    let timeout_ms = request
        .url()?
        .query_pairs()
        .find_map(|(name, value)| (name == "timeout_ms").then(|| value.parse::<u64>().ok()).flatten());
    let properties = serde_json::json!({"answer": {"type": "string"}});
    let schema = serde_json::json!({"type": "object", "properties": properties, "required": ["answer"]});
    let question = Question {
        system: "Answer with JSON.",
        user: "A \"question\" 'ü'?",
        schema: &schema,
        max_tokens: 100,
    };
    match model.ask(&question, timeout_ms.unwrap_or(10_000)).await {
        Ok(said) => Response::from_json(&serde_json::json!({
            "name": model.name(), "text": said.text, "model": said.model, "tokens": said.tokens,
        })),
        Err(error) => Response::error(error.to_string(), 500),
    }
}

pub(crate) fn answer(kept: std::result::Result<(), Broken>) -> Result<Response> {
    match kept {
        Ok(()) => Response::ok("kept"),
        Err(broken) => Response::error(broken.to_string(), 500),
    }
}
