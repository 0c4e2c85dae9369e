//! Many at once, on one SQLite node or on four PostgreSQL nodes behind the balancer.

use std::sync::Arc;

use anyhow::Result;

use super::{Run, race_clients, race_codes, race_devices, race_families, race_passwords};
use crate::world::{Kind, Plan, World};

/// How large everything is.
pub struct Size {
    /// Redemptions of the one code of R-001.
    pub one_code: usize,
    /// Codes of R-002.
    pub codes: usize,
    /// Families of R-003, and refreshes of each.
    pub families: (usize, usize),
    /// Rounds of R-004, of 12 operations each.
    pub mixed: usize,
    /// Rounds of R-005.
    pub assertions: usize,
    /// Devices of R-006.
    pub devices: usize,
    /// Rounds of.
    pub rounds: usize,
}

impl Size {
    /// By the time that there is: the catalogue's from about four minutes on.
    fn of(run: &Run<'_>) -> Self {
        let seconds = run.budget.as_secs_f64();
        let part = |whole: f64, least: usize| ((whole * (seconds / 240.0).min(1.0)) as usize).max(least);
        let more = (seconds / 240.0).max(1.0);
        Self {
            one_code: part(if run.kind == Kind::Sqlite { 1000.0 } else { 10_000.0 }, 200),
            codes: part(1000.0 * more, 12),
            families: (part(200.0 * more, 2), part(1000.0, 100)),
            mixed: part(2000.0 * more, 12),
            assertions: part(1000.0 * more, 20),
            devices: part(1000.0 * more, 20),
            rounds: part(20.0 * more, 1),
        }
    }
}

pub async fn run(run: &mut Run<'_>) -> Result<()> {
    let many = run.kind == Kind::Postgres;
    let plan = Plan {
        name: "races",
        nodes: if many { 4 } else { 1 },
        balanced: many,
        config: vec![
            ("limits.login_failures_per_account", "5".to_owned()),
            // All redeem the same code: its row is waited for by all.
            ("database.queue", "4096".to_owned()),
        ],
        ..Plan::default()
    };
    let world: Arc<World> = run.world(&plan).await?;
    let size = Size::of(run);
    race_codes::one_code(run, &world, size.one_code).await?;
    race_codes::many_codes(run, &world, size.codes).await?;
    race_families::same_token(run, &world, size.families).await?;
    race_families::mixed(run, &world, size.mixed).await?;
    race_clients::assertions(run, &world, size.assertions).await?;
    race_devices::decisions(run, &world, size.devices).await?;
    race_clients::consents(run, &world, size.rounds).await?;
    race_passwords::guesses(run, &world, size.rounds).await?;
    run.report.say(&world.ledger.summary());
    run.report.check(&world).await?;
    world.end().await;
    Ok(())
}
