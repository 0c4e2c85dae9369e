//! SIGTERM with requests under way and clients that are slow. What was begun is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Run;
use super::scene::{Visitor, must, tally};
use crate::api::Said;
use crate::http::{Answer, NoAnswer, read_answer, request};
use crate::ledger::Times;
use crate::world::{Plan, World};

const IN_FLIGHT: usize = 200;

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "stop", nodes: 1, ..Plan::default() }).await?;
    gracefully(run, &world).await?;
    world.nodes[0].start_ready().await?;
    at_once(run, &world).await?;
    world.nodes[0].start_ready().await?;
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}

async fn gracefully(run: &mut Run<'_>, world: &Arc<World>) -> Result<()> {
    let visitor = Visitor::new(world, "stop").await?;
    let (api, app, node) = (visitor.api.clone(), visitor.app.clone(), &world.nodes[0]);
    let bytes = api.client_form("/oauth2/token", &app, &[("grant_type", "client_credentials")]);
    // Clients that are slow: of these the last bytes of the body are missing.
    let split = bytes.len() - 5;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(("127.0.0.1", node.port)).await?;
        stream.write_all(&bytes[..split]).await?;
        slow.push(stream);
    }
    let asked: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (api, bytes) = (api.clone(), bytes.clone());
            tokio::spawn(async move { api.send("client_credentials", &bytes).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(15)).await;
    node.signal("TERM");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ready =
        world.http.send(node.port, &request("GET", "/readyz", node.port, "", None), Duration::from_secs(2)).await;
    let taken = api.client_credentials(&app).await;
    tokio::time::sleep(Duration::from_millis(1400)).await;
    // After the delay no new connection is taken, and what was begun can still be finished.
    let refused = TcpStream::connect(("127.0.0.1", node.port)).await.is_err();
    let mut finished = 0;
    for stream in &mut slow {
        let answer = finish(stream, &bytes[split..]).await;
        if let Ok(answer) = answer.as_ref().map_err(|_| ()).and_then(|a| if a.status == 200 { Ok(a) } else { Err(()) })
        {
            finished += 1;
            note(&api, &app, answer);
        }
    }
    let mut outcomes = Vec::new();
    for asked in asked {
        outcomes.push(asked.await?);
    }
    for said in outcomes.iter().chain([&taken]) {
        if let Said::Yes(answer) = said {
            note(&api, &app, answer);
        }
    }
    let status = end(world).await;
    let tally = tally(outcomes.iter());
    run.report.did(1);
    run.report.say(&format!("R-045 {IN_FLIGHT} requests at SIGTERM: {tally}; {finished} of {} slow ones", slow.len()));
    let report = &mut run.report;
    report.expect(
        "R-045 every request under way is answered",
        must(outcomes.iter().all(|said| matches!(said, Said::Yes(_))), || tally),
    );
    report.expect("R-045 slow clients are answered", must(finished == slow.len(), || format!("{finished} of 20")));
    report.expect(
        "R-045 /readyz says 503 at once, while requests are still taken",
        must(ready.as_ref().is_ok_and(|a| a.status == 503) && matches!(taken, Said::Yes(_)), || {
            format!("{:?}, {taken:?}", ready.map(|a| a.status))
        }),
    );
    report.expect("R-045 then no connection is taken", must(refused, || "one was".to_owned()));
    report.expect(
        "R-045 the process ends by itself, with status 0",
        must(status.as_ref().is_ok_and(|(code, time)| *code == Some(0) && *time < Duration::from_secs(10)), || {
            format!("{status:?}")
        }),
    );
    Ok(())
}

/// A second signal: a client that never finishes keeps nobody.
async fn at_once(run: &mut Run<'_>, world: &Arc<World>) -> Result<()> {
    let node = &world.nodes[0];
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).await?;
    stream.write_all(b"POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nx").await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    node.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.signal("TERM");
    let status = end(world).await;
    run.report.did(1);
    run.report.expect(
        "R-045 a second SIGTERM ends it at once",
        must(status.as_ref().is_ok_and(|(_, time)| *time < Duration::from_secs(2)), || format!("{status:?}")),
    );
    Ok(())
}

async fn finish(stream: &mut TcpStream, rest: &[u8]) -> Result<Answer, NoAnswer> {
    stream.write_all(rest).await.map_err(|e| NoAnswer::Lost(e.to_string()))?;
    tokio::time::timeout(Duration::from_secs(10), read_answer(stream))
        .await
        .unwrap_or_else(|_| Err(NoAnswer::Lost("10 s".to_owned())))
}

fn note(api: &crate::api::Api, app: &crate::world::App, answer: &Answer) {
    let access = answer.json()["access_token"].as_str().unwrap_or_default().to_owned();
    api.ledger.tokens(app, None, &access, None);
    api.ledger.event(answer.header("x-request-id"), "token_issued", Times::Once);
}

/// Waits for the process to end; its status, and how long that took.
async fn end(world: &World) -> Result<(Option<i32>, Duration)> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if let Some(status) = world.nodes[0].ended() {
            return Ok((status.code(), begin.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.nodes[0].kill();
    None.context("it had to be killed after 20 s")
}
