//! How long logs are kept, by class.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    app::{self, App, configs, pipelines},
    engine::{
        auth::Principal,
        enrich::Category,
        pipeline::Settings,
        retention::{ANONYMIZE_IP_AFTER_DAYS, Class, Retention, class_of_category},
    },
    http::{
        error::{Error, json_answer},
        params,
    },
};

/// Every class as it holds today, with what is the tenant's own.
pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    let settings = pipelines::stored(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    shown(&app, &who, &settings.retention).await
}

/// Sets all of it: `{"classes"?,"by_category"?,"by_level"?,"anonymize_ip_after_days"?}`; what is left out is as it is
/// for everybody.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    let retention: Retention = super::read("retention", request).await?;
    let change = |settings: &mut Settings| {
        settings.retention = retention.clone();
        Ok(())
    };
    let settings =
        pipelines::change(&app, who.tenant(), change).await.map_err(|error| Error::of(&app, error))?;
    shown(&app, &who, &settings.retention).await
}

async fn shown(app: &App, who: &Principal, own: &Retention) -> Result<Response, Error> {
    let known =
        configs::stored(app, who.tenant()).await.map_err(|error| Error::of(app, app::Error::from(error)))?;
    let classes: Map<String, Value> =
        Class::ALL.into_iter().map(|class| (class.as_str().to_owned(), json!(known.days(class)))).collect();
    let by_category: Map<String, Value> = Category::ALL
        .into_iter()
        .filter_map(|category| {
            Some((category.as_str().to_owned(), json!(class_of_category(category.as_str())?)))
        })
        .chain(own.by_category.iter().map(|(category, class)| (category.clone(), json!(class))))
        .collect();
    let mut by_level = Map::from_iter([("DEBUG".to_owned(), json!(Class::Debug))]);
    by_level.extend(own.by_level.iter().map(|(level, class)| (level.as_str().to_owned(), json!(class))));
    let body = json!({
        "classes": classes,
        "by_category": by_category,
        "by_level": by_level,
        "anonymize_ip_after_days": own.anonymize_ip_after_days.unwrap_or(ANONYMIZE_IP_AFTER_DAYS),
    });
    Ok(json_answer(StatusCode::OK, &body))
}
