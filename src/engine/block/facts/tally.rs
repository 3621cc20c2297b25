//! Counting the rows of a block: each cell is looked for once, and in it each value.

use std::collections::BTreeMap;

use super::{Cell, DURATIONS, Dimension, Facts, Levels, fine, hour, json_bytes};
use crate::engine::{
    block::{
        fields::{CountedRow, Fields, Numbered},
        numbers::Numbers,
    },
    sketch::Sketch,
};

/// What is counted of a text: its value in the hour, or in a minute or a step of it.
#[derive(Clone, Copy)]
enum What {
    Value(Dimension),
    Minute(usize),
    Step(usize),
}

/// What a cell gets of a block.
#[derive(Default)]
struct Tally {
    levels: Levels,
    minutes: Vec<(usize, Levels)>,
    /// In the order in which they first come, which decides for what there is room.
    texts: Vec<(What, u32, Levels)>,
    places: Numbers<u64>,
    durations: Vec<(usize, Sketch)>,
}

/// Adds the rows of a block to facts; answers by how much these weigh more at the most.
pub(super) fn count(
    facts: &mut Facts,
    rows: &[CountedRow],
    services: &Numbered<'_>,
    fields: &Fields<'_, '_>,
) -> usize {
    let categories = fields.numbered(&[&["category"]]);
    let values = Dimension::ALL.map(|dimension| fields.numbered(dimension.paths()));
    let durations = fields.first(&[&["duration_ms"], DURATIONS[0], DURATIONS[1]]);
    let mut tallies: Vec<((&str, &str, u32), Tally)> = Vec::new();
    let mut of_cells: BTreeMap<(&str, &str, u32), usize> = BTreeMap::new();
    // The tally of what stands in a row; several categories may be counted as one.
    let mut places: Numbers<u64> = Numbers::default();
    let mut of_places: Vec<usize> = Vec::new();
    for (nth, (row, duration)) in rows.iter().zip(durations).enumerate() {
        let (service, category) = (services.number(nth), categories.number(nth));
        let hour = hour(row.time);
        // A block has fewer rows than 16 bits tell apart.
        let names = category.map_or(0, |number| number + 1) << 16 | service.map_or(0, |number| number + 1);
        let place = places.number(u64::from(names) << 32 | u64::from(hour)) as usize;
        if place == of_places.len() {
            let service = service.map_or("", |number| services.text(number));
            let category = category.map_or("", |number| categories.text(number));
            let cell = (service, facts.counted_as(service, category), hour);
            of_places.push(*of_cells.entry(cell).or_insert_with(|| {
                tallies.push((cell, Tally::default()));
                tallies.len() - 1
            }));
        }
        let tally = of_places.get(place).and_then(|place| tallies.get_mut(*place));
        let Some((_, tally)) = tally else { continue };
        let one = Levels::of_row(row.level, row.weight);
        let minute = fine::minute_of_hour(row.time);
        tally.count(minute, &one);
        for (dimension, values) in Dimension::ALL.into_iter().zip(&values) {
            // An empty text is none.
            if let Some(number) = values.number(nth).filter(|number| !values.text(*number).is_empty()) {
                tally.count_text(dimension, number, minute, &one);
            }
        }
        if let Some(duration) = duration.and_then(|text| text.parse().ok()) {
            tally.count_duration(fine::step_of_hour(minute), duration, row.weight);
        }
    }
    let mut more = 0;
    for ((service, category, hour), tally) in tallies {
        let Some(cell) = facts.cell(service, category, hour) else { continue };
        let before = if cell.levels == Levels::default() { 0 } else { cell.weight() };
        tally.add_to(cell, &values);
        // A new cell may be the first one under its names.
        let names = if before == 0 { json_bytes(service) + json_bytes(category) + 12 } else { 0 };
        more += names + cell.weight().saturating_sub(before);
    }
    more
}

impl Tally {
    fn count(&mut self, minute: usize, one: &Levels) {
        self.levels.add(one);
        // Rows come in order of time.
        match self.minutes.last_mut().filter(|(last, _)| *last == minute) {
            Some((_, levels)) => levels.add(one),
            None => self.minutes.push((minute, *one)),
        }
    }

    fn count_text(&mut self, dimension: Dimension, number: u32, minute: usize, one: &Levels) {
        self.add(What::Value(dimension), number, one);
        match dimension {
            Dimension::Environment => self.add(What::Minute(minute), number, one),
            Dimension::Pattern => self.add(What::Step(fine::step_of_hour(minute)), number, one),
            _ => {}
        }
    }

    fn add(&mut self, what: What, number: u32, one: &Levels) {
        let (kind, at) = match what {
            What::Value(of) => (0, of as usize),
            What::Minute(minute) => (1, minute),
            What::Step(step) => (2, step),
        };
        let key = kind << 40 | (at as u64) << 32 | u64::from(number);
        let place = self.places.number(key) as usize;
        match self.texts.get_mut(place) {
            Some((.., levels)) => levels.add(one),
            None => self.texts.push((what, number, *one)),
        }
    }

    fn count_duration(&mut self, step: usize, duration: f64, weight: u64) {
        if self.durations.last().is_none_or(|(last, _)| *last != step) {
            self.durations.push((step, Sketch::default()));
        }
        if let Some((_, sketch)) = self.durations.last_mut() {
            sketch.add(duration, weight);
        }
    }

    fn add_to(&self, cell: &mut Cell, values: &[Numbered<'_>; 6]) {
        cell.levels.add(&self.levels);
        for (minute, levels) in &self.minutes {
            cell.fine.add_minute(*minute, levels);
        }
        let text = |of: Dimension, number| values.get(of as usize).map_or("", |of| of.text(number));
        for (what, number, levels) in &self.texts {
            match what {
                What::Value(of) => cell.add_value(*of, text(*of, *number), levels),
                What::Minute(minute) => {
                    cell.fine.add_environment(text(Dimension::Environment, *number), *minute, levels);
                }
                What::Step(step) => {
                    cell.fine.add_pattern(text(Dimension::Pattern, *number), *step, levels.total());
                }
            }
        }
        for (step, sketch) in self.durations.iter().filter(|(_, sketch)| !sketch.is_empty()) {
            cell.add_durations(*step, sketch);
        }
    }
}
