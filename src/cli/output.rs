use serde_json::Value;

use super::context::Context;

/// Prints JSON where it is asked for, else calls `text`.
pub fn show(context: &Context, json: &Value, text: impl FnOnce()) -> anyhow::Result<()> {
    if context.json {
        println!("{json}");
    } else {
        text();
    }
    Ok(())
}

/// Prints what went wrong to standard error; with `--json` as JSON.
pub fn failure(context: &Context, error: &anyhow::Error) {
    if context.json {
        eprintln!("{}", serde_json::json!({"error": format!("{error:#}")}));
    } else {
        eprintln!("error: {error:#}");
    }
}

/// Rows under a heading, each column as wide as it must be.
pub fn table(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(heading.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}
