//! `[tokens]`

use super::section;
use crate::config::keys::{DAY, DECADE, HOUR, number};

section! {
    /// Lifetimes of what is issued, in seconds.
    Tokens = "tokens" {
        /// Seconds that an access token is valid; at most 86400.
        access_token_seconds: i64 = 900, number(1, DAY);
        /// Seconds that an ID token is valid; at most 3600.
        id_token_seconds: i64 = 3600, number(1, HOUR);
        /// Seconds in which an authorization code must be redeemed; at most 600.
        // RFC 6749 §4.1.2: a maximum lifetime of ten minutes is recommended.
        code_seconds: i64 = 60, number(1, 600);
        /// Seconds from the login until refreshing ends, however often it was done (90 days).
        refresh_absolute_seconds: i64 = 7776000, number(1, DECADE);
        /// Seconds after which an unused refresh token ends (30 days).
        refresh_idle_seconds: i64 = 2592000, number(1, DECADE);
        /// Seconds in which a refresh token that was used gets the live token of its family when it comes again: an answer was lost,
        /// or an app refreshed in parallel. Later use ends the family; 0 makes the first use the only one.
        refresh_retry_seconds: i64 = 30, number(0, 300);
        /// Seconds of clock difference that are forgiven in times that others wrote.
        clock_skew_seconds: i64 = 60, number(0, 300);
    }
}
