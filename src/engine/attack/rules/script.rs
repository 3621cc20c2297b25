//! Markup and scripts that would run in somebody's browser.

use super::{Rule, Severity, rule};
use Severity::{High, Medium};

const TAG: &str = "attack:xss";

pub(super) const RULES: &[Rule] = &[
    rule("xss-01", TAG, High, "A script element is sent.", r"<\s?/?\s?(?:\w+:)?script(?:[\s/>\x01]|$)"),
    rule(
        "xss-02",
        TAG,
        High,
        "An element or a broken-out attribute carries an event handler.",
        r#"<\s?[a-z!][^>\x01]*[\s/"'`]on[a-z]{3,24}\s?=|["'`]\s?[>/]?\s?(?:on(?:error|load\w*|click|dblclick|mouse\w+|focus\w*|blur|key\w+|toggle|pointer\w+|animation\w+|input|change|submit|resize|scroll\w*|wheel|drag\w*|begin|show|start))\s?="#,
    ),
    rule(
        "xss-03",
        TAG,
        High,
        "An address is a script.",
        r#"[\x01\x02"'=(>:]\s?(?:java|live)script\s?:\s?(?:[^\s\w]|\w+\s?[(.=:\[]|\x01)|\bvbscript\s?:|[\x01\x02"'=(]\s?(?:j\sa?\s?v|ja\sv|jav\sa|java\ss|javas\sc|javasc\sr|javascr\si)[a-z\s]*\s?:|\bv\sb\ss\sc\sr\si\sp\st"#,
    ),
    rule(
        "xss-04",
        TAG,
        Medium,
        "Elements are sent that load, frame or redirect.",
        r"<\s?(?:iframe|frame|frameset|object|embed|applet|svg|math|base|meta|link|isindex|input|marquee|bgsound|xss|noscript|plaintext|template|keygen|layer)(?:[\s/]|>|\x01)|<\??import\s?(?:[a-z]*\s?)=|<\s?(?:html|body|style|form)[\s>/]",
    ),
    rule(
        "xss-05",
        TAG,
        High,
        "A function is called that an attacker tries scripts with.",
        r#"(?:[\x01\x02"'`;=({\[,|&+!>/:}]|\s)(?:(?:alert|confirm|prompt|eval|atob|btoa|set(?:timeout|interval)|globaleval|msgbox)(?:\(|\s?`)|new\s?function\s?\(|function\s?\(\s?\)\s?\{|import\s?\(\s?['"\x01])|string\.fromcharcode"#,
    ),
    rule(
        "xss-06",
        TAG,
        High,
        "The page's own objects are read or written.",
        r#"\bdocument\s?\)?\s?\.\s?(?:cookie|location|write|domain|body|createelement|getelement|queryselector|documentelement|referrer)|\b(?:document|window|self|top|parent|globalthis|frames)\s?\)?\s?\[\s?["'`\x01/]|\b(?:window|self|top|parent|globalthis)\s?\.\s?(?:location|eval|alert|open\s?\(|document|localstorage|name\s?=)|\blocalstorage\s?[.\[]"#,
    ),
    rule(
        "xss-07",
        TAG,
        Medium,
        "A style sheet runs or loads code.",
        r"-moz-binding\s?:|:\s?expression\s?\(|behaviou?r\s?:\s?url\s?\(|@import\s?(?:url|['\x22])",
    ),
    rule(
        "xss-08",
        TAG,
        High,
        "A data address holds markup or a script.",
        r"\bdata\s?:\s?(?:text/html|text/javascript|image/svg\+?\s?xml|application/(?:javascript|xhtml))|\bdata\s?:[\w/;\s-]*,\s?<|data\s?:\s?,\s?alert",
    ),
    rule(
        "xss-09",
        TAG,
        Medium,
        "A script is written with brackets and signs alone.",
        r"!!\[\]|!\s?\[\s?\]\s?[+\s]\s?[\[(!]|\[\]\s?\[\s?\(\s?!?\[|\[\s?!?\s?\[\]\s?\]",
    ),
    rule("xss-10", TAG, High, "Markup is hidden in UTF-7.", r"adw-\s?/?\w+[^\x01]*ad4-"),
    rule(
        "xxe-01",
        "attack:xxe",
        High,
        "XML declares or includes what lies elsewhere.",
        r"<?!entity\s(?:%\s)?\S+\s(?:system|public|['\x22\x01])|<!doctype\s[^>\x01]*(?:system|public)\s?['\x22\x01]\s?(?:file|https?|ftp|php|jar)\s?:|<xi:include\b|\bxsi:schemalocation\s?=\s?['\x22\x01]",
    ),
    rule(
        "xss-11",
        TAG,
        Medium,
        "A module is imported in the middle of a value.",
        r#"\bimport\s?(?:\{[^}\x01]*\}|\*\sas\s\w+)\s?from\s?["'\x01]"#,
    ),
];
