//! `[cleanup]`

use super::section;
use crate::config::keys::{DAY, number};

section! {
    /// Removal of what has expired, while serving.
    Cleanup = "cleanup" {
        /// Seconds between two removals of expired rows.
        interval_seconds: u64 = 60, number(1, DAY);
        /// Rows removed in one transaction; at most 1000.
        batch: i64 = 1000, number(1, 1_000);
        /// Days for which audit events are kept. What is older is removed in a way that `latchway audit verify` can tell from
        /// tampering.
        audit_days: i64 = 365, number(1, 36_500);
    }
}
