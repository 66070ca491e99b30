//! Who may enter: the schemes as a small pure core.
