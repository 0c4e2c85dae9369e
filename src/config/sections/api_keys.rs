//! `[api_keys]`

use super::section;
use crate::config::keys::{DAY, HOUR, MILLION, number};

section! {
    /// Credentials of programs.
    ApiKeys = "api_keys" {
        /// API keys that count, which one person or one client can have; the command line knows no limit.
        max_per_owner: usize = 50, number(1, MILLION);
        /// API keys that one person or one client can make in 24 hours, revoked ones included; the command line knows no limit.
        max_made_per_day: usize = 500, number(1, MILLION);
        /// Seconds that the secret before a rotation is taken beside the new one, unless the rotation says otherwise (24 hours).
        overlap_seconds: i64 = 86400, number(0, 365 * DAY);
        /// Seconds between two times at which the last uses of keys are written down; a crash forgets what came since.
        last_use_seconds: u64 = 60, number(1, HOUR);
    }
}
