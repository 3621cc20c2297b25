//! Questions in plain English, answered: read by rules, or by a language model where the rules do not understand all of it, and
//! searched like any other search, by the same reader.

use super::{
    App, Error, Reader, aggregate,
    aggregate::Bucket,
    scan::Stats,
    search::{self, MAX_LIMIT, Search, Stored},
    stats,
};
use crate::{
    engine::{
        analyst::{self, KnownNames},
        ask::{self, Asked, Known, Part, Wants},
        enrich,
        query::{
            Expr, Filter, Order, TimeRange, parse,
            stat::{By, Key, Measure, Number},
        },
        record::{model::Level, timestamp::Timestamp},
    },
    ports::{Model, model::Question},
};

/// Logs of an answer where nothing is said.
const SHOWN: usize = 100;

/// A quantile is within 1%: a threshold lies so far below it that nothing is missed.
const BELOW: f64 = 0.98;

/// Names of environments as they are stored.
const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];

/// Fields that a model is told of; it may name others that the question names.
const FIELDS: [&str; 14] = [
    "service",
    "level",
    "environment",
    "component",
    "endpoint",
    "method",
    "category",
    "status",
    "duration_ms",
    "user_id",
    "trace_id",
    "host",
    "tags",
    "message",
];

const ANSWER_TOKENS: u32 = 400;

/// What was found.
#[derive(Debug)]
pub enum Found {
    Logs(Vec<Stored>),
    Count(u64),
    /// How many by the values of a field, the most first.
    Counts(String, Vec<(Option<String>, u64)>),
    Trend(Vec<Bucket>),
}

#[derive(Debug)]
pub struct Answer {
    pub asked: Asked,
    /// The model that has read the question; the rules where there is none.
    pub read_by: Option<String>,
    pub time: TimeRange,
    pub found: Found,
    pub stats: Stats,
}

/// Answers a question; `limit` where the question says none.
pub async fn ask(app: &App, reader: &Reader, question: &str, limit: Option<usize>) -> Result<Answer, Error> {
    let (services, _) = stats::services(app, reader, TimeRange::ALL).await?;
    let services: Vec<String> = services.into_keys().collect();
    let environments = ENVIRONMENTS.map(str::to_owned);
    let categories: Vec<&str> = enrich::Category::ALL.iter().map(|category| category.as_str()).collect();
    let known = Known { services: &services, environments: &environments, categories: &categories };
    let by_rules = ask::ask(question, &known, app.now().as_ms());
    // Words that the rules search for as they stand may mean something.
    let is_word = |part: &Part| part.meaning == part.words;
    let is_clear = by_rules
        .as_ref()
        .is_ok_and(|asked| asked.ignored.is_empty() && !asked.understood.iter().any(is_word));
    let by_model = match &app.model {
        Some(model) if !is_clear => ask_model(app, model.as_ref(), question, &known).await,
        _ => None,
    };
    let (asked, expr, read_by) = if let Some((asked, expr, model)) = by_model {
        // What is to be done with what is found the rules know.
        let wants = by_rules.map_or(Wants::Logs, |by_rules| by_rules.wants);
        (Asked { wants, ..asked }, expr, Some(model))
    } else {
        let asked = by_rules.map_err(|error| unclear(format!("{}; {}", error.message, error.hint)))?;
        let expr =
            parse(&asked.query).map_err(|error| unclear(format!("it became {:?}: {error}", asked.query)))?;
        (asked, expr, None)
    };
    let start = asked.start_ms.map_or(Timestamp::EPOCH, Timestamp::from_ms);
    // Its last millisecond is in it as a whole.
    let end = asked.end_ms.map_or(Timestamp::MAX, |ms| {
        Timestamp::from_ns(Timestamp::from_ms(ms).as_ns().saturating_add(999_999))
    });
    let time = TimeRange { start, end };
    let filter = Filter { time, expr };
    let limit = asked.limit.or(limit).unwrap_or(SHOWN).min(MAX_LIMIT);
    let (found, stats) = find(app, reader, &asked, filter, limit).await?;
    Ok(Answer { asked, read_by, time, found, stats })
}

/// What a model takes the question for. Its query is parsed and confined like any other; where it is of no use the rules'
/// reading stands.
async fn ask_model(
    app: &App,
    model: &dyn Model,
    question: &str,
    known: &Known<'_>,
) -> Option<(Asked, Expr, String)> {
    let levels = Level::ALL.map(Level::as_str);
    let names = KnownNames {
        services: known.services,
        fields: &FIELDS,
        environments: known.environments,
        categories: known.categories,
        levels: &levels,
    };
    let prompt = analyst::question_prompt(question, &names, app.now().as_ms());
    let asked = Question {
        system: &prompt.system,
        user: &prompt.user,
        schema: &prompt.schema,
        max_tokens: ANSWER_TOKENS,
    };
    let refused = |reason: String| {
        app.journal.error(&format!("{} has not read a question: {reason}", model.name()));
    };
    let answered = match model.ask(&asked, app.settings.ai_timeout_ms).await {
        Ok(answered) => answered,
        Err(error) => {
            refused(error.to_string());
            return None;
        }
    };
    let read = match analyst::question_answer(&answered.text) {
        Ok(read) => read,
        Err(nonsense) => {
            refused(nonsense.to_string());
            return None;
        }
    };
    let expr = match parse(&read.query) {
        Ok(expr) => expr,
        Err(error) => {
            refused(error.to_string());
            return None;
        }
    };
    let asked = Asked {
        query: read.query,
        start_ms: read.start_ms,
        end_ms: read.end_ms,
        sort_oldest_first: read.oldest_first,
        limit: read.limit,
        wants: Wants::Logs,
        understood: Vec::new(),
        ignored: Vec::new(),
    };
    Some((asked, expr, answered.model))
}

async fn find(
    app: &App,
    reader: &Reader,
    asked: &Asked,
    filter: Filter,
    limit: usize,
) -> Result<(Found, Stats), Error> {
    match &asked.wants {
        Wants::Logs => {
            let order = if asked.sort_oldest_first { Order::Oldest } else { Order::Newest };
            let page = search::search(app, reader, &Search::new(filter, order, limit)).await?;
            Ok((Found::Logs(page.rows), page.stats))
        }
        Wants::Slowest => slowest(app, reader, filter, limit).await,
        Wants::Count => {
            let found = aggregate::groups(app, reader, &filter, &[], &[Measure::Count]).await?;
            let count = found
                .groups
                .first()
                .and_then(|(_, states)| states.first())
                .map_or(0, |state| whole(state.result()));
            Ok((Found::Count(count), found.stats))
        }
        Wants::CountBy(field) => {
            let by = By::parse(field).map_err(unclear)?;
            let found = aggregate::groups(app, reader, &filter, &[by], &[Measure::Count]).await?;
            let mut counts: Vec<(Option<String>, u64)> = found
                .groups
                .into_iter()
                .filter_map(|(keys, states)| {
                    let key = match keys.into_iter().next()? {
                        Key::Text(text) | Key::Json(text) => Some(text),
                        _ => None,
                    };
                    Some((key, whole(states.first()?.result())))
                })
                .collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            counts.truncate(limit);
            Ok((Found::Counts(field.clone(), counts), found.stats))
        }
        Wants::Trend => {
            let found = aggregate::histogram(app, reader, &filter, None).await?;
            Ok((Found::Trend(found.buckets), found.stats))
        }
    }
}

/// The logs that took longest. No index is sorted by durations: a quantile says which of them to look at.
async fn slowest(app: &App, reader: &Reader, filter: Filter, limit: usize) -> Result<(Found, Stats), Error> {
    let field = "duration_ms";
    let timed = and(filter, &format!("{field}:*"))?;
    let counted = aggregate::groups(app, reader, &timed, &[], &[Measure::Count]).await?;
    let there = counted
        .groups
        .first()
        .and_then(|(_, states)| states.first())
        .map_or(0, |state| whole(state.result()));
    let slow = if there <= MAX_LIMIT as u64 {
        timed
    } else {
        let above = 1.0 - ratio(limit, there);
        let measure = Measure::Quantile(field.to_owned(), above);
        let found = aggregate::groups(app, reader, &timed, &[], &[measure]).await?;
        let from = found.groups.first().and_then(|(_, states)| match states.first()?.result() {
            Number::Real(number) => number,
            Number::Whole(_) => None,
        });
        and(timed, &format!("{field}:>={}", from.unwrap_or(0.0) * BELOW))?
    };
    let page = search::search(app, reader, &Search::new(slow, Order::Newest, MAX_LIMIT)).await?;
    let mut rows: Vec<(f64, Stored)> = page.rows.into_iter().map(|row| (duration(&row.line), row)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    rows.truncate(limit);
    Ok((Found::Logs(rows.into_iter().map(|(_, row)| row).collect()), page.stats))
}

fn and(filter: Filter, more: &str) -> Result<Filter, Error> {
    let more = parse(more).map_err(|error| unclear(error.to_string()))?;
    Ok(Filter { expr: Expr::and(vec![filter.expr, more]), ..filter })
}

fn duration(line: &[u8]) -> f64 {
    #[derive(serde::Deserialize)]
    struct Timed {
        duration_ms: Option<f64>,
    }
    serde_json::from_slice::<Timed>(line).ok().and_then(|row| row.duration_ms).unwrap_or(0.0)
}

fn whole(number: Number) -> u64 {
    match number {
        Number::Whole(number) => number,
        Number::Real(_) => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a quantile need not be exact")]
fn ratio(part: usize, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}

fn unclear(message: String) -> Error {
    Error::invalid("unclear_question", "question", message)
}
