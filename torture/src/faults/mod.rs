//! What is done to the servers. One file a family; this is the list that `--faults` takes and `--help` prints.

mod backends;
mod checker;
mod commit;
mod crash;
mod keys;
mod lock;
mod lost_answer;
mod migrate;
mod outage;
mod overload;
mod pause;
mod race_clients;
mod race_codes;
mod race_devices;
mod race_families;
mod race_passwords;
mod races;
mod rolling;
mod scene;
mod stop;

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

const POSTGRES: &[Kind] = &[Kind::Postgres];

/// All of them.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "checker",
        targets: "I0 to I8",
        what: "damage behind the server's back, so that each check is seen to fail",
        on: BOTH,
        share: 1,
        run: |run| Box::pin(checker::run(run)),
    },
    Fault {
        name: "crash",
        targets: "R-010",
        what: "kill -9 at random points under load",
        on: BOTH,
        share: 10,
        run: |run| Box::pin(crash::run(run)),
    },
    Fault {
        name: "races",
        targets: "R-001 to R-008",
        what: "many at once: one code, one refresh token, one assertion, one device, wrong passwords",
        on: BOTH,
        share: 10,
        run: |run| Box::pin(races::run(run)),
    },
    Fault {
        name: "lost-answer",
        targets: "R-011",
        what: "the server dies with the answer in its hand",
        on: BOTH,
        share: 2,
        run: |run| Box::pin(lost_answer::run(run)),
    },
    Fault {
        name: "migrate",
        targets: "R-013",
        what: "kill -9 during a migration",
        on: BOTH,
        share: 2,
        run: |run| Box::pin(migrate::run(run)),
    },
    Fault {
        name: "pause",
        targets: "R-014",
        what: "one of four nodes is stopped for a while",
        on: POSTGRES,
        share: 2,
        run: |run| Box::pin(pause::run(run)),
    },
    Fault {
        name: "outage",
        targets: "R-020",
        what: "the database is cut off, stalls, crawls, lets nobody in, takes no writes",
        on: POSTGRES,
        share: 4,
        run: |run| Box::pin(outage::run(run)),
    },
    Fault {
        name: "overload",
        targets: "R-060",
        what: "ten times as much as can be done",
        on: POSTGRES,
        share: 4,
        run: |run| Box::pin(overload::run(run)),
    },
    Fault {
        name: "commit",
        targets: "R-021",
        what: "the connection dies at a commit",
        on: POSTGRES,
        share: 3,
        run: |run| Box::pin(commit::run(run)),
    },
    Fault {
        name: "backends",
        targets: "R-022",
        what: "backends end, serialization failures, deadlocks",
        on: POSTGRES,
        share: 4,
        run: |run| Box::pin(backends::run(run)),
    },
    Fault {
        name: "lock",
        targets: "R-023",
        what: "another session holds a lock",
        on: POSTGRES,
        share: 3,
        run: |run| Box::pin(lock::run(run)),
    },
    Fault {
        name: "keys",
        targets: "R-041",
        what: "signing keys are rotated without end, and one leaks",
        on: BOTH,
        share: 3,
        run: |run| Box::pin(keys::run(run)),
    },
    Fault {
        name: "rolling",
        targets: "R-044",
        what: "a rolling restart of four nodes at load",
        on: POSTGRES,
        share: 4,
        run: |run| Box::pin(rolling::run(run)),
    },
    Fault {
        name: "stop",
        targets: "R-045",
        what: "SIGTERM with requests under way and slow clients",
        on: BOTH,
        share: 2,
        run: |run| Box::pin(stop::run(run)),
    },
];

impl Run<'_> {
    /// Builds the world of this fault.
    pub async fn world(&self, plan: &Plan) -> Result<Arc<World>> {
        World::start(&self.site, self.kind, plan).await
    }
}
