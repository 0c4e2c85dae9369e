//! `latchway migrate`: brings the schema up to date.

use super::context::{Context, db_options, open_db_with};
use super::output;
use crate::storage::IfMissing;
use crate::support::Clock;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(context: &Context, _: &Args) -> anyhow::Result<()> {
    let config = context.tool_config()?;
    let db = open_db_with(&db_options(&config, IfMissing::Make), Clock::system())?;
    let applied = db.migrate()?;
    let json = serde_json::json!({"applied": applied, "database": db.kind()});
    output::show(context, &json, || match applied {
        0 => outln!("The schema is up to date."),
        1 => outln!("Applied 1 migration."),
        _ => outln!("Applied {applied} migrations."),
    })
}
