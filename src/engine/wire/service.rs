//! Names that other systems give a service, made into names that are valid here. The caller keeps the
//! original where it differs.

use crate::engine::record::normalise::{MAX_SERVICE_BYTES, is_service_byte};

/// The service of records that tell none, as OpenTelemetry and Loki call it.
pub(super) const UNKNOWN: &str = "unknown_service";

/// Never empty, and unchanged if it is valid.
pub(super) fn service_name(name: &str) -> String {
    if name.is_empty() {
        return UNKNOWN.to_owned();
    }
    let replace = |c: char| match u8::try_from(c) {
        Ok(byte) if is_service_byte(byte) => c,
        _ => '-',
    };
    name.chars().take(MAX_SERVICE_BYTES).map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::normalise::is_service_name;

    #[test]
    fn every_name_becomes_a_valid_one() {
        let long = "é".repeat(200);
        for (name, expected) in [
            ("shop.api-2_b", "shop.api-2_b"),
            ("", UNKNOWN),
            ("unknown_service:java", "unknown_service-java"),
            ("my shop/é", "my-shop--"),
            (&long, &"-".repeat(128)),
        ] {
            assert_eq!(service_name(name), expected);
            assert!(is_service_name(&service_name(name)));
        }
    }
}
