//! Causes that show in the words of a log line, with what to do about each. It is a table of words, not a diagnosis: the
//! sentence that is made of it says what the lines tell of.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug)]
pub(super) struct Family {
    /// As in "12 records tell of …".
    pub(super) name: &'static str,
    /// Words as `words` makes them, blanks between them.
    tells: &'static [&'static str],
    pub(super) advice: &'static str,
}

/// The first family that a text tells of. The more specific ones come first: a lookup of a name that timed out is one of
/// DNS.
pub(super) fn family(text: &str) -> Option<&'static Family> {
    let words = words(text);
    FAMILIES.iter().find(|family| family.tells.iter().any(|tell| has(&words, tell)))
}

/// Text behind this tells nothing more.
const LONGEST: usize = 2000;

fn has(words: &str, tell: &str) -> bool {
    words.match_indices(tell).any(|(at, _)| {
        let begins = words.get(..at).is_some_and(|before| before.ends_with(' '));
        let rest = words.get(at + tell.len()..).unwrap_or_default();
        begins && (rest.starts_with(' ') || rest.starts_with("s "))
    })
}

/// Small letters, one blank between words and at both ends. `SocketTimeoutException`, `OOMKilled` and `timed-out` are
/// several words.
fn words(text: &str) -> String {
    let mut out = String::from(" ");
    let mut before = ' ';
    let mut signs: Peekable<Chars<'_>> = text.chars().peekable();
    let mut left = LONGEST;
    while let Some(sign) = signs.next() {
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
        if !sign.is_ascii_alphanumeric() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            before = ' ';
            continue;
        }
        let next_small = signs.peek().is_some_and(char::is_ascii_lowercase);
        let hump = sign.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_small));
        if hump {
            out.push(' ');
        }
        out.push(sign.to_ascii_lowercase());
        before = sign;
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

const FAMILIES: &[Family] = &[
    Family {
        name: "a full disk",
        tells: &[
            "no space left",
            "enospc",
            "disk full",
            "disk is full",
            "disk quota",
            "edquot",
            "out of disk",
            "filesystem is full",
        ],
        advice: "free space or enlarge the volume, and look for what filled it (logs, temporary files, backups)",
    },
    Family {
        name: "a lack of memory",
        tells: &[
            "out of memory",
            "oom",
            "oom killed",
            "oomkilled",
            "heap space",
            "cannot allocate memory",
            "enomem",
            "memory limit",
            "exceeded memory",
            "gc overhead",
            "memory exhausted",
            "allocation failed",
            "memory error",
            "java heap",
        ],
        advice: "compare the use of memory with its limit, look for what grew before the first record, and only then raise the limit",
    },
    Family {
        name: "a limit of computing time",
        tells: &["exceeded cpu", "cpu limit", "cpu time", "cpu throttl"],
        advice: "look for the requests that compute longest, and move work out of them or raise the limit",
    },
    Family {
        name: "deadlocks or waiting for locks",
        tells: &[
            "deadlock",
            "deadlocked",
            "lock wait timeout",
            "could not serialize access",
            "serialization failure",
            "lock timeout",
            "database is locked",
            "sqlite busy",
            "could not obtain lock",
            "lock not available",
        ],
        advice: "find the two transactions that wait for each other, let them take locks in the same order, keep them short, and retry",
    },
    Family {
        name: "certificates or TLS",
        tells: &[
            "certificate",
            "x509",
            "cert has expired",
            "ssl handshake",
            "tls handshake",
            "ssl error",
            "self signed",
            "pkix",
            "handshake failure",
            "handshake failed",
            "ssl routines",
            "cert authority",
        ],
        advice: "check the validity, the name and the chain of the certificate on both sides, and whether its renewal runs",
    },
    Family {
        name: "names that cannot be resolved (DNS)",
        tells: &[
            "dns",
            "enotfound",
            "eai again",
            "getaddrinfo",
            "name or service not known",
            "name resolution",
            "no such host",
            "nxdomain",
            "unknown host",
            "could not resolve",
            "servfail",
            "cannot resolve host",
            "failed to resolve host",
        ],
        advice: "resolve the name from where the service runs, and check the resolver and the spelling in the configuration",
    },
    Family {
        name: "rate limits",
        tells: &[
            "rate limit",
            "rate limited",
            "rate limiting",
            "ratelimit",
            "rate exceeded",
            "too many requests",
            "status 429",
            "http 429",
            "code 429",
            "throttled",
            "throttling",
            "throttle",
            "quota exceeded",
            "exceeded quota",
            "slow down",
        ],
        advice: "find who sends the most requests, space retries out with growing pauses, and ask for a higher limit only if the rate is wanted",
    },
    Family {
        name: "exhausted connections or files",
        tells: &[
            "connection pool",
            "pool exhausted",
            "pool is exhausted",
            "too many connections",
            "too many clients",
            "remaining connection slots",
            "too many open files",
            "emfile",
            "pool timeout",
            "connection limit",
            "no available connection",
            "pool size",
        ],
        advice: "look for connections that are taken and not given back and for slow queries that hold them, before the pool is enlarged",
    },
    Family {
        name: "failed authentication",
        tells: &[
            "unauthorized",
            "unauthenticated",
            "invalid token",
            "token expired",
            "token has expired",
            "expired token",
            "jwt expired",
            "invalid credential",
            "authentication failed",
            "authentication failure",
            "login failed",
            "failed login",
            "invalid signature",
            "bad credential",
            "invalid api key",
            "status 401",
            "http 401",
            "invalid password",
            "failed password",
        ],
        advice: "check whether a key, a password or a clock changed; if the callers are strangers, look at their addresses and limit them",
    },
    Family {
        name: "denied permissions",
        tells: &[
            "permission denied",
            "access denied",
            "accessdenied",
            "forbidden",
            "eacces",
            "eperm",
            "not authorized",
            "insufficient privilege",
            "insufficient permission",
            "operation not permitted",
            "status 403",
            "http 403",
            "not permitted",
            "not allowed to",
        ],
        advice: "compare the rights of the account that the service runs as with what it asks for, and look for a change of roles or files",
    },
    Family {
        name: "services that cannot be reached",
        tells: &[
            "connection refused",
            "econnrefused",
            "could not connect",
            "unable to connect",
            "failed to connect",
            "cannot connect",
            "connect failed",
            "host unreachable",
            "ehostunreach",
            "network is unreachable",
            "enetunreach",
            "no route to host",
            "service unavailable",
            "status 503",
            "http 503",
            "no healthy upstream",
            "bad gateway",
            "status 502",
            "http 502",
            "connection failure",
            "connection failed",
            "circuit breaker",
        ],
        advice: "check whether the service it calls runs and listens at that address and port, and what changed there at that time",
    },
    Family {
        name: "broken connections",
        tells: &[
            "connection reset",
            "econnreset",
            "broken pipe",
            "epipe",
            "socket hang up",
            "connection closed",
            "unexpected eof",
            "premature close",
            "connection aborted",
            "econnaborted",
            "connection lost",
            "server closed the connection",
            "connection was closed",
        ],
        advice: "look at the other end of the connection at that time (restart, overload), and compare idle timeouts on both sides and between them",
    },
    Family {
        name: "timeouts",
        tells: &[
            "timeout",
            "timed out",
            "time out",
            "etimedout",
            "deadline exceeded",
            "status 504",
            "http 504",
            "gateway time out",
            "took too long",
            "timedout",
            "esockettimedout",
            "statement canceled due to",
            "canceling statement due to",
        ],
        advice: "open the slowest traces, see which call it waits for, and check the load and latency of what is called before a limit is raised",
    },
    Family {
        name: "missing values (null dereference)",
        tells: &[
            "null pointer",
            "nullpointer",
            "nil pointer",
            "null reference",
            "object reference not set",
            "none type",
            "undefined is not",
            "cannot read propert",
            "cannot read properties",
            "cannot read property",
            "is not a function",
            "cannot set properties",
            "of undefined",
            "of null",
            "is undefined",
            "segmentation fault",
            "sigsegv",
            "attribute error",
            "null dereference",
            "invalid memory address",
            "unwrap on a none",
        ],
        advice: "open the stack at its first own line, see which value is missing and from which input, and compare with the release before",
    },
    Family {
        name: "crashes",
        tells: &[
            "panicked",
            "panic",
            "uncaught exception",
            "unhandled rejection",
            "unhandled exception",
            "unhandled promise",
            "stack overflow",
            "maximum call stack",
            "crash loop",
            "crashed",
            "back off restarting",
            "core dumped",
            "exited with code",
            "exit code",
            "sigkill",
            "sigabrt",
        ],
        advice: "read the stack of the first record and what came just before it, and compare with the release before",
    },
    Family {
        name: "a database schema that does not fit",
        tells: &[
            "no such table",
            "no such column",
            "unknown column",
            "undefined column",
            "undefined table",
            "relation does not exist",
            "column does not exist",
            "table doesn t exist",
            "table does not exist",
            "unknown table",
            "migration failed",
        ],
        advice: "check whether the migration that belongs to this release ran on this database",
    },
    Family {
        name: "violated constraints",
        tells: &[
            "duplicate key",
            "duplicate entry",
            "unique constraint",
            "unique violation",
            "foreign key",
            "constraint violation",
            "constraint failed",
            "integrity error",
            "violates",
        ],
        advice: "see which values are written twice or refer to nothing; repeated requests need a key that makes them harmless",
    },
    Family {
        name: "input that cannot be read",
        tells: &[
            "unexpected token",
            "json parse",
            "parse error",
            "syntax error",
            "invalid json",
            "failed to parse",
            "could not parse",
            "cannot parse",
            "malformed",
            "deserialize",
            "deserialization",
            "unmarshal",
            "invalid character",
            "unexpected end of",
            "decode error",
            "invalid format",
            "number format",
            "validation failed",
            "validation error",
            "schema validation",
        ],
        advice: "take one failing input and compare it with what the code expects; look for a sender that changed its format",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_known_by_the_words_of_programs() {
        let cases = [
            ("write /var/log: no space left on device", "a full disk"),
            ("ENOSPC: write", "a full disk"),
            ("Disk is full", "a full disk"),
            ("java.lang.OutOfMemoryError: Java heap space", "a lack of memory"),
            ("Container OOMKilled", "a lack of memory"),
            ("outcome exceededMemory", "a lack of memory"),
            ("ended with outcome exceededCpu", "a limit of computing time"),
            ("ERROR: deadlock detected", "deadlocks or waiting for locks"),
            ("Lock wait timeout exceeded; try restarting transaction", "deadlocks or waiting for locks"),
            ("x509: certificate has expired or is not yet valid", "certificates or TLS"),
            ("SSLHandshakeException", "certificates or TLS"),
            ("getaddrinfo ENOTFOUND <*>", "names that cannot be resolved (DNS)"),
            ("java.net.UnknownHostException: <*>", "names that cannot be resolved (DNS)"),
            ("dial tcp: lookup <*>: no such host", "names that cannot be resolved (DNS)"),
            ("429 Too Many Requests", "rate limits"),
            ("RateLimitError: <*>", "rate limits"),
            ("FATAL: sorry, too many clients already", "exhausted connections or files"),
            ("JWT expired at <*>", "failed authentication"),
            ("open <*>: permission denied", "denied permissions"),
            ("PermissionError: [Errno 13] Permission denied", "denied permissions"),
            ("dial tcp <*>: connect: connection refused", "services that cannot be reached"),
            ("ConnectionRefusedError", "services that cannot be reached"),
            ("upstream returned HTTP 503", "services that cannot be reached"),
            ("read ECONNRESET", "broken connections"),
            ("BrokenPipeError", "broken connections"),
            ("SocketTimeoutException: Read timed out", "timeouts"),
            ("payment timed-out after <*> ms", "timeouts"),
            ("context deadline exceeded", "timeouts"),
            ("two timeouts of <*>", "timeouts"),
            ("java.lang.NullPointerException", "missing values (null dereference)"),
            (
                "TypeError: Cannot read properties of undefined (reading <*>)",
                "missing values (null dereference)",
            ),
            ("'NoneType' object has no attribute <*>", "missing values (null dereference)"),
            ("thread 'main' panicked at <*>", "crashes"),
            ("relation \"<*>\" does not exist", "a database schema that does not fit"),
            ("duplicate key value violates unique constraint", "violated constraints"),
            ("Unexpected token < in JSON at position <*>", "input that cannot be read"),
        ];
        for (text, wanted) in cases {
            assert_eq!(family(text).map(|found| found.name), Some(wanted), "{text}");
        }
        for text in [
            "",
            "room service ready",
            "zoom failed",
            "order <*> rejected",
            "discarded 12",
            "sudnsx",
            "\u{0}\u{ffff}",
        ] {
            assert_eq!(family(text).map(|found| found.name), None, "{text}");
        }
        assert_eq!(family(&format!("{} timeout", "x ".repeat(5000))).map(|found| found.name), None);
    }

    #[test]
    fn every_word_of_the_table_can_be_found() {
        for one in FAMILIES {
            for tell in one.tells {
                assert_eq!(words(tell).trim(), *tell);
            }
            assert!(one.advice.len() < 200 && !one.advice.ends_with('.'));
        }
    }
}
