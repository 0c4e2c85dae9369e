//! What can be wrong with a configuration, each as one line that says what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Everything that is wrong, found in one go; its `Display` is one line a problem.
#[derive(Debug, Error)]
#[error("{}", lines(.0))]
pub struct ConfigError(Vec<Problem>);

impl ConfigError {
    /// The problems, in the order in which the sources were read.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// `Ok` when there is no problem.
    pub(super) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong. None of these carries a secret.
#[derive(Debug, Error)]
pub enum Problem {
    /// A file that was named could not be read.
    #[error("{}: cannot be read: {reason}; check {named_by}", .path.display())]
    Unreadable { path: PathBuf, reason: io::Error, named_by: String },
    /// The file is not TOML.
    #[error("{origin}: line {line} is not valid TOML: {reason}")]
    Syntax { origin: Origin, line: usize, reason: String },
    /// No such section or key.
    #[error("{origin}: unknown {written}; did you mean {nearest}?")]
    Unknown { origin: Origin, written: String, nearest: String },
    /// The value and the file that holds it are both given.
    #[error("{variable} and {variable}_FILE are both set; remove one of them")]
    SetTwice { variable: String },
    /// A value that cannot be used; `setting` shows key and value.
    #[error("{origin}: {setting}: {reason}")]
    Invalid { origin: Origin, setting: String, reason: String },
    /// A value that somebody has to give.
    #[error("{key} is not set; {fix}")]
    Missing { key: String, fix: String },
    /// `keys.rs` and the sections disagree, which the tests exclude.
    #[error("the configuration does not fit: {0}")]
    Shape(String),
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The declaration of the setting.
    Default,
    /// The operator's TOML file.
    File(PathBuf),
    /// An environment variable that holds the value.
    Variable(String),
    /// An environment variable that names the file which holds the value.
    VariableFile(String, PathBuf),
    /// A command line flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::VariableFile(name, path) => write!(f, "environment variable {name} ({})", path.display()),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
