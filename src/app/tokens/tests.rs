use std::{future::Future, pin::pin};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::{FutureExt, future::join_all};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};

use super::*;
use crate::fakes::World;

const ED25519: &[u8] = include_bytes!("../../../tests/fixtures/keys/ed25519.pkcs8.der");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const URL: &str = "https://a.example/jwks";
const NOW_MS: u64 = 1_763_683_200_000;

struct Scene {
    world: World,
    app: App,
}

impl Scene {
    /// With these keys published, if any are.
    fn new(kids: Option<&[&str]>) -> Self {
        let world = World::at(NOW_MS);
        let app = world.app(&[("JWT_JWKS_URL", URL), ("JWT_SECRET", SECRET)]);
        let scene = Self { world, app };
        if let Some(kids) = kids {
            scene.publish(kids);
        }
        scene
    }

    fn publish(&self, kids: &[&str]) {
        let key = EncodingKey::from_ed_der(ED25519);
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap()).unwrap();
        let named = |kid: &&str| {
            let mut jwk = jwk.clone();
            jwk["kid"] = json!(kid);
            jwk
        };
        let keys: Vec<Value> = kids.iter().map(named).collect();
        self.world.outbound.publish(URL, json!({ "keys": keys }).to_string());
    }

    /// What becomes of a good token of this key, and how many fetches there have been since the beginning.
    async fn check(&self, kid: Option<&str>, expected: Result<(), Error>, fetches: u64) {
        let got = verify(&self.app, &token(kid)).await.map(|_| ());
        assert_eq!((got, self.fetches()), (expected, fetches), "{kid:?}");
    }

    fn fetches(&self) -> u64 {
        self.world.calls("outbound.get")
    }
}

fn token(kid: Option<&str>) -> String {
    signed(&json!({ "alg": "EdDSA", "kid": kid }), Algorithm::EdDSA, &EncodingKey::from_ed_der(ED25519))
}

fn by_secret() -> String {
    signed(&json!({ "alg": "HS256" }), Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()))
}

fn signed(header: &Value, algorithm: Algorithm, key: &EncodingKey) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(&json!({ "exp": NOW_MS / 1_000 + 86_400 })));
    format!("{message}.{}", crypto::sign(message.as_bytes(), key, algorithm).unwrap())
}

fn unknown(kid: Option<&str>) -> Result<(), Error> {
    Err(Refused::UnknownKey { kid: kid.map(str::to_owned) }.into())
}

fn unavailable(reason: &str) -> Result<(), Error> {
    let reason = format!("the keys of JWT_JWKS_URL cannot be fetched: {reason}");
    Err(PortError { part: "outbound", reason }.into())
}

#[tokio::test]
async fn keys_are_fetched_when_first_needed_and_kept_for_ten_minutes() {
    let scene = Scene::new(Some(&["a"]));
    // Neither the secret nor what cannot be a good token needs them.
    assert!(verify(&scene.app, &by_secret()).await.is_ok());
    assert!(verify(&scene.app, "a.b.c").await.is_err());
    let none = signed(&json!({ "alg": "none" }), Algorithm::EdDSA, &EncodingKey::from_ed_der(ED25519));
    assert_eq!(verify(&scene.app, &none).await, Err(Refused::Algorithm("none".to_owned()).into()));
    assert_eq!(scene.fetches(), 0);
    scene.check(Some("a"), Ok(()), 1).await;
    scene.check(Some("a"), Ok(()), 1).await;
    scene.check(None, Ok(()), 1).await;
    scene.world.turn_clock(FRESH_MS - 1);
    scene.check(Some("a"), Ok(()), 1).await;
    scene.world.turn_clock(1);
    scene.check(Some("a"), Ok(()), 2).await;
    // A key that is withdrawn counts until then.
    scene.publish(&["b"]);
    scene.check(Some("a"), Ok(()), 2).await;
    scene.world.turn_clock(FRESH_MS);
    scene.check(Some("a"), unknown(Some("a")), 3).await;
    scene.check(Some("b"), Ok(()), 3).await;
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_at_once_but_once_a_minute() {
    let scene = Scene::new(Some(&["a"]));
    scene.check(Some("a"), Ok(()), 1).await;
    scene.publish(&["a", "b"]);
    // The keys are not a minute old.
    scene.check(Some("b"), unknown(Some("b")), 1).await;
    scene.world.turn_clock(PAUSE_MS - 1);
    scene.check(Some("b"), unknown(Some("b")), 1).await;
    scene.world.turn_clock(1);
    scene.check(Some("b"), Ok(()), 2).await;
    // A flood of names that do not exist.
    for second in 0..600 {
        scene.world.turn_clock(1_000);
        scene
            .check(Some(&format!("x{second}")), unknown(Some(&format!("x{second}"))), 2 + (second + 1) / 60)
            .await;
    }
    scene.check(Some("a"), Ok(()), 12).await;
    scene.check(Some("b"), Ok(()), 12).await;
}

#[tokio::test]
async fn a_token_that_names_no_key_may_be_of_a_new_one() {
    let scene = Scene::new(Some(&[]));
    scene.check(None, unknown(None), 1).await;
    scene.publish(&["a"]);
    scene.world.turn_clock(PAUSE_MS);
    scene.check(None, Ok(()), 2).await;
    // One with a wrong signature costs a fetch a minute, as an unknown name does.
    let good = token(None);
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    for fetches in [2, 3, 3] {
        assert_eq!(verify(&scene.app, &forged).await, Err(Refused::Signature.into()));
        scene.world.turn_clock(PAUSE_MS / 2);
        assert_eq!(scene.fetches(), fetches);
        scene.world.turn_clock(PAUSE_MS / 2 - u64::from(fetches == 3));
    }
}

#[tokio::test]
async fn without_any_keys_a_token_waits_for_better_times() {
    let scene = Scene::new(None);
    let not_there = || unavailable("https://a.example/jwks: answered 404");
    scene.check(Some("a"), not_there(), 1).await;
    scene.check(Some("b"), not_there(), 1).await;
    // The secret needs none.
    assert!(verify(&scene.app, &by_secret()).await.is_ok());
    scene.publish(&["a"]);
    scene.world.turn_clock(PAUSE_MS - 1);
    scene.check(Some("a"), not_there(), 1).await;
    scene.world.turn_clock(1);
    scene.check(Some("a"), Ok(()), 2).await;
    scene.check(Some("b"), unknown(Some("b")), 2).await;
    // Whoever answers with an error tells of it; nobody else does.
    assert_eq!(scene.world.errors(), [""; 0]);
}

#[tokio::test]
async fn keys_that_were_known_are_used_on_while_no_newer_ones_can_be_had() {
    let scene = Scene::new(Some(&["a"]));
    scene.check(Some("a"), Ok(()), 1).await;
    scene.world.fail("outbound.get", false, 2);
    scene.world.turn_clock(FRESH_MS);
    scene.check(Some("a"), Ok(()), 2).await;
    scene.check(Some("b"), unknown(Some("b")), 2).await;
    scene.world.turn_clock(PAUSE_MS - 1);
    scene.check(Some("a"), Ok(()), 2).await;
    scene.world.turn_clock(1);
    scene.check(Some("b"), unknown(Some("b")), 3).await;
    scene.world.turn_clock(PAUSE_MS);
    // What is no key set is a failure too, and so is one that is too long.
    scene.world.outbound.publish(URL, "<html>");
    scene.check(Some("a"), Ok(()), 4).await;
    scene.world.turn_clock(PAUSE_MS);
    scene.world.outbound.publish(URL, vec![b' '; MAX_KEY_SET_BYTES + 1]);
    scene.check(Some("a"), Ok(()), 5).await;
    scene.world.turn_clock(PAUSE_MS);
    scene.publish(&["b"]);
    scene.check(Some("b"), Ok(()), 6).await;
    scene.check(Some("a"), unknown(Some("a")), 6).await;
    let begin =
        "the keys known before are used on: outbound failed: the keys of JWT_JWKS_URL cannot be fetched: ";
    let errors = scene.world.errors();
    let reasons: Vec<&str> = errors.iter().map(|error| error.strip_prefix(begin).unwrap()).collect();
    let told = "told to fail at outbound.get https://a.example/jwks";
    let no_set = "https://a.example/jwks: a key set is a JSON object with a list `keys`";
    assert_eq!(reasons, [told, told, no_set, "https://a.example/jwks: the body is too long"]);
}

#[tokio::test]
async fn many_that_come_at_once_share_one_fetch() {
    let scene = Scene::new(Some(&["a"]));
    let many = |kid: &'static str| {
        let app = scene.app.clone();
        join_all((0..100).map(move |_| {
            let app = app.clone();
            async move { verify(&app, &token(Some(kid))).await.map(|_| ()) }
        }))
    };
    assert_eq!(many("a").await, vec![Ok(()); 100]);
    assert_eq!(scene.fetches(), 1);
    // So do those with a new key, instead of being refused while it comes.
    scene.publish(&["a", "b"]);
    scene.world.turn_clock(PAUSE_MS);
    assert_eq!(many("b").await, vec![Ok(()); 100]);
    assert_eq!(scene.fetches(), 2);
    scene.world.turn_clock(FRESH_MS);
    assert_eq!(many("a").await, vec![Ok(()); 100]);
    assert_eq!(scene.fetches(), 3);
    let scene = Scene::new(None);
    let all =
        join_all((0..100).map(|_| async { verify(&scene.app, &token(Some("a"))).await.map(|_| ()) })).await;
    assert_eq!(all, vec![unavailable("https://a.example/jwks: answered 404"); 100]);
    assert_eq!(scene.fetches(), 1);
}

/// Polls a request once, so that its fetch is under way and does not go on.
fn begin<T>(request: impl Future<Output = T>) {
    assert!(pin!(request).now_or_never().is_none());
}

#[tokio::test]
async fn a_request_that_goes_away_with_its_fetch_holds_nobody_up() {
    let scene = Scene::new(Some(&["a"]));
    begin(verify(&scene.app, &token(Some("a"))));
    assert_eq!(scene.fetches(), 0);
    // It is waited for as long as it may take, and then not for the rest of the minute.
    let before = scene.world.now_ms();
    scene.check(Some("a"), Ok(()), 1).await;
    assert_eq!(scene.world.now_ms() - before, ABANDONED_MS);
    // While keys are known, those go on being used, and the minute is kept.
    scene.world.turn_clock(FRESH_MS);
    begin(verify(&scene.app, &token(Some("b"))));
    scene.publish(&["a", "b"]);
    let before = scene.world.now_ms();
    scene.check(Some("a"), Ok(()), 1).await;
    assert_eq!(scene.world.now_ms(), before);
    scene.check(Some("b"), unknown(Some("b")), 1).await;
    assert_eq!(scene.world.now_ms() - before, ABANDONED_MS);
    scene.world.turn_clock(PAUSE_MS - ABANDONED_MS);
    scene.check(Some("b"), Ok(()), 2).await;
}

#[tokio::test]
async fn where_no_tokens_are_taken_none_is() {
    let world = World::at(NOW_MS);
    let app = world.app(&[]);
    let refused = |alg: &str| Err(Refused::Algorithm(alg.to_owned()).into());
    assert_eq!(verify(&app, &by_secret()).await, refused("HS256"));
    assert_eq!(verify(&app, &token(Some("a"))).await, refused("EdDSA"));
    let app = world.app(&[("JWT_SECRET", SECRET)]);
    assert!(verify(&app, &by_secret()).await.is_ok());
    assert_eq!(verify(&app, &token(Some("a"))).await, refused("EdDSA"));
    assert_eq!(world.calls("outbound.get"), 0);
}
