//! Work that one process at a time does, over all nodes.
//!
//! Whoever does it renews its lease with every piece, in the piece's own transaction; who dies leaves one that runs
//! out. A lease keeps nodes from doing the same work twice, no more: the work must be right even if two do it, as
//! clocks differ.

use super::{StorageError, Tx, settings};
use crate::support::{Id, Seconds};

/// How long a lease holds that nobody renews.
const SECONDS: Seconds = 10;

/// A lease that this process has.
#[derive(Debug, Clone)]
pub struct Lease {
    name: &'static str,
    owner: Id,
    /// The row as this process wrote it last.
    text: String,
    last_success: Option<Seconds>,
}

/// What became of asking for a lease.
#[derive(Debug, Clone)]
pub enum Asked {
    Granted(Lease),
    /// Somebody else has it; when the work was last done to its end is known nevertheless.
    Taken {
        last_success: Option<Seconds>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    until: Seconds,
    last_success: Option<Seconds>,
}

/// `owner until last-success`, the last of which is `-` before the first.
fn write(owner: Id, state: State) -> String {
    let last = state.last_success.map_or_else(|| "-".to_owned(), |at| at.to_string());
    format!("{owner} {} {last}", state.until)
}

/// What makes no sense holds nobody up.
fn read(text: &str) -> State {
    let mut words = text.split(' ').skip(1);
    let until = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    State { until, last_success: words.next().and_then(|word| word.parse().ok()) }
}

/// Asks for the lease of that name.
pub fn ask(tx: &mut Tx<'_>, name: &'static str, owner: Id, now: Seconds) -> Result<Asked, StorageError> {
    let found = settings::get(tx.reader(), name)?;
    let before = found.as_deref().map(read);
    let last_success = before.and_then(|state| state.last_success);
    // A time further off than any lease reaches was written by a clock that has been set right since.
    if before.is_some_and(|state| state.until > now && state.until <= now + 10 * SECONDS) {
        return Ok(Asked::Taken { last_success });
    }
    let text = write(owner, State { until: now + SECONDS, last_success });
    let granted = match &found {
        Some(before) => settings::replace(tx, name, before, &text)?,
        None => settings::set_once(tx, name, &text)?,
    };
    Ok(if granted { Asked::Granted(Lease { name, owner, text, last_success }) } else { Asked::Taken { last_success } })
}

impl Lease {
    /// Renews it; `None` if somebody else has taken it.
    pub fn renewed(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<Option<Self>, StorageError> {
        self.put(tx, State { until: now + SECONDS, last_success: self.last_success })
    }

    /// Gives it back after the work was done to its end.
    pub fn finish(&self, tx: &mut Tx<'_>, now: Seconds) -> Result<(), StorageError> {
        self.put(tx, State { until: 0, last_success: Some(now) }).map(|_| ())
    }

    /// Gives it back although the work was not done to its end.
    pub fn give_back(&self, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        self.put(tx, State { until: 0, last_success: self.last_success }).map(|_| ())
    }

    fn put(&self, tx: &mut Tx<'_>, state: State) -> Result<Option<Self>, StorageError> {
        let text = write(self.owner, state);
        let kept = text == self.text || settings::replace(tx, self.name, &self.text, &text)?;
        Ok(kept.then(|| Self { text, last_success: state.last_success, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Clock, Rng};

    #[test]
    fn what_is_written_is_read() {
        let owner = Id::new(&Clock::system(), &Rng::system());
        for last_success in [None, Some(17)] {
            let state = State { until: 42, last_success };
            assert_eq!(read(&write(owner, state)), state);
        }
        assert_eq!(read("nonsense"), State { until: 0, last_success: None });
    }
}
