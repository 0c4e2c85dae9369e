//! Password hashing with Argon2id, on a few threads and with bounded memory.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;

use super::dummies::{Dummies, parameters_of};
use crate::config;
use crate::support::{AtOnce, Rng, Share};

/// Longer passwords are refused before anything is computed from them, in bytes.
pub const MAX_BYTES: usize = 1024;
/// A stored hash that asks for more than this, and for more than the configuration does, is not computed: memory in KiB
/// and passes.
const MAX_STORED_COST: (u32, u32) = (256 * 1024, 50);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// As many hashes wait as the configuration allows.
    #[error("too many logins at once")]
    Busy,
    #[error("the password is too long")]
    TooLong,
    #[error("a password hash could not be computed: {0}")]
    Failed(String),
}

/// Argon2id on a few threads of its own, so that a storm of logins is bounded in memory and does not hold up anything
/// else. A hash under way keeps its thread when whoever asked has gone, so that going away frees nothing early.
#[derive(Clone)]
pub struct Passwords {
    queue: SyncSender<Job>,
    hasher: Arc<Hasher>,
    dummies: Arc<Dummies>,
    /// How a new hash begins.
    current: Arc<str>,
    queue_length: usize,
    /// Logins that wait for a place beside those of their network that are being evaluated.
    waiting: Arc<AtOnce>,
}

type Job = Box<dyn FnOnce() + Send>;

struct Hasher {
    argon2: Argon2<'static>,
    rng: Rng,
}

impl Passwords {
    pub fn new(config: &config::Passwords, rng: Rng) -> Result<Self, PasswordError> {
        let failed = |e: &dyn std::fmt::Display| PasswordError::Failed(e.to_string());
        let params =
            Params::new(config.memory_kib, config.iterations, config.parallelism, None).map_err(|e| failed(&e))?;
        let hasher = Arc::new(Hasher { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), rng });
        let (queue, jobs) = sync_channel::<Job>(config.queue);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..config.max_parallel.max(1) {
            let jobs = jobs.clone();
            std::thread::Builder::new()
                .name(format!("password-{n}"))
                .spawn(move || work(&jobs))
                .map_err(|e| failed(&e))?;
        }
        let current =
            format!("$argon2id$v=19$m={},t={},p={}", config.memory_kib, config.iterations, config.parallelism);
        let cost = current.rsplit('$').next().unwrap_or_default().to_owned();
        // There from the start, as every metric is.
        metrics::counter!("latchway_password_verifications_total", "parameters" => cost).increment(0);
        // Without another key it is one of this process alone.
        let dummies = Dummies::new(&hasher.rng.bytes::<32>(), current.clone());
        let (queue_length, waiting) = (config.queue, Arc::new(AtOnce::new(config.queue)));
        Ok(Self { queue, hasher, dummies: Arc::new(dummies), current: current.into(), queue_length, waiting })
    }

    /// How many hashes may wait.
    pub(super) fn queue_length(&self) -> usize {
        self.queue_length
    }

    /// Lets a login wait, if not too many of its network do.
    pub(super) fn wait_beside(&self, network: IpAddr) -> Option<Share> {
        self.waiting.enter(network)
    }

    /// The secret by which names without an account get their parameters: the same on all nodes and after a restart.
    #[must_use]
    pub fn with_key(self, key: &[u8]) -> Self {
        let dummies = Dummies::new(key, self.current.to_string());
        Self { dummies: Arc::new(dummies), ..self }
    }

    /// Takes up how many stored hashes have which parameters, so that a name without an account costs what one of them
    /// costs.
    pub fn set_in_use(&self, counted: Vec<(String, u64)>) {
        let computable = |(parameters, _): &(String, u64)| {
            let dummy = Dummies::hash_with(parameters);
            PasswordHash::new(&dummy).is_ok_and(|hash| self.hasher.params_of(&hash).is_ok())
        };
        self.dummies.set_in_use(counted.into_iter().filter(computable));
    }

    /// A stored hash was replaced by one of the same password.
    pub(super) fn replaced(&self, old: &str, new: &str) {
        self.dummies.moved(old, new);
    }

    /// A PHC string for a new password.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        check_length(&password)?;
        let hasher = self.hasher.clone();
        self.run(move || hasher.hash(&password)).await?
    }

    /// Whether the password is the one of the stored hash. Without a hash it computes as much as for an account of that name,
    /// and answers no.
    pub async fn verify(
        &self,
        stored: Option<String>,
        name: &str,
        password: SecretString,
    ) -> Result<bool, PasswordError> {
        check_length(&password)?;
        let parameters = match &stored {
            Some(stored) => parameters_of(stored).unwrap_or_default().to_owned(),
            None => self.dummies.parameters_for(name),
        };
        let (hasher, dummy) = (self.hasher.clone(), Dummies::hash_with(&parameters));
        let cost = parameters.rsplit('$').next().unwrap_or_default().to_owned();
        metrics::counter!("latchway_password_verifications_total", "parameters" => cost).increment(1);
        self.run(move || match stored {
            Some(stored) => hasher.verify(&stored, &password),
            None => hasher.verify(&dummy, &password).map(|_| false),
        })
        .await?
    }

    /// Whether a stored hash was made under other parameters than today's.
    pub fn is_outdated(&self, stored: &str) -> bool {
        parameters_of(stored) != Some(&*self.current)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let (reply, answer) = oneshot::channel();
        let queued = Queued::new();
        let job: Job = Box::new(move || {
            let result = work();
            drop(queued);
            drop(reply.send(result));
        });
        self.queue.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => PasswordError::Busy,
            TrySendError::Disconnected(_) => PasswordError::Failed("the password threads have ended".to_owned()),
        })?;
        answer.await.map_err(|_| PasswordError::Failed("the computation panicked".to_owned()))
    }
}

/// Counts as waiting or being computed until it is dropped, however that ends.
struct Queued(metrics::Gauge);

impl Queued {
    fn new() -> Self {
        let gauge = metrics::gauge!("latchway_password_queue");
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic ends this job, not the thread that the next login needs.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

impl Hasher {
    fn hash(&self, password: &SecretString) -> Result<String, PasswordError> {
        let salt: [u8; 16] = self.rng.bytes();
        self.argon2
            .hash_password_with_salt(&normalized(password), &salt)
            .map(|hash| hash.to_string())
            .map_err(|e| PasswordError::Failed(e.to_string()))
    }

    fn verify(&self, stored: &str, password: &SecretString) -> Result<bool, PasswordError> {
        let failed = |e: &dyn std::fmt::Display| PasswordError::Failed(e.to_string());
        let hash = PasswordHash::new(stored).map_err(|e| failed(&e))?;
        self.params_of(&hash)?;
        Ok(self.argon2.verify_password(&normalized(password), &hash).is_ok())
    }

    /// The parameters of a hash, if they are none that would take all memory or time.
    fn params_of(&self, hash: &PasswordHash) -> Result<Params, PasswordError> {
        let params = Params::try_from(hash).map_err(|e| PasswordError::Failed(e.to_string()))?;
        let (memory, passes) = MAX_STORED_COST;
        let ours = self.argon2.params();
        if params.m_cost() > memory.max(ours.m_cost()) || params.t_cost() > passes.max(ours.t_cost()) {
            return Err(PasswordError::Failed("a stored hash asks for too much memory or time".to_owned()));
        }
        Ok(params)
    }
}

/// The same bytes for the same password, whichever keyboard composed its characters (RFC 8265 §4.2.2: NFC).
fn normalized(password: &SecretString) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(password.expose_secret().nfc().collect::<String>().into_bytes())
}

fn check_length(password: &SecretString) -> Result<(), PasswordError> {
    if password.expose_secret().len() > MAX_BYTES { Err(PasswordError::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        let config = config::Passwords {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
            max_parallel: 1,
            queue: 2,
            min_length: 8,
        };
        Passwords::new(&config, Rng::system()).expect("parameters that work")
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = passwords();
        let hash = passwords.hash("caf\u{e9} noir".into()).await.expect("hashed");
        assert!(passwords.verify(Some(hash.clone()), "alice", "cafe\u{301} noir".into()).await.expect("verified"));
        assert!(!passwords.verify(Some(hash.clone()), "alice", "cafe noir".into()).await.expect("verified"));
        assert!(!passwords.verify(None, "alice", "cafe noir".into()).await.expect("verified"));
        assert!(!passwords.is_outdated(&hash));
        assert!(passwords.is_outdated("$argon2id$v=19$m=32,t=1,p=1$c2FsdHNhbHQ$AAAA"));
    }

    #[tokio::test]
    async fn a_hostile_stored_hash_is_not_computed() {
        let hostile =
            "$argon2id$v=19$m=4194304,t=1,p=1$bGF0Y2h3YXktZHVtbXk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(passwords().verify(Some(hostile.to_owned()), "alice", "x".into()).await.is_err());
    }

    #[tokio::test]
    async fn too_long_is_refused_before_it_is_hashed() {
        let long = SecretString::from("x".repeat(MAX_BYTES + 1));
        assert_eq!(passwords().verify(None, "alice", long).await, Err(PasswordError::TooLong));
    }
}
