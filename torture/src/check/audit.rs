//! I7

use std::collections::HashMap;

use anyhow::Result;

use super::Outcome;
use crate::ledger::Times;
use crate::world::World;

/// I7: each writer's numbers have no gap, every acknowledged change has its event, no event tells of what was rolled back,
/// and the server's own verification finds nothing.
pub async fn whole(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let mut broken = sequences(world).await?;
    let columns = ["request_id", "kind"];
    let rows = db.rows(&columns, "FROM audit_events WHERE outcome = 'success' AND request_id IS NOT NULL").await?;
    let mut found: HashMap<(&str, &str), usize> = HashMap::new();
    for row in &rows {
        *found.entry((&row[0], &row[1])).or_default() += 1;
    }
    let looked_at = {
        let book = world.ledger.book();
        for (request, kinds, times) in &book.events {
            let count: usize = kinds.split('|').filter_map(|kind| found.get(&(request.as_str(), kind))).sum();
            if count > 1 || count == 0 && *times == Times::Once {
                broken.push(format!("{count} events {kinds} of the acknowledged request {request}"));
            }
        }
        book.events.len()
    };
    // Each row of these is written in one transaction with its event.
    for (rows, kinds) in [
        ("access_tokens", "'token_issued', 'token_refreshed', 'refresh_retried', 'device_redeemed'"),
        ("codes", "'code_issued'"),
        ("grants", "'code_issued', 'device_approved'"),
        ("device_codes", "'device_requested'"),
    ] {
        let written = db.count("count(*)", &format!("FROM {rows}")).await?;
        let told = format!("FROM audit_events WHERE outcome = 'success' AND kind IN ({kinds})");
        let told = db.count("count(*)", &told).await?;
        if written != told {
            broken.push(format!("{written} rows of {rows}, and {told} events that tell of them"));
        }
    }
    if let Err(error) = world.cli(&["audit", "verify"], "").await {
        broken.push(format!("{error:#}"));
    }
    Ok(Outcome { looked_at, broken })
}

async fn sequences(world: &World) -> Result<Vec<String>> {
    let db = &world.database;
    let columns = [&db.hex("writer")[..], "min(sequence)", "max(sequence)", "count(*)", "count(DISTINCT sequence)"];
    let rows = db.rows(&columns, "FROM audit_events GROUP BY writer").await?;
    let mut broken = Vec::new();
    for row in &rows {
        let whole = !row[0].is_empty() && row[1] == "1" && row[2] == row[3] && row[3] == row[4];
        if !whole {
            broken.push(format!(
                "writer {}: numbers {} to {}, {} of them, {} different",
                row[0], row[1], row[2], row[3], row[4]
            ));
        }
    }
    Ok(broken)
}
