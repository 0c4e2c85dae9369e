//! a hundred wrong passwords at once, on all nodes, under a limit of five.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Run;
use super::scene::{Shot, at_once, must, tally};
use crate::api::Said;
use crate::browser::fill_in;
use crate::http::request;
use crate::world::{Person, World};

const GUESSES: usize = 100;
const LIMIT: i64 = 5;

pub async fn guesses(run: &mut Run<'_>, world: &Arc<World>, rounds: usize) -> Result<()> {
    for _ in 0..rounds {
        let person = world.person().await?;
        let before = evaluated(world).await?;
        let mut shots = Vec::new();
        for n in 0..GUESSES {
            let guess = Person { name: person.name.clone(), password: format!("wrong password {n}") };
            let api = world.api_at(world.nodes[n % world.nodes.len()].port);
            let bytes = login(world, &guess).await?;
            shots.push(Shot { api, what: "guess", bytes, after: Duration::ZERO });
        }
        let outcomes = at_once(shots).await;
        let counted = evaluated(world).await? - before;
        let tally = tally(outcomes.iter().map(|(said, _)| said));
        let inside = outcomes.iter().any(|(said, _)| matches!(said, Said::Yes(answer) if answer.status != 200));
        // The right one comes too late, from the same address.
        let right = world.api().send("guess", &login(world, &person).await?).await;
        run.report.did(1);
        run.report.say(&format!("R-007 {GUESSES} wrong passwords at once: {counted} evaluated, {tally}"));
        run.report.expect(
            "R-007 at most 5 evaluated, nobody let in",
            must(counted <= LIMIT && counted > 0 && !inside, || format!("{counted} evaluated, let in: {inside}")),
        );
        let refused = !matches!(&right, Said::Yes(answer) if answer.status != 200);
        run.report.expect("R-007 not even the right one afterwards", must(refused, || format!("{right:?}")));
    }
    Ok(())
}

/// The bytes that post the login form, from a browser of its own.
async fn login(world: &World, person: &Person) -> Result<Vec<u8>> {
    let Said::Yes(page) = world.api().get("page", "/login", "").await else { anyhow::bail!("no login page") };
    let cookie = page.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let (action, body, _) = fill_in(&page.text(), person).context("a login form")?;
    let headers = format!("Cookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n");
    Ok(request("POST", &action, world.front(), &headers, Some(&body)))
}

/// How many passwords were compared and found wrong.
async fn evaluated(world: &World) -> Result<i64> {
    world.database.count("count(*)", "FROM audit_events WHERE kind = 'login_failed'").await
}
