//! Why a request has no world.

use super::defaults::MAX_RUNS;
use super::issuer::MakeError;
use super::rules::RuleError;

/// Why there is no world for a run.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("X-Mock-Run must be 1 to 64 letters, digits, - and _")]
    Name,
    #[error("there are {MAX_RUNS} runs already; end one with DELETE /mock/runs/NAME")]
    TooMany,
    #[error("a request of another site cannot begin a run or an issuer; ask for it once from this machine")]
    Foreign,
    #[error(transparent)]
    Make(#[from] MakeError),
    #[error(transparent)]
    Rules(#[from] RuleError),
}
