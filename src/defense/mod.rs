//! Who may do how much: capacity for all, rates for each, restraints for those who were noticed.
//!
//! Rates are kept by each node for itself, in memory of a fixed size. What guards secrets is counted in the database, and
//! who is restrained stands there, for all nodes to see within a second.

mod admission;
pub mod anomaly;
mod connections;
mod failure_limits;
mod failures;
mod gauge;
mod group;
mod limiter;
mod listing;
mod restraints;
mod table;

pub use admission::{Admission, Slot};
pub use connections::{Connection, Connections};
pub use failure_limits::Proof;
pub use failures::Counted;
pub use gauge::{Exceeded, Left};
pub use limiter::{Limiter, Passage};
pub use listing::{Listed, Wanted, lift, list};
pub use restraints::{Asked, RestraintKind, Restraints};

pub use crate::support::network;
