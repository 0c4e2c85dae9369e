//! A route or rule that almost matched a request, for explanations.

use serde::Serialize;

/// What would have served a request, had something been otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// A route or a rule, by its name.
    pub what: String,
    /// What was missing, in a sentence.
    pub why: String,
}
