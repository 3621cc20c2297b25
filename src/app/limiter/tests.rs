use super::*;
use crate::{
    engine::{
        limit::{Policy, Wish},
        tenant::Tenant,
    },
    fakes::World,
    ports::Limits,
};

const POLICY: Policy = Policy { limit: 10, window_ms: 60_000 };

fn ask(counter: impl Into<String>, need: u32) -> Ask {
    Ask { counter: counter.into(), policy: POLICY, wish: Wish { need, want: need, back: None } }
}

async fn granted(world: &World, asks: &[Ask]) -> Vec<u32> {
    let leases = world.limits.ask(&Tenant::default_tenant(), asks).await.unwrap();
    leases.iter().map(|lease| lease.granted).collect()
}

fn rows(world: &World) -> Vec<String> {
    let rows = world.limits.log(&Tenant::default_tenant()).read().unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

#[tokio::test]
async fn what_was_granted_is_known_after_the_object_has_lost_its_memory() {
    let world = World::at(1_000_000);
    assert_eq!(granted(&world, &[ask("key:a", 7), ask("addr:1", 2)]).await, [7, 2]);
    world.limits.crash();
    assert_eq!(granted(&world, &[ask("key:a", 4), ask("addr:1", 1)]).await, [0, 0]);
    assert_eq!(granted(&world, &[ask("key:a", 3), ask("addr:1", 1)]).await, [3, 1]);
    world.limits.crash();
    world.turn_clock(60_000 + 2 * POLICY.grain_ms());
    assert_eq!(granted(&world, &[ask("key:a", 10)]).await, [10]);
}

#[tokio::test]
async fn a_grant_writes_one_row_for_each_counter_and_a_refusal_none() {
    let world = World::at(1_000_000);
    granted(&world, &[ask("key:a", 5), ask("addr:1", 5)]).await;
    assert_eq!(world.calls("limit_log.write"), 2);
    granted(&world, &[ask("key:a", 6), ask("addr:1", 1)]).await;
    assert_eq!(world.calls("limit_log.write"), 2);
    granted(&world, &[ask("key:a", 1)]).await;
    assert_eq!((world.calls("limit_log.write"), world.calls("limit_log.read")), (3, 1));
}

#[tokio::test]
async fn a_counter_that_two_asks_share_is_asked_for_the_sum() {
    let world = World::at(1_000_000);
    assert_eq!(granted(&world, &[ask("key:a", 6), ask("key:a", 5)]).await, [0, 0]);
    assert_eq!(granted(&world, &[ask("key:a", 6), ask("key:a", 4)]).await, [6, 4]);
}

#[tokio::test]
async fn counters_that_are_over_are_removed_a_few_at_a_time() {
    let world = World::at(1_000_000);
    for n in 0..10 {
        granted(&world, &[ask(format!("addr:{n}"), 1)]).await;
    }
    world.turn_clock(120_000);
    granted(&world, &[ask("key:a", 1)]).await;
    assert_eq!(rows(&world).len(), 11);
    world.turn_clock(KEPT_MS - 120_000 + 60_000);
    // A refusal has no more work than to refuse.
    granted(&world, &[ask("key:a", 11)]).await;
    assert_eq!(rows(&world).len(), 11);
    world.turn_clock(POLICY.grain_ms());
    let mut left = Vec::new();
    for _ in 0..4 {
        granted(&world, &[ask("key:a", 1)]).await;
        left.push(rows(&world).len());
    }
    assert_eq!(left, [7, 3, 1, 1]);
}

#[tokio::test]
async fn too_many_addresses_share_one_counter_and_keys_keep_their_own() {
    let world = World::at(1_000_000);
    for n in 0..MAX_ADDRESSES {
        assert_eq!(granted(&world, &[ask(format!("addr:{n}"), 1)]).await, [1]);
    }
    for n in 0..2 {
        assert_eq!(granted(&world, &[ask(format!("addr:new-{n}"), 5)]).await, [5]);
    }
    assert_eq!(granted(&world, &[ask("addr:new-2", 1)]).await, [0]);
    // Those that have one go on, and nothing of a shared one is given ahead.
    assert_eq!(granted(&world, &[ask("addr:7", 9)]).await, [9]);
    for n in MAX_ADDRESSES + 1..MAX_COUNTERS {
        assert_eq!(granted(&world, &[ask(format!("key:{n}"), 10)]).await, [10]);
    }
    assert_eq!(granted(&world, &[ask("key:new-1", 10)]).await, [10]);
    assert_eq!(granted(&world, &[ask("key:new-2", 1)]).await, [0]);
    assert!(rows(&world).len() <= MAX_COUNTERS + 2);
    world.limits.crash();
    assert_eq!(granted(&world, &[ask("addr:new-3", 1)]).await, [0]);
    // What is over makes room.
    world.turn_clock(62_000);
    assert_eq!(granted(&world, &[ask("addr:new-4", 1), ask("key:new-3", 1)]).await, [1, 1]);
    assert!(rows(&world).contains(&"addr:new-4".to_owned()) && rows(&world).len() <= MAX_COUNTERS);
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_nothing() {
    let world = World::at(1_000_000);
    let row = Row { name: "key:a".to_owned(), state: "?".to_owned(), until_ms: 2_000_000 };
    world.limits.log(&Tenant::default_tenant()).write(&row).unwrap();
    assert_eq!(granted(&world, &[ask("key:a", 10)]).await, [10]);
    let tenant = Tenant::default_tenant();
    assert!(world.limits.ask(&tenant, &vec![ask("key:b", 1); 17]).await.is_err());
    assert!(world.limits.ask(&tenant, &[ask("k".repeat(257), 1)]).await.is_err());
}
