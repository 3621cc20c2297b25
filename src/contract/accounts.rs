//! Accounts and their copies.

use super::{Broken, same};
use crate::{
    engine::{
        account::{Account, Closing},
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        Accounts, Copies,
        accounts::{KeyUse, Stored, Written},
    },
};

/// Begins with no accounts of these tenants.
pub async fn accounts(accounts: &dyn Accounts) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-c"), Tenant::parse("contract-d")) else {
        return Err(Broken("the tenants have names".into()));
    };
    let now = Timestamp::from_ms(1_763_683_200_000);
    let with = |tenant: &Tenant, domains: &[&str]| {
        let mut account = Account::new(tenant, now);
        let added = domains.iter().try_for_each(|domain| account.add_domain(domain, now));
        added.map(|()| account).map_err(|refused| Broken(refused.to_string()))
    };
    same("an account that was never written is none", accounts.read(&a).await?, None)?;

    let first = with(&a, &["one.example.com", "two.example.com"])?;
    same("a new account is written", accounts.write(&a, &first, None).await?, Written::Done)?;
    same("it is not new any more", accounts.write(&a, &first, None).await?, Written::Conflict)?;
    let stored = Stored { tenant: a.clone(), version: 1, account: first.clone() };
    same("it is read as it was written", accounts.read(&a).await?, Some(stored.clone()))?;

    let taken = with(&b, &["free.example.com", "two.example.com"])?;
    let domain_taken = accounts.write(&b, &taken, None).await?;
    same("a domain is one tenant's", domain_taken, Written::DomainTaken)?;
    same("and nothing of that account is written", accounts.read(&b).await?, None)?;

    let second = with(&a, &["two.example.com", "three.example.com"])?;
    let late = accounts.write(&a, &second, Some(7)).await?;
    same("who has read another version writes nothing", late, Written::Conflict)?;
    same("an account is written anew", accounts.write(&a, &second, Some(1)).await?, Written::Done)?;
    let other = with(&b, &["one.example.com"])?;
    same("a domain that was given up is free", accounts.write(&b, &other, None).await?, Written::Done)?;

    let names = |found: Vec<Stored>| -> Vec<(String, u64)> {
        found.into_iter().map(|one| (one.tenant.to_string(), one.version)).collect()
    };
    let second_one = vec![("contract-d".to_owned(), 1)];
    let both = [vec![("contract-c".to_owned(), 2)], second_one.clone()].concat();
    same("accounts are listed by name", names(accounts.list("contract-b", 2).await?), both.clone())?;
    same("behind one of them", names(accounts.list("contract-c", 1).await?), second_one.clone())?;

    same("what is not copied is found", names(accounts.not_copied(now, 10).await?), both.clone())?;
    same("an old version is not the last", accounts.note_copied(&a, 1).await?, false)?;
    same("the last one is", accounts.note_copied(&a, 2).await?, true)?;
    same("what is copied is not found", names(accounts.not_copied(now, 10).await?), second_one.clone())?;

    let before = Timestamp::from_ms(now.as_ms() - 1);
    same("what was changed lately is found", names(accounts.not_copied(before, 10).await?), both.clone())?;

    same("nobody's tenant ends", names(accounts.closing(10).await?), Vec::new())?;
    let mut ends = other.clone();
    ends.closing = Some(Closing { erases: false, told_at: None });
    same("a tenant is to end", accounts.write(&b, &ends, Some(1)).await?, Written::Done)?;
    same("and is found", names(accounts.closing(10).await?), vec![("contract-d".to_owned(), 2)])?;
    same("it goes on", accounts.write(&b, &other, Some(2)).await?, Written::Done)?;
    same("and is not found any more", names(accounts.closing(10).await?), Vec::new())?;

    let at = |ms| Timestamp::from_ms(now.as_ms() + ms);
    same("a first use is one", accounts.note_use(&a, "key_1", "192.0.2.1", at(0)).await?, true)?;
    same("a second is none", accounts.note_use(&a, "key_1", "192.0.2.1", at(9)).await?, false)?;
    same("another address is new", accounts.note_use(&a, "key_1", "192.0.2.2", at(5)).await?, true)?;
    same("another tenant's key is another", accounts.note_use(&b, "key_1", "192.0.2.1", at(6)).await?, true)?;
    let used = vec![KeyUse { key: "key_1".into(), last_used: at(9), addresses: 2 }];
    same("uses are told", accounts.uses(&a).await?, used)?;

    same("an older version is not removed", accounts.remove(&a, 1).await?, Written::Conflict)?;
    same("an account is removed", accounts.remove(&a, 2).await?, Written::Done)?;
    same("it is gone", accounts.read(&a).await?, None)?;
    same("and its uses", accounts.uses(&a).await?, Vec::new())?;
    same(
        "the other stays",
        names(accounts.list("contract-b", 9).await?),
        vec![("contract-d".to_owned(), 3)],
    )?;
    same("its domains are free", accounts.write(&b, &taken, Some(3)).await?, Written::Done)?;
    same("the end", accounts.remove(&b, 4).await?, Written::Done)
}

pub async fn copies(copies: &dyn Copies) -> Result<(), Broken> {
    let name = "contract/copy";
    same("a copy that was never made is none", copies.get("contract/none").await?, None)?;
    copies.put(name, b"one".to_vec()).await?;
    same("a copy is read as it was written", copies.get(name).await?, Some(b"one".to_vec()))?;
    copies.put(name, Vec::new()).await?;
    copies.delete(name).await?;
    copies.delete(name).await?;
    Ok(())
}
