//! PostgreSQL ends backends, and every tenth statement meets a serialization failure or a deadlock.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use super::scene::must;
use crate::actor::{Actor, Crowd};
use crate::world::Plan;

/// Each tenth transaction that writes one of these fails; when it is tried again, it is another transaction.
const TRIGGER: &str = "
CREATE SEQUENCE torture_failures;
CREATE FUNCTION torture_fail() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE turn bigint := pg_current_xact_id()::text::bigint;
BEGIN
  IF turn % 10 = 0 THEN PERFORM nextval('torture_failures'); END IF;
  IF turn % 20 = 0 THEN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF;
  IF turn % 20 = 10 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER torture_access BEFORE INSERT ON access_tokens FOR EACH STATEMENT EXECUTE FUNCTION torture_fail();
CREATE TRIGGER torture_codes BEFORE INSERT ON codes FOR EACH STATEMENT EXECUTE FUNCTION torture_fail();
CREATE TRIGGER torture_grants BEFORE UPDATE ON grants FOR EACH STATEMENT EXECUTE FUNCTION torture_fail();
CREATE TRIGGER torture_sessions BEFORE INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION torture_fail();
";

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let world = run.world(&Plan { name: "backends", nodes: 2, balanced: true, ..Plan::default() }).await?;
    let actors = Actor::several(&world, 4).await?;
    world.database.execute(TRIGGER).await?;
    let crowd = Crowd::start(actors, 8);
    let (begin, mut turns) = (Instant::now(), 0);
    while begin.elapsed() < run.budget / 2 || turns < 8 && begin.elapsed() < Duration::from_secs(15) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        turns = world.database.count("last_value", "FROM torture_failures").await?;
    }
    let actors = crowd.finish().await?;
    let failed = refusals(&world);
    run.report.did(u64::try_from(turns)?);
    run.report.say(&format!("R-022 {} serialization failures and deadlocks: {}", turns, world.ledger.summary()));
    run.report.expect(
        "R-022 they are tried again, and nobody notices",
        must(failed == 0 && turns > 5, || format!("{failed} answers 503 or none, of {turns} failures")),
    );
    run.report.check(&world).await?;
    world.database.execute("DROP FUNCTION torture_fail CASCADE").await?;

    let crowd = Crowd::start(actors, 8);
    let (begin, mut rng, mut ended) = (Instant::now(), world.rng.clone(), 0);
    let session = world.database.session().await?;
    let one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'latchway' ORDER BY random() LIMIT 1";
    while begin.elapsed() < run.budget / 2 {
        ended += session.query(one, &[]).await?.len() as u64;
        tokio::time::sleep(Duration::from_millis(rng.between(30, 200))).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    crowd.finish().await?;
    run.report.did(ended);
    run.report.say(&format!(
        "R-022 {ended} backends ended, {} answers 503 or none: {}",
        refusals(&world) - failed,
        world.ledger.summary()
    ));
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}

/// Requests that got 503 or nothing.
fn refusals(world: &crate::world::World) -> u64 {
    let book = world.ledger.book();
    book.lost + book.answers.iter().filter(|((_, status), _)| *status == 503).map(|(_, count)| count).sum::<u64>()
}
