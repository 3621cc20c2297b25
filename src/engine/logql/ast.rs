//! What a query says. Everything in it has been checked by the parser: expressions compile, templates have only
//! known functions, aggregations have what they need.

/// A query: of lines or of numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Log(LogExpr),
    Metric(Metric),
}

/// Which streams, and what is done with each of their lines.
#[derive(Clone, Debug, PartialEq)]
pub struct LogExpr {
    pub matchers: Vec<Matcher>,
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
}

/// Expressions must match a value as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    LineFilter(LineFilter),
    Json(Vec<Extract>),
    Logfmt { strict: bool, keep_empty: bool, fields: Vec<Extract> },
    Regexp(String),
    Pattern(String),
    Unpack,
    LabelFilter(LabelFilter),
    LineFormat(String),
    LabelFormat(Vec<LabelFormat>),
    Keep(Vec<LabelChoice>),
    Drop(Vec<LabelChoice>),
    Decolorize,
}

/// A line passes if one of `any` is in it; with an `op` that negates, if none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFilter {
    pub op: LineOp,
    pub any: Vec<LineMatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOp {
    Contains,
    NotContains,
    Regex,
    NotRegex,
    Pattern,
    NotPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineMatch {
    Text(String),
    /// An address, a range of them or a network.
    Ip(String),
}

/// The label that a value gets, and where the value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    pub label: String,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    Text(Matcher),
    Number {
        label: String,
        op: CompareOp,
        value: f64,
    },
    Duration {
        label: String,
        op: CompareOp,
        ns: i64,
    },
    Bytes {
        label: String,
        op: CompareOp,
        bytes: u64,
    },
    Ip {
        label: String,
        negated: bool,
        pattern: String,
    },
    /// Two or more.
    And(Vec<LabelFilter>),
    /// Two or more.
    Or(Vec<LabelFilter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFormat {
    pub label: String,
    pub value: LabelSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// The label is renamed.
    Label(String),
    Template(String),
}

/// A label, with a matcher only where its value matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelChoice {
    Name(String),
    Matching(Matcher),
}

/// The lines of a time before each step, and the number taken of each.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRange {
    pub query: LogExpr,
    pub unwrap: Option<Unwrap>,
    pub range_ns: i64,
    /// How much earlier the range ends.
    pub offset_ns: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub conversion: Conversion,
    /// What decides over a line after its value has been taken.
    pub filters: Vec<LabelFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    None,
    Bytes,
    Duration,
    DurationSeconds,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    Number(f64),
    Vector(f64),
    Range(RangeAggregation),
    Aggregate(Aggregation),
    Binary(Box<Binary>),
    LabelReplace(Box<LabelReplace>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    pub op: RangeOp,
    /// The quantile, for `RangeOp::Quantile` alone.
    pub parameter: Option<f64>,
    pub range: LogRange,
    pub grouping: Option<Grouping>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    pub op: VectorOp,
    /// How many, for `VectorOp::TopK` and `VectorOp::BottomK` alone.
    pub parameter: Option<u32>,
    pub inner: Box<Metric>,
    pub grouping: Option<Grouping>,
}

/// The labels that a group has in common, or those that it has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub left: Metric,
    pub right: Metric,
    /// Whether a comparison is a number rather than a filter.
    pub returns_bool: bool,
    pub matching: Option<Matching>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// `on` rather than `ignoring`.
    pub on: bool,
    pub labels: Vec<String>,
    pub group: Option<Group>,
}

/// The side of which many samples match one of the other, and the labels taken from that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub many_left: bool,
    pub include: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    pub inner: Metric,
    pub target: String,
    pub replacement: String,
    pub source: String,
    pub regex: String,
}

/// An operation that is written as one word or sign.
pub trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];

    fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(op, _)| *op == self).map_or("", |(_, word)| word)
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, written)| *written == word).map(|(op, _)| *op)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeOp {
    Count,
    Rate,
    RateCounter,
    Bytes,
    BytesRate,
    Absent,
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Stddev,
    Stdvar,
    Quantile,
}

impl Word for RangeOp {
    const WORDS: &'static [(Self, &'static str)] = &[
        (RangeOp::Count, "count_over_time"),
        (RangeOp::Rate, "rate"),
        (RangeOp::RateCounter, "rate_counter"),
        (RangeOp::Bytes, "bytes_over_time"),
        (RangeOp::BytesRate, "bytes_rate"),
        (RangeOp::Absent, "absent_over_time"),
        (RangeOp::Sum, "sum_over_time"),
        (RangeOp::Avg, "avg_over_time"),
        (RangeOp::Min, "min_over_time"),
        (RangeOp::Max, "max_over_time"),
        (RangeOp::First, "first_over_time"),
        (RangeOp::Last, "last_over_time"),
        (RangeOp::Stddev, "stddev_over_time"),
        (RangeOp::Stdvar, "stdvar_over_time"),
        (RangeOp::Quantile, "quantile_over_time"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    Sort,
    SortDesc,
}

impl Word for VectorOp {
    const WORDS: &'static [(Self, &'static str)] = &[
        (VectorOp::Sum, "sum"),
        (VectorOp::Avg, "avg"),
        (VectorOp::Min, "min"),
        (VectorOp::Max, "max"),
        (VectorOp::Count, "count"),
        (VectorOp::Stddev, "stddev"),
        (VectorOp::Stdvar, "stdvar"),
        (VectorOp::TopK, "topk"),
        (VectorOp::BottomK, "bottomk"),
        (VectorOp::Sort, "sort"),
        (VectorOp::SortDesc, "sort_desc"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Unless,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

impl Word for BinaryOp {
    const WORDS: &'static [(Self, &'static str)] = &[
        (BinaryOp::Or, "or"),
        (BinaryOp::And, "and"),
        (BinaryOp::Unless, "unless"),
        (BinaryOp::Equal, "=="),
        (BinaryOp::NotEqual, "!="),
        (BinaryOp::Greater, ">"),
        (BinaryOp::GreaterEqual, ">="),
        (BinaryOp::Less, "<"),
        (BinaryOp::LessEqual, "<="),
        (BinaryOp::Add, "+"),
        (BinaryOp::Subtract, "-"),
        (BinaryOp::Multiply, "*"),
        (BinaryOp::Divide, "/"),
        (BinaryOp::Modulo, "%"),
        (BinaryOp::Power, "^"),
    ];
}

impl BinaryOp {
    /// How tightly it binds: the higher, the tighter. `Power` alone binds to the right.
    pub(super) fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And | BinaryOp::Unless => 2,
            op if op.is_comparison() => 3,
            BinaryOp::Add | BinaryOp::Subtract => 4,
            BinaryOp::Power => 6,
            _ => 5,
        }
    }

    pub fn is_comparison(self) -> bool {
        use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Equal | NotEqual | Greater | GreaterEqual | Less | LessEqual)
    }

    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::Or | BinaryOp::And | BinaryOp::Unless)
    }
}

impl RangeOp {
    pub(super) fn allows_grouping(self) -> bool {
        use RangeOp::{Avg, First, Last, Max, Min, Quantile, Stddev, Stdvar};
        matches!(self, Avg | First | Last | Max | Min | Quantile | Stddev | Stdvar)
    }

    pub(super) fn allows_unwrap(self) -> bool {
        !matches!(self, RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate)
    }

    pub(super) fn needs_unwrap(self) -> bool {
        use RangeOp::{Absent, Bytes, BytesRate, Count, Rate};
        !matches!(self, Absent | Bytes | BytesRate | Count | Rate)
    }
}

impl Metric {
    /// Whether it is a number without labels, computed of literals alone.
    pub fn is_literal(&self) -> bool {
        match self {
            Metric::Number(_) => true,
            Metric::Binary(binary) => binary.left.is_literal() && binary.right.is_literal(),
            _ => false,
        }
    }
}

impl LineOp {
    pub(super) fn is_negated(self) -> bool {
        matches!(self, LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern)
    }
}
