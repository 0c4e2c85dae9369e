//! Drives real servers with mixed traffic, injects faults, and checks invariants against the database and the API.
//!
//! `world` is what faults are done to, `actor` the traffic, `ledger` what clients were told, `check` one function an
//! invariant, `faults` one file a family of faults, `report` what is printed.

mod actor;
mod api;
mod args;
mod browser;
mod check;
mod faults;
mod http;
mod ledger;
mod report;
mod rng;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use args::Args;
use faults::Run;
use report::Report;
use world::{Kind, Site};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let Some(args) = Args::read(std::env::args().skip(1))? else { return Ok(ExitCode::SUCCESS) };
    let site = Site {
        latchway: args.latchway.clone(),
        work: args.work.clone(),
        postgres: args.postgres.clone(),
        seed: args.seed,
        asked: usize::try_from(args.seconds.saturating_mul(5))?.clamp(60, 2000),
    };
    println!("seed {}, {} s", args.seed, args.seconds);
    let mut report = Report::default();
    let rounds: Vec<(&faults::Fault, Kind)> = (args.faults.iter())
        .flat_map(|fault| fault.on.iter().filter(|kind| args.databases.contains(kind)).map(|kind| (*fault, *kind)))
        .collect();
    let shares: u64 = rounds.iter().map(|(fault, _)| fault.share).sum::<u64>().max(1);
    let mut status = ExitCode::SUCCESS;
    for (fault, kind) in rounds {
        let begin = Instant::now();
        let budget = Duration::from_secs_f64(args.seconds as f64 * fault.share as f64 / shares as f64);
        report.begin(fault.name, kind.name());
        let mut run = Run { site: site.clone(), kind, budget, report: &mut report };
        if let Err(error) = (fault.run)(&mut run).await {
            report.expect("the fault could be run", Err(format!("{error:#}")));
        }
        if !report.end(fault.name, kind.name(), begin.elapsed().as_secs_f64()) {
            status = ExitCode::FAILURE;
            println!(
                "replay: scripts/torture --seed {} --seconds {} --database {} --faults {}",
                args.seed,
                args.seconds,
                kind.name(),
                fault.name
            );
            if !args.keep_going {
                break;
            }
        }
    }
    println!("{} faults, {} invariants checked, {} broken", report.faults, report.checked, report.broken);
    Ok(status)
}
