//! What was read becomes one query: the choices for a field together, everything else side by side.

use chrono::DateTime;

use super::{
    Asked, Part, Unclear, Wants,
    clause::{ALL_LEVELS, Clause, Test},
    day::Calendar,
    reader::{Reader, family},
};

/// Terms and bytes of a query; the search language takes 256 and 8,192.
const MAX_TERMS: usize = 200;
const MAX_BYTES: usize = 7000;

pub(super) fn asked(reader: Reader<'_, '_>, calendar: &Calendar) -> Result<Asked, Unclear> {
    let tokens = reader.tokens;
    let (start_ms, end) = reader.times.resolve(calendar);
    let mut parts: Vec<(usize, Part)> = Vec::new();
    for item in &reader.items {
        let clause =
            if item.is_negated { Clause::Not(Box::new(item.clause.clone())) } else { item.clause.clone() };
        parts.push((
            item.start,
            Part { words: tokens.said(item.start, item.end), meaning: clause.to_string() },
        ));
    }
    for (from, to, meaning) in &reader.wishes {
        parts.push((*from, Part { words: tokens.said(*from, *to), meaning: meaning.clone() }));
    }
    if let Some((first, _)) = reader.time_words.first() {
        let words: Vec<String> = reader.time_words.iter().map(|(from, to)| tokens.said(*from, *to)).collect();
        parts.push((*first, Part { words: words.join(" … "), meaning: span(start_ms, end) }));
    }
    parts.sort_by_key(|(at, _)| *at);

    let mut clauses = joined(&reader)?;
    let wants = reader.wish.wants.clone().unwrap_or(Wants::Logs);
    let has_duration = clauses.iter().any(|clause| family(clause) == Some("duration_ms"));
    if wants == Wants::Slowest && !has_duration {
        clauses.push(Clause::Field("duration_ms".to_owned(), Test::Exists));
    }
    let whole = Clause::all(clauses);
    let (terms, bytes) = whole.size();
    if terms > MAX_TERMS || bytes > MAX_BYTES {
        return Err(Unclear::new(
            format!(
                "expected a question that names at most {MAX_TERMS} things, found {terms} in {bytes} bytes"
            ),
            "ask for less at once",
        ));
    }
    let query = whole.to_string();
    Ok(Asked {
        query: if query.is_empty() { "*".to_owned() } else { query },
        start_ms,
        end_ms: end.map(|end| end.saturating_sub(1)),
        sort_oldest_first: reader.wish.oldest_first == Some(true),
        limit: reader.wish.limit,
        wants,
        understood: parts.into_iter().map(|(_, part)| part).collect(),
        ignored: reader.ignored,
    })
}

/// The choices for one thing.
struct Group {
    choices: Vec<Clause>,
    /// The field of all of them, when more may be added from elsewhere.
    field: Option<String>,
    is_negated: bool,
}

fn joined(reader: &Reader<'_, '_>) -> Result<Vec<Clause>, Unclear> {
    let mut groups: Vec<Group> = Vec::new();
    for item in &reader.items {
        let field = family(&item.clause).filter(|_| is_choice_of_values(&item.clause)).map(str::to_owned);
        let mut choices = match item.clause.clone() {
            Clause::Any(parts) if field.is_some() => parts,
            other => vec![other],
        };
        if item.is_choice
            && let Some(group) = groups.last_mut()
        {
            group.field = group.field.take().filter(|old| field.as_ref() == Some(old));
            group.choices.append(&mut choices);
            continue;
        }
        let same = groups
            .iter_mut()
            .find(|group| field.is_some() && group.field == field && group.is_negated == item.is_negated);
        match same {
            Some(group) => group.choices.append(&mut choices),
            None => groups.push(Group { choices, field, is_negated: item.is_negated }),
        }
    }
    without_levels(&mut groups)?;
    let mut clauses = Vec::new();
    for group in groups {
        let clause = Clause::any(merged(group.choices));
        let clause = if group.is_negated { Clause::Not(Box::new(clause)) } else { clause };
        if !clauses.contains(&clause) {
            // Words side by side need no parentheses.
            match clause {
                Clause::All(parts) => clauses.extend(parts),
                other => clauses.push(other),
            }
        }
    }
    Ok(clauses)
}

/// Whether two of it are two choices: a log has one level, one status, one service.
fn is_choice_of_values(clause: &Clause) -> bool {
    match clause {
        Clause::Levels(_) => true,
        Clause::Field(name, Test::Between(..)) => name == "status",
        Clause::Field(_, test) => matches!(test, Test::Is(_) | Test::Prefix(_)),
        Clause::Any(parts) => !parts.is_empty() && parts.iter().all(is_choice_of_values),
        _ => false,
    }
}

/// Levels that are not wanted are taken from those that are.
fn without_levels(groups: &mut Vec<Group>) -> Result<(), Unclear> {
    let of = |groups: &[Group], is_negated: bool| {
        let level =
            |group: &&Group| group.field.as_deref() == Some("level") && group.is_negated == is_negated;
        groups.iter().find(level).map(|group| mask(&group.choices))
    };
    let Some(unwanted) = of(groups, true) else { return Ok(()) };
    let wanted = of(groups, false);
    let Some(wanted) = wanted else {
        // "No debug" is said as it is; of several levels it is shorter to say which are left.
        if unwanted.count_ones() > 1 && unwanted != ALL_LEVELS {
            for group in groups.iter_mut().filter(|group| group.field.as_deref() == Some("level")) {
                group.choices = vec![Clause::Levels(ALL_LEVELS & !unwanted)];
                group.is_negated = false;
            }
        }
        return Ok(());
    };
    let left = wanted & !unwanted;
    if left == 0 {
        return Err(Unclear::new(
            "expected a level that is wanted, found that each of them is unwanted too",
            "say which levels you want, such as \"errors and warnings\"",
        ));
    }
    groups.retain(|group| group.field.as_deref() != Some("level") || !group.is_negated);
    for group in groups.iter_mut().filter(|group| group.field.as_deref() == Some("level")) {
        group.choices = vec![Clause::Levels(left)];
    }
    Ok(())
}

fn mask(choices: &[Clause]) -> u8 {
    choices.iter().fold(0, |mask, choice| match choice {
        Clause::Levels(more) => mask | more,
        _ => mask,
    })
}

/// The choices without doubles, and their levels as one.
fn merged(choices: Vec<Clause>) -> Vec<Clause> {
    let levels = mask(&choices);
    let mut out: Vec<Clause> = Vec::new();
    for choice in choices {
        let choice = if matches!(choice, Clause::Levels(_)) { Clause::Levels(levels) } else { choice };
        let inner = match choice {
            Clause::Any(parts) => parts,
            other => vec![other],
        };
        for part in inner {
            if !out.contains(&part) {
                out.push(part);
            }
        }
    }
    out
}

fn span(start: Option<i64>, end: Option<i64>) -> String {
    let shown = |time: i64| {
        DateTime::from_timestamp_millis(time)
            .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
            .unwrap_or_default()
    };
    match (start, end) {
        (Some(start), Some(end)) => format!("from {} until {}", shown(start), shown(end)),
        (Some(start), None) => format!("since {}", shown(start)),
        (None, Some(end)) => format!("until {}", shown(end)),
        (None, None) => "any time".to_owned(),
    }
}
