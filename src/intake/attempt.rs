//! What is known of earlier attempts at a delivery, and who asked for this one.

/// What is known of earlier attempts at a delivery, and who asked for this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptInfo {
    /// How often it failed, or was rejected and stored; nought for one that is not known to be stored.
    pub(crate) attempts: i32,
    /// Whether an earlier attempt may have stored it without anybody having seen the end of that.
    pub(crate) may_be_stored: bool,
    /// Whether a person asked for this attempt, which its record then shows.
    pub(crate) is_manual: bool,
    /// Whether its undocumented fields are counted; those of one that was read before have been.
    pub(crate) counts_unknown_fields: bool,
}

impl AttemptInfo {
    /// Nobody has tried it.
    pub(crate) fn first() -> Self {
        Self { attempts: 0, may_be_stored: false, is_manual: false, counts_unknown_fields: true }
    }

    /// It was tried so often before, as far as is known.
    pub(crate) fn again(attempts: i32) -> Self {
        Self { attempts, may_be_stored: true, ..Self::first() }
    }

    /// A person asks for it.
    pub(crate) fn manual(attempts: i32, counts_unknown_fields: bool) -> Self {
        Self { is_manual: true, counts_unknown_fields, ..Self::again(attempts) }
    }
}
