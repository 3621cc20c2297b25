//! The Worker's events: bindings to an `App`, the event to a call of it. No decisions.

use std::sync::OnceLock;

use axum::Router;
use tower::Service;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, console_error, event, web_sys};

use crate::{
    app::{self, App, jobs},
    engine::{record::timestamp::Timestamp, tenant::Tenant},
    http,
    platform::{self, exchange},
};

/// Lives as long as the isolate: its caches are the isolate's.
static SERVICE: OnceLock<(App, Router)> = OnceLock::new();

/// Expiry.
const DAILY: &str = "0 2 * * *";

/// Analyses of services with errors.
const SIX_HOURLY: &str = "0 */6 * * *";

/// Compaction, and the indexes of what was compacted. The third cron deletes what both have left for readers, and brings home what is spooled.
const HOURLY: &str = "17 * * * *";

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _context: Context) -> Result<web_sys::Response> {
    let (app, router) = service(&env)?;
    #[cfg(feature = "contract")]
    if let Some(answer) = platform::contract::run(&request, &env).await? {
        return Ok(answer.into());
    }
    let answer = match exchange::request(request) {
        Ok(request) => router.clone().call(request).await?,
        Err(reason) => http::unreadable(app, reason),
    };
    exchange::response(answer).await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    // Without an error to answer with, the log is all that is left to tell.
    if let Err(error) = run_jobs(&event, &env).await {
        console_error!("cron {}: {error}", event.cron());
    }
}

async fn run_jobs(event: &ScheduledEvent, env: &Env) -> Result<()> {
    let (app, _) = service(env)?;
    // A time of the schedule is a whole number of milliseconds.
    #[expect(clippy::cast_possible_truncation)]
    let now = Timestamp::from_ms(event.schedule() as i64);
    let failed = |error: app::Error| worker::Error::from(error.to_string());
    match event.cron().as_str() {
        DAILY => drop(jobs::expire::expire(app, now).await.map_err(failed)?),
        SIX_HOURLY => drop(app::analyses::analyze_all(app, now).await.map_err(failed)?),
        HOURLY => {
            let compacted = jobs::compact::compact(app, now).await;
            // What was compacted before can be indexed, whatever has failed now.
            let indexed = jobs::index::index(app, now).await;
            compacted.map_err(failed)?;
            indexed.map_err(failed)?;
        }
        _ => {
            // Each does its part, whatever has failed before it.
            let copied = app::accounts::copy_all(app, now).await;
            let swept = jobs::expire::sweep(app, now).await;
            let drained = jobs::spool::drain(app).await.map(|_| ());
            let purged = app::purge::go_on(app, now).await;
            let looked = app::anomalies::look_at_all(app, now).await;
            for done in [copied, swept, drained, purged, looked] {
                done.map_err(failed)?;
            }
        }
    }
    Ok(())
}

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = env)]
    static ENV: JsValue;
}

/// The tail handler. The platform gives it no `env` argument, so it takes the module's.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "wasm_bindgen exports public functions only")]
pub async fn tail(events: js_sys::Array) -> std::result::Result<JsValue, JsValue> {
    let env: Env = ENV.with(|env| env.clone().unchecked_into());
    let (app, _) = service(&env).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let mut items = Vec::with_capacity(events.length() as usize);
    for event in events.iter() {
        items.extend(js_sys::JSON::stringify(&event)?.as_string());
    }
    app::tail::take(app, &Tenant::default_tenant(), &items)
        .await
        .map_err(|error| JsValue::from_str(&error.to_string()))?;
    Ok(JsValue::UNDEFINED)
}

fn service(env: &Env) -> Result<&'static (App, Router)> {
    if let Some(service) = SERVICE.get() {
        return Ok(service);
    }
    let app = platform::app(env)?;
    let router = http::router(app.clone());
    Ok(SERVICE.get_or_init(|| (app, router)))
}
