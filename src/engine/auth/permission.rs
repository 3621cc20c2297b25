//! What a caller may do: the one table of roles. Whatever is not in it is denied.

use serde::{Deserialize, Serialize};

/// Something that a route asks for. The order is that of the table that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Permission {
    WriteLogs,
    ReadLogs,
    /// Logs of the categories in `SECURITY`, which are left out for others.
    ReadSecurity,
    /// Personal data as it is; for others it is masked.
    ReadPersonal,
    ReadConfig,
    WriteConfig,
    ManageAccess,
    ReadAudit,
    ReadService,
    ActOnService,
    /// Counters and actions of the whole deployment.
    OperateDeployment,
    ManageTenants,
}

use Permission::{
    ActOnService, ManageAccess, ManageTenants, OperateDeployment, ReadAudit, ReadConfig, ReadLogs,
    ReadPersonal, ReadSecurity, ReadService, WriteConfig, WriteLogs,
};

/// Categories of logs that only `ReadSecurity` shows.
pub const SECURITY: [&str; 2] = ["security", "audit"];

impl Permission {
    pub const ALL: [Self; 12] = [
        WriteLogs,
        ReadLogs,
        ReadSecurity,
        ReadPersonal,
        ReadConfig,
        WriteConfig,
        ManageAccess,
        ReadAudit,
        ReadService,
        ActOnService,
        OperateDeployment,
        ManageTenants,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            WriteLogs => "logs:write",
            ReadLogs => "logs:read",
            ReadSecurity => "logs:read_security",
            ReadPersonal => "logs:read_personal",
            ReadConfig => "config:read",
            WriteConfig => "config:write",
            ManageAccess => "access:manage",
            ReadAudit => "audit:read",
            ReadService => "service:read",
            ActOnService => "service:act",
            OperateDeployment => "deployment:operate",
            ManageTenants => "tenants:manage",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == name)
    }

    /// Whether it can be held for some services alone. What is the whole tenant's cannot: a key for some services
    /// would reach the others by way of it.
    pub const fn is_of_services(self) -> bool {
        matches!(self, WriteLogs | ReadLogs | ReadSecurity | ReadPersonal | ReadConfig | WriteConfig)
    }

    /// Whether it reaches beyond one tenant.
    pub const fn is_of_deployment(self) -> bool {
        matches!(self, OperateDeployment | ManageTenants)
    }
}

impl From<Permission> for &'static str {
    fn from(permission: Permission) -> Self {
        permission.as_str()
    }
}

impl TryFrom<String> for Permission {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("{name:?} is no permission"))
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    pub fn of(permissions: &[Permission]) -> Self {
        Self(permissions.iter().fold(0, |set, permission| set | 1 << (*permission as u16)))
    }

    /// Those that can be held for some services alone.
    #[must_use]
    pub fn of_services(self) -> Self {
        let kept: Vec<Permission> = self.iter().filter(|one| one.is_of_services()).collect();
        Self::of(&kept)
    }

    pub fn has(self, permission: Permission) -> bool {
        self.0 & 1 << (permission as u16) != 0
    }

    /// Whether all of the others are in it.
    pub fn holds(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }
}

/// A role that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    pub name: &'static str,
    pub description: &'static str,
    pub permissions: &'static [Permission],
    /// A key of this role names the services that it is for.
    pub needs_services: bool,
}

/// The policy.
pub const ROLES: [Role; 7] = [
    Role {
        name: "ingest",
        description: "writes logs and reads nothing",
        permissions: &[WriteLogs],
        needs_services: false,
    },
    Role {
        name: "developer",
        description: "reads the logs of the services that its key names, without those of security",
        permissions: &[ReadLogs, ReadPersonal],
        needs_services: true,
    },
    Role {
        name: "operator",
        description: "reads and writes all operational logs and the configuration",
        permissions: &[WriteLogs, ReadLogs, ReadPersonal, ReadConfig, WriteConfig, ReadService, ActOnService],
        needs_services: false,
    },
    Role {
        name: "security",
        description: "reads all logs, those of security among them, and the audit stream",
        permissions: &[ReadLogs, ReadSecurity, ReadPersonal, ReadConfig, ReadAudit, ReadService],
        needs_services: false,
    },
    Role {
        name: "support",
        description: "reads logs with personal data masked, without those of security",
        permissions: &[ReadLogs],
        needs_services: false,
    },
    Role {
        name: "admin",
        description: "everything of one tenant",
        permissions: &[
            WriteLogs,
            ReadLogs,
            ReadSecurity,
            ReadPersonal,
            ReadConfig,
            WriteConfig,
            ManageAccess,
            ReadAudit,
            ReadService,
            ActOnService,
        ],
        needs_services: false,
    },
    Role {
        name: "root",
        description: "the tenants and the deployment, and everything of its own tenant",
        permissions: &Permission::ALL,
        needs_services: false,
    },
];

impl Role {
    /// The name of the role that the deployment's own key has.
    pub const ROOT: &'static str = "root";

    pub fn named(name: &str) -> Option<&'static Self> {
        ROLES.iter().find(|role| role.name == name)
    }

    pub fn set(&self) -> Permissions {
        Permissions::of(self.permissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_has_one_name_everywhere() {
        for (nth, permission) in Permission::ALL.into_iter().enumerate() {
            assert_eq!(permission as usize, nth);
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
            let json = serde_json::json!(permission);
            assert_eq!(json, permission.as_str());
            assert_eq!(serde_json::from_value::<Permission>(json).unwrap(), permission);
        }
        assert_eq!(Permission::parse("logs"), None);
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set = Permissions::of(&[ReadLogs, ManageTenants]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [ReadLogs, ManageTenants]);
        assert!(set.holds(Permissions::of(&[ReadLogs])) && !set.holds(Permissions::of(&[WriteLogs])));
        assert_eq!(Permissions::default().iter().count(), 0);
    }

    #[test]
    fn only_root_reaches_beyond_its_tenant() {
        for role in ROLES {
            let reaches = role.permissions.iter().any(|permission| permission.is_of_deployment());
            assert_eq!(reaches, role.name == Role::ROOT, "{}", role.name);
            assert_eq!(Role::named(role.name), Some(&role));
        }
    }
}
