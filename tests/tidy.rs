//! The walls of LAYOUT: who may import whom, and what may not stand in `src/`. It reads the source as
//! text, because a wall that the compiler could keep is kept by the compiler already.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each room of the crate may import of the others.
const ROOMS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("ports", &["engine"]),
    ("app", &["ports", "engine"]),
    ("http", &["app", "ports", "engine"]),
    ("platform", &["app", "ports", "engine", "contract"]),
    ("fakes", &["app", "ports", "engine"]),
    ("contract", &["ports", "engine"]),
    ("entry", &["platform", "http", "app", "ports", "engine"]),
    ("lib", &[]),
];

/// What each room of the engine may import of the others. `pattern`, `sketch` and `tenant` are the floor.
const ENGINE_ROOMS: &[(&str, &[&str])] = &[
    ("pattern", &[]),
    ("sketch", &[]),
    ("tenant", &[]),
    ("record", &["pattern"]),
    ("account", &["auth", "config", "pipeline", "record", "tenant"]),
    ("analyst", &["prose", "record", "severity"]),
    ("anomaly", &["block", "prose", "record", "severity", "sketch"]),
    ("ask", &["query"]),
    ("attack", &[]),
    ("auth", &["tenant"]),
    ("block", &["record", "sketch"]),
    ("compare", &[]),
    ("config", &["auth", "limit", "record"]),
    ("enrich", &["record"]),
    ("index", &["block"]),
    ("limit", &[]),
    ("logql", &[]),
    ("loki", &["block", "logql", "query", "record"]),
    (
        "pipeline",
        &["attack", "block", "enrich", "pattern", "query", "record", "redact", "retention", "triage"],
    ),
    ("prose", &[]),
    ("query", &["record", "block"]),
    ("redact", &["record"]),
    ("retention", &["record", "block", "config"]),
    ("severity", &[]),
    ("shard", &["record", "block", "pattern"]),
    ("triage", &["block", "query", "record", "retention"]),
    ("wire", &["record"]),
    ("mod", &[]),
];

/// What each room may use of other people's crates; a room that is not named may use any.
const CRATES: &[(&str, &[&str])] = &[
    (
        "engine",
        &[
            "aho_corasick",
            "base64",
            "bytes",
            "chrono",
            "flate2",
            "hmac",
            "indexmap",
            "ipnet",
            "itoa",
            "jsonwebtoken",
            "lz4_flex",
            "memchr",
            "regex",
            "ruzstd",
            "serde",
            "serde_json",
            "sha2",
            "snap",
            "subtle",
            "thiserror",
            "uuid",
            "xxhash_rust",
        ],
    ),
    ("ports", &["async_trait", "bytes", "futures", "serde", "serde_json", "thiserror", "uuid"]),
    ("app", &["async_trait", "bytes", "futures", "serde", "serde_json", "thiserror", "uuid"]),
    (
        "http",
        &[
            "axum",
            "bytes",
            "futures",
            "http_body_util",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "thiserror",
            "uuid",
        ],
    ),
    ("fakes", &["async_trait", "bytes", "futures", "serde_json", "uuid"]),
];

/// What shipped code may not do, wherever it stands.
const FORBIDDEN: &[&str] =
    &[".unwrap()", ".expect(", "todo!", "unimplemented!", "dbg!", "println!", "eprintln!", "print!"];

/// What would make the engine depend on more than its arguments.
const IMPURE: &[&str] = &["async", "await", "SystemTime", "Instant", "thread_local"];

const MAX_LINES: usize = 500;

/// One file, its comments, texts and test modules blanked.
struct File {
    /// Below `src/`, as in `app/jobs/spool.rs`.
    path: String,
    raw: String,
    code: String,
}

impl File {
    fn new(path: &str, raw: &str) -> Self {
        Self { path: path.to_owned(), raw: raw.to_owned(), code: without_tests(&blanked(raw)) }
    }

    /// The names of the module: `["app", "jobs", "spool"]`.
    fn module(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        if names.len() > 1 && names.last() == Some(&"mod") {
            names.pop();
        }
        names
    }

    fn room(&self) -> &str {
        self.module()[0]
    }
}

/// The source with every comment, text and character replaced by blanks, its lines kept.
fn blanked(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let at = |n: usize| text.get(n).copied().unwrap_or(' ');
    let mut code = String::with_capacity(source.len());
    let mut n = 0;
    while n < text.len() {
        let after_name = n > 0 && (at(n - 1).is_alphanumeric() || at(n - 1) == '_');
        let end = match (at(n), at(n + 1)) {
            ('/', '/') => (n..text.len()).find(|n| at(*n) == '\n').unwrap_or(text.len()),
            ('/', '*') => {
                (n + 2..text.len()).find(|n| at(*n) == '*' && at(n + 1) == '/').map_or(text.len(), |n| n + 2)
            }
            ('r', '"' | '#') if !after_name || at(n - 1) == 'b' => {
                let hashes = (n + 1..text.len()).take_while(|n| at(*n) == '#').count();
                let quote = n + 1 + hashes;
                let closes = |n: usize| at(n) == '"' && (1..=hashes).all(|h| at(n + h) == '#');
                let close = (quote + 1..text.len()).find(|n| closes(*n));
                if at(quote) == '"' { close.map_or(text.len(), |n| n + 1 + hashes) } else { n }
            }
            ('"', _) => {
                let mut end = n + 1;
                while end < text.len() && at(end) != '"' {
                    end += if at(end) == '\\' { 2 } else { 1 };
                }
                end + 1
            }
            ('\'', '\\') => (n + 3..text.len()).find(|n| at(*n) == '\'').map_or(text.len(), |n| n + 1),
            ('\'', _) if at(n + 2) == '\'' => n + 3,
            _ => n,
        };
        if end == n {
            code.push(at(n));
            n += 1;
        } else {
            code.extend((n..end.min(text.len())).map(|n| if at(n) == '\n' { '\n' } else { ' ' }));
            n = end;
        }
    }
    code
}

/// Blanked code with what stands under `#[cfg(test)]` blanked too.
fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut shipped = String::with_capacity(code.len());
    while let Some((before, behind)) = rest.split_once("#[cfg(test)]") {
        shipped.push_str(before);
        let mut depth = 0_u32;
        let end = behind.char_indices().find_map(|(at, c)| {
            depth = match c {
                '{' => depth + 1,
                '}' => depth - 1,
                _ => depth,
            };
            (depth == 0 && (c == '}' || c == ';')).then_some(at + 1)
        });
        rest = &behind[end.unwrap_or(behind.len())..];
    }
    shipped + rest
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            ':' if rest.starts_with("::") => 2,
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

/// Every path that begins at a name, its use-trees spread out: `["crate", "engine", "block"]`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = tokens.get(at + 1) == Some(&"::") && (at == 0 || tokens[at - 1] != "::");
        if starts && tokens[at].starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let prefix = Vec::new();
            at = tree(&tokens, at, &prefix, &mut found);
        } else if at > 0 && tokens[at - 1] == "use" && tokens.get(at + 1) == Some(&";") {
            found.push(vec![tokens[at].to_owned()]);
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one use-tree; answers where it ends.
fn tree(tokens: &[&str], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, found) };
                }
                return at + 1;
            }
            Some(name) if name.starts_with(|c: char| c.is_alphanumeric() || "_*".contains(c)) => {
                path.push((*name).to_owned());
                at += 1;
            }
            // A turbofish or a path in angle brackets ends what is of interest.
            _ => at += 1,
        }
        if tokens.get(at) == Some(&"as") {
            at += 2;
        }
        if tokens.get(at) != Some(&"::") {
            found.push(path);
            return at;
        }
        at += 1;
        if tokens.get(at) == Some(&"<") {
            found.push(path);
            return at;
        }
    }
}

/// The paths of a file from the crate's root down: `crate` and `super` resolved.
fn crate_paths(file: &File) -> BTreeSet<Vec<String>> {
    let module: Vec<String> = file.module().into_iter().map(str::to_owned).collect();
    let resolve = |path: Vec<String>| match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("super") => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            let base = module.len().saturating_sub(ups);
            Some([&module[..base], &path[ups..]].concat())
        }
        _ => None,
    };
    paths(&file.code).into_iter().filter_map(resolve).collect()
}

fn allowed<'t>(table: &'t [(&str, &'t [&'t str])], room: &str) -> Option<&'t [&'t str]> {
    table.iter().find(|(name, _)| *name == room).map(|(_, may)| *may)
}

/// Everything that is wrong with a file.
fn faults(file: &File, dependencies: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("src/{}: {what}", file.path));
    let room = file.room();
    let Some(may) = allowed(ROOMS, room) else {
        return vec![format!("src/{}: the room `{room}` is not in the table of this test", file.path)];
    };
    for path in crate_paths(file) {
        let target = path.first().map_or("", String::as_str);
        if allowed(ROOMS, target).is_some() && target != room && !may.contains(&target) {
            fault(format!("`{room}` may not import `{}`", path.join("::")));
        }
        if room == "engine" && target == "engine" {
            let module = file.module();
            let own = module.get(1).copied().unwrap_or("mod");
            match (allowed(ENGINE_ROOMS, own), path.get(1)) {
                (None, _) => fault(format!("the engine's room `{own}` is not in the table of this test")),
                (Some(may), Some(other)) if other != own && !may.contains(&other.as_str()) => {
                    fault(format!("the engine's `{own}` may not import `{}`", path.join("::")));
                }
                _ => {}
            }
        }
    }
    if let Some(may) = allowed(CRATES, room) {
        for path in paths(&file.code) {
            if dependencies.contains(&path[0]) && !may.contains(&path[0].as_str()) {
                fault(format!("`{room}` may not use the crate `{}`", path[0]));
            }
        }
    }
    for (line, text) in (1..).zip(file.code.lines()) {
        for word in FORBIDDEN.iter().filter(|word| text.contains(*word)) {
            fault(format!("`{word}` in line {line}"));
        }
    }
    if room == "engine" {
        let names = tokens(&file.code);
        for word in IMPURE.iter().filter(|word| names.contains(word)) {
            fault(format!("`{word}` in the engine"));
        }
    }
    if file.path != "lib.rs" && file.code.contains("target_arch") {
        fault("`cfg(target_arch)` belongs in src/lib.rs alone".to_owned());
    }
    let lines = file.code.lines().filter(|line| !line.trim().is_empty()).count();
    let shipped = file.raw.split("\n#[cfg(test)]").next().unwrap_or_default().lines().count();
    if lines.max(shipped) > MAX_LINES {
        fault(format!("{} lines without its tests, {MAX_LINES} are the most", lines.max(shipped)));
    }
    if (file.path.ends_with("/mod.rs") || file.path == "lib.rs") && !file.raw.starts_with("//!") {
        fault("a room says in its first line what it is: `//! …`".to_owned());
    }
    faults
}

fn sources() -> Vec<File> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let is_test = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name == "tests.rs")
            || path.parent().is_some_and(|folder| folder.ends_with("tests"))
    };
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        File::new(&name, &fs::read_to_string(&path).unwrap())
    };
    files.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

/// The crates of Cargo.toml, as they are spelt in code.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (mut names, mut inside) = (Vec::new(), false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside) {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

#[test]
fn the_walls_stand() {
    let (files, dependencies) = (sources(), dependencies());
    assert!(files.len() > 40 && dependencies.contains(&"serde_json".to_owned()), "nothing was read");
    let faults: Vec<String> = files.iter().flat_map(|file| faults(file, &dependencies)).collect();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_fault_is_seen() {
    let dependencies = ["axum", "serde", "http"].map(str::to_owned);
    let long = "//! x\n".to_owned() + &"fn f() {}\n".repeat(MAX_LINES);
    for (path, code, expected) in [
        ("engine/query/page.rs", "use crate::app::App;", "`engine` may not import `app::App`"),
        ("engine/query/page.rs", "fn f() { crate::http::router() }", "may not import `http::router`"),
        (
            "engine/query/page.rs",
            "use crate::{engine::{record::row, wire::{self, body}}};",
            "`query` may not import `engine::wire",
        ),
        (
            "engine/record/row.rs",
            "use super::super::tenant::Tenant;",
            "`record` may not import `engine::tenant",
        ),
        ("engine/record/row.rs", "use axum::Router;", "may not use the crate `axum`"),
        ("engine/record/row.rs", "async fn f() {}", "`async` in the engine"),
        ("engine/new/mod.rs", "//! New.\nuse crate::engine::record;", "`new` is not in the table"),
        ("new.rs", "", "the room `new` is not in the table"),
        ("ports/clock.rs", "use crate::app::App;", "`ports` may not import"),
        ("app/find.rs", "use crate::{engine::tenant, http::router};", "`app` may not import `http::router`"),
        (
            "app/jobs/expire.rs",
            "use super::super::super::fakes::World;",
            "`app` may not import `fakes::World`",
        ),
        ("http/ops.rs", "use crate::platform;", "`http` may not import `platform`"),
        ("fakes/world.rs", "use crate::http::router;", "`fakes` may not import `http::router`"),
        ("platform/d1.rs", "use crate::http::router;", "`platform` may not import `http::router`"),
        ("app/find.rs", "fn f() { x.unwrap() }", "`.unwrap()` in line 1"),
        ("app/find.rs", "\nfn f() { x.expect(\"\") }", "`.expect(` in line 2"),
        ("app/find.rs", "fn f() { println!() }", "`println!` in line 1"),
        ("app/find.rs", "#[cfg(target_arch = \"wasm32\")] fn f() {}", "src/lib.rs alone"),
        ("app/find.rs", &long, "501 lines"),
        ("app/mod.rs", "pub mod find;", "says in its first line"),
    ] {
        let found = faults(&File::new(path, code), &dependencies);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{path} {expected}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_no_fault() {
    let dependencies = ["axum", "serde", "http"].map(str::to_owned);
    for (path, code) in [
        (
            "engine/query/page.rs",
            "use crate::engine::{block::{Summary, summary::count as n}, record::row::RowHead};",
        ),
        ("engine/query/page.rs", "use super::filter::Filter; // crate::app::App\n/* x.unwrap() */"),
        ("engine/query/page.rs", "fn f() -> char { \"crate::app::App .unwrap()\"; r#\"dbg!\"#; '\"' }"),
        ("engine/query/page.rs", "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { x.unwrap(); { dbg!() } } }"),
        ("app/jobs/spool.rs", "use crate::ports::{ShardName, shards::Appended}; use super::super::Error;"),
        ("http/ops.rs", "use axum::http::Uri; use super::error::Error; fn f() { x.unwrap_or_default() }"),
        ("lib.rs", "//! x\n#[cfg(target_arch = \"wasm32\")]\nmod entry;"),
        ("engine/block/mod.rs", "//! x\npub mod key;\npub use key::SegmentId;"),
    ] {
        assert_eq!(faults(&File::new(path, code), &dependencies), [""; 0], "{path} {code}");
    }
}
