//! Whether a URL can be one of a database.

use super::options::wrong_url;
use super::{StorageError, postgres};

/// Whether a URL can be one of a database, as far as that shows without asking it.
///
/// # Errors
/// With what is wrong.
pub fn check_url(url: &str) -> Result<(), StorageError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres::check_url(url);
    }
    if url.starts_with("sqlite://") { Ok(()) } else { Err(wrong_url()) }
}
