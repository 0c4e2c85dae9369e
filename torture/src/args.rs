//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::faults::{FAULTS, Fault};
use crate::world::Kind;

/// What is to be done.
pub struct Args {
    pub seconds: u64,
    pub seed: u64,
    pub databases: Vec<Kind>,
    pub faults: Vec<&'static Fault>,
    pub keep_going: bool,
    pub latchway: PathBuf,
    pub work: PathBuf,
    pub postgres: Option<PathBuf>,
}

const USAGE: &str = "\
Drives real servers with mixed traffic, does something bad to them, and checks that nothing that was acknowledged is
lost and nothing that was ended lives on.

Usage: scripts/torture [OPTIONS]

Options:
  --seconds N       about how long the faults take together, setting up aside; 60 unless told
  --seed S          the random choices of an earlier run
  --database WHICH  sqlite, postgres or both; both unless told
  --faults LIST     names of faults, separated by commas; all unless told
  --keep-going      go on after a broken invariant
  --debug           the debug build of the server
  --help            this text

Examples:
  scripts/torture                                         everything, in about a minute
  scripts/torture --seconds 3600 --faults crash           an hour of kill -9
  scripts/torture --database sqlite --faults races,stop
  scripts/torture --seed 42 --database postgres --faults outage,commit

Ends with `N faults, N invariants checked, N broken`; the status is 1 if one broke.

Faults:
";

impl Args {
    /// Reads them; `None`: help was asked for, and given.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut args = Self {
            seconds: 60,
            seed: fresh_seed(),
            databases: vec![Kind::Sqlite, Kind::Postgres],
            faults: FAULTS.iter().collect(),
            keep_going: false,
            latchway: PathBuf::new(),
            work: PathBuf::new(),
            postgres: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => {
                    help();
                    return Ok(None);
                }
                "--seconds" => args.seconds = value()?.parse().context("--seconds takes a number")?,
                "--seed" => args.seed = value()?.parse().context("--seed takes a number")?,
                "--database" => args.databases = databases(&value()?)?,
                "--faults" => args.faults = faults(&value()?)?,
                "--keep-going" => args.keep_going = true,
                "--latchway" => args.latchway = value()?.into(),
                "--work" => args.work = value()?.into(),
                "--postgres" => args.postgres = Some(value()?.into()),
                _ => bail!("unknown option {word}: see --help"),
            }
        }
        Ok(Some(args))
    }
}

fn help() {
    print!("{USAGE}");
    for fault in FAULTS {
        let on: Vec<&str> = fault.on.iter().map(|kind| kind.name()).collect();
        println!("  {:<12} {} [{}] ({})", fault.name, fault.what, fault.targets, on.join(", "));
    }
}

fn databases(text: &str) -> Result<Vec<Kind>> {
    match text {
        "sqlite" => Ok(vec![Kind::Sqlite]),
        "postgres" => Ok(vec![Kind::Postgres]),
        "both" => Ok(vec![Kind::Sqlite, Kind::Postgres]),
        _ => bail!("--database takes sqlite, postgres or both"),
    }
}

fn faults(text: &str) -> Result<Vec<&'static Fault>> {
    let find = |name: &str| FAULTS.iter().find(|fault| fault.name == name);
    text.split(',').map(|name| find(name).with_context(|| format!("no fault {name}: see --help"))).collect()
}

#[expect(clippy::disallowed_methods, reason = "a run that is given no seed takes the moment, and prints it")]
fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs()
}
