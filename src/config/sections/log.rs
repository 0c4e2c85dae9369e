//! `[log]`

use super::section;
use crate::config::keys::Rule::{Line, OneOf};
use serde::{Deserialize, Serialize};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

section! {
    /// What is logged and how.
    Log = "log" {
        /// "json", one object a line, or "text" for people; under --dev the default is "text".
        format: LogFormat = "json", OneOf(&["json", "text"]);
        /// error, warn, info, debug, trace or off; also by module, such as "latchway=debug,info". docs/logging.md has the fields.
        level: String = "info", Line;
    }
}
