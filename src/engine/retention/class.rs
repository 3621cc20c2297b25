//! Retention classes: what is kept together and for how long, and which class a record is of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AUDIT_MIN_DAYS;
use crate::engine::{config::deployment::MAX_TTL_DAYS, record::model::Level};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Debug,
    Standard,
    Security,
    Financial,
    Audit,
}

impl Class {
    pub const ALL: [Self; 5] = [Self::Debug, Self::Standard, Self::Security, Self::Financial, Self::Audit];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Standard => "standard",
            Self::Security => "security",
            Self::Financial => "financial",
            Self::Audit => "audit",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Whether a service's own TTL decides for its records of this class; the others are kept whatever it says.
    const fn yields_to_service(self) -> bool {
        matches!(self, Self::Debug | Self::Standard)
    }

    const fn default_days(self) -> Days {
        let (hot_days, keep_days) = match self {
            Self::Debug => (14, 30),
            Self::Standard => (90, 365),
            Self::Security => (365, 730),
            Self::Financial => (365, 2_557),
            Self::Audit => (365, 396),
        };
        Days { hot_days, keep_days }
    }
}

/// How long records of a class are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// In the storage that is read at once; then in the one for what is seldom read.
    pub hot_days: u32,
    pub keep_days: u32,
}

/// A tenant's retention: what it says itself; what it does not say is as for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<Class, Days>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_category: BTreeMap<String, Class>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_level: BTreeMap<Level, Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymize_ip_after_days: Option<u32>,
}

/// Categories that must be kept for long, whatever their level.
const BY_CATEGORY: [(&str, Class); 3] =
    [("security", Class::Security), ("audit", Class::Audit), ("billing", Class::Financial)];

const BY_LEVEL: [(Level, Class); 1] = [(Level::Debug, Class::Debug)];

/// Days after which addresses are anonymised.
const ANONYMIZE_IP_AFTER_DAYS: u32 = 60;

impl Retention {
    /// What cannot be: the field, and why.
    pub fn check(&self) -> Result<(), (String, String)> {
        for (class, days) in &self.classes {
            let least = if *class == Class::Audit { AUDIT_MIN_DAYS } else { 1 };
            let field = |name| format!("classes.{}.{name}", class.as_str());
            if !(least..=MAX_TTL_DAYS).contains(&days.keep_days) {
                let message =
                    format!("expected a whole number from {least} to {MAX_TTL_DAYS}, got {}", days.keep_days);
                return Err((field("keep_days"), message));
            }
            if !(1..=days.keep_days).contains(&days.hot_days) {
                let message = format!(
                    "expected a whole number from 1 to its keep_days {}, got {}",
                    days.keep_days, days.hot_days
                );
                return Err((field("hot_days"), message));
            }
        }
        let fits = |name: &String| (1..=64).contains(&name.len()) && *name == name.to_lowercase();
        if self.by_category.len() > 100 || !self.by_category.keys().all(fits) {
            let message = "expected at most 100 categories of 1 to 64 bytes in small letters";
            return Err(("by_category".into(), message.into()));
        }
        match self.anonymize_ip_after_days {
            Some(days) if !(1..=MAX_TTL_DAYS).contains(&days) => {
                let message = format!("expected a whole number from 1 to {MAX_TTL_DAYS}, got {days}");
                Err(("anonymize_ip_after_days".into(), message))
            }
            _ => Ok(()),
        }
    }

    /// The class of a record.
    pub fn class(&self, level: Level, category: Option<&str>, routed: Option<Class>) -> Class {
        let by_category = || {
            let category = category?;
            let default = || BY_CATEGORY.iter().find(|(name, _)| *name == category).map(|(_, class)| *class);
            self.by_category.get(category).copied().or_else(default)
        };
        let by_level = || {
            let default = || BY_LEVEL.iter().find(|(name, _)| *name == level).map(|(_, class)| *class);
            self.by_level.get(&level).copied().or_else(default)
        };
        routed.or_else(by_category).or_else(by_level).unwrap_or(Class::Standard)
    }

    /// All of it as it holds: what the tenant says, and what it does not.
    #[must_use]
    pub fn resolved(&self, standard_days: u32) -> Self {
        let with = |class| (class, self.days(class, standard_days));
        let mut by_category: BTreeMap<_, _> =
            BY_CATEGORY.into_iter().map(|(name, class)| (name.to_owned(), class)).collect();
        by_category.extend(self.by_category.clone());
        let mut by_level = BTreeMap::from(BY_LEVEL);
        by_level.extend(self.by_level.clone());
        Self {
            classes: Class::ALL.into_iter().map(with).collect(),
            by_category,
            by_level,
            anonymize_ip_after_days: Some(self.anonymize_ip_after_days()),
        }
    }

    /// After how many days the addresses in a row become those of networks.
    pub fn anonymize_ip_after_days(&self) -> u32 {
        self.anonymize_ip_after_days.unwrap_or(ANONYMIZE_IP_AFTER_DAYS)
    }

    /// The term of a class. `standard_days` is what holds for the standard class where the tenant does not say it here.
    pub fn days(&self, class: Class, standard_days: u32) -> Days {
        let default = class.default_days();
        let default = match class {
            Class::Standard => {
                Days { keep_days: standard_days, hot_days: default.hot_days.min(standard_days) }
            }
            _ => default,
        };
        self.classes.get(&class).copied().unwrap_or(default)
    }
}

/// Where records are kept together: their class, or their service's own term where that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    class: Class,
    own_days: Option<u32>,
}

impl Place {
    pub fn new(class: Class, service_days: Option<u32>) -> Self {
        Self { class, own_days: service_days.filter(|_| class.yields_to_service()) }
    }

    /// As it stands in the segments' keys.
    pub fn name(self) -> String {
        match self.own_days {
            Some(own) => super::class_of(own),
            None => self.class.as_str().to_owned(),
        }
    }

    pub fn days(self, retention: &Retention, standard_days: u32) -> u32 {
        self.own_days.unwrap_or_else(|| retention.days(self.class, standard_days).keep_days)
    }
}

/// How long rows are kept that are stored under this class name: as it is said today.
pub fn kept_days(name: &str, retention: &Retention, standard_days: u32, service_days: Option<u32>) -> u32 {
    let class = Class::parse(name).unwrap_or(Class::Standard);
    Place::new(class, service_days).days(retention, standard_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(json: &str) -> Retention {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_rule_decides_before_the_category_and_that_before_the_level() {
        let own = retention(r#"{"by_category":{"database":"audit"},"by_level":{"INFO":"debug"}}"#);
        for (level, category, routed, expected) in [
            (Level::Debug, None, None, Class::Debug),
            (Level::Warn, None, None, Class::Standard),
            (Level::Debug, Some("security"), None, Class::Security),
            (Level::Debug, Some("billing"), None, Class::Financial),
            (Level::Error, Some("audit"), None, Class::Audit),
            (Level::Error, Some("audit"), Some(Class::Debug), Class::Debug),
            (Level::Debug, Some("network"), None, Class::Debug),
            (Level::Error, Some("database"), None, Class::Audit),
            (Level::Info, Some("network"), None, Class::Debug),
        ] {
            assert_eq!(own.class(level, category, routed), expected, "{level:?} {category:?} {routed:?}");
        }
    }

    #[test]
    fn a_services_term_decides_for_its_debug_and_standard_records_alone() {
        let own = retention(r#"{"classes":{"security":{"hot_days":10,"keep_days":400}}}"#);
        for (class, service, expected) in [
            (Class::Standard, None, ("standard", 30)),
            (Class::Standard, Some(7), ("d7", 7)),
            (Class::Debug, None, ("debug", 30)),
            (Class::Debug, Some(90), ("d90", 90)),
            (Class::Security, Some(7), ("security", 400)),
            (Class::Financial, Some(7), ("financial", 2_557)),
            (Class::Audit, Some(7), ("audit", 396)),
        ] {
            let place = Place::new(class, service);
            let (name, days) = (place.name(), place.days(&own, 30));
            assert_eq!((name.as_str(), days), expected, "{class:?} {service:?}");
            assert_eq!(kept_days(&name, &own, 30, service), days, "{class:?} {service:?}");
        }
        // A service that has lost its TTL, and one that has got one.
        assert_eq!(kept_days("d7", &own, 30, None), 30);
        assert_eq!(kept_days("standard", &own, 30, Some(3)), 3);
    }

    #[test]
    fn addresses_are_cut_after_60_days_or_as_the_tenant_says() {
        for (json, days) in [
            ("{}", Some(60)),
            (r#"{"anonymize_ip_after_days":null}"#, Some(60)),
            (r#"{"anonymize_ip_after_days":1}"#, Some(1)),
            (r#"{"anonymize_ip_after_days":3650}"#, Some(3_650)),
            (r#"{"anonymize_ip_after_days":0}"#, None),
            (r#"{"anonymize_ip_after_days":3651}"#, None),
        ] {
            let own = retention(json);
            assert_eq!(own.check().is_ok().then(|| own.anonymize_ip_after_days()), days, "{json}");
        }
    }

    #[test]
    fn a_term_that_cannot_be_is_named() {
        for (json, field) in [
            (r#"{"classes":{"audit":{"hot_days":10,"keep_days":364}}}"#, "classes.audit.keep_days"),
            (r#"{"classes":{"debug":{"hot_days":1,"keep_days":0}}}"#, "classes.debug.keep_days"),
            (r#"{"classes":{"debug":{"hot_days":3,"keep_days":2}}}"#, "classes.debug.hot_days"),
            (r#"{"classes":{"debug":{"hot_days":0,"keep_days":2}}}"#, "classes.debug.hot_days"),
            (r#"{"anonymize_ip_after_days":0}"#, "anonymize_ip_after_days"),
        ] {
            assert_eq!(retention(json).check().map_err(|(field, _)| field), Err(field.to_owned()), "{json}");
        }
        assert_eq!(Retention::default().check(), Ok(()));
    }
}
