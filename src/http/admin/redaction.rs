//! What is redacted: shown, changed, and tried on a text.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::{App, pipelines},
    engine::{
        auth::Principal,
        pipeline::{Pipeline, Settings},
        redact::Policy,
    },
    http::error::{Error, json_answer},
};

/// Texts of one preview.
const MAX_TEXTS: usize = 100;

pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    let settings = super::settings(&app, &who, &uri).await?;
    Ok(json_answer(StatusCode::OK, &json!(settings.redaction)))
}

/// Sets the whole policy; what it does not name is as it is by default.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    let settings = super::set(&app, &who, "redaction", request, |settings| &mut settings.redaction).await?;
    Ok(json_answer(StatusCode::OK, &json!(settings.redaction)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preview {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default = "message")]
    field: String,
    /// A policy to try, instead of the one in force.
    #[serde(default)]
    policy: Option<Policy>,
}

fn message() -> String {
    "message".to_owned()
}

/// Shows what would be left of texts: `{"text"|"texts", "field"?, "policy"?}`. Nothing is stored.
pub(in crate::http) async fn preview(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    let asked: Preview = super::read("preview", request).await?;
    let texts: Vec<String> = asked.text.into_iter().chain(asked.texts).collect();
    if !(1..=MAX_TEXTS).contains(&texts.len()) {
        let message = format!("expected 1 to {MAX_TEXTS} texts in `text` or `texts`, got {}", texts.len());
        return Err(Error::invalid("invalid_value", "texts", message));
    }
    let pipeline = match asked.policy {
        Some(redaction) => {
            let settings = Settings { redaction, ..Settings::default() };
            let pipeline = Pipeline::new(&settings, [0; 32]);
            Arc::new(
                pipeline
                    .map_err(|refused| Error::invalid("invalid_value", &refused.field, refused.message))?,
            )
        }
        None => pipelines::of(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?,
    };
    let mut data = Vec::new();
    for text in &texts {
        let mut found = Vec::new();
        let redacted = pipeline
            .redactor()
            .text(&asked.field, text, &mut found)
            .map_err(|failed| Error::invalid("redaction_failed", "texts", failed.to_string()))?;
        // A field that is dropped is nothing.
        let text: Value = redacted.map_or(Value::Null, |text| text.into_owned().into());
        data.push(json!({ "text": text, "redactions": found }));
    }
    Ok(json_answer(StatusCode::OK, &json!({ "data": data, "next_cursor": null })))
}
