//! Analyses of services: what went wrong in the last hours, how bad it is and what to do. The rules always say something; a
//! language model, where there is one, says it better, and what it says is let through only as far as the evidence goes.

mod evidence;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{App, Error, Reader, ingest::first_id, jobs::round::Round};
use crate::{
    engine::{
        analyst::{self, Analysis, Evidence},
        block::{
            Corrupt,
            facts::{Levels, hour},
        },
        record::{model::Level, timestamp::Timestamp},
        tenant::Tenant,
    },
    ports::{analyses::StoredAnalysis, model::Question},
};

/// A service is analysed that had so many errors since it was last.
const LEAST_ERRORS: u64 = 10;

/// A service that was never analysed, or long ago, is for so long.
const FIRST_HOURS: u32 = 6;
const MAX_HOURS: u32 = 24;

/// Of one run of the cron, which has a quarter of an hour and some thousand requests; the next run goes on behind it.
const MAX_ANALYSED: usize = 30;
const OF_TENANT: usize = 10;
const ASKED_OF_TENANT: usize = 3;
const MAX_MS: u64 = 10 * 60_000;
const MAX_ASKING_MS: u64 = 6 * 60_000;

/// Services of a tenant whose last analyses are looked at.
const MAX_SERVICES: usize = 1_000;

/// What a model is told and may answer.
const PROMPT_TOKENS: usize = 6_000;
const ANSWER_TOKENS: u32 = 1_500;

/// Pages that are read for one.
const MAX_PAGES: usize = 10;

/// The name of the rules, where a model's would stand.
pub const RULES: &str = "built-in";

/// An analysis with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    #[serde(flatten)]
    pub analysis: Analysis,
    pub from: Timestamp,
    pub to: Timestamp,
    /// The model that said it, or `built-in`.
    pub model: String,
    pub tokens: Option<u64>,
    /// Why it is not the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// An analysis as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub id: String,
    pub analyzed_at: Timestamp,
    pub made: Made,
}

/// Analyses services with so many errors since their last analysis; answers how many.
pub async fn analyze_all(app: &App, now: Timestamp) -> Result<usize, Error> {
    let began = app.clock.now_ms();
    let has_time = |ms: u64| app.clock.now_ms().saturating_sub(began) < ms;
    let mut round = Round::begin(app, "analyses").await?;
    let mut analysed = 0;
    let mut failed = None;
    while has_time(MAX_MS) && analysed < MAX_ANALYSED {
        let Some(tenant) = round.next(app).await? else { break };
        let due = match due(app, &tenant, now).await {
            Ok(due) => due,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        for (nth, (service, hours)) in due.into_iter().take(OF_TENANT).enumerate() {
            let asks = nth < ASKED_OF_TENANT && has_time(MAX_ASKING_MS);
            match analyze(app, &tenant, &service, hours, now, Why::Due { asks }).await {
                Ok(_) => analysed += 1,
                // Another service's logs may be read.
                Err(error) => failed = Some(error),
            }
        }
    }
    round.end(app).await?;
    failed.map_or(Ok(analysed), Err)
}

/// Why a service is analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was due. Whether a model is asked as well, where there is one.
    Due { asks: bool },
    /// Somebody wants it. What is due stays due.
    Wanted,
}

/// The services of a tenant that are to be analysed, those with the most errors first, and of how many hours.
async fn due(app: &App, tenant: &Tenant, now: Timestamp) -> Result<Vec<(String, u32)>, Error> {
    let last: BTreeMap<String, Timestamp> = app
        .analyses
        .latest(tenant, MAX_SERVICES)
        .await?
        .into_iter()
        .map(|one| (one.service, one.until))
        .collect();
    let this = hour(now);
    // The hour that the last analysis ended in was not over then.
    let since = |service: &str| {
        let first = this.saturating_sub(FIRST_HOURS);
        last.get(service).map_or(first, |until| hour(*until)).clamp(this.saturating_sub(MAX_HOURS - 1), this)
    };
    let reader = Reader::of_analyst(tenant);
    let collected = evidence::collect(app, &reader, MAX_HOURS, &[]).await?;
    let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
    for (service, _, at, cell) in collected.facts.iter() {
        if at >= since(service) {
            *errors.entry(service).or_default() += of_errors(&cell.levels);
        }
    }
    let mut due: Vec<(u64, String)> = errors
        .into_iter()
        .filter(|(_, errors)| *errors >= LEAST_ERRORS)
        .map(|(service, errors)| (errors, service.to_owned()))
        .collect();
    due.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let hours = |service: &str| this - since(service) + 1;
    Ok(due
        .into_iter()
        .map(|(_, service)| (hours(&service), service))
        .map(|(hours, of)| (of, hours))
        .collect())
}

fn of_errors(levels: &Levels) -> u64 {
    levels.of(Level::Error).saturating_add(levels.of(Level::Critical))
}

/// Analyses the last hours of a service, and keeps what is said.
pub async fn analyze(
    app: &App,
    tenant: &Tenant,
    service: &str,
    hours: u32,
    now: Timestamp,
    why: Why,
) -> Result<Kept, Error> {
    let hours = hours.clamp(1, MAX_HOURS);
    let found = evidence::gather(app, tenant, service, hours, now).await?;
    let evidence = found.ok_or(Error::NotFound("service that has logged something in this time"))?;
    let builtin = analyst::builtin(&evidence);
    let (analysis, model, tokens, fallback) =
        match said(app, &evidence, &builtin, why != Why::Due { asks: false }).await {
            Said::ByModel(analysis, model, tokens) => (analysis, model, tokens, None),
            Said::Nothing(why) => (builtin, RULES.to_owned(), None, why),
        };
    let (from, to) = (Timestamp::from_ms(evidence.from_ms), Timestamp::from_ms(evidence.to_ms));
    let made = Made { analysis, from, to, model, tokens, fallback };
    let id = first_id(now, app.random.bits()).to_string();
    let kept = Kept { id, analyzed_at: now, made };
    let until = match why {
        Why::Due { .. } => to,
        Why::Wanted => {
            app.analyses.list(tenant, Some(service), None, 1).await?.pop().map_or(from, |last| last.until)
        }
    };
    let stored = StoredAnalysis {
        id: kept.id.clone(),
        service: service.to_owned(),
        severity: kept.made.analysis.severity.as_str().to_owned(),
        analyzed_at: now,
        until,
        data: serde_json::to_string(&kept.made).map_err(|error| Corrupt::damaged("analysis", error))?,
    };
    app.analyses.put(tenant, &stored).await?;
    Ok(kept)
}

enum Said {
    ByModel(Analysis, String, Option<u64>),
    /// And why, where there is a model.
    Nothing(Option<String>),
}

async fn said(app: &App, evidence: &Evidence, builtin: &Analysis, asks: bool) -> Said {
    let Some(model) = &app.model else { return Said::Nothing(None) };
    if !asks {
        return Said::Nothing(Some(
            "other services had more errors, and a model is asked of so many".to_owned(),
        ));
    }
    let prompt = analyst::prompt(evidence, PROMPT_TOKENS);
    let question = Question {
        system: &prompt.system,
        user: &prompt.user,
        schema: &prompt.schema,
        max_tokens: ANSWER_TOKENS,
    };
    match model.ask(&question, app.settings.ai_timeout_ms).await {
        Err(error) => {
            app.journal.error(&format!("{} has not analysed a service: {error}", model.name()));
            Said::Nothing(Some(format!("{} did not answer", model.name())))
        }
        Ok(answered) => match analyst::check(evidence, builtin, &answered.text) {
            Ok(analysis) => Said::ByModel(analysis, answered.model, answered.tokens),
            Err(nonsense) => {
                Said::Nothing(Some(format!("{}'s answer was refused: {nonsense}", model.name())))
            }
        },
    }
}

/// Analyses that a reader may see, the newest first, and behind which id more are.
pub async fn list(
    app: &App,
    reader: &Reader,
    service: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> Result<(Vec<Kept>, Option<String>), Error> {
    let mut found = Vec::new();
    let mut before = before.map(str::to_owned);
    // Of a reader of some services a page is filled from several.
    for _ in 0..MAX_PAGES {
        let stored = app.analyses.list(reader.tenant(), service, before.as_deref(), limit).await?;
        let is_last = stored.len() < limit;
        for one in stored {
            before = Some(one.id.clone());
            found.extend(seen(reader, one));
            if found.len() >= limit {
                return Ok((found, before));
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, before))
}

/// The last analysis of each service.
pub async fn latest(app: &App, reader: &Reader, limit: usize) -> Result<Vec<Kept>, Error> {
    let stored = app.analyses.latest(reader.tenant(), MAX_SERVICES).await?;
    Ok(stored.into_iter().filter_map(|one| seen(reader, one)).take(limit).collect())
}

/// What is said is of masked logs, and of none that not everybody may see. Only ids of patterns tell more than they show.
fn seen(reader: &Reader, stored: StoredAnalysis) -> Option<Kept> {
    if !reader.sees_service(&stored.service) {
        return None;
    }
    let mut made: Made = serde_json::from_str(&stored.data).ok()?;
    if reader.masks() {
        hide_ids(&mut made.analysis);
    }
    Some(Kept { id: stored.id, analyzed_at: stored.analyzed_at, made })
}

/// Takes the ids of patterns out: a hash would tell of a message that is guessed.
fn hide_ids(analysis: &mut Analysis) {
    let patterns = analysis.patterns.iter_mut().flat_map(|one| {
        one.id.clear();
        [&mut one.what]
    });
    let texts = analysis.recommendations.iter_mut().chain(&mut analysis.notes).chain([&mut analysis.summary]);
    for text in texts.chain(patterns) {
        *text = without_ids(text);
    }
}

fn without_ids(text: &str) -> String {
    let is_hex = |c: char| c.is_ascii_hexdigit();
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|part| {
            let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if word.len() == 16 && word.chars().all(is_hex) {
                part.replace(word, "(hidden)")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

/// What a caller of `analyze` may see of it.
pub fn shown(reader: &Reader, mut kept: Kept) -> Kept {
    if reader.masks() {
        hide_ids(&mut kept.made.analysis);
    }
    kept
}
