//! What was done and what held, on standard output.

use std::collections::BTreeMap;

use crate::check;
use crate::world::World;

/// Sums over all faults.
#[derive(Debug, Default)]
pub struct Report {
    pub faults: u64,
    pub checked: u64,
    pub broken: u64,
    /// Families that broke something in the fault that is going on.
    fault_broken: u64,
}

impl Report {
    /// A line under the fault that is going on.
    pub fn say(&self, text: &str) {
        println!("    {text}");
    }

    /// So many things were done to the servers.
    pub fn did(&mut self, count: u64) {
        self.faults += count;
    }

    /// A promise of its own that a fault tests, beside the invariants.
    pub fn expect(&mut self, what: &str, held: Result<(), String>) {
        self.checked += 1;
        match held {
            Ok(()) => println!("    held    {what}"),
            Err(why) => self.broke(what, &why),
        }
    }

    /// Checks all invariants. What held is one line; what broke is a line each.
    pub async fn check(&mut self, world: &World) -> anyhow::Result<()> {
        let mut held = Vec::new();
        let mut details = BTreeMap::new();
        for invariant in check::INVARIANTS {
            let outcome = (invariant.run)(world).await?;
            self.checked += 1;
            if outcome.broken.is_empty() {
                held.push(invariant.name);
            }
            for why in outcome.broken.iter().take(5) {
                println!("    BROKEN  {} ({}): {why}", invariant.name, invariant.what);
            }
            if !outcome.broken.is_empty() {
                self.broken += 1;
                self.fault_broken += 1;
                println!("            {} in all", outcome.broken.len());
            }
            details.insert(invariant.name, outcome.looked_at);
        }
        let details: Vec<String> = details.iter().map(|(name, count)| format!("{name} {count}")).collect();
        println!("    held    {} (looked at: {})", held.join(" "), details.join(", "));
        Ok(())
    }

    /// Begins a fault.
    pub fn begin(&mut self, name: &str, database: &str) {
        self.fault_broken = 0;
        println!("{name} on {database}");
    }

    /// Ends a fault; tells whether all held.
    pub fn end(&mut self, name: &str, database: &str, seconds: f64) -> bool {
        let word = if self.fault_broken == 0 { "ok" } else { "FAILED" };
        println!("fault {name} on {database} ... {word} ({seconds:.1} s)");
        self.fault_broken == 0
    }

    fn broke(&mut self, what: &str, why: &str) {
        self.broken += 1;
        self.fault_broken += 1;
        println!("    BROKEN  {what}: {why}");
    }
}
