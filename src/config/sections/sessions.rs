//! `[sessions]`

use super::section;
use crate::config::keys::{DAY, DECADE, number};

section! {
    /// Browser sessions, in seconds.
    Sessions = "sessions" {
        /// Seconds after which an unused browser session ends (12 hours).
        idle_seconds: i64 = 43200, number(1, DECADE);
        /// Seconds after which a browser session ends in any case (14 days).
        absolute_seconds: i64 = 1209600, number(1, DECADE);
        /// Seconds that a login and consent may take. Until it is answered a login lies sealed in the browser and takes no room here.
        transaction_seconds: i64 = 1800, number(1, DAY);
    }
}
