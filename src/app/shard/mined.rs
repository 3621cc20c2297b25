//! What a shard knows of its services' patterns: kept beside the log, as the last flush left it.

use std::collections::BTreeMap;

use super::{Shard, held::Log};
use crate::{
    engine::{
        pattern::{Miners, Own},
        pipeline::Event,
        record::{model::Level, timestamp::Timestamp},
        shard::{mine::Mined, wal},
        triage::Severity,
    },
    ports::{PortError, patterns::KnownPattern, shard_log::Table},
};

/// A new pattern is told of once a day.
const EVENT_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;

/// New patterns of one flush that are told of.
const MAX_EVENTS: usize = 20;

/// The rule that events of new patterns come from.
const NEW_PATTERN: &str = "new-pattern";

impl Shard {
    /// The miners that a flush of this log goes on with: the same however often it is tried. State that cannot be read is
    /// begun anew, since it only makes patterns coarser.
    pub(super) fn miners(&self, log: &Log) -> Result<Miners, PortError> {
        let before = |table: &Table| matches!(table, Table::Patterns(seq) if *seq < log.first_seq);
        let Some(last) = self.log.tables()?.into_iter().filter(before).max() else {
            return Ok(Miners::default());
        };
        let commits = wal::commits(self.log.read(last)?);
        let saved = commits.first().and_then(|commit| commit.appends().next()?.ok()).map(Miners::load);
        Ok(saved.flatten().unwrap_or_default())
    }

    /// Keeps the miners in place of what was kept before. No await: it is part of the flush's transaction.
    pub(super) fn keep_miners(&self, log: &Log, miners: &Miners) -> Result<(), PortError> {
        let table = Table::Patterns(log.first_seq);
        for old in self.log.tables()?.into_iter().filter(|table| matches!(table, Table::Patterns(_))) {
            self.log.drop_table(old)?;
        }
        self.log.create(table)?;
        self.log.append(table, wal::rows(1, &[miners.save()]))
    }

    /// Forgets all of them, as a tenant's end asks.
    pub fn forget_patterns(&self) -> Result<(), PortError> {
        for table in self.log.tables()?.into_iter().filter(|table| matches!(table, Table::Patterns(_))) {
            self.log.drop_table(table)?;
        }
        Ok(())
    }

    /// Tells the catalog of patterns, and everybody of new ones above `INFO`.
    pub(super) async fn tell(&self, mined: Vec<Mined>) -> Result<(), PortError> {
        let tenant = &self.name.tenant;
        let is_told = |one: &&Mined| one.is_new && one.level > Level::Info;
        let events: Vec<Event> = mined.iter().filter(is_told).take(MAX_EVENTS).map(event).collect();
        let known: Vec<KnownPattern> = mined
            .into_iter()
            .map(|one| KnownPattern {
                service: one.service,
                id: one.news.id,
                leads_to: one.news.pattern,
                template: one.news.template,
                level: one.level,
                first: one.first,
                own: Own::default(),
            })
            .collect();
        self.patterns.note(tenant, &known).await?;
        if events.is_empty() {
            return Ok(());
        }
        let now = Timestamp::from_ms(i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX));
        self.events.note(tenant, &events, &BTreeMap::new(), now).await
    }
}

fn event(one: &Mined) -> Event {
    let window = one.first.as_ms().div_euclid(EVENT_WINDOW_MS) * EVENT_WINDOW_MS;
    let name = format!("{NEW_PATTERN}\n{}\n{}", one.service, one.news.pattern);
    Event {
        id: Event::id(window, &name),
        rule: NEW_PATTERN.to_owned(),
        action: "notify".to_owned(),
        target: None,
        severity: if one.level >= Level::Critical { Severity::High } else { Severity::Medium },
        title: "A message that was not seen before".to_owned(),
        key: format!("pattern_id={}", one.news.pattern),
        service: one.service.clone(),
        level: one.level,
        category: one.category.clone(),
        message: one.news.template.clone(),
        log_id: None,
        count: 1,
        first: one.first,
        last: one.first,
    }
}
