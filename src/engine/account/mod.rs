//! What the deployment knows of a tenant: its domains, settings, keys and roles, as one record that is changed as a
//! whole. Pure: what may be stored, and what may not.
//!
//! Invariant: an account is valid whenever it can be had; every change answers a new one or says what is wrong.

pub mod config;
pub mod domain;
pub mod keys;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use config::{RateLimit, TenantConfig};
pub use domain::Domain;
pub use keys::{Key, NewKey};

use crate::engine::{
    auth::{Identity, Permission, Permissions, Principal, Role},
    pipeline,
    record::timestamp::Timestamp,
    tenant::Tenant,
};

/// The form of the record.
const SCHEMA: u32 = 1;

const MAX_DOMAINS: usize = 100;
const MAX_ROLES: usize = 50;
const MAX_TEXT: usize = 200;

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Refused {
    pub field: String,
    pub message: String,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Invalid,
    /// There is no such key, domain or role.
    Unknown,
    /// It is there already, or there are too many.
    Conflict,
    /// The caller may not give away what it has not.
    Denied,
}

impl Refused {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), why: Why::Invalid }
    }

    fn because(self, why: Why) -> Self {
        Self { why, ..self }
    }
}

/// A role that a tenant made for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    pub permissions: Vec<Permission>,
    #[serde(default)]
    pub description: String,
}

/// Random bytes that equal values become equal tokens by, and that nobody can find the values without.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    pub fn new(random: [u128; 2]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.chunks_exact_mut(16).zip(random) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        Self(bytes)
    }

    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

/// How a tenant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// With its logs; else it goes on if it turns out to have some.
    pub erases: bool,
    /// Since when its copy says so. Isolates hear of it a while after.
    pub told_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    schema: u32,
    tenant: String,
    pub plan: String,
    pub contact_email: Option<String>,
    pub config: TenantConfig,
    pub domains: Vec<Domain>,
    pub keys: Vec<Key>,
    pub roles: BTreeMap<String, CustomRole>,
    /// What its records pass before they are stored.
    #[serde(default)]
    pub pipeline: pipeline::Settings,
    /// What its tokens are made with; nobody is shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_key: Option<TokenKey>,
    /// It ends: nobody is let in any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Account {
    pub fn new(tenant: &Tenant, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            tenant: tenant.to_string(),
            plan: "standard".into(),
            contact_email: None,
            config: TenantConfig::default(),
            domains: Vec::new(),
            keys: Vec::new(),
            roles: BTreeMap::new(),
            pipeline: pipeline::Settings::default(),
            token_key: None,
            closing: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// A stored record. One of another tenant, or of a version that is not known, is an error.
    pub fn read(tenant: &Tenant, json: &[u8]) -> Result<Self, String> {
        let account: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if account.tenant != tenant.as_str() {
            return Err(format!("it is of {:?}", account.tenant));
        }
        if account.schema != SCHEMA {
            return Err(format!("version {} is not known", account.schema));
        }
        Ok(account)
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    pub fn set_plan(&mut self, plan: &str) -> Result<(), Refused> {
        check_text("plan", plan)?;
        plan.clone_into(&mut self.plan);
        Ok(())
    }

    pub fn set_contact(&mut self, email: Option<&str>) -> Result<(), Refused> {
        if let Some(email) = email {
            check_text("contactEmail", email)?;
            let parts = email.split_once('@').filter(|(user, host)| !user.is_empty() && host.contains('.'));
            if parts.is_none() || email.contains(char::is_whitespace) {
                return Err(Refused::new("contactEmail", format!("expected an address, got {email:?}")));
            }
        }
        self.contact_email = email.map(str::to_owned);
        Ok(())
    }

    /// What a role of this tenant may do.
    pub fn permissions_of(&self, role: &str) -> Option<Permissions> {
        let custom = || self.roles.get(role).map(|role| Permissions::of(&role.permissions));
        Role::named(role).map(Role::set).or_else(custom)
    }

    /// Who holds a token of this tenant's, as its claims say. Permissions of the deployment are for the default
    /// tenant alone.
    pub fn principal(&self, identity: Identity, services: Option<Vec<String>>) -> Option<Principal> {
        let tenant = Tenant::parse(&self.tenant)?;
        let permissions = self.permissions_of(&identity.role)?;
        if permissions.iter().any(Permission::is_of_deployment) && !tenant.is_default() {
            return None;
        }
        let needs_services = Role::named(&identity.role).is_some_and(|role| role.needs_services);
        let services = if needs_services { Some(services.unwrap_or_default()) } else { services };
        Some(Principal::new(tenant, identity, permissions, services))
    }

    /// Makes or changes a role. Nobody can give what they have not.
    pub fn put_role(&mut self, name: &str, role: CustomRole, by: &Principal) -> Result<(), Refused> {
        check_name("name", name)?;
        check_text("description", &role.description)?;
        if Role::named(name).is_some() {
            let message = format!("{name:?} is the name of a role that every tenant has");
            return Err(Refused::new("name", message).because(Why::Conflict));
        }
        let permissions = Permissions::of(&role.permissions);
        check_given("permissions", permissions, by)?;
        if !self.roles.contains_key(name) && self.roles.len() >= MAX_ROLES {
            let message = format!("there are {MAX_ROLES} roles already");
            return Err(Refused::new("name", message).because(Why::Conflict));
        }
        self.roles.insert(name.to_owned(), role);
        Ok(())
    }

    /// Takes a role away that no key in use has.
    pub fn remove_role(&mut self, name: &str, now: Timestamp) -> Result<(), Refused> {
        if let Some(key) = self.keys.iter().find(|key| key.role == name && key.is_valid(now)) {
            let message = format!("key {:?} has this role", key.id);
            return Err(Refused::new("name", message).because(Why::Conflict));
        }
        match self.roles.remove(name) {
            Some(_) => Ok(()),
            None => Err(Refused::new("name", "there is no such role").because(Why::Unknown)),
        }
    }
}

/// Refuses permissions that the giver has not.
fn check_given(field: &str, given: Permissions, by: &Principal) -> Result<(), Refused> {
    if by.permissions().holds(given) {
        return Ok(());
    }
    let missing: Vec<&str> = given.iter().filter(|one| !by.may(*one)).map(Permission::as_str).collect();
    let message = format!("nobody can give what they have not: {}", missing.join(", "));
    Err(Refused::new(field, message).because(Why::Denied))
}

/// A short text for people.
fn check_text(field: &str, text: &str) -> Result<(), Refused> {
    if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refused::new(field, format!("expected at most {MAX_TEXT} bytes without control characters")))
}

/// A name that stands in addresses and audit records.
fn check_name(field: &str, name: &str) -> Result<(), Refused> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Refused::new(field, format!("expected 1 to 64 letters, digits, '.', '_' and '-', got {name:?}")))
}

#[cfg(test)]
mod tests;
