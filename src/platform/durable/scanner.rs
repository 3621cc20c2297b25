//! Scanners: the Durable Object, which gives `app::scan::work` its own CPU and memory, and the stubs that Workers call.
//! It stores nothing.

use std::cell::RefCell;

use async_trait::async_trait;
use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, State, durable_object, send::SendFuture,
};

use super::call;
use crate::{
    app::{App, Error, scan},
    platform::{self, meter, port_error},
    ports::{PortError, ScannerName, Scanners},
};

#[durable_object]
pub struct ScannerObject {
    env: Env,
    opened: RefCell<Option<App>>,
}

impl DurableObject for ScannerObject {
    fn new(_: State, env: Env) -> Self {
        Self { env, opened: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let name = url.query_pairs().find(|(key, _)| key == "scanner");
        let Some(name) = name.and_then(|(_, name)| ScannerName::from_name(&name)) else {
            return Response::error("the request names no scanner", 400);
        };
        let app = self.app()?;
        match scan::work(&app, &name, &request.bytes().await?).await {
            Ok(answer) => Response::from_bytes(answer),
            Err(error @ Error::Invalid { .. }) => Response::error(error.to_string(), 400),
            Err(error) => Response::error(error.to_string(), 503),
        }
    }
}

impl ScannerObject {
    fn app(&self) -> Result<App> {
        if let Some(app) = &*self.opened.borrow() {
            return Ok(app.clone());
        }
        let app = platform::app(&self.env)?;
        *self.opened.borrow_mut() = Some(app.clone());
        Ok(app)
    }
}

pub(crate) struct ScannerStubs(ObjectNamespace);

impl ScannerStubs {
    pub(crate) fn new(namespace: ObjectNamespace) -> Self {
        Self(namespace)
    }
}

#[async_trait]
impl Scanners for ScannerStubs {
    async fn scan(&self, scanner: &ScannerName, job: Vec<u8>) -> std::result::Result<Vec<u8>, PortError> {
        meter::SCANNER_REQUESTS.add(1);
        let name = scanner.to_name();
        let url = format!("https://scanner/?scanner={name}");
        let asked = SendFuture::new(call(&self.0, &name, &url, &job)).await;
        match asked.map_err(port_error("scanner"))? {
            (200, bytes) => Ok(bytes),
            (status, bytes) => {
                let reason = format!("it answered {status}: {}", String::from_utf8_lossy(&bytes));
                Err(PortError { part: "scanner", reason })
            }
        }
    }
}
