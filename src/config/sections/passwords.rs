//! `[passwords]`

use super::section;
use crate::config::keys::{MILLION, number};

section! {
    /// Argon2id and its bounds.
    Passwords = "passwords" {
        /// Argon2id memory for one hash, in KiB; at least 8192. A higher value applies to each person at the next login.
        memory_kib: u32 = 19456, number(8_192, 4 * 1_024 * 1_024);
        /// Argon2id passes.
        iterations: u32 = 2, number(1, 100);
        /// Argon2id lanes.
        parallelism: u32 = 1, number(1, 64);
        /// Hashes computed at once: the memory used is at most this times memory_kib.
        max_parallel: usize = 2, number(1, 1_024);
        /// Logins that may wait for a hash; further ones are answered 503.
        queue: usize = 64, number(1, MILLION);
        /// Fewest characters of a password that a person chooses; at least 8.
        min_length: usize = 8, number(8, 64);
    }
}
