//! The thread that finds out whether the database is there: when somebody asks or doubts it, and while it is gone until it
//! is back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use diesel_async::async_connection_wrapper::BlockOn;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::connect::{Connector, Linked, Made};
use super::health::Health;
use super::unconnected::{Unconnected, Why};
use crate::storage::StorageError;
use crate::storage::conn::ThreadRuntime;
use crate::support::Rng;

/// How often is looked.
const TICK: Duration = Duration::from_millis(100);
/// A connection that stands has so long to answer, and longer where round trips are long.
const PATIENCE: Duration = Duration::from_millis(500);
/// A new connection has so long, or three times what the last one took, before the database counts as gone. What is under
/// way is not given up then.
const CONNECT_PATIENCE: Duration = Duration::from_millis(700);
/// An idle connection is asked so often whether it is still one.
const KEEP: Duration = Duration::from_secs(15);
/// For so long after PostgreSQL had no room for somebody the watcher keeps no connection for itself.
const MODESTY: Duration = Duration::from_secs(60);
/// Another connect is begun so long after the one before, which may have been lost on the way.
const ANOTHER: Duration = Duration::from_secs(1);
/// Connects under way at once.
const PARALLEL: usize = 5;

/// Somebody wants to know whether the database answers.
pub struct Question(pub oneshot::Sender<()>);

pub struct Watcher {
    health: Arc<Health>,
    connector: Connector,
    questions: Receiver<Option<Question>>,
    link: Option<Linked>,
    /// When the link last answered.
    answered: Instant,
    /// What the last connection took.
    took: Duration,
    attempts: Attempts,
    /// Since when a connection is being made to find out.
    doubt: Option<Instant>,
    waiting: Vec<Question>,
}

impl Watcher {
    pub fn new(
        health: Arc<Health>,
        connector: Connector,
        questions: Receiver<Option<Question>>,
        first: Linked,
    ) -> Self {
        let took = first.took;
        Self {
            health,
            connector,
            questions,
            link: Some(first),
            answered: Instant::now(),
            took,
            attempts: Attempts::default(),
            doubt: None,
            waiting: Vec::new(),
        }
    }

    /// Until nobody can ask any more.
    pub fn run(mut self) {
        loop {
            // While a connect is under way waiting for it is the pause.
            let pause = if self.attempts.is_idle() { TICK } else { Duration::ZERO };
            match self.questions.recv_timeout(pause) {
                Ok(Some(question)) => self.waiting.push(question),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(None) | Err(RecvTimeoutError::Disconnected) => return,
            }
            for question in self.questions.try_iter() {
                match question {
                    Some(question) => self.waiting.push(question),
                    None => return,
                }
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let gone = self.health.is_gone();
        if gone {
            self.waiting.clear();
        }
        let doubt = self.health.is_doubted() || gone || self.doubt.is_some();
        if self.link.is_some() {
            if !gone && self.waiting.is_empty() && self.health.is_crowded(MODESTY) {
                self.let_go();
            } else if doubt || !self.waiting.is_empty() || self.answered.elapsed() > KEEP {
                self.ping();
            }
        } else if doubt || !self.waiting.is_empty() {
            if !gone && self.health.is_crowded(MODESTY) && self.health.answered_within(ANOTHER) {
                // Somebody who needs a connection more would go without.
                self.is_still_there();
            } else {
                self.connect(gone);
            }
        }
    }

    fn let_go(&mut self) {
        if let Some(link) = self.link.take() {
            link.end();
        }
    }

    fn ping(&mut self) {
        let Some(link) = &mut self.link else { return };
        let began = Instant::now();
        match link.before(began + PATIENCE.max(self.health.round_trip() * 3), |conn| conn.ping()) {
            Ok(()) => {
                self.health.measured(began.elapsed());
                self.health.answered();
                self.is_there();
            }
            // It may have been lost while it was idle: a new one decides.
            Err(_) => {
                self.let_go();
                self.doubt.get_or_insert_with(Instant::now);
            }
        }
    }

    fn connect(&mut self, gone: bool) {
        let since = *self.doubt.get_or_insert_with(Instant::now);
        match self.attempts.go_on(&self.connector) {
            Some(Ok(made)) => {
                let link = self.connector.link(made);
                self.took = link.took;
                self.link = Some(link);
                self.ping();
            }
            // No new connection, while those that stand go on: as long as they answer.
            Some(Err(error)) if !gone && error.is_crowded() && self.stands(ANOTHER) => {
                self.health.not_connected(&error);
                self.is_still_there();
            }
            Some(Err(error)) if !gone && error.why == Why::Refused && self.stands(ANOTHER) => {
                tracing::error!(%error, "no new connection to the database can be made; those that stand go on");
                self.is_still_there();
            }
            Some(Err(error)) if error.why != Why::Late => self.health.gone(&error.into()),
            _ if !gone && since.elapsed() > CONNECT_PATIENCE.max(self.took * 3) => {
                self.health.gone(&StorageError::Timeout)
            }
            _ => {}
        }
    }

    /// Whether work is done with connections that stand, and was within so long.
    fn stands(&self, within: Duration) -> bool {
        self.health.standing() > 0 && self.health.answered_within(within)
    }

    /// The database answered others a moment ago; whether it still does is looked at again in the next tick.
    fn is_still_there(&mut self) {
        for Question(reply) in self.waiting.drain(..) {
            let _ = reply.send(());
        }
    }

    fn is_there(&mut self) {
        self.answered = Instant::now();
        self.doubt = None;
        self.attempts = Attempts::default();
        if self.health.is_gone() {
            self.health.is_back();
        }
        for Question(reply) in self.waiting.drain(..) {
            let _ = reply.send(());
        }
    }
}

/// Connects under way. Each is kept to its end, however slow, and after a while another is begun beside it: packets of the
/// first may have been lost while the network was down, and TCP repeats those ever more rarely.
struct Attempts {
    under_way: JoinSet<Result<Made, Unconnected>>,
    next: Instant,
    failures: u32,
    rng: Rng,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { under_way: JoinSet::new(), next: Instant::now(), failures: 0, rng: Rng::system() }
    }
}

impl Attempts {
    fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Goes on for a tick. `None`: nothing is known yet.
    fn go_on(&mut self, connector: &Connector) -> Option<Result<Made, Unconnected>> {
        ThreadRuntime::get_runtime().block_on(async {
            if Instant::now() >= self.next && self.under_way.len() < PARALLEL {
                self.under_way.spawn(connector.clone().make());
                self.next = Instant::now() + jittered(&self.rng, ANOTHER);
            }
            if self.under_way.is_empty() {
                return None;
            }
            let done = tokio::time::timeout(TICK, self.under_way.join_next()).await.ok().flatten()?.ok()?;
            if done.is_err() {
                self.failures += 1;
                let pause = (TICK * 2u32.pow(self.failures.min(4))).min(ANOTHER);
                self.next = Instant::now() + jittered(&self.rng, pause);
            }
            Some(done)
        })
    }
}

/// Half to all of a pause, so that no two nodes come at once.
pub fn jittered(rng: &Rng, pause: Duration) -> Duration {
    let [random] = rng.bytes();
    pause / 2 + pause / 2 * u32::from(random) / 255
}
