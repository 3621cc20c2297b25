//! `tracing` by way of `tracing-loki` and of `opentelemetry-otlp`.

use std::{collections::HashMap, env, error::Error, time::Duration};

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider};
use tracing::Level;
use tracing_subscriber::{filter::Targets, prelude::*};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn var(name: &str) -> Result<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// One of the records; its time is now.
fn log(order: u64) {
    match order % 3 {
        0 => tracing::info!(order, "order {order} was \"paid\" for 5 €"),
        1 => tracing::warn!(order, "order {order} was \"paid\" for 5 €"),
        _ => tracing::error!(order, "order {order} was \"paid\" for 5 €"),
    }
}

fn count() -> Result<u64> {
    Ok(var("COUNT")?.parse()?)
}

async fn loki() -> Result<()> {
    let (layer, controller, task) = tracing_loki::builder()
        .label("service_name", var("SERVICE")?)?
        .http_header("Authorization", format!("Bearer {}", var("KEY")?))?
        .build_controller_url(var("URL")?.parse()?)?;
    tracing_subscriber::registry().with(layer).init();
    let task = tokio::spawn(task);
    for order in 0..count()? {
        log(order);
        // What waits for the task is 512 events at the most; more are dropped.
        if order % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    controller.shutdown().await;
    Ok(task.await?)
}

fn otlp() -> Result<()> {
    let headers = HashMap::from([("authorization".to_owned(), format!("Bearer {}", var("KEY")?))]);
    let exporter = LogExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/logs", var("URL")?))
        .with_headers(headers)
        .build()?;
    let provider = SdkLoggerProvider::builder()
        .with_resource(Resource::builder().with_service_name(var("SERVICE")?).build())
        .with_batch_exporter(exporter)
        .build();
    // What the exporter and its HTTP client log themselves would be sent too, and logged again.
    let own = Targets::new().with_target("senders", Level::INFO);
    tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&provider).with_filter(own)).init();
    (0..count()?).for_each(log);
    Ok(provider.shutdown()?)
}

fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some("tracing-loki") => tokio::runtime::Runtime::new()?.block_on(loki()),
        Some("opentelemetry-otlp") => otlp(),
        other => Err(format!("expected tracing-loki or opentelemetry-otlp, got {other:?}").into()),
    }
}
