//! What is asked for, as it is stored: values that are written in one way are looked for in that way too.

use crate::engine::{
    enrich,
    query::{Expr, Field, Match, Test},
    record::plain,
};

/// An expression that also finds what was written differently before it was stored: `environment:prod`,
/// `component:"Order Service"`, and `endpoint:/users/7`, whose path stands in the metadata.
pub fn as_stored(expr: &Expr) -> Expr {
    match expr {
        Expr::All => Expr::All,
        Expr::And(parts) => Expr::And(parts.iter().map(as_stored).collect()),
        Expr::Or(parts) => Expr::Or(parts.iter().map(as_stored).collect()),
        Expr::Not(inner) => Expr::Not(Box::new(as_stored(inner))),
        Expr::Match(found) => match also(found) {
            Some(also) => Expr::or(vec![Expr::Match(found.clone()), also]),
            None => Expr::Match(found.clone()),
        },
    }
}

fn also(found: &Match) -> Option<Expr> {
    let (Test::Value(value) | Test::Exact(value)) = &found.test else { return None };
    let named = |name: &str, value: String| {
        let test = match found.test {
            Test::Exact(_) => Test::Exact(value),
            _ => Test::Value(value),
        };
        Expr::Match(Match { field: Field::Named(name.to_owned()), test })
    };
    match found.field.name()? {
        "environment" => Some(named("environment", enrich::environment(value)?.to_owned())),
        "component" => Some(named("component", enrich::component(value)?)),
        "endpoint" => {
            let stored = named("endpoint", enrich::endpoint(value)?);
            let path = named(&format!("metadata.{}", plain::PATH), value.clone());
            Some(Expr::and(vec![stored, path]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::parse;

    #[test]
    fn what_is_stored_differently_is_found_as_it_was_sent() {
        for (asked, stored) in [
            ("environment:prod", "environment:prod OR environment:production"),
            ("environment:production", "environment:production"),
            (
                "endpoint:\"/users/7\"",
                "endpoint:\"/users/7\" OR (endpoint:\"/users/{id}\" AND metadata.path:\"/users/7\")",
            ),
            ("endpoint:\"/users/{id}\"", "endpoint:\"/users/{id}\""),
            ("NOT environment:prod AND pay", "NOT (environment:prod OR environment:production) AND pay"),
            ("metadata.x:prod", "metadata.x:prod"),
        ] {
            assert_eq!(as_stored(&parse(asked).unwrap()), parse(stored).unwrap(), "{asked}");
        }
    }
}
