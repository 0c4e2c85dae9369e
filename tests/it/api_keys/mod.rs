//! API keys: their life, the page on which people manage them, and the API for that. `security/s4_api_keys.rs` has the
//! attacks.

mod api;
mod lifecycle;
mod page;
mod parents;
