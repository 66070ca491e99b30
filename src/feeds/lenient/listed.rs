//! The values that a page lists for a field. All lists are open: another value is kept as sent, and noted.

/// A list of documented values.
pub trait Listed {
    /// As the sender's page spells them.
    const VALUES: &'static [&'static str];
}

/// Declares lists of documented values, each with a line of documentation.
macro_rules! listed {
    ($($(#[$meta:meta])* $vis:vis $name:ident = [$($value:literal),* $(,)?];)*) => {
        $($(#[$meta])*
        $vis struct $name;

        impl $crate::feeds::lenient::Listed for $name {
            const VALUES: &'static [&'static str] = &[$($value),*];
        })*
    };
}

pub(in crate::feeds) use listed;
