//! Development or production.

/// Developers' mode: this machine only, and nothing has to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dev {
    /// `--dev` was given.
    Yes,
    /// Production.
    #[default]
    No,
}
