//! What is done to the servers. One file a family; this is the list that `--faults` takes and `--help` prints.

mod crash;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::report::Report;
use crate::world::{Kind, Plan, Site, World};

/// One fault on one database, going on.
pub struct Run<'r> {
    pub site: Site,
    pub kind: Kind,
    /// About how long it may take, setting up aside.
    pub budget: Duration,
    pub report: &'r mut Report,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A family of faults.
pub struct Fault {
    pub name: &'static str,
    /// Targets of the catalogue.
    pub targets: &'static str,
    pub what: &'static str,
    pub on: &'static [Kind],
    /// Its part of `--seconds`.
    pub share: u64,
    pub run: for<'a, 'r> fn(&'a mut Run<'r>) -> Running<'a>,
}

const BOTH: &[Kind] = &[Kind::Sqlite, Kind::Postgres];

/// All of them. The device grant is not built yet, so nothing races for it.
pub const FAULTS: &[Fault] = &[Fault {
    name: "crash",
    targets: "R-010",
    what: "kill -9 at random points under load",
    on: BOTH,
    share: 10,
    run: |run| Box::pin(crash::run(run)),
}];

impl Run<'_> {
    /// Builds the world of this fault.
    pub async fn world(&self, plan: &Plan) -> Result<Arc<World>> {
        World::start(&self.site, self.kind, plan).await
    }
}
