use super::context::Context;
use super::output;
use crate::jobs;

pub fn run(context: &Context) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    let removed = tool.runtime.block_on(jobs::sweep_all(&tool.db, &tool.config, tool.clock.now()))?;
    let json: serde_json::Map<String, serde_json::Value> =
        removed.iter().map(|(table, rows)| ((*table).to_owned(), (*rows).into())).collect();
    output::show(context, &serde_json::json!({"removed": json}), || {
        let rows: Vec<Vec<String>> =
            removed.iter().map(|(table, rows)| vec![(*table).to_owned(), rows.to_string()]).collect();
        output::table(&["table", "removed"], &rows);
    })
}
