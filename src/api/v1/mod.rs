//! Version 1.

pub mod api_keys;
