//! `kill -9` at random points under load. Nothing acknowledged is lost, and the server is back at once.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use crate::actor::{Actor, Crowd};
use crate::world::Plan;

const READY: Duration = Duration::from_secs(2);

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "crash", nodes: 1, ..Plan::default() }).await?;
    let actors = Actor::several(&world, 6).await?;
    let crowd = Crowd::start(actors, 8);
    let mut rng = world.rng.clone();
    let (begin, mut kills, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begin.elapsed() < run.budget || kills < 2 {
        tokio::time::sleep(Duration::from_millis(rng.between(150, 1200))).await;
        world.nodes[0].kill();
        slowest = slowest.max(world.nodes[0].start_ready().await?);
        kills += 1;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (steps, seconds) = (crowd.steps(), begin.elapsed().as_secs_f64());
    crowd.finish().await?;
    run.report.did(kills);
    run.report.say(&format!(
        "{kills} kills in {seconds:.1} s, {steps} steps ({:.0}/s), slowest to be ready {slowest:.0?}",
        steps as f64 / seconds
    ));
    run.report.say(&world.ledger.summary());
    let ready = if slowest < READY { Ok(()) } else { Err(format!("{slowest:?}")) };
    run.report.expect("ready again within 2 s", ready);
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}
