//! The labels that parsers must read for a number: most lines have many more.

use std::sync::Arc;

use super::super::ast::{LabelFilter, LogRange, Stage};

/// Those of `kept`, of the filters and of the number itself; `None` is all, because templates may read any.
pub(super) fn wanted(range: &LogRange, kept: &[String]) -> Option<Arc<[String]>> {
    let mut wanted = kept.to_vec();
    for stage in &range.query.stages {
        match stage {
            Stage::LineFormat(_) | Stage::LabelFormat(_) => return None,
            Stage::LabelFilter(filter) => read_by(filter, &mut wanted),
            _ => {}
        }
    }
    if let Some(unwrap) = &range.unwrap {
        wanted.push(unwrap.label.clone());
        for filter in &unwrap.filters {
            read_by(filter, &mut wanted);
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    Some(wanted.into())
}

fn read_by(filter: &LabelFilter, wanted: &mut Vec<String>) {
    match filter {
        LabelFilter::Text(matcher) => wanted.push(matcher.name.clone()),
        LabelFilter::Number { label, .. }
        | LabelFilter::Duration { label, .. }
        | LabelFilter::Bytes { label, .. }
        | LabelFilter::Ip { label, .. } => wanted.push(label.clone()),
        LabelFilter::And(filters) | LabelFilter::Or(filters) => {
            for filter in filters {
                read_by(filter, wanted);
            }
        }
    }
}
