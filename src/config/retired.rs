//! Keys of earlier versions that are still accepted.

use super::error::Origin;
use super::keys;

/// A key of an earlier version that sets nothing any more. A configuration that has one still starts, with a warning.
pub(super) struct Retired {
    section: &'static str,
    name: &'static str,
    /// Why it sets nothing.
    reason: &'static str,
}

pub(super) static RETIRED: &[Retired] = &[Retired {
    section: "sessions",
    name: "max_transactions",
    reason: "a login that has not been answered takes no row in the database, so that there is nothing to bound",
}];

impl Retired {
    pub(super) fn variable(&self) -> String {
        keys::variable(self.section, self.name)
    }

    /// What an operator should know who set it there.
    pub(super) fn warning(&self, origin: &Origin) -> String {
        format!("{origin}: [{}] {} has no effect any more: {}; remove it", self.section, self.name, self.reason)
    }
}

/// The retired key of that name.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|retired| retired.section == section && retired.name == name)
}
