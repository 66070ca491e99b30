//! The key of erasures: what was erased is known again by its fingerprint, which nobody can make without the key.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::PgConnection;

use super::error::Error;
use crate::domain::erasure::Subject;

/// The key. Never shown.
#[derive(Clone)]
pub struct ErasureKey(Hmac<Sha256>);

impl ErasureKey {
    /// The key of a secret; none where it is empty.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        if secret.is_empty() { None } else { Hmac::new_from_slice(secret.as_bytes()).ok().map(Self) }
    }

    /// Tells this key from another one, and nothing else about it.
    #[must_use]
    pub fn id(&self) -> String {
        self.digest(&["key"]).chars().take(16).collect()
    }

    /// The fingerprint of an address or a lead in a workspace; workspace 0 stands for none.
    #[must_use]
    pub fn fingerprint(&self, workspace: i64, subject: &Subject) -> String {
        let workspace = workspace.to_string();
        match subject {
            Subject::Address(email) => self.digest(&["address", &workspace, email.as_str()]),
            Subject::Lead(lead) => self.digest(&["lead", &workspace, lead.sender.name(), &lead.external_id]),
        }
    }

    /// Each part with its length before it, so that no two lists of parts look the same.
    fn digest(&self, parts: &[&str]) -> String {
        let mut hmac = self.0.clone();
        for part in parts {
            hmac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hmac.update(part.as_bytes());
        }
        let hex = |byte: u8| [byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'));
        hmac.finalize().into_bytes().into_iter().flat_map(hex).collect()
    }
}

impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKey")
    }
}

/// Whether every erasure of the database was made with this key.
///
/// # Errors
/// When one was made with another, or there are some and no key is here.
pub(super) async fn check(key: Option<&ErasureKey>, tx: &mut PgConnection) -> Result<(), Error> {
    let is_foreign = sqlx::query_scalar!(
        r#"select exists (select from intake.erasures where key_id is distinct from $1) as "is_foreign!""#,
        key.map(ErasureKey::id),
    );
    if is_foreign.fetch_one(tx).await? { Err(Error::ErasureKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::Sender;
    use crate::domain::state::LeadKey;
    use crate::domain::values::Email;

    #[test]
    fn a_fingerprint_differs_by_key_workspace_sender_and_subject() {
        let keys = ["a", "b"].map(|secret| ErasureKey::new(secret).unwrap());
        let lead = |sender, id: &str| Subject::Lead(LeadKey { sender, external_id: id.to_owned() });
        let subjects = [
            Subject::Address(Email::parse("ada@example.com").unwrap()),
            lead(Sender::DealerStudio, "1"),
            lead(Sender::LeadPro, "1"),
            lead(Sender::LeadPro, "11"),
        ];
        let all = keys.iter().flat_map(|key| {
            subjects.iter().flat_map(|subject| [1, 11].map(|workspace| key.fingerprint(workspace, subject)))
        });
        let all: std::collections::BTreeSet<String> = all.collect();
        assert_eq!(all.len(), 16);
        assert!(all.iter().all(|one| one.len() == 64));
        assert_ne!(keys[0].id(), keys[1].id());
        assert_eq!(format!("{:?}", keys[0]), "ErasureKey");
        assert!(ErasureKey::new("").is_none());
    }
}
