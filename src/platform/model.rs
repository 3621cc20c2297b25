//! A language model: behind an endpoint that speaks as that of `OpenAI` does, or on Workers AI.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    Env, Headers, Method, RequestInit, Url,
    js_sys::{JSON, Reflect},
    send::{SendFuture, SendWrapper},
};

use super::{
    outbound::{fetch, within},
    port_error,
};
use crate::ports::{
    Model, PortError,
    model::{Answered, Question},
};

/// Far more than the tokens that are asked for.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// A name that is longer is not of a model.
const MAX_NAME_BYTES: usize = 200;

/// What runs on Workers AI where nothing else is said; it takes a schema.
const DEFAULT_MODEL: &str = "@cf/meta/llama-3.3-70b-instruct-fp8-fast";

/// The model of this deployment: that of `AI_BASE_URL`, else that of the binding `AI`, else none.
pub(super) fn model(env: &Env) -> Result<Option<Arc<dyn Model>>, String> {
    let text = |name: &str| {
        let value = env.var(name).map(|value| value.to_string()).unwrap_or_default();
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let name = text("AI_MODEL");
    if let Some(base) = text("AI_BASE_URL") {
        let name = name.ok_or("AI_MODEL must name the model of AI_BASE_URL")?;
        return Ok(Some(Arc::new(Endpoint::new(&base, name, text("AI_API_KEY"))?)));
    }
    let binding = Reflect::get(env, &"AI".into()).ok().filter(JsValue::is_object);
    Ok(binding.map(|binding| {
        let name = name.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
        Arc::new(WorkersAi { name, binding: SendWrapper::new(binding.unchecked_into()) }) as Arc<dyn Model>
    }))
}

struct Endpoint {
    url: Url,
    name: String,
    key: Option<String>,
}

impl Endpoint {
    /// Neither the URL nor the key is told of in an error: both can hold what is secret.
    fn new(base: &str, name: String, key: Option<String>) -> Result<Self, String> {
        let mut url = Url::parse(base).ok().filter(is_safe).ok_or(
            "AI_BASE_URL must be an https URL without user and \
             password (http only of localhost, 127.0.0.1 or [::1])",
        )?;
        if key.as_ref().is_some_and(|key| !key.bytes().all(|b| b.is_ascii_graphic())) {
            return Err("AI_API_KEY must be of visible ASCII characters".to_owned());
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        url.set_fragment(None);
        Ok(Self { url, name, key })
    }

    async fn answer(&self, question: &Question<'_>, timeout_ms: u64) -> worker::Result<Answered> {
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        headers.set("accept", "application/json")?;
        if let Some(key) = &self.key {
            headers.set("authorization", &format!("Bearer {key}"))?;
        }
        let schema = json!({"name": "answer", "strict": true, "schema": question.schema});
        let asked = json!({
            "model": self.name,
            "messages": messages(question),
            "max_tokens": question.max_tokens,
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": schema},
        });
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(asked.to_string().into()));
        let body = fetch(self.url.as_str(), init, MAX_ANSWER_BYTES, timeout_ms).await?;
        read(&body, &self.name)
    }

    /// What may be told of a failure: the platform's own words could have the URL in them.
    fn told(&self, error: &worker::Error) -> worker::Error {
        let mut text = error.to_string();
        for secret in [self.key.as_deref(), self.url.query()].into_iter().flatten() {
            text = text.replace(secret, "[…]");
        }
        format!("{}: {text}", self.url.host_str().unwrap_or_default()).into()
    }
}

/// Whether what is sent and answered is read by nobody on the way. On the machine itself there is no way.
fn is_safe(url: &Url) -> bool {
    let is_own = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let has_user = !url.username().is_empty() || url.password().is_some();
    url.has_host() && !has_user && (url.scheme() == "https" || url.scheme() == "http" && is_own)
}

#[async_trait]
impl Model for Endpoint {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ask(&self, question: &Question<'_>, timeout_ms: u64) -> Result<Answered, PortError> {
        let answered = SendFuture::new(self.answer(question, timeout_ms)).await;
        answered.map_err(|error| self.told(&error)).map_err(port_error("model"))
    }
}

// Through JSON and not through the `worker` crate, which would make maps of the objects in a schema.
#[wasm_bindgen]
extern "C" {
    type Binding;

    #[wasm_bindgen(method, catch)]
    async fn run(this: &Binding, model: &str, input: JsValue) -> Result<JsValue, JsValue>;
}

struct WorkersAi {
    name: String,
    binding: SendWrapper<Binding>,
}

impl WorkersAi {
    async fn answer(&self, question: &Question<'_>, timeout_ms: u64) -> worker::Result<Answered> {
        let asked = json!({
            "messages": messages(question),
            "max_tokens": question.max_tokens,
            // Here the schema stands by itself.
            "response_format": {"type": "json_schema", "json_schema": question.schema},
        });
        let input = JSON::parse(&asked.to_string())?;
        let run = async { Ok(self.binding.run(&self.name, input).await?) };
        let output = within(timeout_ms, run).await?;
        let text = JSON::stringify(&output)?.as_string().unwrap_or_default();
        if text.len() > MAX_ANSWER_BYTES {
            return Err(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes").into());
        }
        read(text.as_bytes(), &self.name)
    }
}

#[async_trait]
impl Model for WorkersAi {
    fn name(&self) -> &str {
        &self.name
    }

    async fn ask(&self, question: &Question<'_>, timeout_ms: u64) -> Result<Answered, PortError> {
        SendFuture::new(self.answer(question, timeout_ms)).await.map_err(port_error("model"))
    }
}

fn messages(question: &Question<'_>) -> Value {
    json!([{"role": "system", "content": question.system}, {"role": "user", "content": question.user}])
}

/// Both ways to answer: Workers AI has `response` for most of its models and `choices` for some.
#[derive(Deserialize)]
struct Output {
    response: Option<Value>,
    #[serde(default)]
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<f64>,
}

fn read(body: &[u8], asked: &str) -> worker::Result<Answered> {
    // What serde says of an error can have parts of the answer in it.
    let output: Output = serde_json::from_slice(body).map_err(|_| "the answer is not that of a chat")?;
    let said = output.choices.into_iter().next().and_then(|choice| choice.message.content);
    let text = match output.response {
        Some(Value::String(text)) => Some(text),
        Some(object @ Value::Object(_)) => Some(object.to_string()),
        _ => said,
    };
    let is_name = |name: &String| {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(|b| b.is_ascii_graphic())
    };
    // Some count in doubles. A cast of what is negative or not a number is 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let tokens = output.usage.and_then(|usage| usage.total_tokens).map(|tokens| tokens as u64);
    Ok(Answered {
        text: text.filter(|text| !text.trim().is_empty()).ok_or("the answer has no text")?,
        model: output.model.filter(is_name).unwrap_or_else(|| asked.to_owned()),
        tokens,
    })
}
