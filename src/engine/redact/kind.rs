//! What can be found, by the names that policies, marks and counts use.

/// One kind of what is found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Email,
    Phone,
    Ipv4,
    Ipv6,
    CreditCard,
    Iban,
    UsSsn,
    NationalId,
    DateOfBirth,
    Jwt,
    PrivateKey,
    /// A key or token of a service, known by its shape.
    Token,
    /// What is called a secret: passwords, headers, values beside names.
    Secret,
    /// By the number of the policy's pattern.
    Custom(u8),
    /// A whole field that the policy names.
    Field,
}

impl Kind {
    pub(super) const BUILT_IN: [(Self, &'static str); 13] = [
        (Self::Email, "email"),
        (Self::Phone, "phone"),
        (Self::Ipv4, "ipv4"),
        (Self::Ipv6, "ipv6"),
        (Self::CreditCard, "credit_card"),
        (Self::Iban, "iban"),
        (Self::UsSsn, "us_ssn"),
        (Self::NationalId, "national_id"),
        (Self::DateOfBirth, "date_of_birth"),
        (Self::Jwt, "jwt"),
        (Self::PrivateKey, "private_key"),
        (Self::Token, "token"),
        (Self::Secret, "secret"),
    ];

    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Jwt | Self::PrivateKey | Self::Token | Self::Secret)
    }

    /// Its name, unless the policy named it.
    pub(super) fn name(self) -> &'static str {
        Self::BUILT_IN.iter().find(|(kind, _)| *kind == self).map_or("redacted", |(_, name)| *name)
    }
}

/// A part of a text that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}
