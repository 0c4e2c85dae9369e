//! `/metrics`: the table of all metrics, and the listener that serves them.

mod listener;
mod table;

pub use listener::serve;
