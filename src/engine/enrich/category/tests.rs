use std::{fmt::Write, fs, path::Path};

use super::*;

const NOTHING: Seen<'static> = Seen {
    service: "shop",
    level: Level::Info,
    message: "",
    component: None,
    endpoint: None,
    method: None,
    status: None,
    error_type: None,
    logger: None,
    is_attack: false,
};

#[test]
fn a_message_has_a_category() {
    for (message, expected) in [
        ("Failed login for admin from 192.0.2.1", Category::Authentication),
        ("user logged in", Category::Authentication),
        ("Invalid credentials", Category::Authentication),
        ("JWT has expired", Category::Authentication),
        ("user_login_failed", Category::Authentication),
        ("open /etc/shadow: Permission denied", Category::Authorization),
        ("403 Forbidden", Category::Authorization),
        ("Deadlock found when trying to get lock", Category::Database),
        ("connection pool exhausted, 57 waiting", Category::Database),
        ("slow query: SELECT 1", Category::Database),
        ("connected to postgres", Category::Database),
        ("connection refused by 192.0.2.1:443", Category::Network),
        ("TLS handshake failed", Category::Network),
        ("read: broken pipe", Category::Network),
        ("request took too long: 5s", Category::Performance),
        ("p99 latency is 700 ms", Category::Performance),
        ("timed out after 30s", Category::Performance),
        ("payment 17 captured", Category::Billing),
        ("payment_failed", Category::Billing),
        ("invoice.created", Category::Billing),
        ("2 refunds issued", Category::Billing),
        ("job 7 finished", Category::Workflow),
        ("step 3 of the pipeline", Category::Workflow),
        ("mail queued", Category::Workflow),
        ("prompt tokens: 17", Category::AiGeneration),
        ("LLM answered", Category::AiGeneration),
        ("embeddings computed", Category::AiGeneration),
        ("pod evicted", Category::Infrastructure),
        ("Out of memory: killed", Category::Infrastructure),
        ("no space left on device", Category::Infrastructure),
        ("deployment finished", Category::Deployment),
        ("rollout of v7", Category::Deployment),
        ("migration 0042 applied", Category::Deployment),
        ("SQL injection blocked", Category::Security),
        ("possible break-in attempt", Category::Security),
        ("audit: role changed", Category::Audit),
        ("request completed", Category::ApiRequest),
        ("192.0.2.1 - - [x] \"GET /payments HTTP/1.1\" 200 7", Category::ApiRequest),
        ("hello", Category::Application),
        ("", Category::Application),
        // Words inside names, files, paths and keys say nothing.
        ("workers2.properties read", Category::Application),
        ("read /var/payment/x", Category::Application),
        ("password=[SECRET]", Category::Application),
        ("paymentology", Category::Application),
        ("dismemory", Category::Application),
        ("see https://shop.example/?q=1&payment", Category::Application),
    ] {
        assert_eq!(category(&Seen { message, ..NOTHING }), expected, "{message}");
    }
}

#[test]
fn the_other_fields_tell_as_well() {
    let request = Seen { method: Some("GET"), endpoint: Some("/users/{id}"), status: Some(200), ..NOTHING };
    for (seen, expected) in [
        (request, Category::ApiRequest),
        (Seen { status: Some(500), ..request }, Category::ApiRequest),
        (Seen { status: Some(401), ..request }, Category::Authentication),
        (Seen { status: Some(403), ..request }, Category::Authorization),
        (Seen { status: Some(504), ..request }, Category::Performance),
        (Seen { endpoint: Some("/api/v1/login"), ..request }, Category::Authentication),
        (Seen { endpoint: Some("/payments/{id}"), ..request }, Category::Billing),
        (Seen { endpoint: Some("/blog/payments-explained"), ..request }, Category::ApiRequest),
        (Seen { message: "deadlock", ..request }, Category::Database),
        (Seen { component: Some("billing"), ..request }, Category::Billing),
        (Seen { is_attack: true, component: Some("billing"), ..request }, Category::Security),
        (Seen { endpoint: Some("/users"), ..NOTHING }, Category::ApiRequest),
        (Seen { endpoint: Some("/users"), service: "payment-service", ..NOTHING }, Category::Billing),
        (Seen { logger: Some("com.shop.AuthController"), ..NOTHING }, Category::Authentication),
        (Seen { logger: Some("com.shop.Author"), ..NOTHING }, Category::Application),
        (Seen { logger: Some("app.db.pool"), ..NOTHING }, Category::Database),
        (Seen { component: Some("JobRunner"), ..NOTHING }, Category::Workflow),
        (Seen { component: Some("JobRunner"), message: "timed out", ..NOTHING }, Category::Performance),
        (Seen { component: Some("audit"), message: "payment refunded", ..NOTHING }, Category::Audit),
        (Seen { component: Some("router"), ..NOTHING }, Category::ApiRequest),
        (Seen { error_type: Some("java.net.SocketException"), ..NOTHING }, Category::Network),
        (
            Seen { error_type: Some("SQLIntegrityConstraintViolationException"), ..NOTHING },
            Category::Database,
        ),
        (Seen { error_type: Some("TimeoutError"), ..NOTHING }, Category::Performance),
        (Seen { error_type: Some("PermissionError"), ..NOTHING }, Category::Authorization),
        (Seen { service: "auth-service", ..NOTHING }, Category::Authentication),
        (Seen { service: "llm_gateway", ..NOTHING }, Category::AiGeneration),
    ] {
        assert_eq!(category(&seen), expected, "{seen:?}");
    }
}

#[test]
fn only_the_beginning_of_a_message_is_read() {
    let message = "x ".repeat(4096) + "payment";
    assert_eq!(category(&Seen { message: &message, ..NOTHING }), Category::Application);
}

#[test]
fn a_category_is_read_back_by_its_name() {
    for category in Category::ALL {
        assert_eq!(Category::parse(category.as_str()), Some(category));
        assert_eq!(serde_json::to_value(category).unwrap(), category.as_str());
        assert_eq!(serde_json::from_value::<Category>(category.as_str().into()).unwrap(), category);
    }
    assert_eq!(Category::parse("API_REQUEST"), None);
}

#[test]
fn every_rule_can_decide() {
    for (n, rule) in category_rules().iter().enumerate() {
        for (m, word) in rule.words.iter().enumerate() {
            assert!(!word.is_empty() && !word.bytes().any(|byte| byte.is_ascii_uppercase()), "{word}");
            assert!(!rule.words.iter().take(m).any(|other| other == word), "twice: {word}");
            let earlier = category_rules().iter().take(n);
            let holds = |other: &CategoryRule| other.field == rule.field && other.words.contains(word);
            assert!(!earlier.clone().any(holds), "a rule before it has {word} of rule {n}");
            if rule.field == Field::Message {
                let found = category(&Seen { message: &format!("a {word}, b"), ..NOTHING });
                let of_earlier = earlier.clone().any(|other| {
                    other.field == Field::Message
                        && other.category == found
                        && other.words.iter().any(|w| word.contains(w))
                });
                assert!(found == rule.category || of_earlier, "{word} is {found:?}");
            }
        }
    }
}

/// The document's table, made of the rules.
fn table() -> String {
    let mut table = "| # | category | where | words | because |\n|---|---|---|---|---|\n".to_owned();
    for (n, rule) in (1..).zip(category_rules()) {
        let words: Vec<String> = rule.words.iter().map(|word| format!("`{word}`")).collect();
        let row = [
            n.to_string(),
            format!("`{}`", rule.category.as_str()),
            rule.field.as_str().to_owned(),
            words.join(", "),
            rule.reason.to_owned(),
        ];
        writeln!(table, "| {} |", row.join(" | ")).unwrap();
    }
    table
}

#[test]
fn the_document_shows_the_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/categories.md");
    let text = fs::read_to_string(path).unwrap();
    let begin = text.find("| # |").unwrap();
    assert!(text[begin..] == table(), "docs/categories.md should end with this table:\n\n{}", table());
}
