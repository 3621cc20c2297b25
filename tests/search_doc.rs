//! Every example of docs/search.md, carried out on the logs that it shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use timberline::engine::{
    query::{parse, parse::MAX_TEXT},
    record::model::Record,
};

const PAGE: &str = include_str!("../docs/search.md");

/// The rows of every table with these columns.
fn tables(columns: [&str; 2]) -> Vec<(String, String)> {
    let cells = |line: &str| -> Option<(String, String)> {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (first, second) = inner.split_once(" | ").or_else(|| Some((inner.strip_suffix(" |")?, "")))?;
        let text = |cell: &str| cell.trim_matches('`').replace("\\|", "|");
        Some((text(first), text(second)))
    };
    let header = (columns[0].to_owned(), columns[1].to_owned());
    let (mut rows, mut is_inside) = (Vec::new(), false);
    for line in PAGE.lines() {
        match cells(line) {
            None => is_inside = false,
            Some(found) if found == header => is_inside = true,
            Some((first, _)) if first == "---" => {}
            Some(found) if is_inside => rows.push(found),
            Some(_) => {}
        }
    }
    rows
}

fn logs() -> Vec<&'static str> {
    let (_, behind) = PAGE.split_once("```jsonl\n").unwrap();
    behind.split_once("```").unwrap().0.lines().collect()
}

#[test]
fn the_logs_are_as_they_are_stored() {
    for line in logs() {
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
    }
}

#[test]
fn every_query_finds_what_the_page_says() {
    let examples = tables(["query", "finds"]);
    assert!(examples.len() > 70, "{} examples were read", examples.len());
    for (text, expected) in examples {
        let expr = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = (1..).zip(logs()).filter(|(_, line)| expr.matches_row(line.as_bytes()).unwrap());
        let numbers: Vec<String> = found.map(|(number, _): (usize, _)| number.to_string()).collect();
        assert_eq!(numbers.join(" "), expected, "{text}");
        assert_eq!(parse(&expr.to_string()), Ok(expr), "{text}");
    }
}

#[test]
fn queries_are_the_same_where_the_page_says_so() {
    let examples = tables(["query", "same as"]);
    assert!(examples.len() > 5, "{} examples were read", examples.len());
    for (text, other) in examples {
        assert_eq!(parse(&text).unwrap(), parse(&other).unwrap(), "{text}");
    }
}

#[test]
fn every_error_is_the_one_the_page_says() {
    let examples = tables(["query", "error"]);
    assert!(examples.len() > 10, "{} examples were read", examples.len());
    for (text, expected) in examples {
        let found = parse(&text).map(|expr| expr.to_string()).unwrap_err();
        assert_eq!(found.to_string(), expected, "{text}");
    }
    assert!(parse(&"x".repeat(MAX_TEXT)).is_ok() && parse(&"x".repeat(MAX_TEXT + 1)).is_err());
}
