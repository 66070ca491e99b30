//! Which fields of free-form details belong to identity documents, whoever sends them: they are kept apart.

/// Whether a key of the free-form details belongs to an identity document: the documented ones, and what websites make
/// of them, as `drivers_license_number`.
#[must_use]
pub fn is_identity_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["license", "licence", "passport"].iter().any(|word| name.contains(word))
}
