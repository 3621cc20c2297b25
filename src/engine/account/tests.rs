use super::*;
use crate::engine::auth::ApiKey;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_763_683_200_000 + ms)
}

const CEILING: RateLimit = RateLimit { requests: 100, window_seconds: 60, batches: Some(20) };

fn acme() -> Account {
    Account::new(&Tenant::parse("acme").unwrap(), at(0))
}

fn secret(n: u128) -> ApiKey {
    ApiKey::new(&Tenant::parse("acme").unwrap(), [n, n])
}

fn admin() -> Principal {
    let identity = Identity { id: "key_0".into(), name: "boss".into(), role: "admin".into() };
    acme().principal(identity, None).unwrap()
}

fn new_key(json: &str) -> NewKey {
    serde_json::from_str(json).unwrap()
}

fn add(json: &str, by: &Principal) -> Result<Key, (String, Why)> {
    let refused = |refused: Refused| (refused.field, refused.why);
    acme().add_key(&new_key(json), ("key_1", &secret(1)), by, (CEILING, at(0))).cloned().map_err(refused)
}

#[test]
fn a_key_can_do_what_its_role_may_until_it_ends() {
    let mut account = acme();
    let new =
        new_key(r#"{"name":"ci","role":"developer","services":["api"],"expires_at":"2025-11-21T00:00:10Z"}"#);
    account.add_key(&new, ("key_1", &secret(1)), &admin(), (CEILING, at(0))).unwrap();
    let nth = account.by_hash()[&secret(1).hash()];
    let key = account.keys[nth].clone();
    let holder = account.holder(&key, at(9_999)).unwrap();
    assert_eq!((holder.tenant().as_str(), holder.identity().id.as_str()), ("acme", "key_1"));
    assert!(holder.may(Permission::ReadLogs) && !holder.may(Permission::WriteLogs));
    assert_eq!(holder.services(), Some(&["api".to_owned()][..]));
    assert_eq!(account.holder(&key, at(10_000)), None);
    account.closing = Some(Closing { erases: true, told_at: None });
    assert_eq!(account.holder(&key, at(0)), None);
}

#[test]
fn a_key_that_cannot_be_is_refused_by_its_field() {
    for (json, field) in [
        (r#"{"name":"","role":"ingest"}"#, "name"),
        (r#"{"name":"a b","role":"ingest"}"#, "name"),
        (r#"{"name":"a","role":"boss"}"#, "role"),
        (r#"{"name":"a","role":"developer"}"#, "services"),
        (r#"{"name":"a","role":"ingest","services":[]}"#, "services"),
        (r#"{"name":"a","role":"ingest","services":["a b"]}"#, "services"),
        (r#"{"name":"a","role":"ingest","expires_at":"soon"}"#, "expires_at"),
        (r#"{"name":"a","role":"ingest","expires_at":"2025-11-21T00:00:00Z"}"#, "expires_at"),
        (r#"{"name":"a","role":"ingest","allowed_ips":["10.0.0.0/33"]}"#, "allowed_ips"),
        (r#"{"name":"a","role":"ingest","rate_limit":{"requests":0}}"#, "rate_limit.requests"),
    ] {
        assert_eq!(add(json, &admin()), Err((field.to_owned(), Why::Invalid)), "{json}");
    }
    assert!(serde_json::from_str::<NewKey>(r#"{"name":"a","role":"ingest","scope":"x"}"#).is_err());
}

#[test]
fn nobody_gives_what_they_have_not() {
    let operator = acme()
        .principal(Identity { id: "key_2".into(), name: "op".into(), role: "operator".into() }, None)
        .unwrap();
    let denied = |field: &str| Err((field.to_owned(), Why::Denied));
    assert_eq!(add(r#"{"name":"a","role":"security"}"#, &operator), denied("role"));
    // Not even the provider makes a root of a customer.
    assert_eq!(add(r#"{"name":"a","role":"root"}"#, &Principal::root()), denied("role"));
    assert!(add(r#"{"name":"a","role":"security"}"#, &Principal::root()).is_ok());
    let role = |permissions: &[Permission]| CustomRole {
        permissions: permissions.to_vec(),
        description: String::new(),
    };
    let refused = acme().put_role("all", role(&[Permission::ManageTenants]), &admin()).unwrap_err();
    assert_eq!((refused.field.as_str(), refused.why), ("permissions", Why::Denied));
    assert_eq!(acme().put_role("admin", role(&[]), &admin()).unwrap_err().why, Why::Conflict);
    // Nor does one who manages tenants get more in its own: there it gives what it has.
    let manager = |tenant: &str| {
        let permissions = Permissions::of(&[Permission::ManageAccess, Permission::ManageTenants]);
        Principal::new(Tenant::parse(tenant).unwrap(), admin().identity().clone(), permissions, None)
    };
    assert!(add(r#"{"name":"a","role":"security"}"#, &manager("default")).is_ok());
    assert_eq!(add(r#"{"name":"a","role":"security"}"#, &manager("acme")), denied("role"));
    // A key for some services gives those.
    let some = Some(vec!["api".to_owned(), "web".to_owned()]);
    let bounded = acme().principal(admin().identity().clone(), some).unwrap();
    assert!(add(r#"{"name":"a","role":"support","services":["web"]}"#, &bounded).is_ok());
    assert_eq!(add(r#"{"name":"a","role":"support","services":["web","db"]}"#, &bounded), denied("services"));
    assert_eq!(add(r#"{"name":"a","role":"support"}"#, &bounded), denied("services"));
    // Claims of a token make no root of a customer either.
    let identity = Identity { id: "token:x".into(), name: "x".into(), role: "root".into() };
    assert_eq!(acme().principal(identity, None), None);
}

#[test]
fn who_manages_tenants_gives_no_more_than_they_have_in_their_own() {
    let mut own = Account::new(&Tenant::default_tenant(), at(0));
    let role = CustomRole {
        permissions: vec![Permission::ManageAccess, Permission::ManageTenants],
        description: String::new(),
    };
    own.put_role("seller", role, &Principal::root()).unwrap();
    let identity = Identity { id: "key_3".into(), name: "s".into(), role: "seller".into() };
    let seller = own.principal(identity, None).unwrap();
    let refused = own.add_key(
        &new_key(r#"{"name":"a","role":"root"}"#),
        ("key_1", &secret(1)),
        &seller,
        (CEILING, at(0)),
    );
    assert_eq!(refused.unwrap_err().why, Why::Denied);
    assert!(add(r#"{"name":"a","role":"admin"}"#, &seller).is_ok());
    own.add_key(
        &new_key(r#"{"name":"a","role":"root"}"#),
        ("key_1", &secret(1)),
        &Principal::root(),
        (CEILING, at(0)),
    )
    .unwrap();
    let refused = own.rotate_key("key_1", None, ("key_2", &secret(2)), &seller, at(0));
    assert_eq!(refused.unwrap_err().why, Why::Denied);
}

#[test]
fn a_limit_above_the_tenants_is_the_providers_to_give() {
    let with = |limit: &str| format!(r#"{{"name":"a","role":"ingest","rate_limit":{limit}}}"#);
    for (limit, given) in [
        (r#"{"requests":100}"#, true),
        (r#"{"requests":50,"windowSeconds":30,"batches":20}"#, true),
        (r#"{"requests":101}"#, false),
        (r#"{"requests":100,"windowSeconds":59}"#, false),
        (r#"{"requests":1,"batches":21}"#, false),
    ] {
        let expected = if given { None } else { Some(("rate_limit".to_owned(), Why::Denied)) };
        assert_eq!(add(&with(limit), &admin()).err(), expected, "{limit}");
        assert!(add(&with(limit), &Principal::root()).is_ok(), "{limit}");
    }
}

#[test]
fn a_rotated_key_and_its_successor_are_valid_side_by_side() {
    let mut account = acme();
    let new = new_key(r#"{"name":"ci","role":"ingest","allowed_ips":["192.0.2.0/24"]}"#);
    account.add_key(&new, ("key_1", &secret(1)), &admin(), (CEILING, at(0))).unwrap();
    let second =
        account.rotate_key("key_1", Some(60), ("key_2", &secret(2)), &admin(), at(0)).unwrap().clone();
    assert_eq!((second.name.as_str(), second.role.as_str()), ("ci", "ingest"));
    assert_eq!((second.allowed_ips.len(), second.expires_at), (1, None));
    let first = account.keys[0].clone();
    assert_eq!((first.expires_at, first.replaced_by.as_deref()), (Some(at(60_000)), Some("key_2")));
    assert!(first.is_valid(at(59_999)) && !first.is_valid(at(60_000)));
    assert!(account.rotate_key("key_1", None, ("key_3", &secret(3)), &admin(), at(60_000)).is_err());
    assert!(account.rotate_key("key_2", Some(9_999_999), ("key_3", &secret(3)), &admin(), at(0)).is_err());
    assert_eq!(account.revoke_key("key_9", at(0)).unwrap_err().why, Why::Unknown);
    account.revoke_key("key_2", at(0)).unwrap();
    assert_eq!(account.revoke_key("key_2", at(0)).unwrap_err().why, Why::Conflict);
}

#[test]
fn a_key_is_used_from_its_networks_only() {
    let key = add(r#"{"name":"a","role":"ingest","allowed_ips":["192.0.2.0/24","2001:db8::1"]}"#, &admin())
        .unwrap();
    for (address, admitted) in [
        (Some("192.0.2.9"), true),
        (Some("::ffff:192.0.2.9"), true),
        (Some("192.0.3.9"), false),
        (Some("2001:db8::1"), true),
        (Some("2001:db8::2"), false),
        (Some("x"), false),
        (None, false),
    ] {
        assert_eq!(key.admits(address), admitted, "{address:?}");
    }
}

#[test]
fn a_role_in_use_stays() {
    let mut account = acme();
    let role = CustomRole { permissions: vec![Permission::ReadLogs], description: "reads".into() };
    account.put_role("reader", role, &admin()).unwrap();
    account
        .add_key(
            &new_key(r#"{"name":"a","role":"reader"}"#),
            ("key_1", &secret(1)),
            &admin(),
            (CEILING, at(0)),
        )
        .unwrap();
    assert_eq!(account.remove_role("reader", at(0)).unwrap_err().why, Why::Conflict);
    account.revoke_key("key_1", at(1)).unwrap();
    account.remove_role("reader", at(1)).unwrap();
    assert_eq!(account.remove_role("reader", at(1)).unwrap_err().why, Why::Unknown);
}

#[test]
fn a_domain_is_one_tenants_name() {
    let mut account = acme();
    account.add_domain("Logs.Acme.example", at(0)).unwrap();
    assert_eq!(account.domains[0].domain, "logs.acme.example");
    assert_eq!(account.add_domain("logs.acme.example", at(0)).unwrap_err().why, Why::Conflict);
    for bad in ["", "localhost", "127.0.0.1", "a b.c", "logs.example:80", "https://logs.example"] {
        assert_eq!(account.add_domain(bad, at(0)).unwrap_err().field, "domain", "{bad}");
    }
    account.remove_domain("logs.acme.example").unwrap();
    assert_eq!(account.remove_domain("logs.acme.example").unwrap_err().why, Why::Unknown);
}

#[test]
fn an_account_is_read_as_it_was_written_and_by_its_tenant_alone() {
    let account = acme();
    let json = serde_json::to_vec(&account).unwrap();
    assert_eq!(Account::read(&Tenant::parse("acme").unwrap(), &json), Ok(account.clone()));
    assert!(Account::read(&Tenant::default_tenant(), &json).is_err());
    let newer = String::from_utf8(json).unwrap().replace("\"schema\":1", "\"schema\":2");
    assert!(Account::read(&Tenant::parse("acme").unwrap(), newer.as_bytes()).is_err());
}
