//! Why rules cannot be used, naming the rule and its member.

use thiserror::Error;

/// Why rules cannot be used. Each names the rule and its member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    #[error("{at}: {why}")]
    Invalid { at: String, why: String },
    #[error("there is no profile {name}{}", nearest(.near))]
    NoProfile { name: String, near: Option<String> },
    #[error("there is no rule {0}")]
    NoRule(String),
}

impl RuleError {
    pub(super) fn invalid(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { at: at.into(), why: why.into() }
    }

    /// The same, said of something within something.
    pub(super) fn within(self, outer: &str) -> Self {
        match self {
            Self::Invalid { at, why } => Self::Invalid { at: format!("{outer}.{at}"), why },
            other => other,
        }
    }
}

fn nearest(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}
