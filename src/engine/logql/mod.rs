//! `LogQL`, the query language of Loki: its texts, its pipelines over one line, its metrics over many. It reads
//! no store: entries are handed in, and what is needed of them is said by `Selector`, `Pipeline` and `leaves`.
//!
//! Invariants: what is printed of an expression is parsed as that expression; what this does not know is refused
//! when it is parsed, never ignored; no text and no line makes it recurse or grow beyond its limits.

pub mod ast;
pub mod eval;
mod lex;
pub mod parse;
pub mod pipeline;
mod print;
pub(in crate::engine) mod re2;
mod unit;

pub use ast::{Expr, LogExpr, LogRange, Matcher, Metric};
pub use parse::{ParseError, parse, parse_selector};
pub use unit::{parse_bytes, parse_duration};
