//! What a tenant's records pass before they are stored: its settings, compiled once an isolate, and how they are changed.

use std::sync::Arc;

use super::{App, Error, access, accounts, patterns};
use crate::engine::{
    account::{Account, Refused, TokenKey},
    pipeline::{Pipeline, Settings, settings},
    tenant::Tenant,
};

/// What records of this tenant pass. What cannot be known is an error: nothing is stored that should have been redacted.
pub async fn of(app: &App, tenant: &Tenant) -> Result<Arc<Pipeline>, Error> {
    let pipeline = match access::account(app, tenant).await? {
        Some(known) => known.pipeline()?,
        None => app.access.default_pipeline()?,
    };
    if !pipeline.asks_for_patterns {
        return Ok(pipeline);
    }
    // A pattern goes by the ids of all forms that lead to it. Without the catalog by its own.
    Ok(match patterns::of(app, tenant).await {
        Ok(patterns) => Arc::new(pipeline.with_rules(|expr| patterns.widened(expr))),
        Err(_) => pipeline,
    })
}

/// The settings compiled, with the key of the account that they are of.
pub fn compile(account: &Account) -> Result<Pipeline, settings::Refused> {
    let key = account.token_key.as_ref().map(TokenKey::bytes).unwrap_or_default();
    Pipeline::new(&account.pipeline, key)
}

/// The settings as they are stored.
pub async fn stored(app: &App, tenant: &Tenant) -> Result<Settings, Error> {
    Ok(app.accounts.read(tenant).await?.map(|stored| stored.account.pipeline).unwrap_or_default())
}

/// Changes the settings; what they are then.
pub async fn change(
    app: &App,
    tenant: &Tenant,
    change: impl Fn(&mut Settings) -> Result<(), Refused>,
) -> Result<Settings, Error> {
    let key = TokenKey::new([app.random.bits(), app.random.bits()]);
    let changed = accounts::change(app, tenant, |account| {
        change(&mut account.pipeline)?;
        account.token_key.get_or_insert_with(|| key.clone());
        compile(account).map_err(|refused| Refused::new(refused.field, refused.message))?;
        Ok(())
    });
    let ((), stored) = changed.await?;
    Ok(stored.account.pipeline)
}
