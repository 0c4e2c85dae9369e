//! `kill -9` during `latchway migrate`. The next start resumes or refuses; it never serves a half schema.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use super::scene::must;
use crate::world::{Database, Kind, Plan, World};

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    // A world without nodes is a migrated database; what it took is what a kill is aimed into.
    let plan = Plan { name: "migrate", nodes: 0, ..Plan::default() };
    let whole = run.world(&plan).await?;
    let expected = schema(&whole.database).await?;
    whole.end().await;
    let mut rng = crate::rng::Rng::new(run.site.seed, "migrate");
    let (begin, mut kills, mut halfway, mut wrong, mut refused) = (Instant::now(), 0, 0, Vec::new(), 0);
    while begin.elapsed() < run.budget || kills < 3 {
        let world = World::empty(&run.site, run.kind, "migrate").await?;
        let mut child = world.tool().spawn_cli(&["migrate"])?;
        tokio::time::sleep(Duration::from_micros(rng.between(2_000, 180_000))).await;
        let early = child.try_wait()?.is_none();
        let _ = child.kill();
        let _ = child.wait();
        kills += u64::from(early);
        settle(&world.database).await?;
        let half = schema(&world.database).await.unwrap_or_default() != expected;
        halfway += u64::from(half);
        // Without `migrate_on_start` an unfinished schema is refused, with a sentence that says what to do.
        let node = world.tool();
        node.start()?;
        let ready = node.ready(Duration::from_secs(20)).await;
        node.kill();
        match (half, ready) {
            (true, Ok(_)) => wrong.push("it served on an unfinished schema".to_owned()),
            (true, Err(error)) => {
                refused += 1;
                if !format!("{error}").contains("migrate") {
                    wrong.push(format!("it refused without a word on migrating: {error}"));
                }
            }
            (false, Err(error)) => wrong.push(format!("it refused a whole schema: {error}")),
            (false, Ok(_)) => {}
        }
        if let Err(error) = world.cli(&["migrate"], "").await {
            wrong.push(format!("migrating again failed: {error}"));
        } else if schema(&world.database).await? != expected {
            wrong.push("migrating again leads to another schema".to_owned());
        }
        world.end().await;
    }
    run.report.did(kills);
    run.report.say(&format!("R-013 {kills} kills, {halfway} left an unfinished schema, {refused} starts refused it"));
    run.report.expect(
        "R-013 resumed or refused with a clear message, never served half",
        must(wrong.is_empty(), || format!("{}: {}", wrong.len(), wrong[0])),
    );
    Ok(())
}

/// PostgreSQL may still be at the killed command's last statement.
async fn settle(database: &Database) -> Result<()> {
    if database.kind() == Kind::Sqlite {
        return Ok(());
    }
    let rest = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'latchway'";
    for _ in 0..200 {
        if database.count("count(*)", rest).await? == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn schema(database: &Database) -> Result<Vec<Vec<String>>> {
    let mut rows = match database.kind() {
        Kind::Sqlite => database.rows(&["type", "name", "sql"], "FROM sqlite_master").await?,
        Kind::Postgres => {
            let columns = ["table_name", "column_name", "data_type", "is_nullable"];
            database.rows(&columns, "FROM information_schema.columns WHERE table_schema = 'public'").await?
        }
    };
    if !rows.is_empty() {
        rows.extend(database.rows(&["version"], "FROM __diesel_schema_migrations").await.unwrap_or_default());
    }
    rows.sort();
    Ok(rows)
}
