//! What no honest text holds, wherever it stands: in a name that failed to log in, in a field of its own.

use super::{Rule, Severity, rule};
use Severity::{Critical, High};

pub(super) const RULES: &[Rule] = &[
    rule(
        "log4shell-02",
        "attack:log4shell",
        Critical,
        "A lookup would make the logging library load code from elsewhere.",
        r"\$\{\s?jndi\s?:|\$\{\s?(?:\$\{)?(?:(?:lower|upper)\s?:|:+-|env:\w*:-)['\x22]?[a-z]['\x22]?\}[^\s]*(?:\$\{|ndi|di:|i:|:)",
    ),
    rule(
        "sqli-19",
        "attack:sqli",
        High,
        "A quote ends the text and a condition that is always true follows it.",
        r#"['"]\s?\)*\s?or\s\(?['"]?(?:1['"]?\s?=\s?['"]?1\b|a['"]?\s?=\s?['"]?a\b|x['"]?\s?=\s?['"]?x\b|true\s?(?:--|#))|['"]\s?\)*\s?or\s\d+\s?=\s?\d+\s?(?:--|#|/\*)|['"]\s?;\s?drop\stable\s\w+\s?;?\s?--|['"]\s?\)*\sunion\s(?:all\s)?select\s(?:null|\d+)\s?,"#,
    ),
    rule(
        "path-07",
        "attack:path_traversal",
        Critical,
        "A path climbs out of its directory to a file that tells about the machine.",
        r"(?:\.\.+[/\\]+){2,}(?:etc|proc|windows|winnt|boot\.ini|var/log|root|web-inf)\b",
    ),
    rule(
        "cmd-12",
        "attack:command_injection",
        Critical,
        "A function definition as Shellshock sends it.",
        r"\(\s?\)\s?\{\s?:\s?;?\s?\}\s?;",
    ),
    rule(
        "xss-12",
        "attack:xss",
        High,
        "A script that only shows that it runs.",
        r#"<script[^>]*>\s?(?:alert|prompt|confirm)\s?\(|<(?:img|svg|body|iframe|video|audio|details|input)[\s/][^>]*\bon(?:error|load|focus|toggle)\s?=\s?['"]?\s?(?:alert|prompt|confirm|eval)\s?[(`]"#,
    ),
    rule(
        "java-03",
        "attack:java_injection",
        Critical,
        "An expression of Java that runs commands.",
        r"\$\{\s?t\s?\(\s?java\.|[%$#]\{\s?\(#\w+\s?=|\$\{[^}\s]*getruntime\s?\(\s?\)",
    ),
];
