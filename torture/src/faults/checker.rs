//! Each invariant is broken on purpose, by damage that the server did not do: a check that cannot fail is worse than none.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Run;
use super::scene::must;
use crate::actor::{Actor, Crowd};
use crate::check::INVARIANTS;
use crate::ledger::State;
use crate::world::{Plan, World};

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "checker", nodes: 1, ..Plan::default() }).await?;
    let mut crowd = Crowd::start(Actor::several(&world, 2).await?, 2);
    // Until there is something of everything.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let enough = {
            let book = world.ledger.book();
            let refreshed = book.refresh.iter().any(|token| token.state == State::Dead);
            refreshed && book.codes.values().any(|code| code.replayed && code.family.is_some())
        };
        if enough && crowd.steps() > 60 {
            break;
        }
    }
    crowd = Crowd::start(crowd.finish().await?, 2);
    crowd.finish().await?;
    run.report.check(&world).await?;
    // From what harms least to what harms most: damage stays.
    for name in ["I0", "I8", "I7", "I3", "I6", "I4", "I2", "I1", "I5"] {
        damage(&world, name).await.with_context(|| format!("damage for {name}"))?;
        let invariant = INVARIANTS.iter().find(|invariant| invariant.name == name).context("an invariant")?;
        let outcome = (invariant.run)(&world).await?;
        run.report.did(1);
        let seen = must(!outcome.broken.is_empty(), || "the check saw nothing".to_owned());
        let why = outcome.broken.first().map_or("", String::as_str).chars().take(90).collect::<String>();
        run.report.expect(&format!("damage to {name} is seen: {why}"), seen);
    }
    world.end().await;
    Ok(())
}

async fn damage(world: &World, name: &str) -> Result<()> {
    let db = &world.database;
    match name {
        "I0" => world.ledger.complain("on purpose".to_owned()),
        "I8" => {
            let token = world.ledger.book().access.first().context("a token")?.text.clone();
            let mut log = std::fs::OpenOptions::new().append(true).open(&world.nodes[0].log)?;
            writeln!(log, "{{\"token\":\"{token}\"}}")?;
        }
        "I7" => db.execute("DELETE FROM audit_events WHERE kind = 'token_refreshed'").await?,
        "I3" => {
            let live = {
                let book = world.ledger.book();
                let mut live = book.access.iter().filter(|token| book.access_state(token) == State::Live);
                live.next().context("a live token")?.jti.clone()
            };
            db.execute(&format!("DELETE FROM access_tokens WHERE {} = '{live}'", db.hex("jti"))).await?;
        }
        // Whatever was revoked stands again: replayed, logged out, revoked.
        "I6" => {
            let rest = "FROM codes c JOIN audit_events e ON e.kind = 'code_replay' WHERE c.consumed_at IS NOT NULL";
            anyhow::ensure!(db.count("count(*)", rest).await? > 0, "nothing was replayed");
            db.execute("UPDATE grants SET revoked_at = NULL").await?;
        }
        "I4" => db.execute("UPDATE access_tokens SET revoked_at = NULL").await?,
        "I2" => db.execute("UPDATE refresh_tokens SET consumed_at = NULL").await?,
        "I1" => db.execute("UPDATE refresh_tokens SET parent_id = NULL").await?,
        _ => {
            let one = "SELECT grant_id FROM refresh_tokens ORDER BY id LIMIT 1";
            db.execute(&format!("DELETE FROM grants WHERE id = ({one})")).await?;
        }
    }
    Ok(())
}
