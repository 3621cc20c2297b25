//! Names that people write in many ways: environments and components.

/// An environment's usual name; `None` when it is that already, or none that is known.
pub fn environment(name: &str) -> Option<&'static str> {
    let mut buffer = [0; 16];
    let trimmed = name.trim();
    let lower = buffer.get_mut(..trimmed.len())?;
    lower.copy_from_slice(trimmed.as_bytes());
    lower.make_ascii_lowercase();
    let usual = match &*lower {
        b"production" | b"prod" | b"prd" | b"prod." | b"live" => "production",
        b"staging" | b"stage" | b"stg" | b"stag" | b"preprod" | b"pre-prod" | b"pre_prod"
        | b"preproduction" | b"pre-production" | b"uat" => "staging",
        b"development" | b"develop" | b"devel" | b"dev" => "development",
        b"test" | b"testing" | b"tests" | b"tst" | b"qa" | b"qas" | b"ci" => "test",
        b"local" | b"localhost" | b"localdev" | b"loc" => "local",
        _ => return None,
    };
    (usual != name).then_some(usual)
}

/// A component's name in lower case, blanks and underscores as one hyphen; `None` when it is so already.
pub fn component(name: &str) -> Option<String> {
    let is_gap = |c: char| c.is_whitespace() || c == '_';
    let settled = |c: char| !is_gap(c) && !c.is_uppercase();
    if name.chars().all(settled) {
        return None;
    }
    let mut usual = String::with_capacity(name.len());
    for word in name.split(is_gap).filter(|word| !word.is_empty()) {
        if !usual.is_empty() {
            usual.push('-');
        }
        usual.extend(word.chars().flat_map(char::to_lowercase));
    }
    // A name of blanks alone is left to whoever rejects it, and so is a letter without a small form.
    (!usual.is_empty() && usual != name).then_some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_one_name() {
        for (names, expected) in [
            ("prod PRD Prod PRODUCTION Production live", Some("production")),
            ("stage stg STG Staging preprod pre-prod uat", Some("staging")),
            ("dev Dev DEVEL develop Development", Some("development")),
            ("Test testing qa QA tst ci", Some("test")),
            ("localhost LOCAL loc", Some("local")),
            ("production staging development test local", None),
            ("eu-1 blue sandbox a-name-that-is-longer-than-any", None),
        ] {
            for name in names.split(' ') {
                assert_eq!(environment(name), expected, "{name}");
            }
        }
        assert_eq!(environment(" production "), Some("production"));
        assert_eq!(environment(""), None);
    }

    #[test]
    fn a_component_has_one_spelling() {
        for (name, expected) in [
            ("Order Service", Some("order-service")),
            ("order_service", Some("order-service")),
            ("  Order__ Service ", Some("order-service")),
            ("AUTH", Some("auth")),
            ("_private", Some("private")),
            ("ÄPFEL Birnen", Some("äpfel-birnen")),
            ("order-service", None),
            ("dfs.node$x", None),
            ("", None),
            (" _ ", None),
        ] {
            assert_eq!(component(name).as_deref(), expected, "{name}");
        }
    }
}
