//! The API for programs, versioned in the path.

mod json;
pub mod v1;
