//! Anomalies and analyses go with what they tell of.

use axum::{body::Body, http::Method};
use timberline::{
    app::jobs::expire::expire,
    engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Analyses, Anomalies, analyses::StoredAnalysis, anomalies::StoredAnomaly},
};

use crate::{DAY_MS, NOW_MS, Service};

async fn find_some(service: &Service, tenant: &Tenant) {
    let now = Timestamp::from_ms(NOW_MS.try_into().unwrap());
    let (id, of, data) = ("1".to_owned(), "api".to_owned(), "{}".to_owned());
    let analysis = StoredAnalysis {
        id: id.clone(),
        service: of.clone(),
        severity: "LOW".into(),
        analyzed_at: now,
        until: now,
        data: data.clone(),
    };
    let anomaly = StoredAnomaly { id, service: of, start: now, end: now, is_ongoing: true, data };
    service.app.anomalies.put(tenant, &[anomaly]).await.unwrap();
    service.app.analyses.put(tenant, &analysis).await.unwrap();
}

/// How many anomalies and analyses there are.
async fn left(service: &Service, tenant: &Tenant) -> (usize, usize) {
    let anomalies = service.world.anomalies.list(tenant, TimeRange::ALL, 10).await.unwrap();
    let analyses = service.world.analyses.list(tenant, None, None, 10).await.unwrap();
    (anomalies.len(), analyses.len())
}

#[tokio::test]
async fn findings_go_after_a_while() {
    let service = Service::new();
    let tenant = Tenant::default_tenant();
    find_some(&service, &tenant).await;
    for (days, expected) in [(90, (1, 1)), (1, (0, 0))] {
        service.world.turn_clock(days * DAY_MS);
        expire(&service.app, service.app.now()).await.unwrap();
        assert_eq!(left(&service, &tenant).await, expected, "after {days} days more");
    }
}

#[tokio::test]
async fn findings_end_with_their_tenant() {
    let service = Service::with(&[("RATE_LIMIT_ENABLED", "false")]);
    let tenants = ["aaa", "bbb"].map(|name| Tenant::parse(name).unwrap());
    for tenant in &tenants {
        service.tenant(tenant.as_str()).await;
        find_some(&service, tenant).await;
    }
    let uri = "/admin/domains/aaa.example.com?purge=true";
    service.call(Method::DELETE, uri, &[], Body::empty()).await.ok();
    let [gone, stays] = &tenants;
    assert_eq!((left(&service, gone).await, left(&service, stays).await), ((0, 0), (1, 1)));
}
