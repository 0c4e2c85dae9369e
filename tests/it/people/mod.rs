//! People: what turns a proof into a credential, what ends it, and how operators manage accounts.

mod accounts;
mod device_codes;
mod passwords;
mod proofs;
mod sessions;
