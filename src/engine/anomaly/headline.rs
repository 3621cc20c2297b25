//! What a time was like, in a sentence or two.

use crate::engine::prose::{counted, number, percent};
use crate::engine::{block::facts::Levels, record::model::Level};

/// The numbers that it is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub hours: u32,
    pub services: usize,
    pub now: Levels,
    /// In the time of the same length before.
    pub before: Levels,
    pub anomalies: usize,
    pub ongoing: usize,
    pub new_patterns: usize,
    pub grown_patterns: usize,
}

pub fn headline(of: &Times) -> String {
    let hours = of.hours;
    let length = if hours <= 72 {
        counted(f64::from(hours), "hour", "hours")
    } else {
        counted(f64::from(hours) / 24.0, "day", "days")
    };
    let total = real(of.now.total());
    if of.now.total() == 0 {
        return match of.before.total() {
            0 => format!("Nothing was logged in the last {length}, nor in the {length} before."),
            before => format!(
                "Nothing was logged in the last {length}; {} came in the {length} before.",
                counted(real(before), "record", "records")
            ),
        };
    }
    let said = format!(
        "In the last {length} {} logged {}; {} are errors.",
        counted(real(of.services as u64), "service", "services"),
        counted(total, "record", "records"),
        percent(errors(&of.now)),
    );
    let before = (of.before.total() > 0).then(|| {
        let (records, errors) = (number(real(of.before.total())), percent(errors(&of.before)));
        format!("In the {length} before there were {records}, {errors} of them errors.")
    });
    let found = match (of.anomalies, of.ongoing) {
        (0, _) => "Nothing is out of the ordinary".to_owned(),
        (1, 0) => "One anomaly was found, and is over".to_owned(),
        (1, _) => "One anomaly was found, and goes on".to_owned(),
        (all, 0) => format!("{all} anomalies were found, and are over"),
        (all, ongoing) => format!("{all} anomalies were found, {ongoing} of them go on"),
    };
    let patterns = (of.new_patterns + of.grown_patterns > 0).then(|| {
        let new = counted(real(of.new_patterns as u64), "new pattern", "new patterns");
        format!("; {new}, {} that grew", of.grown_patterns)
    });
    let found = format!("{found}{}.", patterns.unwrap_or_default());
    [Some(said), before, Some(found)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn errors(levels: &Levels) -> f64 {
    let errors = levels.of(Level::Error).saturating_add(levels.of(Level::Critical));
    real(errors) / real(levels.total()).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "15 digits are more than a sentence needs")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_a_sentence() {
        let day = Times { hours: 24, ..Times::default() };
        let of = |info, errors| Levels([0, info, 0, errors, 0]);
        let cases = [
            (day, "Nothing was logged in the last 24 hours, nor in the 24 hours before."),
            (
                Times { before: of(10, 0), ..day },
                "Nothing was logged in the last 24 hours; 10 records came in the 24 hours before.",
            ),
            (
                Times {
                    services: 2,
                    now: of(900, 100),
                    before: of(995, 5),
                    anomalies: 2,
                    ongoing: 1,
                    new_patterns: 1,
                    ..day
                },
                "In the last 24 hours 2 services logged 1,000 records; 10% are errors. In the 24 hours before there were 1,000, 0.5% of them errors. 2 anomalies were found, 1 of them go on; 1 new pattern, 0 that grew.",
            ),
            (
                Times { services: 1, now: of(3, 0), ..day },
                "In the last 24 hours 1 service logged 3 records; 0% are errors. Nothing is out of the ordinary.",
            ),
        ];
        for (times, expected) in cases {
            assert_eq!(headline(&times), expected);
        }
    }
}
