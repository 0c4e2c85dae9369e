//! another session holds a lock that refreshing has to wait for. Refreshing is answered 503, and all else goes on.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use super::scene::{Shot, Visitor, at_once, must, percentile, tally};
use crate::api::Said;
use crate::ledger::State;
use crate::world::Plan;

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "lock", nodes: 1, ..Plan::default() }).await?;
    let mut visitor = Visitor::new(&world, "lock").await?;
    let mut held = Vec::new();
    for _ in 0..24 {
        held.push(visitor.tokens().await?);
    }
    let (api, app) = (visitor.api.clone(), visitor.app.clone());
    let Said::Yes(answer) = api.client_credentials(&app).await else { anyhow::bail!("no token") };
    let token = answer.json()["access_token"].as_str().unwrap_or_default().to_owned();

    let session = world.database.session().await?;
    session.batch_execute("BEGIN; LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE").await?;
    let shots = held.iter().map(|tokens| {
        let bytes = api.refreshing(&app, &tokens.refresh);
        Shot { api: api.clone(), what: "refresh", bytes, after: Duration::ZERO }
    });
    let refreshing = tokio::spawn(at_once(shots.collect()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (mut others, mut times, begin) = (Vec::new(), Vec::new(), Instant::now());
    while begin.elapsed() < Duration::from_secs(4) {
        let requests = [
            ("client_credentials", api.client_form("/oauth2/token", &app, &[("grant_type", "client_credentials")])),
            ("introspect", api.client_form("/oauth2/introspect", &app, &[("token", &token)])),
            ("authorize", {
                let (path, _) = crate::browser::authorize_path(&app, &mut visitor.rng, "");
                let cookies = format!("Cookie: {}\r\n", visitor.jar.header());
                crate::http::request("GET", &path, world.front(), &cookies, None)
            }),
        ];
        let shot = |(what, bytes)| Shot { api: api.clone(), what, bytes, after: Duration::ZERO };
        for (said, time) in at_once(requests.into_iter().map(shot).collect()).await {
            others.push(said);
            times.push(time);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let refreshed = refreshing.await?;
    session.batch_execute("ROLLBACK").await?;
    for tokens in &held {
        api.ledger.end_family(tokens.family, State::Doubtful, "refreshed under a lock");
    }
    let slowest = percentile(refreshed.iter().map(|(_, time)| *time).collect(), 100);
    let beside = percentile(times, 100);
    run.report.did(1);
    let told = tally(refreshed.iter().map(|(said, _)| said));
    run.report.say(&format!(
        "R-023 refresh under a lock: {told}, slowest {slowest:.1?}; beside it: {}, slowest {beside:.1?}",
        tally(others.iter())
    ));
    run.report.expect(
        "R-023 503 in at most 6 s for what needs the lock",
        must(
            refreshed.iter().all(|(said, _)| matches!(said, Said::Later(503))) && slowest <= Duration::from_secs(6),
            || format!("{told}, slowest {slowest:.1?}"),
        ),
    );
    run.report.expect(
        "R-023 other endpoints go on, within 1 s",
        must(others.iter().all(|said| matches!(said, Said::Yes(_))) && beside <= Duration::from_secs(1), || {
            format!("{}, slowest {beside:.1?}", tally(others.iter()))
        }),
    );
    let begin = Instant::now();
    let after = api.refresh(&app, &held[0].refresh).await;
    run.report.expect(
        "R-023 refreshing is back at once",
        must(matches!(after, Said::Yes(_)) && begin.elapsed() < Duration::from_secs(2), || format!("{after:?}")),
    );
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}
