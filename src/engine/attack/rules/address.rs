//! Addresses that a server is to fetch for somebody who cannot.

use super::{Rule, Severity, rule};
use Severity::{Critical, High, Low, Medium};

const TAG: &str = "attack:ssrf";

pub(super) const RULES: &[Rule] = &[
    rule(
        "ssrf-01",
        TAG,
        Critical,
        "The address is a cloud's metadata service, which gives out credentials.",
        r"\b169\.254\.(?:169\.254|170\.2)\b|\b100\.100\.100\.200\b|\b192\.0\.0\.192\b|\bfd00:ec2::254|\bmetadata\.(?:google\.internal|packet\.net|platformequinix\.com|azure\.\w+|oraclecloud\.com|tencentyun\.com)|\binstance-data[./]|\bcomputemetadata/v|/latest/(?:meta-data|user-data|dynamic/instance)",
    ),
    rule(
        "ssrf-02",
        TAG,
        Medium,
        "The address is the server itself or a host behind it.",
        r"[\x01\x02](?:https?:)?/{0,3}(?:[^\x01/@\s]*@)?(?:localhost|ip6-(?:localhost|loopback)|ipv6-(?:localhost|loopback)|localhost\d?\.localdomain\d?|localhost\d|127\.\d+(?:\.\d+)*|0\.0\.0\.0|\[[:0]*:[01]?\]|\[::ffff:[\d.:a-f]+\]|(?:[\w-]+\.)*(?:localtest\.me|lvh\.me|vcap\.me|nip\.io|sslip\.io|xip\.io)|[\w-]+\.(?:docker|containers)\.internal|[\w-]+(?:\.[\w-]+)*\.svc(?:\.cluster\.local)?)(?:[/:?#\\]|\.?\x01)",
    ),
    rule(
        "ssrf-03",
        TAG,
        High,
        "The address has a scheme that reads files or talks to other services.",
        r"[\x01\x02](?:url:)?(?:gopher|dict|file|ldaps?|tftp|sftp|jar|netdoc|local_file|ssh2?|smb|imap|pop3|smtp|telnet|rtsp)\s?:/|[\x01\x02]data:\s?text/|\bgopher://|[\x02]jar:https?:",
    ),
    rule(
        "ssrf-04",
        TAG,
        High,
        "The address of the host is written as a number, to be known by no filter.",
        r"[\x01\x02]https?:/{0,3}(?:[^\x01/@\s]*@)?(?:0x[0-9a-f]{1,8}(?:\.0x[0-9a-f]{1,6})*|0[0-7]+(?:\.[0-7]+){1,3}|\d{8,10}|\d{1,3}(?:\.\d{1,8}){1,2})(?:[/:?#]|\x01)",
    ),
    rule(
        "rfi-01",
        "attack:rfi",
        Low,
        "The value is an address without a host name.",
        r"[\x02](?:url:|file:)?(?:https?|ftps?)://(?:[^\x01/@\s]*@)?\d{1,3}(?:\.\d{1,3}){3}(?:[/:?#]|\x01)",
    ),
    rule(
        "rfi-02",
        "attack:rfi",
        High,
        "A foreign file is named where the server would include one of its own.",
        r"[\x01\[](?:page|file|inc|include|includes?_?path|tpl|template|module|mod|theme|skin|conf|config|lib|root|base_?path|absolute_path|document_root|dir|_?path|plugin|load|body|content|main|doc|lang|language)\]?=\x02(?:https?|ftps?)://[^\x01]*(?:\.(?:txt|php\d?|inc|gif|dat|log|cgi|pl|sh)|\?+)\x01|[\x02](?:https?|ftps?)://[^\x01?]*\?+\x01|[\x02](?:https?|ftps?)://[^\x01]*\.(?:php\d?|txt|inc|sh|phtml)\?+\x01",
    ),
    rule(
        "ssrf-05",
        TAG,
        Medium,
        "The address hides its host behind another one's name.",
        r"[\x02]https?://[^\x01/?]*@[^\x01/?]*@|[\x02]https?://[\w.-]+\\@|[\x02]https?:/{3,}\w",
    ),
];
