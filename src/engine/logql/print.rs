//! The canonical text of a query: one line, one spelling of each thing, and as many parentheses as it takes to
//! be parsed as the same query again.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    ast::{
        Aggregation, Binary, CompareOp, Conversion, Expr, Extract, Grouping, LabelChoice, LabelFilter,
        LabelFormat, LabelReplace, LabelSource, LineFilter, LineMatch, LineOp, LogExpr, LogRange, MatchOp,
        Matcher, Metric, RangeAggregation, Stage, Unwrap, Word,
    },
    lex::quote,
    unit::{print_bytes, print_duration},
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Log(log) => log.fmt(f),
            Expr::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        list(f, &self.matchers)?;
        f.write_char('}')?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        write!(f, "{}{op}{}", self.name, quote(&self.value))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::LineFilter(filter) => filter.fmt(f),
            Stage::Json(fields) => {
                f.write_str("| json")?;
                fields_of(f, fields)
            }
            Stage::Logfmt { strict, keep_empty, fields } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                fields_of(f, fields)
            }
            Stage::Regexp(regex) => write!(f, "| regexp {}", quote(regex)),
            Stage::Pattern(pattern) => write!(f, "| pattern {}", quote(pattern)),
            Stage::Unpack => f.write_str("| unpack"),
            Stage::LabelFilter(filter) => write!(f, "| {filter}"),
            Stage::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Stage::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                list(f, formats)
            }
            Stage::Keep(choices) => {
                f.write_str("| keep ")?;
                list(f, choices)
            }
            Stage::Drop(choices) => {
                f.write_str("| drop ")?;
                list(f, choices)
            }
            Stage::Decolorize => f.write_str("| decolorize"),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.op {
            LineOp::Contains => "|= ",
            LineOp::NotContains => "!= ",
            LineOp::Regex => "|~ ",
            LineOp::NotRegex => "!~ ",
            LineOp::Pattern => "|> ",
            LineOp::NotPattern => "!> ",
        })?;
        for (index, wanted) in self.any.iter().enumerate() {
            f.write_str(if index > 0 { " or " } else { "" })?;
            match wanted {
                LineMatch::Text(text) => f.write_str(&quote(text))?,
                LineMatch::Ip(pattern) => write!(f, "ip({})", quote(pattern))?,
            }
        }
        Ok(())
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (filters, word) = match self {
            LabelFilter::Text(matcher) => return matcher.fmt(f),
            LabelFilter::Number { label, op, value } => return write!(f, "{label}{op}{value}"),
            LabelFilter::Duration { label, op, ns } => {
                return write!(f, "{label}{op}{}", print_duration(*ns));
            }
            LabelFilter::Bytes { label, op, bytes } => {
                return write!(f, "{label}{op}{}", print_bytes(*bytes));
            }
            LabelFilter::Ip { label, negated, pattern } => {
                let op = if *negated { "!=" } else { "=" };
                return write!(f, "{label}{op}ip({})", quote(pattern));
            }
            LabelFilter::And(filters) => (filters, " and "),
            LabelFilter::Or(filters) => (filters, " or "),
        };
        for (index, filter) in filters.iter().enumerate() {
            f.write_str(if index > 0 { word } else { "" })?;
            match filter {
                LabelFilter::And(_) | LabelFilter::Or(_) => write!(f, "({filter})")?,
                _ => filter.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Display for CompareOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CompareOp::Equal => "==",
            CompareOp::NotEqual => "!=",
            CompareOp::Greater => ">",
            CompareOp::GreaterEqual => ">=",
            CompareOp::Less => "<",
            CompareOp::LessEqual => "<=",
        })
    }
}

impl Display for Extract {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.label, quote(&self.path))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            LabelSource::Label(source) => write!(f, "{}={source}", self.label),
            LabelSource::Template(template) => write!(f, "{}={}", self.label, quote(template)),
        }
    }
}

impl Display for LabelChoice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LabelChoice::Name(name) => f.write_str(name),
            LabelChoice::Matching(matcher) => matcher.fmt(f),
        }
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.query)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, " [{}]", print_duration(self.range_ns))?;
        match self.offset_ns {
            0 => Ok(()),
            offset => write!(f, " offset {}", print_duration(offset)),
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.conversion {
            Conversion::None => write!(f, "| unwrap {}", self.label)?,
            Conversion::Bytes => write!(f, "| unwrap bytes({})", self.label)?,
            Conversion::Duration => write!(f, "| unwrap duration({})", self.label)?,
            Conversion::DurationSeconds => write!(f, "| unwrap duration_seconds({})", self.label)?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl Display for Metric {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Number(value) => write!(f, "{value}"),
            Metric::Vector(value) => write!(f, "vector({value})"),
            Metric::Range(range) => range.fmt(f),
            Metric::Aggregate(aggregation) => aggregation.fmt(f),
            Metric::Binary(binary) => binary.fmt(f),
            Metric::LabelReplace(replace) => replace.fmt(f),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter}, ")?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping}"))
    }
}

impl Display for Aggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping} "))?;
        f.write_char('(')?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter}, ")?;
        }
        write!(f, "{})", self.inner)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.without { "without (" } else { "by (" })?;
        list(f, &self.labels)?;
        f.write_char(')')
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        operand(f, &self.left)?;
        write!(f, " {} ", self.op.as_str())?;
        f.write_str(if self.returns_bool { "bool " } else { "" })?;
        if let Some(matching) = &self.matching {
            f.write_str(if matching.on { "on (" } else { "ignoring (" })?;
            list(f, &matching.labels)?;
            f.write_str(") ")?;
            if let Some(group) = &matching.group {
                f.write_str(if group.many_left { "group_left (" } else { "group_right (" })?;
                list(f, &group.include)?;
                f.write_str(") ")?;
            }
        }
        operand(f, &self.right)
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "label_replace({}", self.inner)?;
        for text in [&self.target, &self.replacement, &self.source, &self.regex] {
            write!(f, ", {}", quote(text))?;
        }
        f.write_char(')')
    }
}

fn operand(f: &mut Formatter<'_>, metric: &Metric) -> fmt::Result {
    match metric {
        Metric::Binary(_) => write!(f, "({metric})"),
        _ => metric.fmt(f),
    }
}

fn fields_of(f: &mut Formatter<'_>, fields: &[Extract]) -> fmt::Result {
    if fields.is_empty() {
        return Ok(());
    }
    f.write_char(' ')?;
    list(f, fields)
}

fn list(f: &mut Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index > 0 { ", " } else { "" })?;
        item.fmt(f)?;
    }
    Ok(())
}
