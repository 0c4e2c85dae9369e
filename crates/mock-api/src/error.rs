//! Why an API cannot be mocked.

use std::path::PathBuf;

/// Why there is no API to be mocked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("cannot read {}: {why}", file.display())]
    Read { file: PathBuf, why: std::io::Error },
    /// No JSON, no YAML.
    #[error("{file}: {why}")]
    Syntax { file: String, why: String },
    /// A place in a document, as a JSON pointer (RFC 6901).
    #[error("{file}#{pointer}: {why}")]
    At { file: String, pointer: String, why: String },
    /// A place in `mock.toml`.
    #[error("{0}")]
    Settings(String),
}
