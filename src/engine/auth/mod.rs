//! Who is asking, and what they may do: credentials out of headers, keys and tokens, and the one table of roles. It
//! knows no stored account and decides nothing about a route.

pub mod credential;
pub mod key;
pub mod permission;

use std::sync::Arc;

pub mod jwt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use credential::Credential;
pub use key::{ApiKey, KeyHash};
pub use permission::{Permission, Permissions, Role};

use crate::engine::tenant::Tenant;

/// A caller that has shown a valid credential. Its tenant is the only one that it can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    tenant: Tenant,
    identity: Identity,
    permissions: Permissions,
    services: Option<Arc<[String]>>,
}

/// As what a caller is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of its key, or `token:` and the subject of its token.
    pub id: String,
    /// What the key is called.
    pub name: String,
    pub role: String,
}

impl Principal {
    pub fn new(
        tenant: Tenant,
        identity: Identity,
        permissions: Permissions,
        services: Option<Vec<String>>,
    ) -> Self {
        let permissions = if services.is_some() { permissions.of_services() } else { permissions };
        Self { tenant, identity, permissions, services: services.map(Arc::from) }
    }

    /// The id of the deployment's own key.
    pub const BOOTSTRAP: &'static str = "bootstrap";

    /// The holder of the deployment's own key.
    pub fn root() -> Self {
        let text = str::to_owned;
        let identity =
            Identity { id: text(Self::BOOTSTRAP), name: text(Self::BOOTSTRAP), role: text(Role::ROOT) };
        Self::new(Tenant::default_tenant(), identity, Permissions::of(&Permission::ALL), None)
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.has(permission)
    }

    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// The services that it may name; `None` for all.
    pub fn services(&self) -> Option<&[String]> {
        self.services.as_deref()
    }

    pub fn may_use_service(&self, service: &str) -> bool {
        self.services.as_ref().is_none_or(|services| services.iter().any(|own| own == service))
    }
}

/// Whether a secret is the expected one. Both sides are hashed first, so neither the time taken nor the length
/// tells anything of it.
pub fn is_secret(given: &str, expected: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

/// The first 128 bits of the SHA-256: as good as all of it for telling things apart.
pub fn digest(bytes: &[u8]) -> Uuid {
    let hash = Sha256::digest(bytes);
    Uuid::from_slice(hash.get(..16).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_same_in_every_byte() {
        assert!(is_secret("secret", "secret"));
        for wrong in ["", "Secret", "secret2", "secre"] {
            assert!(!is_secret(wrong, "secret"), "{wrong}");
        }
    }

    #[test]
    fn who_is_for_some_services_has_nothing_of_the_whole_tenant() {
        let identity = Identity { id: "key_1".into(), name: "ci".into(), role: "admin".into() };
        let all = Permissions::of(&Permission::ALL);
        let one = Principal::new(Tenant::default_tenant(), identity, all, Some(vec!["api".to_owned()]));
        for permission in Permission::ALL {
            assert_eq!(one.may(permission), permission.is_of_services(), "{permission:?}");
        }
        assert!(!one.may(Permission::ManageAccess) && !one.may(Permission::ReadAudit));
    }

    #[test]
    fn a_principal_may_do_what_it_was_given_and_nothing_else() {
        let root = Principal::root();
        assert!(Permission::ALL.into_iter().all(|permission| root.may(permission)));
        let identity = Identity { id: "key_1".into(), name: "ci".into(), role: "developer".into() };
        let services = Some(vec!["api".to_owned()]);
        let one = Principal::new(
            Tenant::default_tenant(),
            identity,
            Permissions::of(&[Permission::ReadLogs]),
            services,
        );
        assert!(one.may(Permission::ReadLogs) && !one.may(Permission::WriteLogs));
        assert!(one.may_use_service("api") && !one.may_use_service("ap") && root.may_use_service("ap"));
    }
}
