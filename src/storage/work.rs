//! Work for the database, from the caller to the thread that does it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::token_batch::{Issue, Issued};
use super::{Refusal, StorageError, Tx};

/// The error of a write: anything that can carry what the database said.
pub trait WriteError: From<StorageError> + Send + 'static {
    fn storage(&self) -> Option<&StorageError>;
}

impl WriteError for StorageError {
    fn storage(&self) -> Option<&StorageError> {
        Some(self)
    }
}

/// Whether work writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// What waits for the writer.
pub(super) enum Job {
    Work(Box<dyn Work>),
    Issue(Box<IssueJob>),
    /// Nothing comes after it.
    Close,
}

impl Job {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Work(work) => work.name(),
            Self::Issue(_) => "issue",
            Self::Close => "close",
        }
    }
}

pub(super) struct IssueJob {
    pub issue: Issue,
    pub reply: oneshot::Sender<Result<Issued, StorageError>>,
}

/// How a run of work wants its transaction to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Undo,
    /// Undo and run again: the failure passes.
    Retry,
    /// Undo; the connection is of no further use.
    Broken,
}

/// A piece of work without its types.
pub(super) trait Work: Send {
    fn name(&self) -> &'static str;
    fn since(&self) -> Instant;
    fn is_late(&self, timeout: Duration) -> bool;
    /// Whether there is nothing left to do but to give an answer that is known by now.
    fn is_settled(&mut self) -> bool;
    fn run(&mut self, tx: &mut Tx<'_>) -> Verdict;
    /// Sends the answer. `failure` stands for a transaction that could not begin or commit.
    fn finish(self: Box<Self>, failure: Option<StorageError>);
}

pub(super) struct Call<T, E, S, F> {
    name: &'static str,
    since: Instant,
    settled: S,
    work: F,
    result: Option<Result<T, Refusal<E>>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, S, F> Call<T, E, S, F> {
    pub fn new(name: &'static str, settled: S, work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { name, since: Instant::now(), settled, work, result: None, reply }, answer)
    }
}

impl<T, E, S, F> Work for Call<T, E, S, F>
where
    T: Send,
    E: WriteError,
    S: Fn() -> Option<E> + Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, Refusal<E>> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn is_late(&self, timeout: Duration) -> bool {
        self.since.elapsed() > timeout
    }

    fn is_settled(&mut self) -> bool {
        self.result = (self.settled)().map(|error| Err(Refusal::RollBack(error)));
        self.result.is_some()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Verdict {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(Refusal::RollBack(StorageError::Panicked(self.name).into())));
        let verdict = match &result {
            Ok(_) | Err(Refusal::Commit(_)) => Verdict::Keep,
            Err(Refusal::RollBack(error)) => match error.storage() {
                Some(error) if error.is_passing() => Verdict::Retry,
                Some(error) if error.breaks_connection() => Verdict::Broken,
                _ => Verdict::Undo,
            },
        };
        self.result = Some(result);
        verdict
    }

    fn finish(self: Box<Self>, failure: Option<StorageError>) {
        metrics::histogram!("latchway_database_seconds", "work" => self.name)
            .record(self.since.elapsed().as_secs_f64());
        let answer = match (failure, self.result) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(Ok(value))) => Ok(value),
            (None, Some(Err(Refusal::RollBack(error) | Refusal::Commit(error)))) => Err(error),
            (None, None) => Err(StorageError::Panicked(self.name).into()),
        };
        // Whoever asked may have gone away; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
}
