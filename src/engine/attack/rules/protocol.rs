//! Line ends and requests where they would make one message into two.

use super::{Rule, Severity, rule};
use Severity::{High, Medium};

const TAG: &str = "attack:protocol";

pub(super) const RULES: &[Rule] = &[
    rule(
        "proto-01",
        TAG,
        High,
        "A line end is followed by a header: the response would be split.",
        r"\n\s?(?:set-cookie2?|location|refresh|content-(?:type|length|disposition|encoding)|transfer-encoding|host|connection|remote-addr|x-[a-z-]+|access-control-[a-z-]+|status|cache-control)\s?:|\nhttp/\d\.\d\s\d",
    ),
    rule(
        "proto-02",
        TAG,
        High,
        "A whole request stands inside a value: it would be smuggled to the server behind.",
        r"(?:get|post|head|put|delete|options|patch|connect|trace|propfind)\s(?:/|https?://)[^\s\x01]*\shttp/\d",
    ),
    rule("proto-03", TAG, Medium, "A line end stands in a name.", r"\x01[^\x01\x02]*\n[^\x01\x02]*\x02"),
    rule(
        "proto-04",
        TAG,
        Medium,
        "A line end and markup: the body of a response of one's own.",
        r"\n\s?<(?:html|script|head|body)[\s>]",
    ),
    rule(
        "session-01",
        "attack:session_fixation",
        High,
        "A cookie is to be set with a session that the attacker knows.",
        r"\.cookie\s?;?\s?(?:expires|domain|path)\s?=|\bdocument\s?\.\s?cookie\s?=|http-equiv\s?=\s?\W{0,2}set-cookie",
    ),
];
