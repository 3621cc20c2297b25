//! What a scanner does: looks into the segments of a job, and answers what it has gathered.

use super::{
    Scan, Sink, Stats, Vanished,
    run::look,
    wire::{Answer, Gather, Job, Part},
};
use crate::{
    app::{
        App, Error,
        aggregate::{Counting, Grouping, Names},
        fresh::Copies,
        search::Weighed,
    },
    engine::query::{Order, Query, relevance::Terms},
    ports::scanners::ScannerName,
};

/// Does a job. `app` is the scanner's own. What is wrong with a job is the caller's mistake.
pub async fn work(app: &App, name: &ScannerName, job: &[u8]) -> Result<Vec<u8>, Error> {
    let wrong =
        |reason: String| Error::invalid("invalid_job", "job", format!("{}: {reason}", name.to_name()));
    let (job, gather) = Job::read(&name.tenant, job).map_err(wrong)?;
    let answer = match gather {
        Gather::Groups { by, measures, settled } => {
            let sink = Grouping::new(&job.filter, by, measures, settled.unwrap_or_default());
            run(app, &job, sink, |sink| Some(Part::Groups(sink.into_part()))).await?
        }
        Gather::Facets { known, finds } => {
            let sink = Counting::new(known, finds);
            run(app, &job, sink, |sink| sink.into_part().map(Part::Facets)).await?
        }
        Gather::Fields => run(app, &job, Names::default(), |sink| sink.into_part().map(Part::Fields)).await?,
        Gather::Weights { room } => {
            let terms = Terms::of(&job.filter.expr);
            if terms.is_empty() {
                return Err(wrong("expected a term to weigh".to_owned()));
            }
            let sink = Weighed::new(terms, room);
            run(app, &job, sink, |sink| sink.into_part().map(Part::Weights)).await?
        }
    };
    Ok(answer.write()?)
}

/// `part` answers `None` when the sink is at a limit.
async fn run<S: Sink>(
    app: &App,
    job: &Job,
    mut sink: S,
    part: impl FnOnce(S) -> Option<Part>,
) -> Result<Answer, Error> {
    let query = Query::new(&job.filter.expr);
    let scan = Scan {
        filter: &job.filter,
        copies: Copies::PassedOver,
        order: Order::Newest,
        after: None,
        unlimited: false,
        stops_early: false,
        spreads: false,
    };
    let mut stats = Stats::default();
    let mut segments = 0;
    for entry in &job.segments {
        if sink.is_full(entry.min_time, entry.max_time) {
            return Ok(Answer::TooMuch);
        }
        if stats.r2_reads >= job.r2_reads || stats.bytes_read >= job.bytes_read {
            break;
        }
        match look(app, entry, &scan, &query, &mut sink, &mut stats, job.last_try).await? {
            Ok(()) => segments += 1,
            Err(Vanished) => return Ok(Answer::Vanished),
        }
    }
    Ok(part(sink).map_or(Answer::TooMuch, |part| Answer::Done { part, stats, segments }))
}
