//! `[device]`

use super::section;
use crate::config::keys::{MILLION, number};

section! {
    /// The grant for devices without a browser (RFC 8628).
    Device = "device" {
        /// The grant for devices without a browser (RFC 8628); a client has it only if it is registered for it. Seconds that a
        /// device's code and the short one on its screen count; 60 to 1800.
        // RFC 8628 §6.1: what guards a user code is that it counts for a short time.
        code_seconds: i64 = 600, number(60, 1_800);
        /// Seconds that a device waits between two questions whether somebody has decided.
        interval_seconds: i64 = 5, number(1, 60);
        /// Requests of devices under way that may be stored at once. For one more the client and network with the most loses its
        /// oldest; whoever has the most already is answered 503.
        max_requests: i64 = 100000, number(1, 1_000 * MILLION);
    }
}
