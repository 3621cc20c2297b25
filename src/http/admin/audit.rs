//! The audit stream.

use axum::{Extension, extract::State, http::Uri, response::Response};

use crate::{
    app::{App, Reader, access},
    engine::{auth::Principal, record::timestamp::Timestamp},
    http::{error::Error, params, v1},
};

/// The audit records that the parameters ask for, as logs are listed.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    // A key for some services only must not learn what others do.
    let account =
        access::account(&app, who.tenant()).await.map_err(|refusal| Error::of(&app, refusal.into()))?;
    let since = account.map_or(Timestamp::EPOCH, |known| known.account.created_at);
    let since = if who.tenant().is_default() { Timestamp::EPOCH } else { since };
    let reader = Reader::of_audit(&who, since).ok_or(Error::OTHER_SERVICE)?;
    v1::read::show_page(&app, &reader, params::listing(&uri, app.now())?).await
}
