use super::context::{Context, open_db};
use super::output;
use crate::support::Clock;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(context: &Context, _: &Args) -> anyhow::Result<()> {
    let config = context.tool_config()?;
    let db = open_db(&config, Clock::system())?;
    let applied = db.migrate()?;
    let json = serde_json::json!({"applied": applied, "database": db.kind()});
    output::show(context, &json, || match applied {
        0 => outln!("The schema is up to date."),
        1 => outln!("Applied 1 migration."),
        _ => outln!("Applied {applied} migrations."),
    })
}
