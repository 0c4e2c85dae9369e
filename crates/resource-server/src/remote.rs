//! A document of the issuer: fetched by one request for all, kept while the issuer is away.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::fetch::FetchError;
use latchway_core::Clock;

/// However long or short the issuer says that a document may be kept.
const LIFETIME_MILLIS: (i64, i64) = (10_000, 600_000);
/// Where the issuer says nothing.
const USUAL_LIFETIME: Duration = Duration::from_secs(300);
/// Whoever asks for what is not in the document makes it be fetched no more often than this.
const DEMAND_MILLIS: i64 = 10_000;
/// So long nobody tries again after a failure.
const FAILURE_MILLIS: i64 = 5_000;

/// The issuer cannot be asked, and nothing that it said before may be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unavailable(pub String);

type Loading<T> = Pin<Box<dyn Future<Output = Result<(T, Option<Duration>), FetchError>> + Send>>;

pub(crate) struct Remote<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<T> {
    what: &'static str,
    load: Box<dyn Fn() -> Loading<T> + Send + Sync>,
    clock: Clock,
    /// How old a document may become while no newer one can be had.
    keep_millis: i64,
    current: RwLock<Option<Arc<Loaded<T>>>>,
    /// Held by whoever fetches.
    flight: tokio::sync::Mutex<()>,
    /// When something that is not in the document was last asked for, and looked for.
    demanded_at: AtomicI64,
    /// When it last could not be fetched; `NEVER` if the last time it could.
    failed_at: AtomicI64,
    refreshing: AtomicBool,
    loads: AtomicU64,
}

const NEVER: i64 = i64::MIN / 2;

pub(crate) struct Loaded<T> {
    pub value: T,
    number: u64,
    at: i64,
    lifetime: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Age,
    Demand,
}

impl<T: Send + Sync + 'static> Remote<T> {
    pub fn new(
        what: &'static str,
        clock: Clock,
        keep: Duration,
        load: impl Fn() -> Loading<T> + Send + Sync + 'static,
    ) -> Self {
        let keep_millis = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX / 4);
        let shared = Shared {
            what,
            load: Box::new(load),
            clock,
            keep_millis,
            current: RwLock::default(),
            flight: tokio::sync::Mutex::default(),
            demanded_at: AtomicI64::new(NEVER),
            failed_at: AtomicI64::new(NEVER),
            refreshing: AtomicBool::new(false),
            loads: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The document. A fresh one costs nothing; one that is a little old is renewed behind the caller's back, and so it
    /// is while the issuer is away; for an older one the caller waits.
    pub async fn get(&self) -> Result<Arc<Loaded<T>>, Unavailable> {
        let shared = &self.shared;
        let now = shared.clock.now_millis();
        let current = shared.current();
        match &current {
            Some(loaded) if loaded.age(now) < loaded.lifetime => return Ok(Arc::clone(loaded)),
            Some(loaded) if shared.may_serve_old(loaded, now) => self.renew_behind(loaded),
            _ => self.renew(current.as_ref().map_or(0, |loaded| loaded.number), Why::Age).await,
        }
        let usable = shared.current().filter(|loaded| loaded.age(now) < shared.keep_millis);
        usable.ok_or_else(|| Unavailable(format!("there is no usable copy of {}", shared.what)))
    }

    /// A newer document than one in which something was missing, or the same if it was asked for a moment ago.
    pub async fn newer_than(&self, seen: &Loaded<T>) -> Result<Arc<Loaded<T>>, Unavailable> {
        self.renew(seen.number, Why::Demand).await;
        if self.shared.has_failed() {
            return Err(Unavailable(format!("{} could not be fetched again", self.shared.what)));
        }
        self.shared.current().ok_or_else(|| Unavailable(format!("there is no copy of {}", self.shared.what)))
    }

    /// Waits for a newer one than `seen`, if one may be asked for. Whoever began goes on although its caller goes away.
    async fn renew(&self, seen: u64, why: Why) {
        if self.shared.must_wait(why) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let _ = tokio::spawn(async move { shared.attempt(seen, why).await }).await;
    }

    fn renew_behind(&self, seen: &Loaded<T>) {
        if self.shared.must_wait(Why::Age) || self.shared.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (shared, seen) = (Arc::clone(&self.shared), seen.number);
        let renewing = Renewing(shared);
        tokio::spawn(async move { renewing.0.attempt(seen, Why::Age).await });
    }
}

/// Ends with its task, also where that is dropped together with the thread on which it ran.
struct Renewing<T>(Arc<Shared<T>>);

impl<T> Drop for Renewing<T> {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

impl<T> Shared<T> {
    fn current(&self) -> Option<Arc<Loaded<T>>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_failed(&self) -> bool {
        self.failed_at.load(Ordering::Acquire) != NEVER
    }

    fn may_serve_old(&self, loaded: &Loaded<T>, now: i64) -> bool {
        let age = loaded.age(now);
        age < self.keep_millis && (age < 2 * loaded.lifetime || self.has_failed())
    }

    fn must_wait(&self, why: Why) -> bool {
        let now = self.clock.now_millis();
        let within = |at: &AtomicI64, span: i64| (now - at.load(Ordering::Acquire)).abs() < span;
        within(&self.failed_at, FAILURE_MILLIS) || why == Why::Demand && within(&self.demanded_at, DEMAND_MILLIS)
    }

    async fn attempt(&self, seen: u64, why: Why) {
        let _flight = self.flight.lock().await;
        // Somebody else was here while this one waited.
        if self.current().map_or(0, |loaded| loaded.number) != seen || self.must_wait(why) {
            return;
        }
        if why == Why::Demand {
            self.demanded_at.store(self.clock.now_millis(), Ordering::Release);
        }
        match (self.load)().await {
            Ok((value, max_age)) => {
                let lifetime = i64::try_from(max_age.unwrap_or(USUAL_LIFETIME).as_millis()).unwrap_or(i64::MAX);
                let loaded = Loaded {
                    value,
                    number: self.loads.fetch_add(1, Ordering::AcqRel) + 1,
                    at: self.clock.now_millis(),
                    lifetime: lifetime.clamp(LIFETIME_MILLIS.0, LIFETIME_MILLIS.1),
                };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(loaded));
                self.failed_at.store(NEVER, Ordering::Release);
            }
            Err(error) => {
                tracing::warn!(%error, what = self.what, "the issuer could not be asked");
                self.failed_at.store(self.clock.now_millis(), Ordering::Release);
            }
        }
    }
}

impl<T> Loaded<T> {
    /// A clock that was set back makes nothing younger.
    fn age(&self, now: i64) -> i64 {
        (now - self.at).abs()
    }
}
