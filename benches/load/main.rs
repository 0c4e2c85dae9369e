//! The load program of `scripts/bench`, which builds and starts what it needs.
//!
//!     latchway-load ceiling PORT           the yardstick, a server
//!     latchway-load run --latchway PATH …  everything else; see `options`

mod ceiling;
mod extra;
mod flow;
mod http;
mod measure;
mod process;
mod report;
mod scenario;
mod system;

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use measure::{Sample, Shape, round};
use report::Report;
use scenario::Scenario;
use system::{Kind, Site, System};

// As the server has it, so that the ceiling is not held down by an allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("ceiling") => ceiling::serve(args.next().context("a port")?.parse()?),
        Some("run") => {
            let plan = Plan::read(args)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio::task::LocalSet::new().block_on(&runtime, plan.run())
        }
        _ => bail!("run scripts/bench"),
    }
}

/// What to do.
struct Plan {
    site: Site,
    kinds: Vec<Kind>,
    scenarios: Vec<Scenario>,
    shape: Shape,
    rounds: usize,
    tokens: u64,
    starts: usize,
}

impl Plan {
    /// Every option has a value.
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options: HashMap<String, String> = HashMap::new();
        while let Some(name) = args.next() {
            options.insert(name.clone(), args.next().with_context(|| format!("{name} needs a value"))?);
        }
        let mut take = |name: &str| options.remove(name);
        let required = |name: &str, value: Option<String>| value.with_context(|| format!("{name} is missing"));
        let postgres = match (take("--postgres-url"), take("--other-postgres-url"), take("--postgres-pid")) {
            (Some(url), Some(other), Some(pid)) => Some((url, other, pid.parse()?)),
            _ => None,
        };
        let other = take("--other").map(PathBuf::from);
        let databases = take("--databases").unwrap_or_else(|| "sqlite".to_owned());
        let mut kinds = vec![Kind::Ceiling];
        kinds.extend(databases.contains("sqlite").then_some(Kind::Sqlite));
        kinds.extend((databases.contains("sqlite") && other.is_some()).then_some(Kind::OtherSqlite));
        kinds.extend(databases.contains("postgres").then_some(Kind::Postgres));
        kinds.extend((databases.contains("postgres") && other.is_some()).then_some(Kind::OtherPostgres));
        let peer = take("--peer");
        kinds.extend(peer.is_some().then_some(Kind::Peer));
        let only = take("--only").unwrap_or_default();
        let scenarios = Scenario::ALL.into_iter().filter(|scenario| scenario.name().contains(&only)).collect();
        let number = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned()).parse::<f64>();
        let plan = Self {
            site: Site {
                latchway: PathBuf::from(required("--latchway", take("--latchway"))?),
                other,
                peer: PathBuf::from(peer.unwrap_or_default()),
                node: PathBuf::from(take("--node").unwrap_or_else(|| "node".to_owned())),
                work: PathBuf::from(required("--work", take("--work"))?),
                postgres,
                core: take("--core").map(|core| core.parse()).transpose()?,
            },
            kinds,
            scenarios,
            shape: Shape {
                seconds: number(take("--seconds"), "3")?,
                warm_up: number(take("--warm-up"), "0.7")?,
                connections: number(take("--connections"), "64")? as usize,
            },
            rounds: number(take("--rounds"), "3")? as usize,
            tokens: number(take("--tokens"), "200000")? as u64,
            starts: number(take("--starts"), "9")? as usize,
        };
        match options.keys().next() {
            Some(unknown) => bail!("unknown option {unknown}"),
            None => Ok(plan),
        }
    }

    async fn run(self) -> Result<()> {
        let mut systems = Vec::new();
        for &kind in &self.kinds {
            eprintln!("starting {}", kind.name());
            systems.push(System::start(&self.site, kind).await?);
        }
        let mut samples = Vec::new();
        for &scenario in &self.scenarios {
            let mut row = Vec::new();
            for system in systems.iter().filter(|system| scenario.is_run_by(system.kind)) {
                row.push((system, Sample::new()?));
            }
            // Interleaved: what else this machine does at a time meets all systems alike.
            for n in 1..=self.rounds {
                for (system, sample) in &mut row {
                    eprintln!("{}, round {n} of {}: {}", scenario.name(), self.rounds, system.kind.name());
                    let measured = round(scenario, system, self.shape, sample).await;
                    measured.with_context(|| format!("{} at {}", scenario.name(), system.kind.name()))?;
                }
            }
            samples.extend(row.into_iter().map(|(system, sample)| (scenario, system.kind, sample)));
        }
        let resident =
            systems.iter().map(|system| (system.kind, process::memory_mib(system.child.pid(), "VmRSS"))).collect();
        let ports: Vec<(Kind, u16)> = systems.iter().map(|system| (system.kind, system.port)).collect();
        drop(systems);
        let mut starts = Vec::new();
        for kind in [Kind::Sqlite, Kind::OtherSqlite, Kind::Postgres, Kind::OtherPostgres] {
            if let Some((_, port)) = ports.iter().find(|(known, _)| *known == kind)
                && self.starts > 0
            {
                eprintln!("starting {} {} times", kind.name(), self.starts);
                starts.push((kind, extra::start_times(&self.site, kind, self.starts, *port).await?));
            }
        }
        let memory = if self.tokens > 0 {
            eprintln!("issuing {} tokens", self.tokens);
            Some(extra::memory(&self.site, self.tokens, self.shape.connections).await?)
        } else {
            None
        };
        Report { samples, memory, starts, resident }.print();
        Ok(())
    }
}
