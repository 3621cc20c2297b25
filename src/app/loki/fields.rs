//! The fields that stand in lines.

use std::collections::BTreeMap;

use super::lines::{self, Lines};
use crate::{
    app::{App, Error, Reader, scan::Stats},
    engine::{
        logql::pipeline::Source,
        loki::{Detected, Detector},
    },
};

/// The fields of the lines that a query wants, by their names.
pub async fn fields(
    app: &App,
    reader: &Reader,
    asked: &Lines,
) -> Result<(BTreeMap<String, Detected>, Stats), Error> {
    let (rows, stats) = lines::lines(app, reader, asked).await?;
    let mut detector = Detector::default();
    for row in &rows {
        let metadata = row.labels.iter().filter(|(_, _, source)| *source == Source::Metadata);
        detector.take(metadata.map(|(name, value, _)| (name.as_str(), value.as_str())), &row.text);
    }
    Ok((detector.finish(), stats))
}
