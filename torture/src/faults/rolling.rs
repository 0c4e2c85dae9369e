//! four nodes are restarted one after the other, at load, and nobody notices.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Run;
use super::scene::must;
use crate::actor::{Actor, Crowd};
use crate::world::Plan;

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "rolling", nodes: 4, balanced: true, ..Plan::default() }).await?;
    let crowd = Crowd::start(Actor::several(&world, 6).await?, 4);
    let (begin, mut restarts, mut codes) = (Instant::now(), 0, Vec::new());
    while begin.elapsed() < run.budget || restarts < 4 {
        let node = &world.nodes[restarts % 4];
        let (status, _) = node.stop(Duration::from_secs(20)).await?;
        codes.push(status.code());
        node.start_ready().await?;
        world.wait_for_nodes(4).await?;
        restarts += 1;
    }
    let (steps, seconds) = (crowd.steps(), begin.elapsed().as_secs_f64());
    crowd.finish().await?;
    let cut = world.balancer.as_ref().context("a balancer")?.cut();
    let failed: u64 = {
        let book = world.ledger.book();
        let bad = book.answers.iter().filter(|((_, status), _)| *status >= 500 || *status == 429);
        book.lost + bad.map(|(_, count)| count).sum::<u64>()
    };
    run.report.did(restarts as u64);
    run.report.say(&format!(
        "R-044 {restarts} restarts in {seconds:.1} s, {steps} steps ({:.0}/s), {cut} requests cut: {}",
        steps as f64 / seconds,
        world.ledger.summary()
    ));
    run.report
        .expect("R-044 no request failed", must(failed == 0 && cut == 0, || format!("{failed} failed, {cut} cut")));
    run.report.expect(
        "R-044 every node ended with status 0",
        must(codes.iter().all(|code| *code == Some(0)), || format!("{codes:?}")),
    );
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}
