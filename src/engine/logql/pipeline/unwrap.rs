//! The number of a line: that of one of its labels.

use super::{
    super::{
        ast::{Conversion, Unwrap},
        unit::{parse_bytes, parse_duration},
    },
    Row,
    label_filter::Filter,
};

pub(in super::super) struct Unwrapper {
    label: String,
    conversion: Conversion,
    filters: Vec<Filter>,
}

impl Unwrapper {
    pub(in super::super) fn new(unwrap: &Unwrap) -> Result<Self, String> {
        let filters = unwrap.filters.iter().map(Filter::new).collect::<Result<_, _>>()?;
        Ok(Self { label: unwrap.label.clone(), conversion: unwrap.conversion, filters })
    }

    /// The number of the label, which stays; `None` if the line has none or is filtered.
    pub(in super::super) fn read(&self, row: &mut Row<'_>) -> Option<f64> {
        let labels = &mut row.labels;
        let text = labels.get(&self.label).filter(|text| !text.is_empty())?;
        let value = self.number(text);
        if value.is_none() {
            let details = format!("{text:?} of label {} is not a number", self.label);
            labels.fail("SampleExtractionErr", details);
        }
        self.filters.iter().all(|filter| filter.passes(labels)).then_some(value.unwrap_or(0.0))
    }

    pub(in super::super) fn label(&self) -> &str {
        &self.label
    }

    #[expect(clippy::cast_precision_loss)]
    fn number(&self, text: &str) -> Option<f64> {
        match self.conversion {
            Conversion::None => text.parse().ok(),
            Conversion::Bytes => parse_bytes(text).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                parse_duration(text).map(|ns| ns as f64 / 1e9)
            }
        }
    }
}
