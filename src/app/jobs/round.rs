//! A job's way round the tenants: a run goes as far as it may, and the next one goes on behind it.

use crate::{
    app::{App, Error},
    engine::tenant::Tenant,
    ports::catalog::WalkFrom,
};

pub(in crate::app) struct Round {
    key: String,
    from: WalkFrom,
    /// Where it began, as it is written.
    began: String,
    at: String,
}

impl Round {
    /// Goes on where the last run has stopped.
    pub(in crate::app) async fn begin(app: &App, job: &str) -> Result<Self, Error> {
        let key = format!("jobs/{job}");
        let began =
            app.objects.get(&key).await?.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let from = if began.is_empty() { WalkFrom::default() } else { beyond(&began) };
        Ok(Self { key, from, at: began.clone(), began })
    }

    /// The next tenant; nothing behind the last one, and the next run begins with the first again.
    pub(in crate::app) async fn next(&mut self, app: &App) -> Result<Option<Tenant>, Error> {
        loop {
            let Some(place) = app.catalog.places(&self.from, 1).await?.pop() else {
                self.at.clear();
                return Ok(None);
            };
            self.from = beyond(&place.tenant);
            if let Some(tenant) = Tenant::stored(&place.tenant).filter(|tenant| !tenant.is_audit()) {
                self.at = place.tenant;
                return Ok(Some(tenant));
            }
        }
    }

    /// Writes down where it has stopped, where that is not where it began.
    pub(in crate::app) async fn end(self, app: &App) -> Result<(), Error> {
        if self.at == self.began {
            return Ok(());
        }
        Ok(app.objects.put(&self.key, self.at.into_bytes()).await?)
    }
}

/// Behind all places of a tenant: a name holds no such sign.
fn beyond(tenant: &str) -> WalkFrom {
    WalkFrom { tenant: format!("{tenant}\u{1}"), ..WalkFrom::default() }
}
