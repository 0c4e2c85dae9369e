//! A copy of a world, to go back to.

use std::collections::BTreeMap;

use latchway_mock_api::ApiState;

use super::rules;
use crate::storage::Db;
use crate::support::Moved;

/// A world as it was at a moment. Its journal is not a part of it: what was seen was seen.
pub struct Snapshot {
    /// When it was taken, in Unix milliseconds of the world's time.
    pub taken_at: i64,
    pub(super) issuers: BTreeMap<String, Db>,
    pub(super) clock: Moved,
    pub(super) rules: rules::State,
    pub(super) data: ApiState,
}
