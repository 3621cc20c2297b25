use std::{borrow::Cow, collections::BTreeMap, fmt::Write, iter};

use proptest::{prelude::*, strategy::Strategy as Strategy2};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Custom, Failed, Policy, Redactor, Strategy, ids};
use crate::engine::record::{
    model::{Fields, Level, Record},
    timestamp::Timestamp,
};

const KEY: [u8; 32] = [7; 32];
const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn text(&mut self, signs: &str, length: usize) -> String {
        let signs: Vec<char> = signs.chars().collect();
        (0..length).map(|_| signs[usize::try_from(self.below(signs.len() as u64)).unwrap()]).collect()
    }

    /// A shape filled in: `{h32}` is 32 signs of hex, `d` digits, `u` capitals, `a` letters and digits, `w` those
    /// with `-` and `_`, `b` Base64, `g` a UUID.
    fn fill(&mut self, shape: &str) -> String {
        let mut text = String::new();
        let mut rest = shape;
        while let Some((head, tail)) = rest.split_once('{') {
            text.push_str(head);
            let (sign, behind) = tail.split_once('}').unwrap();
            let length = sign[1..].parse().unwrap_or(0);
            let filled = match sign.chars().next().unwrap() {
                'h' => self.text(HEX, length),
                'd' => self.text(DIGITS, length),
                'u' => self.text(UPPER, length),
                'a' => self.text(ALNUM, length),
                'w' => self.text(WORD, length),
                'b' => self.text(BASE64, length),
                _ => [8, 4, 4, 4, 12].map(|length| self.text(HEX, length)).join("-"),
            };
            text.push_str(&filled);
            rest = behind;
        }
        text + rest
    }
}

fn redactor(change: impl FnOnce(&mut Policy)) -> Redactor {
    let mut policy = Policy::default();
    change(&mut policy);
    Redactor::new(&policy, KEY).unwrap()
}

fn everything() -> Redactor {
    redactor(|policy| policy.kinds.clear_and_mask())
}

trait ClearAndMask {
    fn clear_and_mask(&mut self);
}

impl ClearAndMask for BTreeMap<String, Strategy> {
    fn clear_and_mask(&mut self) {
        self.clear();
        self.insert("secrets".to_owned(), Strategy::Mask);
        self.insert("personal".to_owned(), Strategy::Mask);
    }
}

fn redacted(redactor: &Redactor, text: &str) -> String {
    redactor.text("message", text, &mut Vec::new()).unwrap().unwrap().into_owned()
}

fn check(redactor: &Redactor, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let left = redacted(redactor, text);
        assert_eq!(&left, expected, "{text}");
        assert_eq!(redacted(redactor, &left), left, "again: {text}");
        if left != *text {
            assert!(redactor.suspects(&json!({"message": text}).to_string()), "not suspected: {text}");
        }
    }
}

/// Tokens by the shapes that their vendors publish. The part between ‹ and › is what must go.
const TOKENS: &[&str] = &[
    "‹AKIA{u16}›",
    "‹ASIA{u16}›",
    "aws_secret_access_key = ‹{b40}›",
    "\"SecretAccessKey\": \"‹{b40}›\"",
    "‹ghp_{a36}›",
    "‹gho_{a36}›",
    "‹ghu_{a36}›",
    "‹ghs_{a36}›",
    "‹ghr_{a36}›",
    "‹github_pat_{a22}_{a59}›",
    "‹glpat-{w20}›",
    "‹glcbt-{w20}›",
    "‹gldt-{w20}›",
    "‹glrt-{w20}›",
    "‹glft-{w20}›",
    "‹glimt-{w25}›",
    "‹glagent-{w50}›",
    "‹gloas-{h64}›",
    "‹glptt-{h40}›",
    "‹glsoat-{w20}›",
    "‹GR1348941{w20}›",
    "‹xoxb-{d12}-{d12}-{a24}›",
    "‹xoxp-{d12}-{d12}-{d12}-{h32}›",
    "‹xapp-1-{u10}-{d12}-{h64}›",
    "https://hooks.slack.com/services/‹T{u8}/B{u10}/{a24}›",
    "https://discord.com/api/webhooks/‹{d18}/{w68}›",
    "‹sk_live_{a24}›",
    "‹sk_test_{a24}›",
    "‹rk_live_{a24}›",
    "‹whsec_{a32}›",
    "‹sk-{a20}T3BlbkFJ{a20}›",
    "‹sk-proj-{w74}T3BlbkFJ{w74}›",
    "‹sk-svcacct-{w74}›",
    "‹sk-admin-{w74}›",
    "‹sk-ant-api03-{w93}AA›",
    "‹sk-ant-admin01-{w93}AA›",
    "‹npm_{a36}›",
    "‹pypi-AgEIcHlwaS5vcmc{w60}›",
    "‹{d10}:AA{w33}›",
    "https://api.telegram.org/bot‹{d10}:AA{w33}›/getMe",
    "‹SK{h32}›",
    "‹AC{h32}›",
    "‹SG.{w22}.{w43}›",
    "‹shpat_{h32}›",
    "‹shpca_{h32}›",
    "‹shppa_{h32}›",
    "‹shpss_{h32}›",
    "‹hvs.{w95}›",
    "‹hvb.{w140}›",
    "‹dapi{h32}›",
    "‹hf_{a34}›",
    "‹ATATT3{w180}=A1B2C3D4›",
    "‹ntn_{d11}{a35}›",
    "‹EAACEdEose0cBA{a80}1›",
    "‹doo_v1_{h64}›",
    "‹dop_v1_{h64}›",
    "‹dor_v1_{h64}›",
    "‹dp.pt.{a43}›",
    "‹dt0c01.{u24}.{u64}›",
    "‹EZAK{a54}›",
    "‹EZTK{a54}›",
    "‹fo1_{w43}›",
    "‹fm2_{b100}›",
    "‹glc_{b48}›",
    "‹glsa_{a32}_{h8}›",
    "‹HRKU-AA{w58}›",
    "‹lin_api_{a40}›",
    "‹{h32}-us14›",
    "‹key-{h32}›",
    "‹NRAK-{u27}›",
    "‹pscale_tkn_{w43}›",
    "‹pscale_pw_{w43}›",
    "‹pscale_oauth_{w43}›",
    "‹PMAK-{h24}-{h34}›",
    "‹pnu_{a36}›",
    "‹pul-{h40}›",
    "‹rdme_{h70}›",
    "‹rubygems_{h48}›",
    "‹sntrys_eyJ{b100}›",
    "‹sntryu_{h64}›",
    "‹sq0atp-{w22}›",
    "‹sq0csp-{w43}›",
    "‹{a14}.atlasv1.{w67}›",
    "‹tfp_{w44}›",
    "‹AGE-SECRET-KEY-1{u58}›",
    "‹ops_eyJ{b250}›",
    "okta_api_token: ‹00{w40}›",
    "‹sdk-{g}›",
    "‹api-{g}›",
    "algolia_api_key=‹{h32}›",
    "‹pat{a14}.{h64}›",
    "asana_client_secret = ‹{h32}›",
    "bitbucket_client_secret=‹{a32}›",
    "coinbase_access_token=‹{a64}›",
    "confluent_secret_key = \"‹{a64}›\"",
    "‹CFPAT-{w43}›",
    "DD_API_KEY=‹{h32}›",
    "datadog_app_key: ‹{h40}›",
    "dropbox_api_secret=‹{a15}›",
    "‹sl.{w140}›",
    "etsy_api_key=‹{a24}›",
    "fastly_api_token: ‹{w32}›",
    "finicity_client_secret=‹{a20}›",
    "‹FLWSECK_TEST-{h32}-X›",
    "freshbooks_access_token=‹{h64}›",
    "gitter_token: ‹{w40}›",
    "‹ico-{a32}›",
    "intercom_access_token='‹{w60}›'",
    "‹AKCp{a69}›",
    "kraken_secret_key: ‹{b80}==›",
    "kucoin_secret_key=‹{g}›",
    "linkedin_client_secret=‹{a16}›",
    "lob_api_key=‹live_{h35}›",
    "‹pk.eyJ1{a60}.{a22}›",
    "mattermost_access_token=‹{a26}›",
    "messagebird_api_token=‹{a25}›",
    "‹nfp_{a40}›",
    "netlify_token=‹{w44}›",
    "nytimes_secret_key=‹{a32}›",
    "‹access-sandbox-{g}›",
    "rapidapi_access_token=‹{w50}›",
    "sendbird_access_token: ‹{h40}›",
    "‹xkeysib-{h64}-{a16}›",
    "squarespace_access_token=‹{g}›",
    "travis_access_token=‹{a22}›",
    "‹ATTA{h64}›",
    "twitch_api_token=‹{a30}›",
    "twitter_api_secret=‹{a50}›",
    "‹YC{w38}›",
    "zendesk_secret_key=‹{a40}›",
    "‹tl_acme-2_{h72}›",
    "‹AIza{w35}›",
    "‹GOCSPX-{w28}›",
    "‹ya29.{w100}›",
    "‹1//0{w60}›",
    "‹{a3}7Q~{a31}›",
    "AccountKey=‹{b86}==›;EndpointSuffix=core",
    "?sv=2022&sig=‹{b43}%3D›&se=1",
    "‹MTExMjIyMzMzNDQ0NTU1NjY2.{a6}.{w38}›",
    "‹dckr_pat_{w27}›",
    "‹squ_{h40}›",
    "‹figd_{w40}›",
    "‹tskey-auth-{a16}-{a32}›",
    "‹sha256~{w43}›",
    "‹p8e-{a32}›",
    "‹LTAI{a20}›",
    "‹CCIPAT_{a22}_{h40}›",
    "‹gsk_{a52}›",
    "‹pplx-{a48}›",
    "‹r8_{a37}›",
    "‹sbp_{h40}›",
    "‹shippo_live_{h40}›",
    "‹duffel_live_{w43}›",
    "Authorization: Bearer ‹{w40}›",
    "Authorization: Basic ‹{b24}==›",
    "authorization=Token ‹{h40}›",
    "\"Authorization\":\"ApiKey ‹{b40}›\"",
    "Proxy-Authorization: Basic ‹{b24}==›",
    "Cookie: ‹sid={a32}›; theme=dark",
    "Set-Cookie: ‹session={w40}›; Path=/; HttpOnly",
    "X-API-Key: ‹{h32}›",
    "X-Auth-Token: ‹{a40}›",
    "GET /in?token=‹{a24}›&x=1 HTTP/1.1",
    "/cb?code=1&access_token=‹{w30}›",
    "db_password=‹{a12}›",
    "password: ‹{a9}!›",
    "(\"password\":\"‹{a10}›\",\"n\":1)",
    "(\\\"client_secret\\\":\\\"‹{a30}›\\\")",
    "Server=db;Uid=sa;Password=‹{a9}$›;Timeout=3",
    "postgres://app:‹{a14}›@db.internal:5432/x",
    "redis://:‹{a20}›@cache:6379",
    "amqps://u:‹p@{a9}›@mq/vhost",
    "curl -u admin:‹{a12}› https://x.example",
    "curl --user 'api:‹{a12}›' https://x.example",
    "<password>‹{a12}›</password>",
    "mysql --password ‹{a12}› -h db",
    "--api-key=‹{a32}›",
    "bearer ‹{w40}›",
    "env API_KEY=‹{h32}› run",
    "secret(\"‹{a20}›\")",
    "getenv(\"api_token\", \"‹{g}›\")",
    "password%3D‹{a12}›%26x%3D1",
    "session_id=‹{a26}›",
    "eyJhbGciOiJIUzI1NiJ9 token ‹eyJhbGciOiJIUzI1NiJ9.eyJ{w40}.{w43}›",
    "‹eyJhbGciOiJSU0EtT0FFUCJ9.{w40}.{w16}.{w60}.{w22}›",
    "‹-----BEGIN RSA PRIVATE KEY-----\n{b64}\n{b64}\n{b20}==\n-----END RSA PRIVATE KEY-----›",
    "‹-----BEGIN PRIVATE KEY-----\\n{b64}\\n{b64}\\n-----END PRIVATE KEY-----›\\n",
    "‹-----BEGIN EC PRIVATE KEY-----\n{b64}\n{b30}›",
    "‹-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{b64}\n={b4}\n-----END PGP PRIVATE KEY BLOCK-----›",
];

/// What only looks like a secret or like somebody's number.
const LOOK_ALIKES: &[&str] = &[
    "order {g} shipped",
    "GET /hookshot/images/{a24}",
    "user j/hooems",
    "trace_id={h32}",
    "span {h16} ended",
    "HEAD is now at {h40} fix",
    "commit {h7}",
    "sha256:{h64}",
    "image app@sha256:{h64} pulled",
    "etag=\"{h32}\"",
    "md5 {h32} ok",
    "0x{h16} freed",
    "pod api-gateway-{h8}-nxkgl",
    "req-{h8}-{h4}",
    "ORD-{d10} packed",
    "invoice 2{d9}",
    "offset={d9} lag=0",
    "bytes={d8}",
    "pid {d6} exited",
    "took {d4}.{d3} ms",
    "1717{d6} ts",
    "1717{d9} ms",
    "2026-11-20T02:51:57.{d3}Z",
    "20/Nov/2026:10:27:33 +0000",
    "uptime 12:30:45",
    "v1.2.3-rc.{d1}",
    "version 1.2.3.4",
    "1.2.3.4-beta build",
    "Chrome/120.0.0.0 Safari/537.36",
    "300.1.2.3 section",
    "oid 1.3.6.1.4.1.311",
    "mac 00:1b:44:11:3a:b7",
    "std::vector<int>::push_back",
    "panic in a::b::c",
    "at ns::fn1 line 10",
    "sk-SK locale",
    "risk-based-approach-review-board-{d2}",
    "disk-proj-usage-report",
    "AKIA was not found",
    "pk_live documentation",
    "eyJ is base64 of {{",
    "password must be at least 12 characters",
    "api key rotation scheduled",
    "the session cookie was cleared",
    "no credentials supplied",
    "bearer of bad news",
    "basic auth is disabled",
    "token_type=bearer",
    "token_count={d3}",
    "max_tokens=4096",
    "tokens: {d4}",
    "password=",
    "password=****",
    "password=<redacted>",
    "password=${DB_PASSWORD}",
    "password: null",
    "has_password=true",
    "secret_name=orders-db",
    "auth_method=password",
    "key_size=2048",
    "credentials=include",
    "access_token_url='https://x.example/token'",
    "passwordAuthentication=no",
    "next_page_token={a20}",
    "partition_key={g}",
    "left-pad@1.3.0",
    "@angular/core@17.2.1",
    "icon@2x.png",
    "user@host",
    "git@github.com:a/b.git",
    "name at example dot com",
    "@everyone",
    "form 123-00-4567",
    "part 000-12-3456",
    "sku 666-45-6789",
    "slot 12x19x168",
    "dim 436-88-24x cm",
    "progress 53/857",
    "total 78.952.710,00 EUR",
    "location -47.7564,-64.1457",
    "ratio 3.14159265358979",
    "https://x.example/a?page=2&limit=10",
    "http://localhost:5000/<%= @v %>",
    "cache key user:{d4}",
    "secret = os.environ[\"X\"]",
    "token = getToken(user)",
    "password = config.password",
    "unexpected token: '<' in JSON",
    "invalid token: expired",
    "Authorization: denied",
    "idempotency_key={g}",
    "public_key={h64}",
    "sort_key: created_at",
    "author=jane",
    "authority: x.example",
    "passed 12 tests, 3 bypassed",
    "compass=north",
    "keyboard=qwerty",
    "monkey: banana",
    "tokenizer=bpe",
    "secretary: busy",
    "i18n key user.name missing",
    "-----BEGIN CERTIFICATE-----",
    "born ready",
    "doberman 2",
    "10.5.{d2}",
    "row {d5} of {d5}",
    "batch 12 34 56",
    "2026-11-20",
    "20.11.2026 10:00",
    "eu-west-1 us1",
    "GET /api/v1/products/{d6} 200 {d2}ms",
    "blk_{d19}",
    "user_{d10}",
    "[{d5}.{d6}] cpu0",
    "s.b.f.s.DefaultListableBeanFactory",
];

fn split(shape: &str, random: &mut Random) -> (String, String) {
    let filled = random.fill(shape);
    let (head, tail) = filled.split_once('‹').unwrap_or(("", &filled));
    let (secret, rest) = tail.split_once('›').unwrap_or((tail, ""));
    (format!("{head}{secret}{rest}"), secret.to_owned())
}

#[test]
fn tokens_of_published_shapes_go_in_every_surrounding() {
    let redactor = redactor(|_| {});
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut all, mut left) = (0, Vec::new());
    for shape in TOKENS {
        for around in [
            "{}",
            "INFO svc - {} done",
            "[worker-3] got {}",
            "\u{1b}[31m{}\u{1b}[0m",
            "{} | retry 3",
            "über {}",
        ] {
            let (text, secret) = split(shape, &mut random);
            let text = around.replace("{}", &text);
            let after = redacted(&redactor, &text);
            all += 1;
            if after.contains(&secret) {
                left.push(text.clone());
            } else {
                assert!(redactor.suspects(&json!({"m": text}).to_string()), "not suspected: {text}");
            }
            assert_eq!(redacted(&redactor, &after), after, "again: {text}");
        }
    }
    assert!(left.len() * 100 <= all, "{} of {all} left: {left:#?}", left.len());
}

#[test]
fn look_alikes_stay_as_they_are() {
    let redactor = everything();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut changed = Vec::new();
    let mut all = 0;
    for shape in LOOK_ALIKES {
        for around in
            ["{}", "2026-11-20T02:51:57Z WARN svc - {}", "level=warn msg=\"{} retry 3\"", "[worker-3] {} ok"]
        {
            let text = around.replace("{}", &random.fill(&shape.replace("{{", "(")));
            let after = redacted(&redactor, &text);
            all += 1;
            if after != text {
                changed.push((text, after));
            }
        }
    }
    assert!(changed.len() * 100 <= all, "{} of {all} changed: {changed:#?}", changed.len());
}

/// A number of digits and a check digit that makes it hold.
fn checked(random: &mut Random, prefix: &str, length: usize, holds: impl Fn(&[u8]) -> bool) -> String {
    loop {
        let body = prefix.to_owned() + &random.text(DIGITS, length - prefix.len());
        if holds(body.as_bytes()) {
            return body;
        }
    }
}

#[test]
fn numbers_with_a_published_check_go_and_others_stay() {
    use ids::{State, is_card, is_iban, is_national, is_spanish, is_ssn};
    let redactor = redactor(|_| {});
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..20 {
        for (prefix, length) in [
            ("4", 16),
            ("51", 16),
            ("2221", 16),
            ("6011", 16),
            ("37", 15),
            ("3530", 16),
            ("36", 14),
            ("62", 16),
        ] {
            let card = checked(&mut random, prefix, length, is_card);
            for text in [format!("card {card} declined"), format!("pan={card}"), format!("\"n\":\"{card}\"")]
            {
                assert!(!redacted(&redactor, &text).contains(&card), "{text}");
            }
            if length == 16 {
                for sign in [" ", "-"] {
                    let spaced = [&card[..4], &card[4..8], &card[8..12], &card[12..]].join(sign);
                    assert_eq!(redacted(&redactor, &format!("paid {spaced}, ok")), "paid [CREDIT_CARD], ok");
                }
            }
            let mut wrong = card.clone().into_bytes();
            let last = wrong.len() - 1;
            wrong[last] = b'0' + (wrong[last] - b'0' + 1) % 10;
            let wrong = format!("order {} packed", String::from_utf8(wrong).unwrap());
            assert_eq!(redacted(&redactor, &wrong), wrong);
        }
        for (state, length, prefix, beside) in [
            (State::Britain, 10, "4", "NHS number: "),
            (State::Germany, 11, "2", "Steuer-ID "),
            (State::Netherlands, 9, "1", "bsn="),
            (State::Brazil, 11, "1", "CPF "),
            (State::India, 12, "2", "aadhaar_number: "),
            (State::Canada, 9, "1", "SIN: "),
            (State::Poland, 11, "440514", "PESEL "),
            (State::Sweden, 10, "811218", "personnummer: "),
            (State::France, 15, "18505", ""),
        ] {
            let number = checked(&mut random, prefix, length, |digits| is_national(state, digits));
            assert_eq!(
                redacted(&redactor, &format!("{beside}{number}")),
                format!("{beside}[NATIONAL_ID]"),
                "{state:?}"
            );
        }
        let digits = random.text(DIGITS, 8);
        let letter = ('A'..='Z').find(|letter| is_spanish(digits.as_bytes(), *letter as u8)).unwrap();
        assert_eq!(redacted(&redactor, &format!("dni {digits}{letter}.")), "dni [NATIONAL_ID].");
        let ssn = checked(&mut random, "5", 9, is_ssn);
        assert_eq!(
            redacted(&redactor, &format!("id {}-{}-{} x", &ssn[..3], &ssn[3..5], &ssn[5..])),
            "id [US_SSN] x"
        );
        let body = random.text(DIGITS, 18);
        let iban =
            (2..99).map(|check| format!("DE{check:02}{body}")).find(|iban| is_iban(iban.as_bytes())).unwrap();
        assert_eq!(redacted(&redactor, &format!("to {iban}!")), "to [IBAN]!");
        let spaced: Vec<&str> =
            (0..iban.len()).step_by(4).map(|n| &iban[n..(n + 4).min(iban.len())]).collect();
        assert_eq!(redacted(&redactor, &spaced.join(" ")), "[IBAN]");
    }
}

#[test]
fn people_are_taken_out_of_texts() {
    check(
        &everything(),
        &[
            ("user jane.doe+x@mail.example.com failed", "user [EMAIL] failed"),
            ("to=<o'neil@example.co.uk>,", "to=<[EMAIL]>,"),
            ("?email=jane%40example.com&x=1", "?email=[EMAIL]&x=1"),
            ("from 192.0.2.17:443", "from [IPV4]:443"),
            ("net 10.0.0.0/8", "net [IPV4]/8"),
            ("from 2001:db8::7f1 and fe80:0:0:0:1:2:3:4", "from [IPV6] and [IPV6]"),
            ("[2001:db8::1]:443 ::1 ::ffff:192.0.2.1", "[[IPV6]]:443 [IPV6] [IPV6]"),
            ("call +43 660 123 45 67 now", "call [PHONE] now"),
            ("sms to (398) 555-0118", "sms to [PHONE]"),
            ("at 398-555-0118x12", "at [PHONE]"),
            ("tel: 0660 1234567", "tel: [PHONE]"),
            ("phone=5550118", "phone=[PHONE]"),
            ("01 84 17 61 18", "[PHONE]"),
            ("123.456.789-09 ok", "[NATIONAL_ID] ok"),
            ("nie X1234567L", "nie [NATIONAL_ID]"),
            ("cf RSSMRA85T10A562S", "cf [NATIONAL_ID]"),
            ("dob=1980-03-12 x", "dob=[DATE_OF_BIRTH] x"),
            ("\"birthDate\":\"12/03/1980\"", "\"birthDate\":\"[DATE_OF_BIRTH]\""),
            ("born on March 12, 1980", "born on [DATE_OF_BIRTH]"),
            ("date of birth: 12. März", "date of birth: 12. März"),
            ("date_of_birth=12.03.1980", "date_of_birth=[DATE_OF_BIRTH]"),
            ("born in Vienna in 1980", "born in Vienna in 1980"),
        ],
    );
}

#[test]
fn what_is_done_is_what_the_policy_says() {
    let by = |strategy: Strategy| redactor(|policy| policy.kinds.extend([("personal".to_owned(), strategy)]));
    let text = "a@example.com 4111 1111 1111 1111";
    assert_eq!(redacted(&by(Strategy::Partial), text), "[EMAIL …ecom] [CREDIT_CARD …1111]");
    assert_eq!(redacted(&by(Strategy::Keep), text), text);
    let tokens = by(Strategy::Tokenize);
    let marked = redacted(&tokens, "A@Example.com a@example.com 4111-1111-1111-1111 4111111111111111");
    let words: Vec<&str> = marked.split(' ').collect();
    assert_eq!((words[0], words[2]), (words[1], words[3]), "{marked}");
    assert_eq!(words[0].len(), "[EMAIL:0123456789abcdef]".len());
    let mut found = Vec::new();
    assert_eq!(by(Strategy::Drop).text("metadata.x", text, &mut found).unwrap(), None);
    assert_eq!(redacted(&by(Strategy::Drop), text), "[REDACTED]");
    let merged: Vec<(&str, &str, u32)> =
        found.iter().map(|f| (f.kind.as_str(), f.field.as_str(), f.count)).collect();
    assert_eq!(merged, [("email", "metadata.x", 1), ("credit_card", "metadata.x", 1)]);
    let own = redactor(|policy| {
        policy.custom.push(Custom {
            name: "employee_id".into(),
            pattern: r"EMP-\d{6}".into(),
            strategy: Strategy::Mask,
        });
        policy.allow = ["@corp.example", "*.ok.example", "4111111111111111"].map(str::to_owned).to_vec();
    });
    check(
        &own,
        &[
            ("EMP-123456 of EMP-12", "[EMPLOYEE_ID] of EMP-12"),
            ("a@corp.example b@x.ok.example c@other.example", "a@corp.example b@x.ok.example [EMAIL]"),
            ("4111111111111111 4012888888881881", "4111111111111111 [CREDIT_CARD]"),
        ],
    );
}

#[test]
fn a_wrong_policy_is_refused_by_the_name_of_what_is_wrong() {
    let custom = |name: &str, pattern: &str| json!({"custom": [{"name": name, "pattern": pattern}]});
    for (policy, field) in [
        (json!({"kinds": {"emial": "mask"}}), "kinds.emial"),
        (custom("x_id", "("), "custom.0.pattern"),
        (custom("x_id", "a*"), "custom.0.pattern"),
        (custom("x_id", r"\b"), "custom.0.pattern"),
        (custom("x_id", r"\w{1000}{1000}"), "custom.0.pattern"),
        (custom("X", "a"), "custom.0.name"),
        (custom("email", "a"), "custom.0.name"),
        (json!({"allow": ["@"]}), "allow.0"),
        (json!({"fields": {"a..b": "mask"}}), "fields.a..b"),
        (json!({"untouched": [""]}), "untouched.0"),
        (json!({"custom": vec![json!({"name": "aa", "pattern": "a"}); 51]}), "custom"),
    ] {
        let parsed: Policy = serde_json::from_value(policy.clone()).unwrap();
        assert_eq!(
            Redactor::new(&parsed, KEY).err().map(|refused| refused.field).as_deref(),
            Some(field),
            "{policy}"
        );
    }
    assert!(serde_json::from_value::<Policy>(json!({"kind": {}})).is_err());
    let policy: Policy = serde_json::from_value(json!({})).unwrap();
    assert_eq!(policy, Policy::default());
    assert_eq!(serde_json::from_value::<Policy>(serde_json::to_value(&policy).unwrap()).unwrap(), policy);
}

fn record(message: &str, metadata: Value) -> Record {
    let Value::Object(metadata) = metadata else { panic!("no object") };
    Record {
        id: Uuid::nil(),
        timestamp: Timestamp::from_ms(1),
        received_at: Timestamp::from_ms(1),
        service: "shop".to_owned(),
        level: Level::Info,
        message: message.to_owned(),
        fields: Box::new(Fields { metadata, ..Fields::default() }),
    }
}

#[test]
fn every_text_of_a_record_is_looked_into() {
    let redactor = redactor(|policy| {
        policy.fields = BTreeMap::from([
            ("metadata.customer.note".to_owned(), Strategy::Drop),
            ("metadata.items.*.sku".to_owned(), Strategy::Mask),
        ]);
        policy.untouched = vec!["metadata.build.*".to_owned()];
    });
    let mut record = record(
        "mail a@b.example",
        json!({
            "Client-Secret": {"a": [1]}, "api_key": 7, "token": null, "token_count": 7, "max_tokens": 9, "password_reset": true,
            "prompt": "tell me", "requestBody": {"x": 1}, "list": [{"deep": ["a@b.example", 1]}], "a@b.example": 1,
            "customer": {"note": "x", "n": 1}, "items": {"k": {"sku": "s-1"}}, "build": {"by": "a@b.example"},
            "card": 4_111_111_111_111_111_u64, "credentials": "", "snyk": "none", "user_auth": "x",
        }),
    );
    record.fields.user_id = Some("a@b.example".to_owned());
    record.fields.tags = vec!["a@b.example".to_owned(), "ok".to_owned()];
    record.fields.stack_trace = Some("at x\npassword=hunter22\n".to_owned());
    let mut found = Vec::new();
    redactor.record(&mut record, &mut found).unwrap();
    assert_eq!(record.message, "mail [EMAIL]");
    assert_eq!(record.fields.user_id.as_deref(), Some("[EMAIL]"));
    assert_eq!(record.fields.tags, ["[EMAIL]", "ok"]);
    assert_eq!(record.fields.stack_trace.as_deref(), Some("at x\npassword=[SECRET]\n"));
    assert_eq!(
        Value::Object(record.fields.metadata.clone()),
        json!({
            "Client-Secret": "[SECRET]", "api_key": "[SECRET]", "token": null, "token_count": 7, "max_tokens": 9, "password_reset": true,
            "prompt": "[SECRET]", "requestBody": "[SECRET]", "list": [{"deep": ["[EMAIL]", 1]}], "[EMAIL]": 1,
            "customer": {"n": 1}, "items": {"k": {"sku": "[REDACTED]"}}, "build": {"by": "a@b.example"},
            "card": "[CREDIT_CARD]", "credentials": "", "snyk": "none", "user_auth": "x",
        })
    );
    let before = record.clone();
    redactor.record(&mut record, &mut Vec::new()).unwrap();
    assert_eq!(record, before);
}

#[test]
fn what_cannot_be_redacted_is_an_error() {
    let deep = iter::repeat_n((), 130).fold(json!("x"), |inner, ()| json!({"a": inner}));
    let failed = redactor(|_| {}).record(&mut record("x", deep), &mut Vec::new());
    assert_eq!(failed, Err(Failed::TooDeep(128)));
}

#[test]
fn a_policy_that_is_off_changes_nothing() {
    let off = redactor(|policy| policy.enabled = false);
    assert!(!off.suspects("password=hunter22"));
    assert!(matches!(off.text("message", "password=hunter22", &mut Vec::new()), Ok(Some(Cow::Borrowed(_)))));
}

#[test]
fn ordinary_lines_are_not_suspected() {
    let redactor = redactor(|_| {});
    let mut random = Random(77);
    let suspected = (0..1000)
        .filter(|n| {
            let line = random.fill(
                "{\"timestamp\":\"2026-11-20T02:51:57.000Z\",\"level\":\"INFO\",\"service\":\"auth-service\",\"message\":\"done status=200 from 10.0.{d1}.{d2}\",\"correlation_id\":\"req-{h8}-{h4}\",\"trace_id\":\"{h32}\",\"span_id\":\"{h16}\",\"user_id\":\"u-{d5}\",\"endpoint\":\"/api/v1/items/{d6}\",\"metadata\":{\"latency_ms\":{d2},\"pod\":\"api-{h8}-nxkgl\",\"id\":\"{g}\",\"session\":\"closed\"}}"
                    .replace("{\"timestamp", "(\"timestamp").replace("{\"latency", "(\"latency").as_str(),
            );
            redactor.suspects(&format!("{line} {n}"))
        })
        .count();
    assert!(suspected < 20, "{suspected} of 1000");
}

#[test]
fn hostile_texts_cost_no_more_than_their_length() {
    let redactor = everything();
    // Only that it ends soon is tested; a rule that looks back over all of it would take hours.
    for unit in [
        "@",
        "4",
        "a=",
        "eyJ",
        "-----BEGIN",
        "password=\"",
        "://a:b",
        "1 2 ",
        "::",
        "api key ",
        "curl -u a",
        "secret=[",
        "[EMAIL:",
        "phone 1234567 ",
    ] {
        let text = unit.repeat((200 << 10) / unit.len());
        redacted(&redactor, &text);
        redactor.suspects(&text);
    }
}

/// Texts of pieces that mean something to a rule.
fn pieces() -> impl Strategy2<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "password",
            "=",
            ": ",
            "\"",
            "'",
            "token",
            " ",
            "\n",
            "\\",
            "[EMAIL]",
            "[SECRET]",
            "@",
            ".com",
            "a",
            "1234567",
            "4111 1111 1111 1111",
            "phone ",
            "+43 660 123 45 67",
            "eyJhbGciOiJIUzI1NiJ9.",
            "-----BEGIN PRIVATE KEY-----",
            "://u:p@h",
            "AKIA",
            "0123456789ABCDEF",
            "2001:db8::1",
            "192.0.2.1",
            "Cookie: ",
            "a=b; ",
            "Authorization: ",
            "Bearer ",
            "{",
            "}",
            "[",
            "]",
            ",",
            ";",
            "&",
            "dob ",
            "1980-01-02",
            "ü",
            "•",
            "%40",
            "…",
            "x@example.com",
            "key",
            "api_",
            "DE",
            "89370400440532013000",
            "secret",
            "\u{1b}[31m",
            "<",
            ">",
            "\"password\":{",
            "078-05-1120",
            "nhs ",
            "943 476 5919",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        "[a-zA-Z0-9]{1,40}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy2<Value = Value> {
    let key = prop_oneof![
        pieces(),
        prop::sample::select(vec![
            "password",
            "API Key",
            "note",
            "session id",
            "user_auth",
            "prompt",
            "phone",
            "list"
        ])
        .prop_map(str::to_owned)
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        pieces().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn redacting_again_changes_nothing(text in pieces()) {
        for redactor in [everything(), redactor(|policy| policy.kinds.extend([("personal".to_owned(), Strategy::Partial)]))] {
            let once = redacted(&redactor, &text);
            prop_assert_eq!(&redacted(&redactor, &once), &once);
        }
    }

    #[test]
    fn what_is_changed_was_suspected(message in pieces(), metadata in values(), ascii in any::<bool>()) {
        let metadata = if metadata.is_object() { metadata } else { json!({"x": metadata}) };
        let redactor = everything();
        let mut sent = serde_json::to_string(&json!({"message": message, "metadata": metadata})).unwrap();
        if ascii {
            sent = sent.chars().fold(String::new(), |mut all, c| {
                if c.is_ascii() { all.push(c) } else { c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(all, "\\u{unit:04x}").unwrap()) }
                all
            });
        }
        let mut record = record(&message, metadata);
        let before = record.clone();
        redactor.record(&mut record, &mut Vec::new()).unwrap();
        prop_assert!(record == before || redactor.suspects(&sent), "{} became {:?}", sent, record);
    }
}
