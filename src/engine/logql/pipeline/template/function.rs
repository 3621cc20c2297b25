//! The functions of templates, by name, with what they take.

use regex::Regex;

use super::{
    super::{
        super::{
            re2,
            unit::{parse_bytes, parse_duration},
        },
        Row,
    },
    MAX_ARGUMENTS, Operand, Value, date, encode, printf,
    render::too_long,
    text::{self, Side},
};

/// A function and its arguments.
pub(super) struct Call {
    name: &'static str,
    arguments: Vec<Operand>,
    /// The expression of a function that takes one, compiled when the template is parsed.
    regex: Option<Regex>,
    least: usize,
    most: usize,
}

const MANY: usize = usize::MAX;

/// Names, and how many arguments there are at least and at most.
const FUNCTIONS: [(&str, usize, usize); 77] = [
    ("__line__", 0, 0),
    ("__timestamp__", 0, 0),
    ("ToLower", 1, 1),
    ("ToUpper", 1, 1),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("title", 1, 1),
    ("trunc", 2, 2),
    ("substr", 3, 3),
    ("Replace", 4, 4),
    ("replace", 3, 3),
    ("Trim", 2, 2),
    ("TrimLeft", 2, 2),
    ("TrimRight", 2, 2),
    ("TrimPrefix", 2, 2),
    ("TrimSuffix", 2, 2),
    ("TrimSpace", 1, 1),
    ("trim", 1, 1),
    ("trimAll", 2, 2),
    ("trimPrefix", 2, 2),
    ("trimSuffix", 2, 2),
    ("contains", 2, 2),
    ("hasPrefix", 2, 2),
    ("hasSuffix", 2, 2),
    ("indent", 2, 2),
    ("nindent", 2, 2),
    ("repeat", 2, 2),
    ("alignLeft", 2, 2),
    ("alignRight", 2, 2),
    ("default", 1, 2),
    ("regexReplaceAll", 3, 3),
    ("regexReplaceAllLiteral", 3, 3),
    ("count", 2, 2),
    ("int", 1, 1),
    ("float64", 1, 1),
    ("add", 1, MANY),
    ("sub", 2, 2),
    ("mul", 1, MANY),
    ("div", 2, 2),
    ("mod", 2, 2),
    ("addf", 1, MANY),
    ("subf", 1, MANY),
    ("mulf", 1, MANY),
    ("divf", 1, MANY),
    ("max", 1, MANY),
    ("min", 1, MANY),
    ("maxf", 1, MANY),
    ("minf", 1, MANY),
    ("ceil", 1, 1),
    ("floor", 1, 1),
    ("round", 2, 3),
    ("len", 1, 1),
    ("eq", 2, MANY),
    ("ne", 2, 2),
    ("lt", 2, 2),
    ("le", 2, 2),
    ("gt", 2, 2),
    ("ge", 2, 2),
    ("and", 1, MANY),
    ("or", 1, MANY),
    ("not", 1, 1),
    ("printf", 1, MANY),
    ("print", 0, MANY),
    ("println", 0, MANY),
    ("bytes", 1, 1),
    ("duration", 1, 1),
    ("duration_seconds", 1, 1),
    ("unixEpoch", 1, 1),
    ("unixEpochMillis", 1, 1),
    ("unixEpochNanos", 1, 1),
    ("unixToTime", 1, 1),
    ("date", 2, 2),
    ("urlencode", 1, 1),
    ("urldecode", 1, 1),
    ("urlquery", 1, 1),
    ("b64enc", 1, 1),
    ("b64dec", 1, 1),
];

/// What Loki has and this has not, so that it is not taken for a slip of the pen.
const UNSUPPORTED: [&str; 10] =
    ["now", "toDate", "toDateInZone", "fromJson", "index", "slice", "call", "toJson", "html", "js"];

impl Call {
    pub(super) fn new(
        name: &str,
        arguments: Vec<Operand>,
        is_piped: bool,
        regexes_left: &mut usize,
    ) -> Result<Self, String> {
        let mut call = Self::bare(name)?;
        let given = arguments.len() + usize::from(is_piped);
        if given < call.least || given > call.most {
            let wanted = if call.most == MANY { "at least " } else { "" };
            return Err(format!("wrong number of args for {name}: want {wanted}{} got {given}", call.least));
        }
        if matches!(name, "regexReplaceAll" | "regexReplaceAllLiteral" | "count") {
            let Some(Operand::Literal(Value::Text(pattern))) = arguments.first() else {
                return Err(format!("the expression of {name} must be a text"));
            };
            *regexes_left = regexes_left.checked_sub(1).ok_or("too many regular expressions in a query")?;
            call.regex = Some(re2::compile(pattern)?);
        }
        call.arguments = arguments;
        Ok(call)
    }

    /// A function without arguments, even if it needs some.
    pub(super) fn bare(name: &str) -> Result<Self, String> {
        match FUNCTIONS.iter().find(|(known, ..)| *known == name) {
            Some((name, least, most)) => {
                Ok(Self { name, arguments: Vec::new(), regex: None, least: *least, most: *most })
            }
            None if UNSUPPORTED.contains(&name) => Err(format!("function {name:?} is not supported")),
            None => Err(format!("function {name:?} not defined")),
        }
    }

    /// Calls it, with `last` behind its own arguments.
    pub(super) fn value(&self, row: &Row<'_>, last: Option<Value>) -> Result<Value, String> {
        let mut values = Vec::with_capacity(self.arguments.len() + 1);
        let mut held = 0;
        for value in self.arguments.iter().map(|operand| operand.value(row)).chain(last.map(Ok)) {
            let value = value?;
            held += value.size_bytes();
            if held > MAX_ARGUMENTS {
                return Err(too_long());
            }
            values.push(value);
        }
        if values.len() < self.least {
            return Err(format!(
                "wrong number of args for {}: want {} got {}",
                self.name,
                self.least,
                values.len()
            ));
        }
        match self.name {
            "__line__" => Ok(Value::Text(row.line.clone().into_owned())),
            "__timestamp__" => Ok(Value::Time(row.ts_ns)),
            _ => {
                let of_numbers = arithmetic(self.name, &values)?;
                let found = of_numbers.or_else(|| logic(self.name, &values));
                match found {
                    Some(value) => Ok(value),
                    None => self.of_texts(&values),
                }
            }
        }
    }

    fn of_texts(&self, values: &[Value]) -> Result<Value, String> {
        let text = |index: usize| values.get(index).map(Value::text).unwrap_or_default();
        let int = |index: usize| values.get(index).map_or(0, Value::int);
        let first = text(0);
        Ok(Value::Text(match self.name {
            "ToLower" | "lower" => first.to_lowercase(),
            "ToUpper" | "upper" => first.to_uppercase(),
            "title" => text::title(&first),
            "trunc" => text::truncated(int(0), &text(1)),
            "substr" => text::between(int(0), int(1), &text(2)),
            "Replace" => text::replaced(&first, &text(1), &text(2), int(3))?,
            "replace" => text::replaced(&text(2), &first, &text(1), -1)?,
            "Trim" => text::trimmed(&first, &text(1), Side::Both),
            "TrimLeft" => text::trimmed(&first, &text(1), Side::Left),
            "TrimRight" => text::trimmed(&first, &text(1), Side::Right),
            "trimAll" => text::trimmed(&text(1), &first, Side::Both),
            "TrimPrefix" => first.strip_prefix(&text(1)).unwrap_or(&first).to_owned(),
            "TrimSuffix" => first.strip_suffix(&text(1)).unwrap_or(&first).to_owned(),
            "trimPrefix" => text(1).strip_prefix(&first).map_or_else(|| text(1), str::to_owned),
            "trimSuffix" => text(1).strip_suffix(&first).map_or_else(|| text(1), str::to_owned),
            "TrimSpace" | "trim" => first.trim().to_owned(),
            "contains" => return Ok(Value::Bool(text(1).contains(&first))),
            "hasPrefix" => return Ok(Value::Bool(text(1).starts_with(&first))),
            "hasSuffix" => return Ok(Value::Bool(text(1).ends_with(&first))),
            "indent" => text::indented(int(0), &text(1))?,
            "nindent" => format!("\n{}", text::indented(int(0), &text(1))?),
            "repeat" => text::repeated(int(0), &text(1))?,
            "alignLeft" => text::aligned(int(0), &text(1), Side::Left)?,
            "alignRight" => text::aligned(int(0), &text(1), Side::Right)?,
            "default" => match values.get(1) {
                Some(given) if given.is_true() => return Ok(given.clone()),
                _ => first,
            },
            "regexReplaceAll" => text::regex_replaced(self.regex.as_ref(), &text(1), &text(2), true)?,
            "regexReplaceAllLiteral" => text::regex_replaced(self.regex.as_ref(), &text(1), &text(2), false)?,
            "count" => {
                let count = self.regex.as_ref().map_or(0, |regex| regex.find_iter(&text(1)).count());
                return Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
            }
            "printf" => printf::printf(&first, values.get(1..).unwrap_or_default())?,
            "print" => printf::print(values),
            "println" => values.iter().map(Value::text).collect::<Vec<_>>().join(" ") + "\n",
            "date" => match values.get(1) {
                Some(Value::Time(ns)) => date::format(&first, *ns),
                _ => return Err("date needs a time".into()),
            },
            "urlencode" | "urlquery" => encode::url(&first),
            "urldecode" => encode::from_url(&first)?,
            "b64enc" => encode::base64(&first),
            "b64dec" => encode::from_base64(&first)?,
            name => return Err(format!("function {name:?} not defined")),
        }))
    }
}

/// The functions of numbers; `None` is another function.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn arithmetic(name: &str, values: &[Value]) -> Result<Option<Value>, String> {
    let text = || values.first().map(Value::text).unwrap_or_default();
    let (first, second) = (values.first(), values.get(1));
    let int = |value: Option<&Value>| value.map_or(0, Value::int);
    let float = |value: Option<&Value>| value.map_or(0.0, Value::float);
    let ints = |join: fn(i64, i64) -> i64| values.iter().map(Value::int).reduce(join).map(Value::Int);
    let floats = |join: fn(f64, f64) -> f64| values.iter().map(Value::float).reduce(join).map(Value::Float);
    let time = || match first {
        Some(Value::Time(ns)) => Ok(*ns),
        _ => Err(format!("{name} needs a time")),
    };
    Ok(match name {
        "int" => Some(Value::Int(int(first))),
        "float64" => Some(Value::Float(float(first))),
        "add" => ints(i64::wrapping_add),
        "sub" => ints(i64::wrapping_sub),
        "mul" => ints(i64::wrapping_mul),
        "div" | "mod" if int(second) == 0 => return Err("division by zero".into()),
        "div" => ints(i64::wrapping_div),
        "mod" => ints(i64::wrapping_rem),
        "max" => ints(i64::max),
        "min" => ints(i64::min),
        "addf" => floats(|left, right| left + right),
        "subf" => floats(|left, right| left - right),
        "mulf" => floats(|left, right| left * right),
        "divf" => floats(|left, right| left / right),
        "maxf" => floats(f64::max),
        "minf" => floats(f64::min),
        "ceil" => Some(Value::Float(float(first).ceil())),
        "floor" => Some(Value::Float(float(first).floor())),
        "round" => {
            let scale = 10_f64.powi(int(second).clamp(-300, 300) as i32);
            Some(Value::Float((float(first) * scale).round() / scale))
        }
        "len" => Some(Value::Int(i64::try_from(text().len()).unwrap_or(i64::MAX))),
        "bytes" => {
            let bytes = parse_bytes(&text()).ok_or_else(|| format!("{:?} is not a size", text()))?;
            Some(Value::Float(bytes as f64))
        }
        "duration" | "duration_seconds" => {
            let ns = parse_duration(&text()).ok_or_else(|| format!("{:?} is not a duration", text()))?;
            Some(Value::Float(ns as f64 / 1e9))
        }
        "unixEpoch" => Some(Value::Text(time()?.div_euclid(1_000_000_000).to_string())),
        "unixEpochMillis" => Some(Value::Text(time()?.div_euclid(1_000_000).to_string())),
        "unixEpochNanos" => Some(Value::Text(time()?.to_string())),
        "unixToTime" => Some(Value::Time(date::of_epoch(&text()).ok_or("unixToTime needs an epoch")?)),
        _ => None,
    })
}

/// Comparisons and conditions; `None` is another function.
fn logic(name: &str, values: &[Value]) -> Option<Value> {
    let (first, second) = (values.first()?, values.get(1));
    Some(match name {
        "and" => values.iter().find(|value| !value.is_true()).or(values.last())?.clone(),
        "or" => values.iter().find(|value| value.is_true()).or(values.last())?.clone(),
        "not" => Value::Bool(!first.is_true()),
        "eq" => Value::Bool(
            values.iter().skip(1).any(|value| order(first, value).is_some_and(std::cmp::Ordering::is_eq)),
        ),
        "ne" => Value::Bool(!order(first, second?).is_some_and(std::cmp::Ordering::is_eq)),
        "lt" => Value::Bool(order(first, second?).is_some_and(std::cmp::Ordering::is_lt)),
        "le" => Value::Bool(order(first, second?).is_some_and(std::cmp::Ordering::is_le)),
        "gt" => Value::Bool(order(first, second?).is_some_and(std::cmp::Ordering::is_gt)),
        "ge" => Value::Bool(order(first, second?).is_some_and(std::cmp::Ordering::is_ge)),
        _ => return None,
    })
}

/// Texts by their bytes, anything else by its number.
fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => left.float().partial_cmp(&right.float()),
    }
}
