//! The keys of a tenant: what is kept of them, and how they come and go.

use serde::{Deserialize, Serialize};

use super::{Account, RateLimit, Refused, Why, check_given, check_name};
use crate::engine::{
    auth::{ApiKey, Identity, KeyHash, Permission, Permissions, Principal, Role},
    record::{normalise::is_service_name, timestamp::Timestamp},
    tenant::Tenant,
};

/// An account is one row and one value of a cache.
const MAX_KEYS: usize = 1_000;
const MAX_SERVICES: usize = 200;
const MAX_ADDRESSES: usize = 50;

/// Keys that are not valid any more are listed for so long.
const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// How long the old key is valid beside the new one.
const DEFAULT_OVERLAP_S: u64 = 24 * 60 * 60;
const MAX_OVERLAP_S: u64 = 30 * 24 * 60 * 60;

/// What is kept of a key: not the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub role: String,
    /// The services that it is for; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<String>>,
    /// SHA-256, in hexadecimal digits.
    pub hash: String,
    pub created_at: Timestamp,
    pub created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Networks from which it may be used; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// A key that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub name: String,
    pub role: String,
    pub services: Option<Vec<String>>,
    /// RFC 3339, or milliseconds since the epoch.
    pub expires_at: Option<serde_json::Value>,
    #[serde(default)]
    pub allowed_ips: Vec<String>,
    pub rate_limit: Option<RateLimit>,
}

impl Key {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires| now < expires)
    }

    /// Whether it may be used from this client address. An address that is not known is no address.
    pub fn admits(&self, address: Option<&str>) -> bool {
        if self.allowed_ips.is_empty() {
            return true;
        }
        let Some(address) = address.and_then(|address| address.parse::<std::net::IpAddr>().ok()) else {
            return false;
        };
        let address = address.to_canonical();
        self.allowed_ips.iter().filter_map(|net| network(net)).any(|net| net.contains(&address))
    }

    pub fn identity(&self) -> Identity {
        Identity { id: self.id.clone(), name: self.name.clone(), role: self.role.clone() }
    }
}

/// A network, or one address.
fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

impl Account {
    /// Who holds a key of this hash: the key and what it may do. A key that is not valid any more is none.
    pub fn holder(&self, key: &Key, now: Timestamp) -> Option<Principal> {
        if self.closing.is_some() || !key.is_valid(now) {
            return None;
        }
        self.principal(key.identity(), key.services.clone())
    }

    /// Adds the key that `secret` is. Nobody can give what they have not; `ceiling` is the deployment's limit.
    pub fn add_key(
        &mut self,
        new: &NewKey,
        (id, secret): (&str, &ApiKey),
        by: &Principal,
        (ceiling, now): (RateLimit, Timestamp),
    ) -> Result<&Key, Refused> {
        let ceiling = self.config.rate_limit.unwrap_or(ceiling);
        check_name("name", &new.name)?;
        let Some(permissions) = self.permissions_of(&new.role) else {
            let known: Vec<&str> =
                crate::engine::auth::permission::ROLES.iter().map(|role| role.name).collect();
            let own: Vec<&str> = self.roles.keys().map(String::as_str).collect();
            let message = format!("expected one of {}, got {:?}", [known, own].concat().join(", "), new.role);
            return Err(Refused::new("role", message));
        };
        if permissions.iter().any(Permission::is_of_deployment) && self.tenant() != Tenant::DEFAULT {
            let message = format!("{:?} is a role of the tenant {:?} alone", new.role, Tenant::DEFAULT);
            return Err(Refused::new("role", message).because(Why::Denied));
        }
        self.check_gift(permissions, new.services.as_deref(), by)?;
        check_services(new)?;
        if let Some(limit) = &new.rate_limit {
            limit.check("rate_limit")?;
            if !by.may(Permission::ManageTenants) && !limit.is_within(ceiling) {
                let message = format!(
                    "nobody can give what they have not: the tenant's limit is {} requests in {} seconds",
                    ceiling.requests, ceiling.window_seconds
                );
                return Err(Refused::new("rate_limit", message).because(Why::Denied));
            }
        }
        if new.allowed_ips.len() > MAX_ADDRESSES {
            return Err(Refused::new("allowed_ips", format!("expected at most {MAX_ADDRESSES} networks")));
        }
        if let Some(bad) = new.allowed_ips.iter().find(|net| network(net).is_none()) {
            let message = format!("expected addresses or networks as 192.0.2.0/24, got {bad:?}");
            return Err(Refused::new("allowed_ips", message));
        }
        let expires_at = expiry(new.expires_at.as_ref(), now)?;
        self.forget_old_keys(now);
        if self.keys.len() >= MAX_KEYS {
            let message = format!("a tenant has at most {MAX_KEYS} keys, those of the last 90 days included");
            return Err(Refused::new("name", message).because(Why::Conflict));
        }
        let key = Key {
            id: id.to_owned(),
            name: new.name.clone(),
            role: new.role.clone(),
            services: new.services.clone(),
            hash: secret.hash().to_hex(),
            created_at: now,
            created_by: by.identity().id.clone(),
            expires_at,
            revoked_at: None,
            allowed_ips: new.allowed_ips.clone(),
            rate_limit: new.rate_limit,
            replaced_by: None,
        };
        self.keys.push(key);
        self.keys.last().ok_or_else(|| Refused::new("name", "it was not added"))
    }

    /// Adds a key like another one, which goes on being valid for the overlap.
    pub fn rotate_key(
        &mut self,
        old: &str,
        overlap_s: Option<u64>,
        (id, secret): (&str, &ApiKey),
        by: &Principal,
        now: Timestamp,
    ) -> Result<&Key, Refused> {
        let overlap_s = overlap_s.unwrap_or(DEFAULT_OVERLAP_S);
        if overlap_s > MAX_OVERLAP_S {
            let message = format!("expected a whole number from 0 to {MAX_OVERLAP_S}, got {overlap_s}");
            return Err(Refused::new("overlap_seconds", message));
        }
        let ends = Timestamp::from_ms(now.as_ms() + i64::try_from(overlap_s).unwrap_or(0) * 1_000);
        let found = self.valid_key(old, now)?;
        let mut new = found.clone();
        found.expires_at = Some(found.expires_at.map_or(ends, |expires| expires.min(ends)));
        found.replaced_by = Some(id.to_owned());
        id.clone_into(&mut new.id);
        new.hash = secret.hash().to_hex();
        new.created_at = now;
        by.identity().id.clone_into(&mut new.created_by);
        let permissions = self.permissions_of(&new.role).unwrap_or_default();
        self.check_gift(permissions, new.services.as_deref(), by)?;
        if self.keys.len() >= MAX_KEYS {
            let message = format!("a tenant has at most {MAX_KEYS} keys, those of the last 90 days included");
            return Err(Refused::new("name", message).because(Why::Conflict));
        }
        self.keys.push(new);
        self.forget_old_keys(now);
        self.keys.last().ok_or_else(|| Refused::new("id", "it was not added"))
    }

    /// Nobody can give what they have not: neither permissions nor services. A provider hands out the first keys of
    /// a customer, whatever they may do there.
    fn check_gift(
        &self,
        permissions: Permissions,
        services: Option<&[String]>,
        by: &Principal,
    ) -> Result<(), Refused> {
        if by.may(Permission::ManageTenants) && self.tenant() != by.tenant().as_str() {
            return Ok(());
        }
        check_given("role", permissions, by)?;
        let may_use = |names: &[String]| names.iter().all(|name| by.may_use_service(name));
        if services.map_or_else(|| by.services().is_none(), may_use) {
            return Ok(());
        }
        let message = "nobody can give what they have not: the giver is for some services only";
        Err(Refused::new("services", message).because(Why::Denied))
    }

    pub fn revoke_key(&mut self, id: &str, now: Timestamp) -> Result<(), Refused> {
        self.valid_key(id, now)?.revoked_at = Some(now);
        Ok(())
    }

    fn valid_key(&mut self, id: &str, now: Timestamp) -> Result<&mut Key, Refused> {
        let unknown = || Refused::new("id", "there is no such key").because(Why::Unknown);
        let found = self.keys.iter_mut().find(|key| key.id == id).ok_or_else(unknown)?;
        if !found.is_valid(now) {
            let message = "the key is not valid any more";
            return Err(Refused::new("id", message).because(Why::Conflict));
        }
        Ok(found)
    }

    fn forget_old_keys(&mut self, now: Timestamp) {
        let ended = |key: &Key| key.revoked_at.or(key.expires_at);
        let kept = |key: &Key| ended(key).is_none_or(|at| now.as_ms() - at.as_ms() < KEPT_MS);
        self.keys.retain(kept);
    }

    /// The keys by their hashes, for look-ups.
    pub fn by_hash(&self) -> std::collections::HashMap<KeyHash, usize> {
        let keys = self.keys.iter().enumerate();
        keys.filter_map(|(nth, key)| Some((KeyHash::from_hex(&key.hash)?, nth))).collect()
    }
}

fn check_services(new: &NewKey) -> Result<(), Refused> {
    let needs = Role::named(&new.role).is_some_and(|role| role.needs_services);
    let Some(services) = &new.services else {
        let message = format!("a key of the role {:?} names the services that it is for", new.role);
        return if needs { Err(Refused::new("services", message)) } else { Ok(()) };
    };
    if services.is_empty() || services.len() > MAX_SERVICES {
        return Err(Refused::new(
            "services",
            format!("expected 1 to {MAX_SERVICES} names, got {}", services.len()),
        ));
    }
    match services.iter().find(|name| !is_service_name(name)) {
        Some(bad) => Err(Refused::new("services", format!("{bad:?} is no name of a service"))),
        None => Ok(()),
    }
}

fn expiry(sent: Option<&serde_json::Value>, now: Timestamp) -> Result<Option<Timestamp>, Refused> {
    let Some(sent) = sent.filter(|sent| !sent.is_null()) else { return Ok(None) };
    let at = Timestamp::parse(sent).map_err(|error| Refused::new("expires_at", error.to_string()))?;
    if at > now { Ok(Some(at)) } else { Err(Refused::new("expires_at", "it is not in the future")) }
}
