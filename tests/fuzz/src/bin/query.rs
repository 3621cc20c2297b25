//! Changed searches: an error, or an expression that is printed as what is parsed as the same.

use timberline::engine::query::parse;
use timberline_fuzz::run;

const SEEDS: &[&str] = &[
    "timeout",
    "\"connection reset\" -service:web",
    "level:>=WARN AND (status:[500 TO 599] OR duration_ms:>1000)",
    "metadata.http.status:5* NOT message:/time.?out/",
    "service:(api OR web) user_id:u-2017? exists:trace_id",
    "timestamp:>=2026-11-20T10:00:00Z timestamp:<2026-11-21",
    "message:\"a \\\"quoted\\\" b\" *",
    "level:ERROR OR level:CRITICAL AND NOT (a:b c:{1 TO 5})",
    "größe:\"日本語\" path\\:x -(x OR -y)",
];

fn main() {
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let words: &[&[u8]] = &[
        b" AND ",
        b" OR ",
        b" NOT ",
        b"(",
        b")",
        b"\"",
        b":",
        b"*",
        b"?",
        b"\\",
        b"-",
        b"/",
        b"[",
        b"]",
        b"{",
        b"}",
        b" TO ",
        b">=",
        b"<",
        b"!",
        b"|",
        b"&&",
        b"||",
        b"_exists_:",
        b"exists:",
        b"  ",
        b"\t",
        "İ".as_bytes(),
        b"1e5",
        b"-0",
        b"~",
        b"^",
        b"+",
        b"=",
        b"'",
        b"level:",
        b"and",
        b"or",
        b"not",
    ];
    run("query", &seeds, words, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let Ok(expr) = parse(text) else { return };
        let printed = expr.to_string();
        let again = parse(&printed);
        assert!(
            again.as_ref() == Ok(&expr),
            "{text:?} is printed as {printed:?}, which is {again:?}, not {expr:?}"
        );
    });
}
