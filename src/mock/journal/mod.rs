//! What was asked, what came of it, and why.
//!
//! ```text
//! entry.rs    one request and its answer, as they are shown
//! reading.rs  bodies as text, without passwords
//! reasons.rs  why a request was refused, and whom its token speaks of
//! ring.rs     the last thousand
//! filter.rs   which of them somebody wants
//! page.rs     as a page
//! ```

mod entry;
mod filter;
mod page;
mod reading;
mod reasons;
mod ring;

pub use entry::{Entry, Told, moment};
pub use filter::{Filter, Format};
pub use page::{EntriesFragment, EntryView, JournalPage, SHOWN};
pub use ring::Journal;
