//! Numbers over time: aggregations, operations on them, and what each of them needs.

use super::{
    super::{
        ast::{
            Aggregation, Binary, BinaryOp, Group, Grouping, LabelReplace, Matching, Metric, RangeAggregation,
            RangeOp, VectorOp, Word,
        },
        lex::Token,
        re2,
    },
    MAX_OPERATIONS, ParseError, Parser, refused,
};

impl Parser {
    pub(super) fn metric(&mut self) -> Result<Metric, ParseError> {
        self.operations_from(1)
    }

    /// An operand and the operations on it that bind at least so tightly.
    fn operations_from(&mut self, least: u8) -> Result<Metric, ParseError> {
        let mut left = self.operand()?;
        loop {
            let op = match self.peek() {
                Token::Symbol(symbol) => BinaryOp::from_word(symbol),
                Token::Name(word) => BinaryOp::from_word(word),
                _ => None,
            };
            let Some(op) = op.filter(|op| op.precedence() >= least) else { return Ok(left) };
            self.operations += 1;
            if self.operations > MAX_OPERATIONS {
                return Err(refused(format!("more than {MAX_OPERATIONS} operations in a query")));
            }
            self.next += 1;
            let returns_bool = self.take_word("bool");
            if returns_bool && !op.is_comparison() {
                return Err(refused("bool modifier can only be used on comparison operators"));
            }
            let matching = self.matching(op)?;
            let tighter = if op == BinaryOp::Power { op.precedence() } else { op.precedence() + 1 };
            let right = self.operations_from(tighter)?;
            left = operation(op, left, right, returns_bool, matching)?;
        }
    }

    fn matching(&mut self, op: BinaryOp) -> Result<Option<Matching>, ParseError> {
        let on = self.take_word("on");
        let listed = on || self.take_word("ignoring");
        let labels = if listed { self.names()? } else { Vec::new() };
        let many_left = self.take_word("group_left");
        let grouped = many_left || self.take_word("group_right");
        if !grouped {
            return Ok(listed.then_some(Matching { on, labels, group: None }));
        }
        if op.is_set() {
            return Err(refused(format!("no grouping allowed for \"{}\" operation", op.as_str())));
        }
        let include = if self.is_symbol("(") { self.names()? } else { Vec::new() };
        if let Some(label) = include.iter().find(|label| on && labels.contains(label)) {
            return Err(refused(format!("label \"{label}\" must not occur in ON and GROUP clause at once")));
        }
        Ok(Some(Matching { on, labels, group: Some(Group { many_left, include }) }))
    }

    fn operand(&mut self) -> Result<Metric, ParseError> {
        match self.peek().clone() {
            Token::Number(value) => {
                self.next += 1;
                Ok(Metric::Number(value))
            }
            Token::Symbol(sign @ ("+" | "-")) if matches!(self.peek_at(1), Token::Number(_)) => {
                self.next += 1;
                let value = self.number()?;
                Ok(Metric::Number(if sign == "-" { -value } else { value }))
            }
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.nested(Self::metric)?;
                self.symbol(")")?;
                Ok(inner)
            }
            Token::Name(word) => {
                if let Some(op) = RangeOp::from_word(&word) {
                    self.next += 1;
                    return self.range_aggregation(op);
                }
                if let Some(op) = VectorOp::from_word(&word) {
                    self.next += 1;
                    return self.nested(|parser| parser.aggregation(op));
                }
                match word.as_str() {
                    "vector" => {
                        self.next += 1;
                        self.symbol("(")?;
                        let value = self.number()?;
                        self.symbol(")")?;
                        Ok(Metric::Vector(value))
                    }
                    "label_replace" => {
                        self.next += 1;
                        self.nested(Self::label_replace)
                    }
                    "approx_topk" => Err(refused("approx_topk is not supported: topk is exact")),
                    _ => Err(self.unexpected("")),
                }
            }
            _ => Err(self.unexpected("")),
        }
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<Metric, ParseError> {
        let name = op.as_str();
        self.symbol("(")?;
        let parameter = match self.peek() {
            Token::Number(_) => {
                let value = self.number()?;
                self.symbol(",")?;
                Some(value)
            }
            _ => None,
        };
        if !self.is_symbol("{") && !self.is_symbol("(") {
            return Err(self.unexpected(if parameter.is_none() { "NUMBER or { or (" } else { "{ or (" }));
        }
        let range = self.log_range()?;
        self.symbol(")")?;
        let grouping = self.grouping()?;
        match parameter {
            Some(value) if op != RangeOp::Quantile => {
                return Err(refused(format!("parameter {value} not supported for operation {name}")));
            }
            None if op == RangeOp::Quantile => {
                return Err(refused(format!("parameter required for operation {name}")));
            }
            _ => {}
        }
        if grouping.is_some() && !op.allows_grouping() {
            return Err(refused(format!("grouping not allowed for {name} aggregation")));
        }
        if range.unwrap.is_some() && !op.allows_unwrap() {
            return Err(refused(format!("invalid aggregation {name} with unwrap")));
        }
        if range.unwrap.is_none() && op.needs_unwrap() {
            return Err(refused(format!("invalid aggregation {name} without unwrap")));
        }
        Ok(Metric::Range(RangeAggregation { op, parameter, range, grouping }))
    }

    fn aggregation(&mut self, op: VectorOp) -> Result<Metric, ParseError> {
        let name = op.as_str();
        let before = self.grouping()?;
        if before.is_none() && !self.is_symbol("(") {
            return Err(self.unexpected("by or without or ("));
        }
        self.symbol("(")?;
        let takes_parameter = matches!(op, VectorOp::TopK | VectorOp::BottomK);
        // `sum(3, …)` has a parameter, `sum(3 + …)` an operand.
        let has_parameter = matches!(self.peek(), Token::Number(_)) && self.is_symbol_at(1, ",");
        let parameter = if has_parameter {
            let value = self.number()?;
            self.next += 1;
            if !takes_parameter {
                return Err(refused(format!("unsupported parameter for operation {name}({value},")));
            }
            Some(count(name, value)?)
        } else if takes_parameter {
            return Err(refused(format!("parameter required for operation {name}")));
        } else {
            None
        };
        let inner = Box::new(self.metric()?);
        self.symbol(")")?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        Ok(Metric::Aggregate(Aggregation { op, parameter, inner, grouping }))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.is_word("without");
        if !without && !self.is_word("by") {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    fn label_replace(&mut self) -> Result<Metric, ParseError> {
        self.symbol("(")?;
        let inner = self.metric()?;
        let mut texts = [const { String::new() }; 4];
        for text in &mut texts {
            self.symbol(",")?;
            *text = self.text()?;
        }
        self.symbol(")")?;
        let [target, replacement, source, regex] = texts;
        self.count_regex()?;
        re2::compile_whole(&regex)
            .map_err(|reason| refused(format!("invalid regex in label_replace: {reason}")))?;
        let mut rest = target.chars();
        let starts = rest.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic());
        if !starts || !rest.all(|c| c == '_' || c.is_ascii_alphanumeric()) {
            return Err(refused(format!("invalid destination label name in label_replace: {target:?}")));
        }
        Ok(Metric::LabelReplace(Box::new(LabelReplace { inner, target, replacement, source, regex })))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(name: &str, value: f64) -> Result<u32, ParseError> {
    if value.fract() != 0.0 || value > f64::from(u32::MAX) {
        return Err(refused(format!("invalid parameter {name}({value},")));
    }
    if value < 1.0 {
        return Err(refused(format!("invalid parameter (must be greater than 0) {name}({value}")));
    }
    Ok(value as u32)
}

fn operation(
    op: BinaryOp,
    left: Metric,
    right: Metric,
    returns_bool: bool,
    matching: Option<Matching>,
) -> Result<Metric, ParseError> {
    for (side, metric) in [("left", &left), ("right", &right)] {
        if op.is_set() && metric.is_literal() {
            return Err(refused(format!(
                "unexpected literal for {side} leg of logical/set binary operation ({}): {metric}",
                op.as_str()
            )));
        }
        if matching.is_some() && metric.is_literal() {
            return Err(refused("vector matching only allowed between instant vectors"));
        }
    }
    Ok(Metric::Binary(Box::new(Binary { op, left, right, returns_bool, matching })))
}
