//! Whether a name says that its value is a secret: `DB_PASSWORD` does, `password_reset` and `max_tokens` do not.

use std::sync::{LazyLock, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Nothing,
    /// A secret if it looks like one: long and random.
    Perhaps,
    Secret,
    /// A secret that people make up.
    Password,
    /// A secret behind a scheme.
    Authorization,
    Cookie,
    /// Free text that may hold anything; it goes where the name is a key.
    Body,
}

/// Names are no longer than this.
pub(super) const LONGEST: usize = 64;

const PASSWORDS: [&str; 7] = ["password", "passwd", "passphrase", "passwort", "passcode", "pwd", "passwrd"];
const JOINED_KEYS: [&str; 16] = [
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "accountkey",
    "masterkey",
    "signingkey",
    "encryptionkey",
    "sharedkey",
    "appkey",
    "licensekey",
    "servicekey",
    "adminkey",
    "subscriptionkey",
    "integrationkey",
];
/// What makes a `key` one that opens something.
const OPENS: [&str; 27] = [
    "api",
    "access",
    "secret",
    "private",
    "account",
    "auth",
    "authentication",
    "signing",
    "encryption",
    "master",
    "admin",
    "shared",
    "subscription",
    "license",
    "role",
    "app",
    "application",
    "client",
    "deploy",
    "webhook",
    "hmac",
    "ssh",
    "gpg",
    "pgp",
    "decryption",
    "integration",
    "ingest",
];
/// Tokens that are places in a list or parts of a language.
const PLACES: [&str; 18] = [
    "page",
    "next",
    "prev",
    "previous",
    "continuation",
    "sync",
    "cursor",
    "cancellation",
    "cancel",
    "unexpected",
    "pad",
    "eos",
    "bos",
    "stop",
    "lexer",
    "parser",
    "syntax",
    "resume",
];
/// Words behind the secret's that make it something else: its size, its place, its state.
const BESIDE: [&str; 84] = [
    "count",
    "counts",
    "counter",
    "length",
    "len",
    "size",
    "type",
    "types",
    "name",
    "names",
    "id",
    "ids",
    "url",
    "uri",
    "urls",
    "endpoint",
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "dir",
    "expires",
    "expired",
    "expiry",
    "expiration",
    "exp",
    "ttl",
    "age",
    "at",
    "in",
    "policy",
    "policies",
    "reset",
    "resets",
    "required",
    "enabled",
    "disabled",
    "valid",
    "invalid",
    "validity",
    "field",
    "format",
    "rotation",
    "rotated",
    "version",
    "index",
    "limit",
    "limits",
    "used",
    "usage",
    "budget",
    "present",
    "set",
    "changed",
    "updated",
    "created",
    "method",
    "provider",
    "manager",
    "store",
    "group",
    "source",
    "algorithm",
    "alg",
    "strength",
    "error",
    "errors",
    "status",
    "state",
    "service",
    "cache",
    "hint",
    "attempts",
    "attempt",
    "prefix",
    "mode",
    "scope",
    "rate",
    "authentication",
    "bucket",
    "region",
    "arn",
    "failed",
];
const ASKS: [&str; 14] = [
    "has", "is", "use", "uses", "no", "max", "min", "num", "total", "require", "requires", "show", "forgot",
    "public",
];
/// Services whose keys have no shape of their own.
pub(super) const VENDORS: [&str; 64] = [
    "adafruit",
    "adobe",
    "airtable",
    "algolia",
    "asana",
    "atlassian",
    "auth0",
    "beamer",
    "bitbucket",
    "bittrex",
    "clickup",
    "cloudflare",
    "codecov",
    "coinbase",
    "confluent",
    "contentful",
    "datadog",
    "discord",
    "droneci",
    "dropbox",
    "etsy",
    "facebook",
    "fastly",
    "finicity",
    "finnhub",
    "flickr",
    "flutterwave",
    "freshbooks",
    "freshdesk",
    "gitter",
    "gocardless",
    "heroku",
    "hubspot",
    "intercom",
    "jfrog",
    "artifactory",
    "kraken",
    "kucoin",
    "launchdarkly",
    "linkedin",
    "looker",
    "mailchimp",
    "mailgun",
    "mapbox",
    "mattermost",
    "messagebird",
    "netlify",
    "newrelic",
    "nytimes",
    "okta",
    "plaid",
    "privateai",
    "rapidapi",
    "sendbird",
    "snyk",
    "squarespace",
    "sumologic",
    "travis",
    "trello",
    "twilio",
    "twitch",
    "twitter",
    "yandex",
    "zendesk",
];

/// A long list with the lengths of its words by their first letter: most words are not of it, and need not be compared.
struct List {
    words: &'static [&'static str],
    lengths: [u64; 32],
}

static BESIDES: LazyLock<List> = LazyLock::new(|| List::new(&BESIDE));
static KNOWN_VENDORS: LazyLock<List> = LazyLock::new(|| List::new(&VENDORS));

impl List {
    fn new(words: &'static [&'static str]) -> Self {
        let mut lengths = [0; 32];
        for word in words {
            let first = word.bytes().next().map_or(0, |byte| usize::from(byte & 31));
            if let Some(slot) = lengths.get_mut(first) {
                *slot |= 1 << (word.len() & 63);
            }
        }
        Self { words, lengths }
    }

    fn holds(&self, word: &[u8]) -> bool {
        let first = word.first().map_or(0, |byte| usize::from(byte & 31));
        self.lengths.get(first).is_some_and(|lengths| lengths >> (word.len() & 63) & 1 == 1)
            && is(word, self.words)
    }
}

fn is(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

fn ends_in(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|other| {
        word.len()
            .checked_sub(other.len())
            .and_then(|from| word.get(from..))
            .is_some_and(|end| end.eq_ignore_ascii_case(other.as_bytes()))
    })
}

/// The last words of a name, at most eight: cut at separators and where `camelCase` turns, without digits at
/// their ends.
fn words(name: &[u8]) -> ([&[u8]; 8], usize) {
    let (mut words, mut count) = ([&[] as &[u8]; 8], 0);
    let mut from = 0;
    for place in 0..=name.len() {
        let byte = |n: usize| name.get(n).copied().unwrap_or(b'_');
        let turns = place > from
            && byte(place).is_ascii_uppercase()
            && (!byte(place - 1).is_ascii_uppercase() || byte(place + 1).is_ascii_lowercase());
        if byte(place).is_ascii_alphanumeric() && !turns {
            continue;
        }
        let mut word = name.get(from..place).unwrap_or_default();
        while let [rest @ .., b'0'..=b'9'] = word {
            word = rest;
        }
        if !word.is_empty() {
            if count == words.len() {
                words.rotate_left(1);
                count -= 1;
            }
            if let Some(slot) = words.get_mut(count) {
                *slot = word;
            }
            count += 1;
        }
        from = if turns { place } else { place + 1 };
    }
    (words, count)
}

/// Names and what they say, each in the place that its hash gives it: a service writes the same few in every record.
static KNOWN: LazyLock<Mutex<Known>> =
    LazyLock::new(|| Mutex::new(vec![(Vec::new(), Name::Nothing); KNOWN_NAMES]));

type Known = Vec<(Vec<u8>, Name)>;

const KNOWN_NAMES: usize = 512;

/// What a name says of its value.
pub(super) fn classify(name: &[u8]) -> Name {
    let end = name.len().saturating_sub(LONGEST);
    let name = if name.len() > 4 * LONGEST { name.get(end..).unwrap_or_default() } else { name };
    if name.len() > LONGEST {
        return read(name);
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    // Less than 512 fits.
    #[expect(clippy::cast_possible_truncation)]
    let place = (xxh3_64(name) % KNOWN_NAMES as u64) as usize;
    let Some((known, says)) = known.get_mut(place) else { return read(name) };
    if known.as_slice() != name {
        *says = read(name);
        known.clear();
        known.extend_from_slice(name);
    }
    *says
}

fn read(name: &[u8]) -> Name {
    let (words, count) = words(name);
    let words = words.get(..count).unwrap_or_default();
    let Some(first) = words.first() else { return Name::Nothing };
    // Only an id may be both what a name is of and a secret.
    if words.last().is_some_and(|last| BESIDES.holds(last) && !is(last, &["id"])) {
        return Name::Nothing;
    }
    let found = (0..count).rev().find_map(|place| match root(words, place) {
        Name::Nothing => None,
        found => Some((place, found)),
    });
    let Some((place, found)) = found else { return Name::Nothing };
    let behind = words.get(place + 1..).unwrap_or_default();
    if behind.iter().any(|word| BESIDES.holds(word)) || (place > 0 && is(first, &ASKS)) {
        return Name::Nothing;
    }
    match found {
        Name::Body | Name::Authorization if !behind.is_empty() => Name::Nothing,
        Name::Body if name.iter().any(|byte| matches!(byte, b'.' | b' ')) => Name::Nothing,
        found => found,
    }
}

/// What the word at this place of a name says, those before it known.
fn root(words: &[&[u8]], place: usize) -> Name {
    let word = words.get(place).copied().unwrap_or_default();
    let last = place.checked_sub(1).and_then(|place| words.get(place)).copied().unwrap_or_default();
    if ends_in(word, &PASSWORDS) {
        return Name::Password;
    }
    if is(word, &["pass"]) {
        return if last.is_empty() { Name::Perhaps } else { Name::Password };
    }
    if ends_in(word, &["secret", "credential", "credentials"]) || (is(word, &["secrets"]) && words.len() <= 2)
    {
        return Name::Secret;
    }
    if ends_in(word, &["token"]) {
        let place =
            is(last, &PLACES) || ends_in(word, &["pagetoken", "nexttoken", "continuationtoken", "synctoken"]);
        return if place { Name::Nothing } else { Name::Secret };
    }
    if ends_in(word, &JOINED_KEYS) || (is(word, &["key", "secretkey"]) && is(last, &OPENS)) {
        return Name::Secret;
    }
    if is(word, &["key", "pat", "auth", "bearer", "sig", "signature"])
        && (!is(word, &["key", "pat"]) || KNOWN_VENDORS.holds(last))
    {
        return Name::Perhaps;
    }
    if is(word, &["authorization"]) {
        return Name::Authorization;
    }
    if is(word, &["cookie", "cookies", "setcookie"]) {
        return Name::Cookie;
    }
    if (is(word, &["id"]) && is(last, &["session", "sess"]))
        || is(word, &["sessionid", "sessid", "jsessionid", "phpsessid", "sessionkey"])
        || (is(word, &["key"]) && is(last, &["session"]))
    {
        return Name::Secret;
    }
    if (words.len() == 1 && is(word, &["prompt", "requestbody"]))
        || (words.len() == 2 && is(word, &["body"]) && is(last, &["request"]))
    {
        return Name::Body;
    }
    if KNOWN_VENDORS.holds(word) || is(word, &["sumo"]) { Name::Perhaps } else { Name::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_value_is() {
        for (name, expected) in [
            ("password", Name::Password),
            ("DB_PASSWORD", Name::Password),
            ("userPassword2", Name::Password),
            ("my_password_secure", Name::Password),
            ("spring.datasource.password", Name::Password),
            ("api-key", Name::Secret),
            ("X-API-Key", Name::Secret),
            ("APIKey", Name::Secret),
            ("apikey_myservice", Name::Secret),
            ("secretAccessKey", Name::Secret),
            ("AccountKey", Name::Secret),
            ("client_secret", Name::Secret),
            ("refreshToken", Name::Secret),
            ("Credentials", Name::Secret),
            ("session_id", Name::Secret),
            ("JSESSIONID", Name::Secret),
            ("Proxy-Authorization", Name::Authorization),
            ("Set-Cookie", Name::Cookie),
            ("prompt", Name::Body),
            ("requestBody", Name::Body),
            ("request_body", Name::Body),
            ("SNYK_KEY", Name::Perhaps),
            ("user_auth", Name::Perhaps),
            ("tokens", Name::Nothing),
            ("token_count", Name::Nothing),
            ("max_tokens", Name::Nothing),
            ("password_reset", Name::Nothing),
            ("has_password", Name::Nothing),
            ("token_type", Name::Nothing),
            ("secretName", Name::Nothing),
            ("access_token_url", Name::Nothing),
            ("nextPageToken", Name::Nothing),
            ("partition_key", Name::Nothing),
            ("public_key", Name::Nothing),
            ("keyVaultToStoreSecrets", Name::Nothing),
            ("auth-service", Name::Nothing),
            ("prompt_tokens", Name::Nothing),
            ("author", Name::Nothing),
            ("", Name::Nothing),
        ] {
            assert_eq!(classify(name.as_bytes()), expected, "{name}");
            assert_eq!(classify(name.as_bytes()), expected, "{name}, known by now");
            let long = format!("{}{name}", "x.".repeat(4 * LONGEST));
            assert_eq!(classify(long.as_bytes()), read(&long.as_bytes()[long.len() - LONGEST..]), "{long}");
        }
    }
}
