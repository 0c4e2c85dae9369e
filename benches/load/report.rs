//! The table and the verdicts.

use crate::extra::{Memory, median};
use crate::measure::Sample;
use crate::scenario::Scenario;
use crate::system::Kind;

/// All that was measured.
pub struct Report {
    pub samples: Vec<(Scenario, Kind, Sample)>,
    pub memory: Option<Memory>,
    pub starts: Vec<(Kind, Vec<f64>)>,
    /// Resident memory of each system when all rounds were over.
    pub resident: Vec<(Kind, f64)>,
}

/// A ratio twice: by CPU time used and by the clock.
#[derive(Clone, Copy)]
struct Ratio {
    cpu: f64,
    clock: f64,
}

impl Report {
    fn sample(&self, scenario: Scenario, kind: Kind) -> Option<&Sample> {
        self.samples.iter().find(|(s, k, _)| *s == scenario && *k == kind).map(|(.., sample)| sample)
    }

    fn ratio(&self, scenario: Scenario, kind: Kind, to: Kind) -> Option<Ratio> {
        let (a, b) = (self.sample(scenario, kind)?, self.sample(scenario, to)?);
        Some(Ratio { cpu: a.per_cpu_second() / b.per_cpu_second(), clock: a.per_second() / b.per_second() })
    }

    pub fn print(&self) {
        self.print_table();
        println!();
        self.print_rest();
        println!();
        self.print_beside();
        self.print_verdicts();
    }

    fn print_table(&self) {
        println!(
            "| {:<28} | {:<20} | {:>9} | {:>9} | {:>8} | {:>8} | {:>7} | {:>7} | {:>13} | {:>13} |",
            "scenario",
            "system",
            "req/s",
            "req/CPU s",
            "p50 ms",
            "p99 ms",
            "CPU us",
            "+ DB us",
            "of ceiling",
            "of peer"
        );
        println!(
            "|{:-<30}|{:-<22}|{:->10}:|{:->10}:|{:->9}:|{:->9}:|{:->8}:|{:->8}:|{:->14}:|{:->14}:|",
            "", "", "", "", "", "", "", "", "", ""
        );
        for (scenario, kind, sample) in &self.samples {
            let shown = |to: Kind| match self.ratio(*scenario, *kind, to).filter(|_| *kind != to) {
                Some(Ratio { cpu, clock }) => format!("{cpu:.2} ({clock:.2})"),
                None => String::new(),
            };
            let millis = |quantile: f64| sample.latency.value_at_quantile(quantile) as f64 / 1000.0;
            let operations = sample.operations as f64;
            let database = if kind.is_on_postgres() {
                format!("{:.0}", sample.database_cpu / operations * 1e6)
            } else {
                String::new()
            };
            println!(
                "| {:<28} | {:<20} | {:>9.0} | {:>9.0} | {:>8.2} | {:>8.2} | {:>7.0} | {:>7} | {:>13} | {:>13} |",
                scenario.name(),
                kind.name(),
                sample.per_second(),
                sample.per_cpu_second(),
                millis(0.5),
                millis(0.99),
                sample.cpu / operations * 1e6,
                database,
                shown(Kind::Ceiling),
                shown(Kind::Peer),
            );
        }
    }

    fn print_rest(&self) {
        if let Some(Memory { at_rest, tokens, after, peak }) = &self.memory {
            println!(
                "Memory, SQLite: {at_rest:.1} MiB at rest, {after:.1} MiB after {tokens} tokens (peak {peak:.1} MiB)."
            );
        }
        for (kind, times) in &self.starts {
            println!(
                "Start to the first 200 of /readyz, {}: median {:.0} ms of {} ({:.0} to {:.0} ms).",
                kind.name(),
                median(times),
                times.len(),
                times.first().unwrap_or(&f64::NAN),
                times.last().unwrap_or(&f64::NAN)
            );
        }
        let resident: Vec<_> =
            self.resident.iter().map(|(kind, mib)| format!("{} {mib:.0} MiB", kind.name())).collect();
        println!("Memory when all rounds were over: {}.", resident.join(", "));
    }

    /// What the other build does, if there was one.
    fn print_beside(&self) {
        let pairs = [(Kind::Sqlite, Kind::OtherSqlite), (Kind::Postgres, Kind::OtherPostgres)];
        let mut ratios = Vec::new();
        for scenario in Scenario::ALL {
            for (kind, other) in pairs {
                ratios.extend(self.ratio(scenario, kind, other).map(|ratio| (scenario, kind, ratio)));
            }
        }
        if ratios.is_empty() {
            return;
        }
        println!("Requests of this build for each of the other (by CPU time, in brackets by the clock):");
        for (scenario, kind, Ratio { cpu, clock }) in ratios {
            println!("  {:<28} {:<20} {cpu:.2} ({clock:.2})", scenario.name(), kind.name());
        }
        println!();
    }

    /// The targets are for SQLite.
    fn print_verdicts(&self) {
        println!("Targets (for Latchway on SQLite; the ratio by CPU time, in brackets by the clock):");
        let ratios = [
            (Scenario::ClientCredentials, Kind::Ceiling, 0.6),
            (Scenario::ClientCredentials, Kind::Peer, 5.0),
            (Scenario::IntrospectClient, Kind::Ceiling, 0.8),
            (Scenario::IntrospectPerson, Kind::Ceiling, 0.8),
            (Scenario::Refresh, Kind::Ceiling, 0.4),
            (Scenario::Refresh, Kind::Peer, 5.0),
            (Scenario::Code, Kind::Peer, 5.0),
        ];
        for (scenario, to, wanted) in ratios {
            let Some(Ratio { cpu, clock }) = self.ratio(scenario, Kind::Sqlite, to) else { continue };
            let verdict = match (cpu >= wanted, clock >= wanted) {
                (true, true) => "met",
                (true, false) => "met by CPU time only",
                (false, true) => "met by the clock only",
                (false, false) => "MISSED",
            };
            println!(
                "  {verdict:<22} {} at least {wanted} of the {}: {cpu:.2} ({clock:.2})",
                scenario.name(),
                to.name()
            );
        }
        let verdict = |met: bool| if met { "met" } else { "MISSED" };
        for (_, times) in self.starts.iter().filter(|(kind, _)| *kind == Kind::Sqlite) {
            let found = median(times);
            println!("  {:<22} ready in under 100 ms: {found:.0} ms", verdict(found < 100.0));
        }
        if let Some(Memory { at_rest, tokens, after, .. }) = &self.memory {
            println!("  {:<22} under 25 MiB at rest: {at_rest:.1} MiB", verdict(*at_rest < 25.0));
            let shorter = if *tokens < 200_000 { ", which is a shorter run than the target's 200000" } else { "" };
            println!("  {:<22} under 64 MiB after {tokens} tokens{shorter}: {after:.1} MiB", verdict(*after < 64.0));
        }
    }
}
