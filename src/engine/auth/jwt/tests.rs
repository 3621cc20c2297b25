use jsonwebtoken::{EncodingKey, crypto, jwk::Jwk};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const RSA: &[u8] = include_bytes!("../../../../tests/fixtures/keys/rsa-2048.pkcs1.der");
const P256: &[u8] = include_bytes!("../../../../tests/fixtures/keys/p256.pkcs8.der");
const ED25519: &[u8] = include_bytes!("../../../../tests/fixtures/keys/ed25519.pkcs8.der");
const SECRET: &str = "0123456789abcdef0123456789abcdef";

const NOW_MS: u64 = 1_700_000_000_000;
const NOW: u64 = NOW_MS / 1_000;

fn signing(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(SECRET.as_bytes()),
        Algorithm::ES256 => EncodingKey::from_ec_der(P256),
        Algorithm::EdDSA => EncodingKey::from_ed_der(ED25519),
        _ => EncodingKey::from_rsa_der(RSA),
    }
}

/// The published half of a key.
fn jwk(algorithm: Algorithm, kid: &str) -> Value {
    let jwk = Jwk::from_encoding_key(&signing(algorithm), algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

fn with(mut jwk: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn published(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn all_keys() -> KeySet {
    published(&[jwk(Algorithm::RS256, "r"), jwk(Algorithm::ES256, "e"), jwk(Algorithm::EdDSA, "d")])
}

/// A token with this text for a header, signed with the algorithm.
fn signed_text(header: &str, claims: &str, algorithm: Algorithm) -> String {
    let message =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let signature = crypto::sign(message.as_bytes(), &signing(algorithm), algorithm).unwrap();
    format!("{message}.{signature}")
}

fn signed(header: &Value, claims: &Value, algorithm: Algorithm) -> String {
    signed_text(&header.to_string(), &claims.to_string(), algorithm)
}

/// One of the secret with the claims of a good token, and these.
fn of_secret(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256" }), &with(json!({ "exp": NOW + 600 }), claims), Algorithm::HS256)
}

/// A good one, of the key that bears this name.
fn of_key(alg: &str, kid: &str, algorithm: Algorithm) -> String {
    signed(&json!({ "alg": alg, "kid": kid }), &json!({ "exp": NOW + 600 }), algorithm)
}

fn both() -> Rules {
    Rules { jwks_url: Some("https://a.example/jwks".to_owned()), ..secret_only() }
}

fn secret_only() -> Rules {
    Rules { secret: Secret::new(SECRET), ..Rules::default() }
}

fn keys_only() -> Rules {
    Rules { secret: None, ..both() }
}

fn alg(name: &str) -> Refused {
    Refused::Algorithm(name.to_owned())
}

fn unknown(kid: Option<&str>) -> Refused {
    Refused::UnknownKey { kid: kid.map(str::to_owned) }
}

fn bare() -> Claims {
    let expires_ms = NOW_MS + 600_000;
    Claims { subject: None, tenant: None, role: None, services: None, expires_ms, key_id: None }
}

#[test]
fn a_credential_is_told_from_a_token_by_its_form() {
    let check = |text: &str, expected: bool| assert_eq!(is_token(text), expected, "{text:.40}");
    check(&of_secret(&json!({})), true);
    check("a.b.c", true);
    // One that is not signed is a token, and refused as such.
    check("a.b.", true);
    check("", false);
    check("..", false);
    check(".b.c", false);
    check("a..c", false);
    check("a.b", false);
    check("a.b.c.d", false);
    check("a.b.c=", false);
    check("a+.b.c", false);
    check(" a.b.c", false);
    check("a.b.ä", false);
    check("tl_0123456789abcdef", false);
    check(&format!("a.b.{}", "c".repeat((8 << 10) - 4)), true);
    check(&format!("a.b.{}", "c".repeat((8 << 10) - 3)), false);
}

#[test]
fn the_key_decides_which_algorithm_is_taken() {
    let keys = all_keys();
    let check = |token: &str, rules: &Rules, expected: Result<Option<&str>, Refused>| {
        let got = verify(token, rules, Some(&keys), NOW_MS);
        let expected = expected.map(|kid| Claims { key_id: kid.map(str::to_owned), ..bare() });
        assert_eq!(got, expected, "{token}");
    };
    let by_secret = of_secret(&json!({}));
    check(&by_secret, &secret_only(), Ok(None));
    check(&by_secret, &both(), Ok(None));
    check(&by_secret, &keys_only(), Err(alg("HS256")));
    for (name, kid, algorithm) in
        [("RS256", "r", Algorithm::RS256), ("ES256", "e", Algorithm::ES256), ("EdDSA", "d", Algorithm::EdDSA)]
    {
        check(&of_key(name, kid, algorithm), &both(), Ok(Some(kid)));
        check(&of_key(name, kid, algorithm), &keys_only(), Ok(Some(kid)));
        check(&of_key(name, kid, algorithm), &secret_only(), Err(alg(name)));
        let nameless = signed(&json!({ "alg": name }), &json!({ "exp": NOW + 600 }), algorithm);
        check(&nameless, &keys_only(), Ok(None));
        check(&of_key(name, "x", algorithm), &both(), Err(unknown(Some("x"))));
        // A name that is written in another way is another name.
        let lower = name.to_lowercase();
        check(&of_key(&lower, kid, algorithm), &both(), Err(alg(&lower)));
        // The key of this name is for another algorithm, or the token says one it was not signed with.
        let other = if kid == "r" { "e" } else { "r" };
        check(&of_key(name, other, algorithm), &both(), Err(alg(name)));
        let other = if kid == "r" { ("ES256", "e") } else { ("RS256", "r") };
        check(&of_key(other.0, other.1, algorithm), &both(), Err(Refused::Signature));
        check(&of_key("HS256", kid, algorithm), &both(), Err(Refused::Signature));
    }
    // The name of a key does not make the secret out of it.
    check(&of_key("HS256", "r", Algorithm::HS256), &both(), Ok(Some("r")));
    // Other algorithms of the same keys.
    for (name, algorithm) in
        [("RS384", Algorithm::RS384), ("RS512", Algorithm::RS512), ("PS256", Algorithm::PS256)]
    {
        check(&of_key(name, "r", algorithm), &both(), Err(alg(name)));
        check(&of_key("RS256", "r", algorithm), &both(), Err(Refused::Signature));
    }
}

#[test]
fn a_token_that_nobody_has_signed_is_refused() {
    let claims = BASE64_URL_SAFE_NO_PAD.encode(json!({ "exp": NOW + 600 }).to_string());
    for name in ["none", "None", "NONE", "nOnE", "", "HS256 ", "HS384", "HS512"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": name }).to_string());
        for signature in ["", "AAAA"] {
            let got = verify(&format!("{header}.{claims}.{signature}"), &both(), Some(&all_keys()), NOW_MS);
            assert_eq!(got, Err(alg(name)));
        }
    }
    for name in ["HS256", "RS256", "ES256", "EdDSA"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": name }).to_string());
        let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
        for signature in ["", "A", "AAAA", &zeros] {
            let got = verify(&format!("{header}.{claims}.{signature}"), &both(), Some(&all_keys()), NOW_MS);
            assert_eq!(got, Err(Refused::Signature), "{name} {signature}");
        }
    }
}

/// Whoever has the published key signs with it as if it were the secret.
#[test]
fn no_encoding_of_a_published_key_is_the_secret() {
    let jwk = jwk(Algorithm::RS256, "r");
    let n = BASE64_URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    // PKCS#1 and SPKI, as OpenSSL would write them, and PEM of both.
    let pkcs1 = [
        &[0x30, 0x82][..],
        &length(n.len() + 10),
        &[2, 0x82],
        &length(n.len() + 1),
        &[0],
        &n,
        &[2, 3, 1, 0, 1],
    ]
    .concat();
    let rsa = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let bits = [&[3, 0x82][..], &length(pkcs1.len() + 1), &[0], &pkcs1].concat();
    let spki = [&[0x30, 0x82][..], &length(rsa.len() + bits.len()), &rsa, &bits].concat();
    let pem = |kind: &str, der: &[u8]| {
        let text = base64::prelude::BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n")).into_bytes()
    };
    let secrets = [
        n,
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
        pem("RSA PUBLIC KEY", &pkcs1),
        pem("PUBLIC KEY", &spki),
        pkcs1,
        spki,
        Vec::new(),
    ];
    for (number, secret) in secrets.iter().enumerate() {
        for header in [json!({ "alg": "HS256", "kid": "r" }), json!({ "alg": "HS256" })] {
            let token = signed(&header, &json!({ "exp": NOW + 600 }), Algorithm::HS256);
            let (message, _) = token.rsplit_once('.').unwrap();
            let key = EncodingKey::from_secret(secret);
            let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
            let check = |rules: &Rules, expected: Refused| {
                let got = verify(&format!("{message}.{signature}"), rules, Some(&all_keys()), NOW_MS);
                assert_eq!(got, Err(expected), "{number}");
            };
            check(&keys_only(), alg("HS256"));
            check(&both(), Refused::Signature);
        }
    }
}

#[test]
fn a_header_is_a_json_object_that_asks_for_nothing_unknown() {
    let claims = json!({ "exp": NOW + 600 }).to_string();
    let check = |header: &str, expected: Result<Claims, Refused>| {
        let token = signed_text(header, &claims, Algorithm::HS256);
        assert_eq!(verify(&token, &both(), None, NOW_MS), expected, "{header}");
    };
    let bad = || Err(Refused::BadForm("its header is not a JSON object with `alg`"));
    check(r#"{"typ":"JWT","alg":"HS256","cty":"x","x":[1]}"#, Ok(bare()));
    check(r#"{"alg":"HS256","kid":null}"#, Ok(bare()));
    check(r#"{"alg":"HS256","crit":["exp"]}"#, Err(Refused::Critical));
    check(r#"{"alg":"HS256","crit":[]}"#, Err(Refused::Critical));
    check(r#"{"alg":"HS256","crit":null}"#, Err(Refused::Critical));
    check(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, Err(Refused::Critical));
    check("{}", bad());
    check(r#"{"typ":"JWT"}"#, bad());
    check(r#"{"alg":null}"#, bad());
    check(r#"{"alg":["HS256"]}"#, bad());
    check(r#"{"alg":"HS256","alg":"none"}"#, bad());
    check(r#"{"alg":"HS256","kid":1}"#, bad());
    check(r#"{"alg":"HS256"} x"#, bad());
    check("[]", bad());
    check("x", bad());
    let long = "k".repeat(5_000);
    let expected = unknown(Some(&long[..64]));
    check(&format!(r#"{{"alg":"RS256","kid":"{long}"}}"#), Err(expected));
    let form = |token: &str| verify(token, &both(), None, NOW_MS);
    let three = Refused::BadForm("expected three parts in base64url, of 8 KB at the most");
    assert_eq!(form("a.b"), Err(three.clone()));
    assert_eq!(form(&format!("a.b.{}", "c".repeat(9_000))), Err(three));
}

#[test]
fn a_token_is_taken_within_its_time_and_a_minute_around_it() {
    let check = |claims: &Value, expected: Result<u64, Refused>| {
        let token = signed(&json!({ "alg": "HS256" }), claims, Algorithm::HS256);
        let got = verify(&token, &secret_only(), None, NOW_MS).map(|claims| claims.expires_ms);
        assert_eq!(got, expected, "{claims}");
    };
    let not_a_time = |name: &str| {
        Err(Refused::Claim { name: name.to_owned(), expected: "a number of seconds since 1970" })
    };
    check(&json!({ "exp": NOW + 1 }), Ok(NOW_MS + 1_000));
    check(&json!({ "exp": NOW - 59 }), Ok(NOW_MS - 59_000));
    check(&json!({ "exp": NOW - 60 }), Err(Refused::Expired));
    check(&json!({ "exp": 1_699_999_940.001 }), Ok(NOW_MS - 59_999));
    check(&json!({ "exp": 1_699_999_939.999 }), Err(Refused::Expired));
    check(&json!({ "exp": 0 }), Err(Refused::Expired));
    check(&json!({ "exp": -1 }), Err(Refused::Expired));
    check(&json!({ "exp": -1e300 }), Err(Refused::Expired));
    check(&json!({ "exp": u64::MAX }), Ok(u64::MAX));
    check(&json!({ "exp": 1e300 }), Ok(u64::MAX));
    check(&json!({}), Err(Refused::NoExpiry));
    check(&json!({ "exp": null }), Err(Refused::NoExpiry));
    check(&json!({ "exp": NOW.to_string() }), not_a_time("exp"));
    check(&json!({ "exp": [NOW + 1] }), not_a_time("exp"));
    let until = NOW + 600;
    let good = Ok(NOW_MS + 600_000);
    check(&json!({ "exp": until, "nbf": NOW }), good.clone());
    check(&json!({ "exp": until, "nbf": NOW + 60 }), good.clone());
    check(&json!({ "exp": until, "nbf": 1_700_000_060.001 }), Err(Refused::NotYet));
    check(&json!({ "exp": until, "nbf": NOW + 61 }), Err(Refused::NotYet));
    check(&json!({ "exp": until, "nbf": u64::MAX }), Err(Refused::NotYet));
    check(&json!({ "exp": until, "nbf": -5 }), good.clone());
    check(&json!({ "exp": until, "nbf": null }), good.clone());
    check(&json!({ "exp": until, "nbf": true }), not_a_time("nbf"));
    // When it was made is nobody's business.
    check(&json!({ "exp": until, "iat": NOW + 9_999 }), good);
    // Of the two in one object the last counts, which is as good as any: both are signed.
    let twice = signed_text(r#"{"alg":"HS256"}"#, r#"{"exp":9999999999,"exp":1}"#, Algorithm::HS256);
    assert_eq!(verify(&twice, &secret_only(), None, NOW_MS), Err(Refused::Expired));
    for text in ["[]", "x", "", "1"] {
        let got = verify(&signed_text(r#"{"alg":"HS256"}"#, text, Algorithm::HS256), &both(), None, NOW_MS);
        let what = if text.is_empty() {
            "expected three parts in base64url, of 8 KB at the most"
        } else {
            "its claims are not a JSON object"
        };
        assert_eq!(got, Err(Refused::BadForm(what)), "{text}");
    }
}

#[test]
fn the_expiry_is_a_minute_after_exp_to_the_millisecond() {
    let token = of_secret(&json!({ "exp": NOW, "nbf": NOW }));
    let at = |now_ms| verify(&token, &secret_only(), None, now_ms).map(|_| ());
    assert_eq!(at(NOW_MS + 59_999), Ok(()));
    assert_eq!(at(NOW_MS + 60_000), Err(Refused::Expired));
    assert_eq!(at(NOW_MS - 60_000), Ok(()));
    assert_eq!(at(NOW_MS - 60_001), Err(Refused::NotYet));
    assert_eq!(at(0), Err(Refused::NotYet));
    assert_eq!(at(u64::MAX), Err(Refused::Expired));
}

#[test]
fn issuer_and_audience_are_what_the_settings_say() {
    let issuer = || Refused::Issuer { expected: "me".to_owned() };
    let audience = || Refused::Audience { expected: "logs".to_owned() };
    let check = |claims: Value, rules: &Rules, expected: Result<(), Refused>| {
        let got = verify(&of_secret(&claims), rules, None, NOW_MS).map(|_| ());
        assert_eq!(got, expected, "{claims}");
    };
    let mine = Rules { issuer: Some("me".to_owned()), ..secret_only() };
    check(json!({ "iss": "me" }), &mine, Ok(()));
    check(json!({}), &mine, Err(issuer()));
    check(json!({ "iss": "Me" }), &mine, Err(issuer()));
    check(json!({ "iss": "me/" }), &mine, Err(issuer()));
    check(json!({ "iss": ["me"] }), &mine, Err(issuer()));
    check(json!({ "iss": 1 }), &secret_only(), Ok(()));
    let for_me = Rules { audience: Some("logs".to_owned()), ..secret_only() };
    check(json!({ "aud": "logs" }), &for_me, Ok(()));
    check(json!({ "aud": ["a", "logs"] }), &for_me, Ok(()));
    check(json!({ "aud": [1, "logs"] }), &for_me, Ok(()));
    check(json!({}), &for_me, Err(audience()));
    check(json!({ "aud": [] }), &for_me, Err(audience()));
    check(json!({ "aud": ["a"] }), &for_me, Err(audience()));
    check(json!({ "aud": "logs a" }), &for_me, Err(audience()));
    check(json!({ "aud": { "logs": true } }), &for_me, Err(audience()));
    check(json!({ "aud": "anybody" }), &secret_only(), Ok(()));
}

#[test]
fn claims_are_found_by_name_and_by_path() {
    let check = |name: &str, claims: Value, expected: Result<Option<&str>, ()>| {
        let rules = Rules { tenant_claim: name.to_owned(), ..secret_only() };
        let got = verify(&of_secret(&claims), &rules, None, NOW_MS).map(|claims| claims.tenant);
        let bad = Refused::Claim { name: name.to_owned(), expected: "a text" };
        assert_eq!(got, expected.map(|text| text.map(str::to_owned)).map_err(|()| bad), "{name} {claims}");
    };
    check("tenant", json!({ "tenant": "a" }), Ok(Some("a")));
    check("tenant", json!({ "tenant": "" }), Ok(Some("")));
    check("tenant", json!({}), Ok(None));
    check("tenant", json!({ "tenant": null }), Ok(None));
    check("tenant", json!({ "tenant": 1 }), Err(()));
    check("tenant", json!({ "tenant": ["a"] }), Err(()));
    check("a.b", json!({ "a": { "b": "x" } }), Ok(Some("x")));
    check("a.b.c", json!({ "a": { "b": { "c": "x" } } }), Ok(Some("x")));
    check("a.b", json!({ "a.b": "whole", "a": { "b": "path" } }), Ok(Some("whole")));
    check("a.b.c", json!({ "a.b": { "c": "long" }, "a": { "b.c": "short" } }), Ok(Some("long")));
    check("a.b.c", json!({ "a": { "b.c": "x" } }), Ok(Some("x")));
    // What is not there is looked for behind the other dots.
    check("a.b.c", json!({ "a.b": { "d": "x" }, "a": { "b": { "c": "y" } } }), Ok(Some("y")));
    check("a.b", json!({ "a": "b" }), Ok(None));
    check("a.b", json!({ "a": { "b": { "c": "x" } } }), Err(()));
    check("https://x.example/tenant", json!({ "https://x.example/tenant": "a" }), Ok(Some("a")));
    check(
        "https://x.example/claims.org",
        json!({ "https://x.example/claims": { "org": "a" } }),
        Ok(Some("a")),
    );
    check(".", json!({ "": { "": "x" } }), Ok(Some("x")));
    check("ä.ö", json!({ "ä": { "ö": "x" } }), Ok(Some("x")));
}

#[test]
fn everything_of_a_caller_comes_out_of_the_claims() {
    let rules = Rules { role_claim: "access.role".to_owned(), ..both() };
    let claims = json!({
        "exp": NOW + 600, "sub": "ann", "tenant": "acme", "access": { "role": "reader" }, "services": ["a", "b"],
    });
    let token = signed(&json!({ "alg": "ES256", "kid": "e" }), &claims, Algorithm::ES256);
    let expected = Claims {
        subject: Some("ann".to_owned()),
        tenant: Some("acme".to_owned()),
        role: Some("reader".to_owned()),
        services: Some(vec!["a".to_owned(), "b".to_owned()]),
        expires_ms: NOW_MS + 600_000,
        key_id: Some("e".to_owned()),
    };
    assert_eq!(verify(&token, &rules, Some(&all_keys()), NOW_MS), Ok(expected));
    let check = |claims: Value, expected: Result<Option<Vec<String>>, Refused>| {
        let got = verify(&of_secret(&claims), &secret_only(), None, NOW_MS).map(|claims| claims.services);
        assert_eq!(got, expected, "{claims}");
    };
    let bad = |name: &str, expected| Err(Refused::Claim { name: name.to_owned(), expected });
    check(json!({ "services": "a" }), Ok(Some(vec!["a".to_owned()])));
    check(json!({ "services": [] }), Ok(Some(vec![])));
    check(json!({ "services": null }), Ok(None));
    check(json!({ "services": ["a", 1] }), bad("services", "a list of texts, or one text"));
    check(json!({ "services": { "a": 1 } }), bad("services", "a list of texts, or one text"));
    check(json!({ "role": true }), bad("role", "a text"));
    check(json!({ "sub": 7 }), bad("sub", "a text"));
}

#[test]
fn only_keys_that_are_fit_to_check_tokens_are_kept() {
    let (rsa, ec, ed) = (jwk(Algorithm::RS256, "r"), jwk(Algorithm::ES256, "e"), jwk(Algorithm::EdDSA, "d"));
    let check = |jwk: &Value, change: Value, usable: bool| {
        let jwk = with(jwk.clone(), &change);
        assert_eq!(published(std::slice::from_ref(&jwk)).len(), usize::from(usable), "{jwk}");
    };
    let bytes = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    for (jwk, alg) in [(&rsa, "RS256"), (&ec, "ES256"), (&ed, "EdDSA")] {
        check(jwk, json!({}), true);
        check(jwk, json!({ "use": "sig", "alg": alg, "key_ops": ["verify"] }), true);
        check(jwk, json!({ "use": null, "alg": null, "kid": null, "x5c": ["a"] }), true);
        check(jwk, json!({ "use": "enc" }), false);
        check(jwk, json!({ "use": "" }), false);
        check(jwk, json!({ "key_ops": ["encrypt"] }), false);
        check(jwk, json!({ "alg": "HS256" }), false);
        check(jwk, json!({ "alg": "none" }), false);
        check(jwk, json!({ "kty": "oct", "k": bytes(SECRET.as_bytes()) }), false);
        check(jwk, json!({ "kty": 1 }), false);
        check(jwk, json!({ "kid": 1 }), false);
    }
    for alg in ["RS512", "PS256", "RSA-OAEP", "ES256"] {
        check(&rsa, json!({ "alg": alg }), false);
    }
    let n = BASE64_URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    // Zeros in front make a key no longer.
    check(&rsa, json!({ "n": bytes(&[&[0, 0], &n[..]].concat()) }), true);
    check(&rsa, json!({ "n": bytes(&n[1..]) }), false);
    check(&rsa, json!({ "n": bytes(&[&[0x7f], &n[1..]].concat()) }), false);
    check(&rsa, json!({ "n": bytes(&[&[0; 128], &n[128..]].concat()) }), false);
    check(&rsa, json!({ "n": bytes(&[&n[..], &n[..]].concat()) }), true);
    check(&rsa, json!({ "n": bytes(&[&[1], &n[..], &n[..]].concat()) }), false);
    check(&rsa, json!({ "n": bytes(&[&n[..255], &[0xfe]].concat()) }), false);
    check(&rsa, json!({ "n": "" }), false);
    check(&rsa, json!({ "n": "+/" }), false);
    for (e, usable) in [
        ("AQAB", true),
        ("Aw", true),
        ("AAAD", true),
        ("AQ", false),
        ("Ag", false),
        ("", false),
        ("AA", false),
    ] {
        check(&rsa, json!({ "e": e }), usable);
    }
    check(&rsa, json!({ "e": bytes(&[1, 0xff, 0xff, 0xff, 0xff]) }), true);
    check(&rsa, json!({ "e": bytes(&[2, 0, 0, 0, 1]) }), false);
    check(&rsa, json!({ "e": bytes(&[1; 300]) }), false);
    check(&ec, json!({ "crv": "P-384" }), false);
    check(&ec, json!({ "crv": "secp256k1" }), false);
    check(&ec, json!({ "crv": null }), false);
    check(&ec, json!({ "y": ec["x"] }), false);
    check(&ec, json!({ "x": bytes(&[0xff; 32]) }), false);
    check(&ec, json!({ "x": bytes(&[0; 31]) }), false);
    check(&ec, json!({ "x": bytes(&[0; 64]), "y": "" }), false);
    check(&ed, json!({ "crv": "X25519" }), false);
    check(&ed, json!({ "crv": "Ed448" }), false);
    // The crate would end the isolate over these.
    for length in [0, 1, 31, 33, 64] {
        check(&ed, json!({ "x": bytes(&vec![1; length]) }), false);
    }
    check(&ed, json!({ "x": bytes(&[2; 32]) }), false);
}

#[test]
fn a_key_set_is_bounded_and_one_bad_key_spoils_nothing() {
    let good = jwk(Algorithm::EdDSA, "d");
    let mut keys = vec![json!(1), json!("x"), json!({}), json!({ "kty": "RSA" }), good.clone()];
    assert_eq!(published(&keys).len(), 1);
    assert!(
        verify(&of_key("EdDSA", "d", Algorithm::EdDSA), &both(), Some(&published(&keys)), NOW_MS).is_ok()
    );
    let parse = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.len());
    assert_eq!(parse(r#"{"keys":[]}"#), Ok(0));
    assert_eq!(parse(r#" {"x":{"y":[]},"keys":[]} "#), Ok(0));
    for bad in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[}"#, "<html>", r#"{"keys":[]} x"#] {
        assert_eq!(parse(bad), Err(BadKeys::NotJson), "{bad}");
    }
    assert_eq!(KeySet::parse(b"{\"keys\":[\"\xff\"]}").map(|set| set.len()), Err(BadKeys::NotJson));
    keys.resize(100, json!({}));
    assert_eq!(published(&keys).len(), 1);
    keys.push(json!({}));
    assert_eq!(parse(&json!({ "keys": keys }).to_string()), Err(BadKeys::TooMany(101)));
    let padded = |size: usize| format!(r#"{{"keys":[]{}}}"#, " ".repeat(size - 11));
    assert_eq!(parse(&padded(256 << 10)), Ok(0));
    assert_eq!(parse(&padded((256 << 10) + 1)), Err(BadKeys::TooLarge((256 << 10) + 1)));
}

#[test]
fn a_token_is_tried_on_eight_keys_at_the_most() {
    let other = jwk(Algorithm::ES256, "e");
    // The same point on the other side of the axis is another key.
    let y = BASE64_URL_SAFE_NO_PAD.decode(other["y"].as_str().unwrap()).unwrap();
    let mut prime = [0xff_u8; 32];
    prime[4..8].fill(0);
    prime[7] = 1;
    prime[8..20].fill(0);
    let mut borrow = 0;
    let mut negated = [0; 32];
    for at in (0..32).rev() {
        let digit = i32::from(prime[at]) - i32::from(y[at]) - borrow;
        borrow = i32::from(digit < 0);
        negated[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    let other = with(other, &json!({ "y": BASE64_URL_SAFE_NO_PAD.encode(negated) }));
    let nameless = signed(&json!({ "alg": "ES256" }), &json!({ "exp": NOW + 600 }), Algorithm::ES256);
    let named = of_key("ES256", "e", Algorithm::ES256);
    for (others, expected) in [(0, Ok(())), (7, Ok(())), (8, Err(Refused::Signature))] {
        let mut keys = vec![other.clone(); others];
        // Keys of another kind are no tries.
        keys.extend(vec![jwk(Algorithm::EdDSA, "e"); 9]);
        keys.push(jwk(Algorithm::ES256, "e"));
        let set = published(&keys);
        assert_eq!(set.len(), others + 10);
        for token in [&nameless, &named] {
            assert_eq!(verify(token, &both(), Some(&set), NOW_MS).map(|_| ()), expected, "{others}");
        }
    }
}

#[test]
fn a_token_may_be_of_a_newer_key_when_none_that_is_known_fits() {
    let check = |token: &str, rules: &Rules, keys: Option<&KeySet>, needs: bool, wants: bool| {
        let parsed = Token::parse(token).unwrap();
        assert_eq!(parsed.needs_keys(rules), needs, "{token}");
        let refused = parsed.verify(rules, keys, NOW_MS).unwrap_err();
        assert_eq!(parsed.wants_newer_keys(&refused), wants, "{token} {refused}");
    };
    let (all, none) = (all_keys(), published(&[]));
    let rotated = published(&[with(jwk(Algorithm::ES256, "e"), &json!({ "kid": "f" }))]);
    let named = of_key("ES256", "e", Algorithm::ES256);
    let nameless = signed(&json!({ "alg": "ES256" }), &json!({ "exp": NOW + 600 }), Algorithm::ES256);
    let forged = format!("{}AAAA", &nameless[..nameless.len() - 4]);
    check(&named, &both(), None, true, true);
    check(&named, &both(), Some(&none), true, true);
    check(&named, &both(), Some(&rotated), true, true);
    check(&nameless, &both(), Some(&none), true, true);
    check(&forged, &both(), Some(&all), true, true);
    check(&format!("{}AAAA", &named[..named.len() - 4]), &both(), Some(&all), true, false);
    check(&named, &secret_only(), None, false, false);
    let wrong = of_secret(&json!({}));
    check(&format!("{}AAAA", &wrong[..wrong.len() - 4]), &both(), Some(&all), false, false);
    check(&of_secret(&json!({ "exp": 1 })), &both(), Some(&all), false, false);
}

#[test]
fn what_is_told_of_a_refusal_has_no_key_in_it() {
    for (refused, expected) in [
        (alg("none"), "tokens signed by \"none\" are not taken here"),
        (unknown(None), "there is no key to check this token with"),
        (unknown(Some("a\nb")), "there is no key to check this token with: none is called \"a\\nb\""),
        (Refused::Signature, "the signature of this token is wrong"),
        (Refused::Claim { name: "role".to_owned(), expected: "a text" }, "the claim \"role\" must be a text"),
    ] {
        assert_eq!(refused.to_string(), expected);
    }
    let keys = all_keys();
    let shown = format!("{:?} {keys:?}", both());
    let x = jwk(Algorithm::ES256, "e")["x"].as_str().unwrap().to_owned();
    assert!(!shown.contains(SECRET) && !shown.contains(&x), "{shown}");
}

/// The token with the character at this place replaced.
fn changed(token: &str, place: usize, by: char) -> String {
    token.chars().enumerate().map(|(at, c)| if at == place % token.len() { by } else { c }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_token_with_a_changed_character_is_refused_or_says_the_same(
        which in 0usize..4, place in any::<usize>(), by in "[A-Za-z0-9_.\\- =%é-]",
    ) {
        static TOKENS: std::sync::OnceLock<(KeySet, Vec<String>)> = std::sync::OnceLock::new();
        let (keys, tokens) = TOKENS.get_or_init(|| (all_keys(), vec![
            of_key("HS256", "h", Algorithm::HS256),
            of_key("RS256", "r", Algorithm::RS256),
            of_key("ES256", "e", Algorithm::ES256),
            of_key("EdDSA", "d", Algorithm::EdDSA),
        ]));
        let good = &tokens[which];
        let expected = verify(good, &both(), Some(keys), NOW_MS);
        prop_assert!(expected.is_ok());
        let token = changed(good, place, by.chars().next().unwrap());
        let got = verify(&token, &both(), Some(keys), NOW_MS);
        prop_assert!(got.is_err() || token == *good && got == expected, "{token}");
    }

    #[test]
    fn no_text_ends_the_isolate(text in "\\PC{0,80}|[A-Za-z0-9_.=-]{0,200}", now_ms: u64) {
        let keys = all_keys();
        is_token(&text);
        prop_assert!(verify(&text, &both(), Some(&keys), now_ms).is_err());
        prop_assert!(KeySet::parse(text.as_bytes()).is_err());
    }

    /// What is signed by the secret's owner is his to choose, and so are the names of claims.
    #[test]
    fn no_claims_end_the_isolate(
        name in "(exp|nbf|iss|aud|sub|tenant|role|services|a|\\.){1,3}", number: f64, whole: i64,
        text in "\\PC{0,8}", kind in 0u8..6, path in "[a.é]{0,6}", now_ms: u64,
    ) {
        let value = match kind {
            0 => json!(number),
            1 => json!(whole),
            2 => json!(text),
            3 => json!([text, whole]),
            4 => json!({ text: number }),
            _ => Value::Null,
        };
        let rules = Rules { tenant_claim: path, issuer: Some("i".to_owned()), ..secret_only() };
        let token = of_secret(&json!({ name: value }));
        let _ = verify(&token, &secret_only(), None, now_ms);
        let _ = verify(&token, &rules, None, now_ms);
    }

    #[test]
    fn no_key_ends_the_isolate(
        which in 0usize..3, field in "n|e|x|y", bytes in prop::collection::vec(any::<u8>(), 0..600),
        raw in "[A-Za-z0-9+/=_-]{0,50}", encoded: bool, tail in "[A-Za-z0-9_-]{0,90}",
    ) {
        let (name, kid, algorithm) = [
            ("RS256", "r", Algorithm::RS256), ("ES256", "e", Algorithm::ES256), ("EdDSA", "d", Algorithm::EdDSA),
        ][which];
        let value = if encoded { BASE64_URL_SAFE_NO_PAD.encode(&bytes) } else { raw };
        let set = published(&[with(jwk(algorithm, kid), &json!({ field: value }))]);
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": name, "kid": kid }).to_string());
        let _ = verify(&format!("{header}.e30.{tail}"), &both(), Some(&set), NOW_MS);
    }
}
