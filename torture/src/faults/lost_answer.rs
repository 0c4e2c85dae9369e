//! the server commits and answers, and dies before the answer arrives. What the client's retry then gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::Run;
use super::scene::{Visitor, must, note_tokens, word};
use crate::api::Said;
use crate::ledger::{State, Times, handle_id};
use crate::world::{Plan, World};

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "lost", nodes: 1, balanced: true, ..Plan::default() }).await?;
    let begin = std::time::Instant::now();
    loop {
        redeem(run, &world).await?;
        refresh(run, &world).await?;
        revoke(run, &world).await?;
        if begin.elapsed() > run.budget {
            break;
        }
    }
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}

/// Sends what the closure sends, lets the server die with its answer, and starts the server again.
async fn losing(world: &Arc<World>, ask: impl Future<Output = Said>) -> Result<Said> {
    let balancer = world.balancer.as_ref().context("a balancer")?;
    let (killed, victim) = (Arc::new(AtomicU32::new(0)), Arc::downgrade(world));
    let count = killed.clone();
    balancer.hook(Some(Arc::new(move |_, _, answer| {
        let Some(world) = victim.upgrade() else { return false };
        if answer.status != 200 {
            return false;
        }
        world.nodes[0].kill();
        count.fetch_add(1, Ordering::Relaxed);
        true
    })));
    let said = ask.await;
    balancer.hook(None);
    anyhow::ensure!(killed.load(Ordering::Relaxed) == 1, "the server gave no answer to lose: {said:?}");
    world.nodes[0].start_ready().await?;
    world.wait_for_nodes(1).await?;
    Ok(said)
}

async fn redeem(run: &mut Run<'_>, world: &Arc<World>) -> Result<()> {
    let mut visitor = Visitor::new(world, "lost redeem").await?;
    let grant = visitor.grant().await?;
    let (api, app) = (visitor.api.clone(), visitor.app.clone());
    losing(world, api.redeem(&app, &grant.code, &grant.verifier)).await?;
    let again = api.redeem(&app, &grant.code, &grant.verifier).await;
    api.ledger.book().codes.entry(handle_id(&grant.code).unwrap_or_default()).or_default().replayed = true;
    let right = matches!(&again, Said::No(400, error) if error == "invalid_grant");
    run.report.did(1);
    run.report.expect(
        &format!("R-011 a code whose answer was lost: {}, and its family is dead (A-120, I6)", word(&again)),
        must(right, || "should be invalid_grant".to_owned()),
    );
    Ok(())
}

async fn refresh(run: &mut Run<'_>, world: &Arc<World>) -> Result<()> {
    let mut visitor = Visitor::new(world, "lost refresh").await?;
    let tokens = visitor.tokens().await?;
    let (api, app) = (visitor.api.clone(), visitor.app.clone());
    losing(world, api.refresh(&app, &tokens.refresh)).await?;
    let again = api.refresh(&app, &tokens.refresh).await;
    let third = api.refresh(&app, &tokens.refresh).await;
    let mut successors = Vec::new();
    let mut last = None;
    for said in [&again, &third] {
        if let Said::Yes(answer) = said {
            api.ledger.event(answer.header("x-request-id"), "refresh_retried", Times::Once);
            let (access, place, text) = note_tokens(&api, &app, tokens.family, answer)?;
            api.ledger.refresh_is(tokens.place, State::Dead);
            successors.push(text);
            last = Some((access, place));
        }
    }
    run.report.did(1);
    run.report.expect(
        &format!(
            "R-011, B-060 a refresh whose answer was lost: {}, again {}, one successor",
            word(&again),
            word(&third)
        ),
        must(successors.len() == 2 && successors[0] == successors[1], || "should be 200 twice, the same".to_owned()),
    );
    // As soon as something of the answer was used, the old token is a stolen one.
    let Some((access, place)) = last else { return Ok(()) };
    let used = api.is_active(&app, &access).await;
    let stolen = api.refresh(&app, &tokens.refresh).await;
    api.ledger.end_family(tokens.family, State::Dead, "its spent refresh token was used");
    api.ledger.refresh_is(place, State::Dead);
    run.report.expect(
        &format!("R-011, B-050 after a use of it: {}", word(&stolen)),
        must(matches!(used, Ok(true)) && matches!(stolen, Said::No(400, _)), || format!("{used:?}, {stolen:?}")),
    );
    Ok(())
}

async fn revoke(run: &mut Run<'_>, world: &Arc<World>) -> Result<()> {
    let mut visitor = Visitor::new(world, "lost revoke").await?;
    let tokens = visitor.tokens().await?;
    let (api, app) = (visitor.api.clone(), visitor.app.clone());
    losing(world, api.revoke(&app, &tokens.refresh)).await?;
    let again = api.revoke(&app, &tokens.refresh).await;
    api.ledger.end_family(tokens.family, State::Dead, "revoked");
    run.report.did(1);
    run.report.expect(
        &format!("R-011 a revocation whose answer was lost: {}", word(&again)),
        must(matches!(again, Said::Yes(_)), || "should be 200".to_owned()),
    );
    Ok(())
}
