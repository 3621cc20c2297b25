//! Changed log texts: every detector, decoder and parser that a record passes reads them, what is redacted stays as it is when it is
//! redacted again, and the quick look is never surer than the long one.

use serde_json::json;
use timberline::engine::{
    attack, enrich,
    redact::{Policy, Redactor},
};
use timberline_fuzz::run;

const SEEDS: &[&str] = &[
    "203.0.113.9 - bob [10/Oct/2026:13:55:36 +0000] \"GET /users/7?id=1%27%20UNION%20SELECT%20a%20FROM%20b-- HTTP/1.1\" 500 2326 \"-\" \"sqlmap/1.5\"",
    "level=info msg=\"request\" method=POST uri=\"/post?x=%253Cscript%253E\" body=\"{\\\"a\\\":\\\"${jndi:ldap://x}\\\"}\" duration=1.5s",
    "{\"level\":\"warn\",\"msg\":\"user jane@home.example failed\",\"http\":{\"status\":503,\"path\":\"/a/1\"},\"took\":\"12ms\"}",
    "card 4111 1111 1111 1111 iban AT611904300234573201 ssn 219-09-4417 tel +43 660 5550199 dob=1980-01-02",
    "Authorization: Bearer abcdefghijklmnop0123456789 Cookie: a=b; c=d password=hunter2x&api_key=0123456789abcdef",
    "-----BEGIN PRIVATE KEY-----\\nAAAABBBBCCCC\\n-----END PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA postgres://u:secretpass@db/x",
    "Failed password for invalid user admin from 198.51.100.7 port 22 ssh2",
    "E0512 12:00:00.000001 1 main.go:7] Traceback (most recent call last): ../../etc/passwd {{7*7}} 2001:db8:1:2::3",
    "GET /img/4bf92f3577b34da6a3ce929d0e0e4736/2024-01-01/a@b.example.png?x=1#y",
];

fn main() {
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let words: &[&[u8]] = &[
        b"%25",
        b"%u0027",
        b"\\u0027",
        b"&lt;",
        b"&#x3c;",
        b"%c0%ae",
        b"/**/",
        b"'",
        b"\"",
        b"${",
        b"}",
        b"{{",
        b"=",
        b"&",
        b";",
        b"@",
        b"://",
        b":",
        b"-----BEGIN",
        b"eyJ",
        b"AKIA",
        b"ghp_",
        b"sk-",
        b"xoxb-",
        b"4242",
        b"0",
        b"+",
        b"(",
        b")",
        b"[",
        b"]",
        b"\n",
        b"\\",
        "\u{ff1c}".as_bytes(),
        "İ".as_bytes(),
        b"password",
        b"token",
        b" ",
    ];
    let redactors =
        ["{}", r#"{"kinds":{"ipv4":"mask","ipv6":"mask","email":"tokenize","credit_card":"partial"}}"#].map(
            |policy| {
                let policy: Policy = serde_json::from_str(policy).unwrap_or_default();
                Redactor::new(&policy, [7; 32]).unwrap_or_else(|refused| panic!("{refused}"))
            },
        );
    run("pipeline", &seeds, words, |input| {
        let text = String::from_utf8_lossy(input);
        let quoted = json!({ "message": text }).to_string();
        for redactor in &redactors {
            let mut found = Vec::new();
            let Ok(Some(once)) = redactor.text("message", &text, &mut found) else { continue };
            assert!(once == text || redactor.suspects(&quoted), "{text:?} is not suspected");
            let again = redactor.text("message", &once, &mut found);
            assert!(
                again.as_ref().is_ok_and(|again| again.as_deref() == Some(&*once)),
                "{once:?} becomes {again:?}"
            );
        }
        assert!(attack::detect(&text).is_empty() || attack::suspects(&quoted), "{text:?} is not suspected");
        let login = attack::auth::failed_login(&text).is_some();
        assert!(!login || attack::suspects(&quoted), "{text:?} may be a login");
        assert!(
            enrich::parse_message(&text).is_none() || enrich::may_have_fields(&text),
            "{text:?} may have fields"
        );
        if let Some(endpoint) = enrich::endpoint(&text) {
            assert!(enrich::endpoint(&endpoint).is_none(), "{endpoint:?} is not the end of {text:?}");
        }
        let _ = (enrich::level_of(&text), enrich::component(&text), enrich::user_agent_family(&text));
    });
}
