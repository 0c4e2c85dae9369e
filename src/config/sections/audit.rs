//! `[audit]`

use super::section;
use crate::config::keys::number;

section! {
    /// How tampering with the audit trail shows.
    Audit = "audit" {
        /// Seconds between two signed checkpoints of the audit trail, which prove all events before them; at most 600. Between two of
        /// them whoever can write the database can change what was just recorded. See docs/audit.md.
        checkpoint_seconds: u64 = 60, number(1, 600);
    }
}
