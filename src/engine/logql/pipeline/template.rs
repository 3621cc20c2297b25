//! Templates of lines and labels: the part of Go's that logs need. Texts, labels, pipelines of functions, and
//! `if`. What is not in this part is refused when a template is parsed, with its name.
//!
//! Invariant: a template reads no clock and writes no more than `MAX_RENDERED` bytes, whatever the line.

mod date;
mod encode;
mod function;
mod lex;
mod parse;
mod printf;
mod render;
mod text;
mod value;

use function::Call;
use value::Value;

/// Bytes that a template may write, and that a value may have on the way.
const MAX_RENDERED: usize = 256 << 10;

/// Bytes that the arguments of a function may have together: a line has room for itself and what it is joined with.
const MAX_ARGUMENTS: usize = 2 * MAX_RENDERED;

/// Values and functions of a template: each may read as much as a template may write.
const MAX_PARTS: usize = 512;

/// Conditions and parentheses within each other.
const MAX_NESTING: usize = 32;

pub(super) struct Template(Vec<Node>);

enum Node {
    Text(String),
    Output(Pipe),
    If { branches: Vec<(Pipe, Vec<Node>)>, otherwise: Vec<Node> },
}

/// Each command gets the value of the one before it as its last argument.
struct Pipe(Vec<Command>);

enum Command {
    Call(Call),
    /// A value; with arguments it cannot be called, which only a line shows in Go.
    Operand(Operand, Vec<Operand>),
}

enum Operand {
    Label(String),
    Literal(Value),
    Call(Call),
    Pipe(Pipe),
}
