//! Anomalies: what looks like an attack in what was decided.
//!
//! A pure engine. It is told what happened, one thing after the other, and tells what it makes of it: each finding names
//! its rule, whom it is about, and the numbers and thresholds that led to it. Its memory has a fixed size, whatever it is
//! told, and its only clock is the time of what happened. `docs/anomalies.md` explains the rules to operators.

mod clients;
mod engine;
mod errors;
mod finding;
mod guessing;
mod moves;
mod observation;
mod recent;
mod report;
mod stuffing;
mod window;

pub use engine::Engine;
pub use finding::{Finding, Rule, Severity, Subject};
pub use moves::Habits;
pub use observation::{Observation, What};
