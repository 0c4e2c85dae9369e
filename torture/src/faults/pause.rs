//! a node is stopped and goes on later. What was ended meanwhile is dead for it too, from its first answer on.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use super::scene::{Shot, Visitor, at_once, must, percentile, tally, word};
use crate::api::Said;
use crate::ledger::{State, Times};
use crate::world::Plan;

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "pause", nodes: 4, balanced: true, ..Plan::default() }).await?;
    let (begin, mut rounds) = (Instant::now(), 0);
    let length = run.budget.clamp(Duration::from_secs(2), Duration::from_secs(30));
    while begin.elapsed() < run.budget || rounds == 0 {
        let sleeper = &world.nodes[rounds % 4];
        let awake = world.api_at(world.nodes[(rounds + 1) % 4].port);
        let late = world.api_at(sleeper.port);
        let mut visitor = Visitor::new(&world, &format!("pause {rounds}")).await?;
        let (one, two) = (visitor.tokens().await?, visitor.tokens().await?);
        let mut other = Visitor::new(&world, &format!("pause other {rounds}")).await?;
        let theirs = other.tokens().await?;
        let app = visitor.app.clone();
        // The sleeper has all of it in its caches.
        for (app, tokens) in [(&app, &one), (&app, &two), (&other.app, &theirs)] {
            let active = late.is_active(app, &tokens.access).await;
            anyhow::ensure!(matches!(active, Ok(true)), "{active:?}");
        }
        sleeper.signal("STOP");
        tokio::time::sleep(Duration::from_millis(200)).await;
        // A request that arrives while the node sleeps, and is answered after what follows.
        let early = tokio::spawn({
            let (late, app, token) = (late.clone(), app.clone(), one.access.clone());
            async move {
                tokio::time::sleep(length).await;
                late.is_active(&app, &token).await
            }
        });
        let revoked = awake.revoke(&app, &one.refresh).await;
        if let Said::Yes(answer) = &revoked {
            awake.ledger.event(answer.header("x-request-id"), "token_revoked", Times::Once);
        }
        anyhow::ensure!(matches!(revoked, Said::Yes(_)), "{revoked:?}");
        world.cli(&["client", "disable", &other.app.id], "").await?;
        world.cli(&["user", "disable", &visitor.person.name], "").await?;
        for tokens in [&one, &two] {
            awake.ledger.end_family(tokens.family, State::Dead, "ended while a node slept");
        }
        awake.ledger.book().disabled_apps.insert(other.app.id.clone());
        // The others go on.
        let third = world.app().await?;
        let (mut said, mut times, since) = (Vec::new(), Vec::new(), Instant::now());
        while since.elapsed() < length {
            let bytes = awake.client_form("/oauth2/token", &third, &[("grant_type", "client_credentials")]);
            let awake = world.nodes.iter().filter(|node| node.port != sleeper.port);
            let shot = |node: &crate::world::Node| Shot {
                api: world.api_at(node.port),
                what: "client_credentials",
                bytes: bytes.clone(),
                after: Duration::ZERO,
            };
            for (answer, time) in at_once(awake.map(shot).collect()).await {
                said.push(answer);
                times.push(time);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sleeper.signal("CONT");
        let refreshed = late.refresh(&app, &two.refresh).await;
        let answers = [
            late.is_active(&app, &one.access).await,
            late.is_active(&app, &two.access).await,
            late.is_active(&other.app, &theirs.access).await,
            early.await?,
        ];
        rounds += 1;
        run.report.did(1);
        let slowest = percentile(times, 100);
        run.report.say(&format!(
            "R-014 stopped for {length:.0?}; the others: {}, slowest {slowest:.0?}; then {answers:?}, refresh {}",
            tally(said.iter()),
            word(&refreshed)
        ));
        run.report.expect(
            "R-014 the other nodes go on",
            must(said.iter().all(|said| matches!(said, Said::Yes(_))) && slowest < Duration::from_secs(2), || {
                format!("{}, slowest {slowest:?}", tally(said.iter()))
            }),
        );
        run.report.expect(
            "R-014 the first answers after the pause know what happened",
            must(
                answers.iter().all(|answer| matches!(answer, Ok(false))) && matches!(refreshed, Said::No(400, _)),
                || format!("{answers:?}, {refreshed:?}"),
            ),
        );
        world.wait_for_nodes(4).await?;
    }
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}
