//! codes, redeemed by many.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::Run;
use super::scene::{Shot, Tokens, Visitor, at_once, must, note_redeemed, note_replayed, percentile, tally};
use crate::api::{Api, Said};
use crate::browser::Grant;
use crate::world::World;

/// one code, so many at the same moment.
pub async fn one_code(run: &mut Run<'_>, world: &Arc<World>, count: usize) -> Result<()> {
    let mut visitor = Visitor::new(world, "one code").await?;
    let grant = visitor.grant().await?;
    let bytes = visitor.api.redeeming(&visitor.app, &grant.code, &grant.verifier);
    // Past the balancer, which would need three descriptors for each.
    let shot = |n: usize| {
        let api = Api { port: world.nodes[n % world.nodes.len()].port, ..visitor.api.clone() };
        Shot { api, what: "redeem", bytes: bytes.clone(), after: Duration::ZERO }
    };
    let outcomes = at_once((0..count).map(shot).collect()).await;
    let winners = settle(&visitor, &grant, &outcomes)?;
    let p99 = percentile(outcomes.iter().map(|(_, time)| *time).collect(), 99);
    let tally = tally(outcomes.iter().map(|(said, _)| said));
    run.report.did(count as u64);
    run.report.say(&format!("R-001 one code, {count} at once: {tally}, p99 {p99:.0?}"));
    let refused = outcomes.iter().filter(|(said, _)| is_invalid_grant(said)).count();
    run.report.expect(
        "R-001 one success, all others invalid_grant",
        must(winners.len() == 1 && refused == count - 1, || tally),
    );
    if run.site.is_timed() {
        run.report.expect("R-001 p99 below 2 s", must(p99 < Duration::from_secs(2), || format!("{p99:?}")));
    }
    Ok(())
}

/// many codes, 16 for each, a few milliseconds apart.
pub async fn many_codes(run: &mut Run<'_>, world: &Arc<World>, count: usize) -> Result<()> {
    let mut visitor = Visitor::new(world, "many codes").await?;
    let (mut lost, mut twice, mut odd) = (0, 0, 0);
    let mut left = count;
    while left > 0 {
        let group = left.min(8);
        left -= group;
        let mut grants = Vec::new();
        for _ in 0..group {
            grants.push(visitor.grant().await?);
        }
        let mut shots = Vec::new();
        for grant in &grants {
            let bytes = visitor.api.redeeming(&visitor.app, &grant.code, &grant.verifier);
            for _ in 0..16 {
                let after = Duration::from_micros(visitor.rng.below(5000));
                shots.push(Shot { api: visitor.api.clone(), what: "redeem", bytes: bytes.clone(), after });
            }
        }
        let outcomes = at_once(shots).await;
        for (grant, outcomes) in grants.iter().zip(outcomes.chunks(16)) {
            match settle(&visitor, grant, outcomes)?.len() {
                0 => lost += 1,
                1 => {}
                _ => twice += 1,
            }
            odd += outcomes.iter().filter(|(said, _)| !is_invalid_grant(said) && !matches!(said, Said::Yes(_))).count();
        }
    }
    run.report.did(count as u64);
    run.report.say(&format!(
        "R-002 {count} codes, 16 parallel each: {lost} without a success, {twice} with two, {odd} other answers"
    ));
    run.report.expect(
        "R-002 each code redeemed exactly once, the rest invalid_grant",
        must(lost + twice + odd == 0, || format!("{lost} lost, {twice} twice, {odd} other answers")),
    );
    Ok(())
}

/// Writes down what came of a code that several redeemed, and returns what those got who were told 200.
fn settle(visitor: &Visitor, grant: &Grant, outcomes: &[(Said, Duration)]) -> Result<Vec<Tokens>> {
    let mut winners = Vec::new();
    for (said, _) in outcomes {
        if let Said::Yes(answer) = said {
            winners.push(note_redeemed(&visitor.api, &visitor.app, grant, answer)?);
        }
    }
    if outcomes.iter().any(|(said, _)| is_invalid_grant(said)) {
        winners.iter().for_each(|tokens| note_replayed(&visitor.api, tokens));
    }
    Ok(winners)
}

fn is_invalid_grant(said: &Said) -> bool {
    matches!(said, Said::No(400, error) if error == "invalid_grant")
}
