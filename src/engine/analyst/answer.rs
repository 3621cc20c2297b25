//! What of a model's answer is let through. The answer is untrusted: the model has read lines that anybody may have written.
//! Numbers and templates are taken from the evidence, ids must be in it, texts are cleaned and cut.
//!
//! The severity may be one step below that of the rules at the most. An answer that is milder than that was talked into it by
//! somebody, or understood nothing: nothing of it is used. Upwards a model may see in the words of the logs what
//! rules do not, so two steps are allowed; a third is cut off, or else a log line could wake somebody up.

use std::collections::HashSet;

use serde::Deserialize;

use super::clean::{self, Allowed};
use super::json::{Nonsense, object};
use super::{Analysis, Evidence, PatternNote, Severity, builtin, limits};

#[derive(Deserialize)]
struct Answer {
    service_name: String,
    severity: Severity,
    summary: String,
    #[serde(default)]
    patterns: Vec<Named>,
    #[serde(default)]
    recommendations: Vec<String>,
    #[serde(default)]
    evidence_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    what: Option<String>,
    /// These two are not used, but must be what they say when they are there.
    #[serde(rename = "template")]
    _template: Option<String>,
    #[serde(rename = "count")]
    _count: Option<u64>,
}

/// Turns the answer to `prompt` into an analysis. `builtin` is what the rules say of the same evidence: it is the measure of
/// the severity, and fills what the answer leaves out.
pub fn check(evidence: &Evidence, builtin: &Analysis, answer: &str) -> Result<Analysis, Nonsense> {
    let answer: Answer = object(answer)?;
    if answer.service_name.trim() != evidence.service {
        return Err(Nonsense::OtherService { named: clean::line(&answer.service_name, 60) });
    }
    let mut notes = Vec::new();
    let severity = severity(answer.severity, builtin.severity, &mut notes)?;
    let allowed = allowed(evidence);
    let summary = summary(&answer.summary, &allowed)?;
    let patterns = patterns(evidence, builtin, &answer.patterns, &allowed, &mut notes)?;
    let recommendations = recommendations(builtin, &answer.recommendations, &ids(evidence), &mut notes);
    let evidence_ids = evidence_ids(evidence, builtin, &answer.evidence_ids, &mut notes)?;
    notes.truncate(limits::NOTES);
    let service_name = builtin.service_name.clone();
    Ok(Analysis { service_name, severity, summary, patterns, recommendations, evidence_ids, notes })
}

fn severity(given: Severity, rules: Severity, notes: &mut Vec<String>) -> Result<Severity, Nonsense> {
    if given < rules.milder() {
        return Err(Nonsense::TooMild { given, rules });
    }
    let highest = rules.worse().worse();
    if given > highest {
        notes.push(format!(
            "the severity was lowered from {} to {}: the rules say {}",
            given.as_str(),
            highest.as_str(),
            rules.as_str()
        ));
    }
    Ok(given.min(highest))
}

fn summary(text: &str, allowed: &Allowed) -> Result<String, Nonsense> {
    if let Some(found) = action(text) {
        return Err(Nonsense::Action { found });
    }
    let summary = clean::untrusted(text, allowed, limits::SUMMARY);
    if summary.chars().any(char::is_alphanumeric) { Ok(summary) } else { Err(Nonsense::NoSummary) }
}

fn patterns(
    evidence: &Evidence,
    builtin: &Analysis,
    named: &[Named],
    allowed: &Allowed,
    notes: &mut Vec<String>,
) -> Result<Vec<PatternNote>, Nonsense> {
    let mut found: Vec<PatternNote> = Vec::new();
    let mut seen_ids = HashSet::new();
    let mut unknown = 0;
    for one in named {
        let id = one.id.trim();
        let Some(seen) = evidence.patterns.iter().find(|seen| seen.id == id) else {
            unknown += 1;
            continue;
        };
        if found.len() >= limits::PATTERNS || !seen_ids.insert(id) {
            continue;
        }
        let mut note = builtin::note(evidence, seen);
        let what = one.what.as_deref().filter(|what| action(what).is_none() && instruction(what).is_none());
        let what = clean::untrusted(what.unwrap_or_default(), allowed, limits::WHAT);
        if !what.is_empty() {
            note.what = what;
        }
        found.push(note);
    }
    not_most("patterns", unknown, named.len(), notes)?;
    Ok(if found.is_empty() { builtin.patterns.clone() } else { found })
}

fn evidence_ids(
    evidence: &Evidence,
    builtin: &Analysis,
    given: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<String>, Nonsense> {
    let known: HashSet<&str> = evidence.examples.iter().map(|example| example.id.as_str()).collect();
    let mut found: Vec<String> = Vec::new();
    let mut unknown = 0;
    for id in given.iter().map(|id| id.trim()) {
        if !known.contains(id) {
            unknown += 1;
        } else if found.len() < limits::EVIDENCE_IDS
            && !found.iter().any(|one| one == id)
            && clean::line(id, limits::ID) == id
        {
            found.push(id.to_owned());
        }
    }
    not_most("logs", unknown, given.len(), notes)?;
    Ok(if found.is_empty() { builtin.evidence_ids.clone() } else { found })
}

/// A slip is left out and noted; an answer that is mostly invented is no answer.
fn not_most(what: &'static str, unknown: usize, of: usize, notes: &mut Vec<String>) -> Result<(), Nonsense> {
    if unknown * 2 > of {
        return Err(Nonsense::Invented { what, unknown, of });
    }
    if unknown > 0 {
        notes.push(format!("{unknown} of {of} ids of {what} are not in the evidence and were left out"));
    }
    Ok(())
}

fn recommendations(
    builtin: &Analysis,
    given: &[String],
    allowed: &Allowed,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut refused = 0;
    for text in given {
        if action(text).or_else(|| instruction(text)).is_some() {
            refused += 1;
            continue;
        }
        let text = clean::untrusted(text, allowed, limits::RECOMMENDATION);
        if text.chars().any(char::is_alphanumeric) && !found.contains(&text) {
            found.push(text);
        }
    }
    if refused > 0 {
        notes.push(format!(
            "{refused} of {} recommendations look like commands and were left out",
            given.len()
        ));
    }
    if found.len() > limits::RECOMMENDATIONS {
        notes.push(format!(
            "{} recommendations above {} were left out",
            found.len() - limits::RECOMMENDATIONS,
            limits::RECOMMENDATIONS
        ));
        found.truncate(limits::RECOMMENDATIONS);
    }
    if found.is_empty() && !builtin.recommendations.is_empty() {
        notes.push("the recommendations are those of the rules".to_owned());
        return builtin.recommendations.clone();
    }
    found
}

/// What is recommended may name what is in the evidence, but send nobody anywhere: a sender may write a link in its logs.
fn ids(evidence: &Evidence) -> Allowed {
    let mut allowed = Allowed::default();
    allowed.add_id(&evidence.service);
    for seen in &evidence.patterns {
        allowed.add_id(&seen.id);
    }
    for example in &evidence.examples {
        allowed.add_id(&example.id);
        for id in [&example.pattern_id, &example.trace_id].into_iter().flatten() {
            allowed.add_id(id);
        }
    }
    allowed
}

/// Links, addresses and ids that the words of an answer may repeat.
fn allowed(evidence: &Evidence) -> Allowed {
    let mut allowed = ids(evidence);
    allowed.add(&evidence.service);
    for seen in &evidence.patterns {
        allowed.add(&seen.template);
    }
    for part in &evidence.endpoints {
        allowed.add(&part.name);
    }
    for release in &evidence.releases {
        allowed.add(&release.name);
    }
    for noted in &evidence.anomalies {
        allowed.add(&noted.title);
        allowed.add(&noted.text);
    }
    for example in &evidence.examples {
        allowed.add(&example.message);
        allowed.add(example.stack.as_deref().unwrap_or_default());
    }
    allowed
}

/// Calls of tools as models write them, and commands that fetch or destroy. Recommendations say what to look at; no
/// analysis needs any of these, and whoever reads one may paste it.
const ACTIONS: [&str; 43] = [
    "tool_call",
    "tool call:",
    "tool_use",
    "tool_code",
    "function_call",
    "function call:",
    "<function",
    "<invoke",
    "<tool",
    "to=functions",
    "\"arguments\"",
    "\"parameters\"",
    "action input:",
    "recipient_name",
    "<|",
    "|>",
    "[inst]",
    "[/inst]",
    "<<sys",
    "<script",
    "javascript:",
    "| sh",
    "|sh",
    "| bash",
    "|bash",
    "bash -c",
    "sh -c",
    "rm -r",
    "rm -f",
    "curl ",
    "wget ",
    "base64 -d",
    "invoke-expression",
    "iex(",
    "/dev/tcp",
    "mkfs",
    "dd if=",
    "$(",
    ":(){",
    "drop table",
    "drop database",
    "truncate table",
    "delete from",
];

/// What a recommendation must not say though a summary may tell of it: names of tools to run, words that a log line put into
/// a model's mouth, and protection to be switched off.
const INSTRUCTIONS: [&str; 45] = [
    "functions.",
    "sudo ",
    "chmod ",
    "chown ",
    "powershell",
    "eval(",
    "exec(",
    "system(",
    "kubectl ",
    "terraform ",
    "docker ",
    "npm install",
    "npx ",
    "pip install",
    "git push",
    "ignore previous",
    "ignore all previous",
    "ignore the previous",
    "ignore all instructions",
    "ignore the above",
    "disregard previous",
    "disregard the",
    "disregard all",
    "previous instructions",
    "system prompt",
    "you are now",
    "you must now",
    "new instructions",
    "as an ai",
    "do not report",
    "disable auth",
    "disable the auth",
    "disable firewall",
    "disable the firewall",
    "disable tls",
    "disable certificate",
    "disable the certificate",
    "disable redaction",
    "disable log",
    "disable alert",
    "disable the alert",
    "allowlist",
    "whitelist",
    "send your",
    "password to",
];

fn action(text: &str) -> Option<&'static str> {
    found(text, &ACTIONS)
}

fn instruction(text: &str) -> Option<&'static str> {
    found(text, &INSTRUCTIONS)
}

fn found(text: &str, table: &[&'static str]) -> Option<&'static str> {
    let text = clean::visible(text).to_lowercase();
    table.iter().find(|one| text.contains(*one)).copied()
}
