//! The rules that every tenant has until it says otherwise.

use super::{
    Action, Rule,
    rule::Severity::{self, Critical, High, Medium},
};

/// The rule that counts failed logins of an address and of a user.
pub const BRUTE_FORCE: &str = "brute-force";

/// The rule that counts the users that one address tries.
pub const CREDENTIAL_STUFFING: &str = "credential-stuffing";

pub fn builtin() -> Vec<Rule> {
    let tag = |tag: &str| Action::Tag { tag: tag.to_owned() };
    let alert = |severity: Severity, title: &str| Action::Alert { severity, title: Some(title.to_owned()) };
    let counted = |name, when: &str, description: &str, window, threshold, then| Rule {
        window: Some(window),
        threshold: Some(threshold),
        ..rule(name, when, description, then)
    };
    vec![
        Rule {
            group_by: vec!["login.address".into(), "login.user".into()],
            ..counted(
                BRUTE_FORCE,
                "tags:\"auth:failure\"",
                "Many failed logins of one address, or of one user.",
                300,
                10,
                vec![tag("attack:brute_force"), alert(High, "Many failed logins")],
            )
        },
        Rule {
            group_by: vec!["login.address".into()],
            distinct: Some("login.user".into()),
            ..counted(
                CREDENTIAL_STUFFING,
                "tags:\"auth:failure\"",
                "Failed logins of many users from one address.",
                600,
                10,
                vec![tag("attack:credential_stuffing"), alert(Critical, "One address tries many users")],
            )
        },
        rule("critical", "level:CRITICAL", "Whatever is critical.", vec![alert(Critical, "Critical log")]),
        counted(
            "error-burst",
            "level:>=ERROR",
            "Many errors of one service.",
            60,
            50,
            vec![alert(High, "Burst of errors")],
        ),
        rule(
            "security-incident",
            "tags:attack* OR (category:security AND level:>=ERROR)",
            "Attacks, and errors of the security category.",
            vec![alert(High, "Security incident")],
        ),
        rule(
            "payment-failure",
            "category:billing AND level:>=ERROR",
            "Payments and bills that failed.",
            vec![alert(Medium, "Payment failure")],
        ),
    ]
}

/// All rules in the order in which they are asked, and whether each is one of those that everybody has: the tenant's own,
/// then the others, in whose place one of the same name stands.
pub fn in_order(own: &[Rule]) -> Vec<(Rule, bool)> {
    let of_all = builtin();
    let is_of_all = |rule: &Rule| of_all.iter().any(|other| other.name == rule.name);
    let first = own.iter().filter(|rule| !is_of_all(rule)).map(|rule| (rule.clone(), false));
    let of_name = |rule: &Rule| own.iter().find(|one| one.name == rule.name).unwrap_or(rule).clone();
    first.chain(of_all.iter().map(|rule| (of_name(rule), true))).collect()
}

fn rule(name: &str, when: &str, description: &str, then: Vec<Action>) -> Rule {
    Rule {
        name: name.to_owned(),
        description: description.to_owned(),
        when: when.to_owned(),
        window: None,
        threshold: None,
        group_by: Vec::new(),
        distinct: None,
        then,
        stop: false,
        enabled: true,
    }
}
