//! Anomalies as their readers may see them.

use std::sync::Arc;

use super::{Noted, peek};
use crate::{
    app::{App, Error, Reader},
    engine::{
        anomaly::{self, Anomaly, Deviation, Insight, Kind, Series, history::of_series},
        block::facts::fine,
        query::TimeRange,
        record::timestamp::Timestamp,
        redact,
        severity::Severity,
    },
};

/// Anomalies of a time that are read.
const MAX_READ: usize = 500;

/// Which anomalies are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub service: Option<String>,
    pub kind: Option<Kind>,
    pub severity: Option<Severity>,
    /// Those that go on, or those that are over.
    pub ongoing: Option<bool>,
    pub limit: usize,
}

/// An anomaly with its sentences.
#[derive(Clone, Debug)]
pub struct Shown {
    pub noted: Noted,
    pub insight: Insight,
}

/// Anomalies that overlap a time, the latest first, and whether there are more.
pub async fn list(
    app: &App,
    reader: &Reader,
    range: TimeRange,
    wanted: &Wanted,
) -> Result<(Vec<Shown>, bool), Error> {
    let found = match peek(app, reader.tenant()).await {
        Ok(found) => found,
        Err(error) => {
            // What was found before is worth more than nothing.
            app.journal.error(&format!("{} could not be looked at for anomalies: {error}", reader.tenant()));
            Arc::default()
        }
    };
    let stored = app.anomalies.list(reader.tenant(), range, MAX_READ).await?;
    let mut more = stored.len() >= MAX_READ;
    // What was found just now is newer than what is written of it.
    let overlaps = |one: &&Noted| {
        let Deviation { start_ms, end_ms, .. } = one.anomaly.lead;
        range.overlaps(Timestamp::from_ms(start_ms), Timestamp::from_ms(end_ms))
    };
    let mut all: Vec<Noted> = found.iter().filter(overlaps).cloned().collect();
    let now_ms = app.now().as_ms();
    let grace_ms = anomaly::grace_ms(anomaly::Budget::default()) + 2 * fine::STEP_MS;
    for mut old in stored.iter().filter_map(|one| serde_json::from_str::<Noted>(&one.data).ok()) {
        // What nobody has looked at for long does not go on for ever.
        old.anomaly.ongoing &= now_ms.saturating_sub(old.anomaly.lead.end_ms) <= grace_ms;
        if found.iter().all(|new| new.id != old.id && !is_same(&new.anomaly.lead, &old.anomaly.lead)) {
            all.push(old);
        }
    }
    all.sort_by(|a, b| b.anomaly.lead.start_ms.cmp(&a.anomaly.lead.start_ms).then_with(|| b.id.cmp(&a.id)));
    let mut shown = Vec::new();
    for noted in all {
        let Some(noted) = seen(reader, noted) else { continue };
        let insight = anomaly::sentences(&noted.anomaly, &noted.context);
        let lead = &noted.anomaly.lead;
        let is_wanted = wanted.service.as_deref().is_none_or(|service| of_series(&lead.service).0 == service)
            && wanted.kind.is_none_or(|kind| kind == lead.kind)
            && wanted.severity.is_none_or(|least| insight.severity >= least)
            && wanted.ongoing.is_none_or(|ongoing| ongoing == noted.anomaly.ongoing);
        if is_wanted {
            shown.push(Shown { noted, insight });
        }
    }
    more |= shown.len() > wanted.limit;
    shown.truncate(wanted.limit);
    Ok((shown, more))
}

/// Two looks may differ in the minute that something began in.
fn is_same(one: &Deviation, other: &Deviation) -> bool {
    one.service == other.service && one.start_ms.abs_diff(other.start_ms) <= fine::STEP_MS.unsigned_abs()
}

/// What of an anomaly a reader may see, if it may see it at all.
fn seen(reader: &Reader, mut noted: Noted) -> Option<Noted> {
    let sees = |series: &str| {
        let (service, category) = of_series(series);
        reader.sees_of(service, category.unwrap_or_default())
    };
    if !sees(&noted.anomaly.lead.service) {
        return None;
    }
    noted.anomaly.co_moving.retain(|one| sees(&one.service));
    if reader.masks() {
        mask(&mut noted.anomaly);
        for one in noted.context.endpoints.iter_mut().chain(&mut noted.context.templates) {
            one.name = redact::mask("message", &one.name);
        }
        for release in &mut noted.context.releases {
            for name in [&mut release.before, &mut release.after] {
                *name = redact::mask("metadata.release", name);
            }
        }
    }
    Some(noted)
}

fn mask(anomaly: &mut Anomaly) {
    let all = std::iter::once(&mut anomaly.lead).chain(&mut anomaly.co_moving);
    for Deviation { series, .. } in all {
        match series {
            // A hash would tell of a message that is guessed.
            Series::Pattern { id, template, .. } => {
                id.clear();
                *template = redact::mask("message", template);
            }
            Series::Client { client } => *client = redact::mask("client_ip", client),
            Series::Total | Series::Level { .. } | Series::ErrorRate | Series::Latency { .. } => {}
        }
    }
}
