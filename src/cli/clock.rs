//! No subcommand that deletes or signs by time believes a clock that the server would not believe.

use super::context::usage;
use super::tool::Tool;
use crate::jobs::{Doubt, accept_clock, doubt_clock};

#[derive(clap::Args)]
pub struct ClockArgs {
    /// This machine's clock is right, whatever the database tells of the time (SQLite alone: PostgreSQL has a clock)
    #[arg(long)]
    pub yes_the_clock_is_right: bool,
}

/// The same where the trail's key is lost, so that nothing can be noted in it before there is another.
pub fn check_for_new_keys(tool: &Tool, args: &ClockArgs) -> anyhow::Result<()> {
    match tool.runtime.block_on(doubt_clock(&tool.db, &tool.clock))? {
        Some(Doubt::Past { .. } | Doubt::Ahead { .. }) if args.yes_the_clock_is_right => Ok(()),
        _ => check(tool, args),
    }
}

/// Refuses to go on by a clock that is in doubt.
pub fn check(tool: &Tool, args: &ClockArgs) -> anyhow::Result<()> {
    let doubt = tool.runtime.block_on(doubt_clock(&tool.db, &tool.clock))?;
    match doubt {
        None => Ok(()),
        Some(doubt @ Doubt::Skewed { .. }) => Err(usage(format!("{doubt}: set the clock first; nothing was done"))),
        Some(_) if args.yes_the_clock_is_right => Ok(tool.runtime.block_on(accept_clock(&tool.db, &tool.clock))?),
        Some(doubt) => Err(usage(format!(
            "{doubt}: what a wrong clock calls expired would be gone for good. Nothing was done; compare the clock, and say \
             --yes-the-clock-is-right if it is"
        ))),
    }
}
