//! Memory, and the time to the first answer.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::http::Client;
use crate::measure::{Until, run};
use crate::process::memory_mib;
use crate::scenario::{Scenario, prepare};
use crate::system::{Kind, Latchway, Site, System, wait_until_ready};

pub struct Memory {
    pub at_rest: f64,
    pub tokens: u64,
    pub after: f64,
    pub peak: f64,
}

/// Starts a fresh server on a fresh SQLite file, looks at it, issues tokens, looks again.
pub async fn memory(site: &Site, tokens: u64, connections: usize) -> Result<Memory> {
    let server = Latchway::new(site, Kind::Sqlite, "memory")?;
    let (service, web, api) = server.register()?;
    let child = server.start()?;
    wait_until_ready(server.port, Duration::from_secs(20)).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let pid = child.pid();
    let at_rest = memory_mib(pid, "VmRSS");
    let system = System { kind: Kind::Sqlite, port: server.port, service, web, api, child, postmaster: None };
    let mut crew = Vec::new();
    for work in prepare(Scenario::ClientCredentials, &system, connections).await? {
        crew.push((Client::connect(system.port).await?, work));
    }
    let each = tokens.div_ceil(connections as u64);
    let (crew, sample) = run(crew, Until::Count(each)).await?;
    drop(crew);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (after, peak) = (memory_mib(pid, "VmRSS"), memory_mib(pid, "VmHWM"));
    Ok(Memory { at_rest, tokens: sample.operations, after, peak })
}

/// Milliseconds from the start of the process to the first 200 on `/readyz`, sorted.
///
/// On PostgreSQL the database is that of the measured server, which listened at `port`: a database has one issuer.
pub async fn start_times(site: &Site, kind: Kind, times: usize, port: u16) -> Result<Vec<f64>> {
    let mut server = Latchway::new(site, kind, &format!("start {}", kind.name()))?;
    if kind.is_on_postgres() {
        server.issue_at(port);
    } else {
        server.register()?;
    }
    let mut measured = Vec::new();
    for n in 0..=times {
        let begin = Instant::now();
        let mut child = server.start()?;
        wait_until_ready(server.port, Duration::from_secs(20)).await?;
        // The first one makes the signing keys, which an existing database has.
        if n > 0 {
            measured.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        child.stop();
    }
    measured.sort_by(f64::total_cmp);
    Ok(measured)
}

pub fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
