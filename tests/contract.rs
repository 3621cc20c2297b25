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
    let log = world.shards.log(&ShardName { tenant: Tenant::default_tenant(), number: 0 });
    assert_eq!(contract::shard_log(&*log, world.now_ms() + 1).await, Ok(()));
    assert_eq!(log.tables(), Ok(Vec::new()));
    assert_eq!(contract::limit_log(&*world.limits.log(&Tenant::default_tenant())), Ok(()));
    assert_eq!(contract::limits(&*world.limits, &Tenant::default_tenant()).await, Ok(()));
}

#[tokio::test]
async fn the_suite_notices_a_promise_that_is_not_kept() {
    let world = World::at(0);
    world.objects.overwrite("contract/one", b"left over".to_vec());
    assert!(contract::objects(&*world.objects).await.is_err());
    world.fail("catalog.add", false, 1);
    assert!(contract::catalog(&*world.catalog).await.is_err());
}
