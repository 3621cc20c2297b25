//! Log lines that say that a login failed, and whose it was. Who counts them is elsewhere.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::{Regex, bytes};

/// A login that failed, with what the line says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedLogin<'a> {
    pub user: Option<&'a str>,
    pub address: Option<&'a str>,
}

/// Words of which one stands in every line that says so. None holds a sign that JSON escapes.
pub(super) const MARKS: &[&str] = &[
    "failed password",
    "failed publickey",
    "failed keyboard",
    "failed none",
    "failed login",
    "failed log-in",
    "failed logon",
    "failed sign",
    "failed auth",
    "authentication fail",
    "authentication_fail",
    "authenticationfail",
    "auth fail",
    "auth_fail",
    "authfail",
    "login fail",
    "login_fail",
    "loginfail",
    "logon fail",
    "signin fail",
    "sign-in fail",
    "sign in fail",
    "login incorrect",
    "login attempt",
    "login for ",
    "login error",
    "invalid user",
    "illegal user",
    "invalid password",
    "invalid login",
    "invalid credential",
    "invalid_credential",
    "invalidcredential",
    "invalid_grant",
    "invalid username",
    "incorrect password",
    "wrong password",
    "bad password",
    "bad credential",
    "badcredential",
    "password mismatch",
    "password check failed",
    "password verification failed",
    "password did not match",
    "password incorrect",
    "access denied for user",
    "authenticate user",
    "unable to authenticate",
    "could not authenticate",
    "cannot authenticate",
    "failed to authenticate",
    "failed to log in",
    "failed to login",
    "failed to sign in",
    "preauth_failed",
    "preauthentication failed",
    "pre-authentication",
    "data 52e",
    "err=49",
    "ldap: error code 49",
    "4625",
    "maximum authentication attempts",
    "too many authentication failures",
    "unknown user",
    "unknown username",
    "user not known",
    "no such user",
    "was not found in",
    "incorrect for the username",
    " 401 ",
    "=401",
    ":401",
    ": 401",
    "\u{20}401",
    "credentials rejected",
    "login denied",
    "login rejected",
];

/// Lines of a request to a login that was answered with 401 are told by both.
const UNAUTHORIZED: &str = r#"(?i-u)\b(?:post|put|get)\b[\s"':,a-z_=]{0,40}/(?:[\w./-]*/)?(?:login|log-in|logon|signin|sign-in|sessions?|auth|authenticate|token|oauth/token|wp-login\.php|xmlrpc\.php)\b[^\s"]*.*?(?:"\s|\s|status(?:_code)?"?[=:]\s?)401\b|\b401\b[^\n]{0,40}\b(?:post|put)\s+/(?:[\w./-]*/)?(?:login|log-in|logon|signin|sign-in|sessions?|auth|authenticate|token|oauth/token)\b"#;

const SAYS: &str = r#"(?i-u)\bfailed (?:password|publickey|keyboard-interactive\S*|none) for\b|\bauthentication[ _]?fail(?:ure|ed)\b|\bauth(?:_| )?fail(?:ure|ed)\b|\bfailed (?:login|log-in|logon|sign-?in|auth(?:entication)?)\b|\b(?:login|log-in|logon|sign[- ]?in)[ _]?(?:attempt )?(?:has )?(?:failed|failure|incorrect|denied|rejected|error:)|\b(?:login|authentication) (?:attempt )?for .{1,80}? failed\b|\b(?:invalid|illegal|unknown) user(?:name)?\b.{0,100}\b(?:from|login|password|rhost)\b|\binvalid user(?:name)? (?:or|and) password\b|\binvalid user \S+ from\b|\b(?:invalid|incorrect|wrong|bad) (?:password|credentials?|login|username)\b|\b(?:invalid_credentials?|invalidcredentials?(?:error|exception)?|badcredentials(?:exception)?|authenticationfailed|invalid_grant)\b|\bpassword (?:mismatch|incorrect|is incorrect|check failed|verification failed|did not match|for .{1,80} is incorrect)\b|\bpassword you entered for the user(?:name)? .{0,100} is incorrect\b|\baccess denied for user\b|\b(?:unable|failed|could not|cannot) (?:to )?(?:authenticate|log ?in|sign in)\b|\b(?:preauth_failed|preauthentication failed|pre-authentication (?:failed|information was invalid))\b|\bdata 52e\b|\bldap: error code 49\b|\bbind\b.{0,80}\berr=49\b|\b(?:maximum|too many) authentication (?:attempts|failures)\b|\bevent(?:_?id)?"?[=: ]{1,3}4625\b|\bpam_unix\S+: check pass; user unknown\b|\buser .{1,80} was not found in\b|\b(?:credentials|login) (?:denied|rejected)\b|\bincorrect for the username\b"#;

/// What looks like it and is the opposite.
const DENIES: &str = r"(?i-u)\b(?:no|0|zero|without) (?:\w+ )?(?:failed login|authentication failure|login failure|invalid (?:password|credential))s?\b|\b(?:failed login|authentication failure|login failure)s?(?: count)?[=: ]+0\b";

const USER: &str = r#"(?i)(?:failed \S+ for (?:invalid user |illegal user )?|(?:invalid|illegal|unknown) user(?:name)?:? |(?:access denied|authentication failed|authentication failure|login failed|failed login(?: attempt)?|incorrect password|invalid password|wrong password|invalid credentials|bad password|bad credentials|login incorrect|logon failed)[ :]*(?:for )?(?:the )?(?:user(?:name)? |account )|\b(?:for|authenticate) (?:the )?(?:user(?:name)?|account) |(?:failed login|login failed|login failure|authentication failed|authentication failure|incorrect password|invalid password|wrong password|invalid credentials|sign-?in failed)(?: attempt)? (?:for|by) |\b(?:user|username|user_name|login|account|email|cname|principal)"?\s?[=:]\s?|\buser )["'\[<(]?([^\s"'\],;:<>()&]{1,128})"#;
const ADDRESS: &str = r#"(?i)(?:\b(?:rhost|ip|client_ip|clientip|client|remote_addr|remote_ip|remote|src|source|src_ip|addr|address|host|peer)"?\s?[=:]\s?|\b(?:from|client|ip)(?: address| ip)?:? )["'\[(]{0,2}(?:/|ip )?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:(?:\d{1,3}\.){3}\d{1,3})?|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+){1,8})|^((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}) "#;

/// A line that says it says it early; a stack trace behind it is not searched.
const MAX_BYTES: usize = 4096;

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(MARKS).ok()
});
static SAID: LazyLock<Option<bytes::Regex>> =
    LazyLock::new(|| bytes::Regex::new(&format!("{SAYS}|{UNAUTHORIZED}")).ok());
static DENIED: LazyLock<Option<bytes::Regex>> = LazyLock::new(|| bytes::Regex::new(DENIES).ok());
static WHO: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(USER).ok());
static WHENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ADDRESS).ok());

/// What a log line says of a login that failed; `None` for every other line.
pub fn failed_login(message: &str) -> Option<FailedLogin<'_>> {
    if !may_be_failed_login(message) {
        return None;
    }
    let end = (0..=MAX_BYTES.min(message.len())).rev().find(|at| message.is_char_boundary(*at))?;
    let message = message.get(..end)?;
    if !SAID.as_ref()?.is_match(message.as_bytes()) || DENIED.as_ref()?.is_match(message.as_bytes()) {
        return None;
    }
    let captured = |pattern: &LazyLock<Option<Regex>>| {
        let found = pattern.as_ref()?.captures(message)?;
        found.iter().skip(1).flatten().next().map(|part| part.as_str())
    };
    Some(FailedLogin { user: captured(&WHO), address: captured(&WHENCE) })
}

fn may_be_failed_login(message: &str) -> bool {
    WORDS.as_ref().is_some_and(|words| words.is_match(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, user: Option<&str>, address: Option<&str>) {
        assert_eq!(failed_login(line), Some(FailedLogin { user, address }), "{line}");
        assert!(super::super::suspects(&serde_json::to_string(line).unwrap()), "{line}");
    }

    #[test]
    fn a_login_that_failed_is_told_with_its_user_and_address() {
        let at = Some("192.0.2.9");
        check("Failed password for invalid user admin from 192.0.2.9 port 4222 ssh2", Some("admin"), at);
        check("Failed password for root from 192.0.2.9 port 4222 ssh2", Some("root"), at);
        check("Failed publickey for git from 2001:db8::9 port 22 ssh2", Some("git"), Some("2001:db8::9"));
        check("Invalid user oracle from 192.0.2.9", Some("oracle"), at);
        check(
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9  user=bob",
            Some("bob"),
            at,
        );
        check("login failed for user alice from 192.0.2.9", Some("alice"), at);
        check(
            "Login failed for user 'sa'. Reason: Password did not match. [CLIENT: 192.0.2.9]",
            Some("sa"),
            at,
        );
        check("FATAL:  password authentication failed for user \"app\"", Some("app"), None);
        check("Access denied for user 'web'@'192.0.2.9' (using password: YES)", Some("web"), None);
        check("Invalid password for user carol", Some("carol"), None);
        check("level=warn msg=\"invalid credentials\" user=dave ip=192.0.2.9", Some("dave"), at);
        check("{\"event\":\"login_failed\",\"username\":\"erin\",\"ip\":\"192.0.2.9\"}", Some("erin"), at);
        check("192.0.2.9 - - [03/Feb/2025:08:15:42 +0000] \"POST /login HTTP/1.1\" 401 52", None, at);
        check("POST /api/v1/auth/login 401 12ms", None, None);
        check("user \"frank\": password mismatch, client: 192.0.2.9, server: x", Some("frank"), at);
        check("user \"gina\" was not found in \"/etc/nginx/.htpasswd\", client: 192.0.2.9", Some("gina"), at);
        check("Authentication failure for henry from 192.0.2.9", Some("henry"), at);
        check("krb5kdc: PREAUTH_FAILED: ivan@EXAMPLE.COM for krbtgt", None, None);
        check("BadCredentialsException: Bad credentials", None, None);
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "Accepted password for root from 192.0.2.9 port 4222 ssh2",
            "login succeeded for user alice",
            "User alice logged in from 192.0.2.9",
            "GET /login HTTP/1.1\" 200 1432",
            "POST /login 200 14ms",
            "GET /api/orders 401 3ms",
            "0 failed logins in the last hour",
            "request failed: timeout",
            "password changed for user bob",
            "invalid user input in field name",
            "took 401 ms",
            "authentication succeeded",
        ] {
            assert_eq!(failed_login(line), None, "{line}");
        }
    }
}
