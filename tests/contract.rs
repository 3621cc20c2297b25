//! The fakes keep the contract of the ports. That the platform keeps the same one is shown in
//! `tests/e2e/contract.test.mjs`.

use timberline::{
    contract,
    engine::tenant::Tenant,
    fakes::World,
    ports::{ShardLog, ShardName},
};

#[tokio::test]
async fn the_fakes_keep_the_contract_of_the_ports() {
    let world = World::at(1_763_682_436_123);
    assert_eq!(contract::objects(&*world.objects).await, Ok(()));
    assert_eq!(contract::catalog(&*world.catalog).await, Ok(()));
    assert_eq!(contract::partitions(&*world.catalog, &*world.catalog).await, Ok(()));
    assert_eq!(contract::accounts(&*world.accounts).await, Ok(()));
    assert_eq!(contract::events(&*world.events).await, Ok(()));
    assert_eq!(contract::patterns(&*world.patterns).await, Ok(()));
    assert_eq!(contract::anomalies(&*world.anomalies).await, Ok(()));
    assert_eq!(contract::analyses(&*world.analyses).await, Ok(()));
    assert_eq!(contract::copies(&*world.copies).await, Ok(()));
    let log = world.shards.log(&ShardName { tenant: Tenant::default_tenant(), number: 0 });
    assert_eq!(contract::shard_log(&*log, world.now_ms() + 1).await, Ok(()));
    assert_eq!(log.tables(), Ok(Vec::new()));
    assert_eq!(contract::limit_log(&*world.limits.log(&Tenant::default_tenant())), Ok(()));
    assert_eq!(contract::limits(&*world.limits, &Tenant::default_tenant()).await, Ok(()));
}

#[test]
fn a_statement_without_its_tenant_is_noticed() {
    let good = |sql: &str, value: &str| (sql.to_owned(), vec![value.to_owned()]);
    let mut sent = vec![good("SELECT key FROM segments WHERE tenant = ?1", "contract-a"); 60];
    sent.push(good(
        "DELETE FROM segments WHERE (tenant, key) IN (SELECT value FROM json_each(?1))",
        r#"[["contract-a","k"]]"#,
    ));
    assert_eq!(contract::statements(&sent), Ok(()));
    for bad in [
        good("SELECT key FROM segments WHERE key = ?1", "contract-a"),
        good("SELECT key FROM segments WHERE tenant = ?1", "k"),
        good(
            "DELETE FROM segments WHERE tenant IN (SELECT value FROM json_each(?1))",
            r#"["contract-a", 7]"#,
        ),
    ] {
        let with = [&sent[..], std::slice::from_ref(&bad)].concat();
        assert!(contract::statements(&with).is_err(), "{bad:?}");
    }
    assert!(contract::statements(&sent[..10]).is_err());
}

#[tokio::test]
async fn the_suite_notices_a_promise_that_is_not_kept() {
    let world = World::at(0);
    world.objects.overwrite("contract/one", b"left over".to_vec());
    assert!(contract::objects(&*world.objects).await.is_err());
    world.fail("catalog.add", false, 1);
    assert!(contract::catalog(&*world.catalog).await.is_err());
}
