//! The means of a subcommand that works on the database.

use super::context::{Context, check_schema, open_db, operator};
use super::encryption_key;
use super::process::leave_no_core;
use crate::config::Config;
use crate::keys::{IfGone, unlock_audit};
use crate::storage::Db;
use crate::support::{Clock, Rng};

/// A subcommand's means.
pub struct Tool {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub rng: Rng,
    pub runtime: tokio::runtime::Runtime,
}

impl Context {
    /// The configured database, with a schema that fits this binary.
    pub fn open_tool(&self) -> anyhow::Result<Tool> {
        leave_no_core();
        let config = self.tool_config()?;
        let clock = Clock::system();
        let db = open_db(&config, clock.clone())?;
        check_schema(&db)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tool = Tool { config, db, clock, rng: Rng::system(), runtime };
        self.unlock_audit(&tool);
        Ok(tool)
    }

    /// So that what a subcommand does can be recorded, under the name of whoever runs it. Reading needs no key; what would
    /// have to be recorded fails without one.
    fn unlock_audit(&self, tool: &Tool) {
        tool.db.chain().set_operator(operator());
        let unlocked = encryption_key::tool_sealer(self, &tool.config).and_then(|sealer| {
            Ok(tool.runtime.block_on(unlock_audit(&tool.db, &sealer, &tool.clock, &tool.rng, IfGone::Refuse))?)
        });
        if let Err(error) = unlocked {
            tool.db.chain().stays_locked(format!("{error:#}"));
        }
    }
}
