//! A template written for a line. An error ends it: what has been written is not used.

use super::{super::Row, Command, MAX_RENDERED, Node, Operand, Pipe, Template, value::Value};

impl Template {
    pub(in super::super) fn render(&self, row: &Row<'_>) -> Result<String, String> {
        let mut out = String::new();
        write(&self.0, row, &mut out)?;
        Ok(out)
    }
}

fn write(nodes: &[Node], row: &Row<'_>, out: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Output(pipe) => out.push_str(&pipe.value(row)?.text()),
            Node::If { branches, otherwise } => {
                let mut chosen = otherwise;
                for (condition, nodes) in branches {
                    if condition.value(row)?.is_true() {
                        chosen = nodes;
                        break;
                    }
                }
                write(chosen, row, out)?;
            }
        }
        if out.len() > MAX_RENDERED {
            return Err(too_long());
        }
    }
    Ok(())
}

pub(super) fn too_long() -> String {
    format!("more than {MAX_RENDERED} bytes")
}

impl Pipe {
    fn value(&self, row: &Row<'_>) -> Result<Value, String> {
        let mut last: Option<Value> = None;
        for command in &self.0 {
            let value = match command {
                Command::Call(call) => call.value(row, last.take())?,
                Command::Operand(operand, arguments) if arguments.is_empty() => operand.value(row)?,
                Command::Operand(..) => {
                    return Err("a value has arguments but cannot be invoked as function".into());
                }
            };
            if matches!(&value, Value::Text(text) if text.len() > MAX_RENDERED) {
                return Err(too_long());
            }
            last = Some(value);
        }
        last.ok_or_else(|| "missing value".into())
    }
}

impl Operand {
    pub(super) fn value(&self, row: &Row<'_>) -> Result<Value, String> {
        match self {
            Operand::Label(name) => Ok(Value::Text(row.labels.get(name).unwrap_or_default().to_owned())),
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Call(call) => call.value(row, None),
            Operand::Pipe(pipe) => pipe.value(row),
        }
    }
}
