//! the connection to PostgreSQL dies inside the transaction that issues, before or after its commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Run;
use super::scene::{Visitor, must, note_redeemed, note_replayed, note_tokens, word};
use crate::actor::{Actor, Crowd};
use crate::api::Said;
use crate::ledger::{State, Times, handle_id};
use crate::world::{Moment, Plan, Proxy, World};

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "commit", nodes: 1, proxied: true, ..Plan::default() }).await?;
    let proxy = world.proxy.as_ref().context("a proxy")?;
    for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
        // The server's own jobs commit, too, and now and then the trap is theirs.
        let mut attempts = 1;
        while alone(run, &world, proxy, (moment, attempts)).await? == Caught::Another && attempts < 5 {
            attempts += 1;
        }
    }
    let crowd = Crowd::start(Actor::several(&world, 4).await?, 8);
    let (begin, mut rng) = (Instant::now(), world.rng.clone());
    while begin.elapsed() < run.budget {
        let moment = if rng.chance(50) { Moment::BeforeCommit } else { Moment::AfterCommit };
        proxy.trap(moment, 1);
        tokio::time::sleep(Duration::from_millis(rng.between(20, 150))).await;
    }
    let sprung = proxy.disarm();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let steps = crowd.steps();
    crowd.finish().await?;
    run.report.did(sprung);
    run.report.say(&format!("R-021 {sprung} connections died at a commit, {steps} steps: {}", world.ledger.summary()));
    run.report.expect("R-021 the trap sprang", must(sprung > 2, || format!("{sprung} times")));
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}

/// Whose commit a trap was for.
#[derive(PartialEq, Eq)]
enum Caught {
    TheRequest,
    Another,
}

/// One redemption and one refresh, with nothing else going on: what the client is told, and what its retry gets.
async fn alone(
    run: &mut Run<'_>,
    world: &Arc<World>,
    proxy: &Proxy,
    (moment, attempt): (Moment, u32),
) -> Result<Caught> {
    let mut visitor = Visitor::new(world, &format!("{moment:?} {attempt}")).await?;
    let tokens = visitor.tokens().await?;
    let grant = visitor.grant().await?;
    let (api, app) = (visitor.api.clone(), visitor.app.clone());

    let sprung = proxy.disarm();
    proxy.trap(moment, 1);
    let first = api.redeem(&app, &grant.code, &grant.verifier).await;
    if let Said::Yes(answer) = &first
        && proxy.disarm() > sprung
    {
        note_redeemed(&api, &app, &grant, answer)?;
        return Ok(Caught::Another);
    }
    proxy.disarm();
    let second = api.redeem(&app, &grant.code, &grant.verifier).await;
    // Not committed: the code is as good as before. Committed: the retry is a replay, and ends what came of it.
    let right = match (moment, &first, &second) {
        (Moment::BeforeCommit, Said::Later(503), Said::Yes(answer)) => {
            note_redeemed(&api, &app, &grant, answer)?;
            true
        }
        (Moment::AfterCommit, Said::Later(503), Said::No(400, error)) => {
            api.ledger.book().codes.entry(handle_id(&grant.code).unwrap_or_default()).or_default().replayed = true;
            error == "invalid_grant"
        }
        (_, Said::Yes(answer), _) => {
            let tokens = note_redeemed(&api, &app, &grant, answer)?;
            note_replayed(&api, &tokens);
            false
        }
        _ => false,
    };
    let told = format!("{moment:?}: redeem {}, again {}", word(&first), word(&second));
    run.report.expect(&format!("R-021 {told}"), must(right, || "should be 503, then 200 or invalid_grant".to_owned()));

    let note = |answer: &crate::http::Answer| -> Result<()> {
        let id = answer.header("x-request-id");
        api.ledger.event(id, "token_refreshed|refresh_retried", Times::Once);
        note_tokens(&api, &app, tokens.family, answer)?;
        api.ledger.refresh_is(tokens.place, State::Dead);
        Ok(())
    };
    let sprung = proxy.disarm();
    proxy.trap(moment, 1);
    let first = api.refresh(&app, &tokens.refresh).await;
    let caught = proxy.disarm() > sprung;
    if let Said::Yes(answer) = &first {
        note(answer)?;
        if caught {
            return Ok(Caught::Another);
        }
    }
    let second = api.refresh(&app, &tokens.refresh).await;
    let right = matches!((&first, &second), (Said::Later(503), Said::Yes(_)));
    if let Said::Yes(answer) = &second {
        note(answer)?;
    }
    let told = format!("{moment:?}: refresh {}, again {}", word(&first), word(&second));
    run.report.expect(&format!("R-021 {told}"), must(right, || "should be 503, then 200".to_owned()));
    run.report.did(2);
    Ok(Caught::TheRequest)
}
