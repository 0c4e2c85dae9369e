use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;

use crate::config;
use crate::support::Rng;

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
    dummy: Arc<str>,
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
        // What is computed for a person who does not exist must take as long as for one who does.
        let dummy = format!(
            "$argon2id$v=19$m={},t={},p={}$bGF0Y2h3YXktZHVtbXk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            config.memory_kib, config.iterations, config.parallelism
        );
        Ok(Self { queue, hasher, dummy: dummy.into() })
    }

    /// A PHC string for a new password.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        check_length(&password)?;
        let hasher = self.hasher.clone();
        self.run(move || hasher.hash(&password)).await?
    }

    /// Whether the password is the one of the stored hash. Without a hash it computes as much and answers no.
    pub async fn verify(&self, stored: Option<String>, password: SecretString) -> Result<bool, PasswordError> {
        check_length(&password)?;
        let (hasher, dummy) = (self.hasher.clone(), self.dummy.clone());
        self.run(move || match stored {
            Some(stored) => hasher.verify(&stored, &password),
            None => hasher.verify(&dummy, &password).map(|_| false),
        })
        .await?
    }

    /// Whether a stored hash was made under other parameters than today's.
    pub fn is_outdated(&self, stored: &str) -> bool {
        let parameters = |text: &str| text.rsplitn(3, '$').nth(2).map(str::to_owned);
        parameters(stored) != parameters(&self.dummy)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || drop(reply.send(work())));
        self.queue.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => PasswordError::Busy,
            TrySendError::Disconnected(_) => PasswordError::Failed("the password threads have ended".to_owned()),
        })?;
        answer.await.map_err(|_| PasswordError::Failed("the computation panicked".to_owned()))
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
        let params = Params::try_from(&hash).map_err(|e| failed(&e))?;
        let (memory, passes) = MAX_STORED_COST;
        let ours = self.argon2.params();
        if params.m_cost() > memory.max(ours.m_cost()) || params.t_cost() > passes.max(ours.t_cost()) {
            return Err(PasswordError::Failed("a stored hash asks for too much memory or time".to_owned()));
        }
        Ok(self.argon2.verify_password(&normalized(password), &hash).is_ok())
    }
}

/// The same bytes for the same password, whichever keyboard composed its characters (RFC 8265 §4.2.2: NFC).
fn normalized(password: &SecretString) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(password.expose_secret().nfc().collect::<String>().into_bytes())
}

fn check_length(password: &SecretString) -> Result<(), PasswordError> {
    if password.expose_secret().len() > MAX_BYTES { Err(PasswordError::TooLong) } else { Ok(()) }
}

/// Whether a person may choose this password; else a sentence that says what to change.
pub fn acceptable(password: &str, username: &str, min_length: usize) -> Result<(), String> {
    let length = password.chars().count();
    if length < min_length {
        return Err(format!("Choose a password of at least {min_length} characters."));
    }
    if password.len() > MAX_BYTES {
        return Err("Choose a shorter password.".to_owned());
    }
    let lower = password.to_lowercase();
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 4 || (username.chars().count() > 2 && lower == username.to_lowercase()) {
        return Err("This password is too easy to guess. Choose another.".to_owned());
    }
    // The head of every list of leaked passwords that meets the length; more is a service's work, not a table's.
    const COMMON: &[&str] = &[
        "password",
        "password1",
        "password123",
        "passw0rd",
        "12345678",
        "123456789",
        "1234567890",
        "qwertyuiop",
        "qwerty123",
        "iloveyou",
        "11111111",
        "letmein1",
        "sunshine",
        "football",
        "baseball",
        "welcome1",
        "princess",
    ];
    if COMMON.contains(&lower.as_str()) {
        return Err("This is one of the most used passwords. Choose another.".to_owned());
    }
    Ok(())
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
        assert!(passwords.verify(Some(hash.clone()), "cafe\u{301} noir".into()).await.expect("verified"));
        assert!(!passwords.verify(Some(hash.clone()), "cafe noir".into()).await.expect("verified"));
        assert!(!passwords.verify(None, "cafe noir".into()).await.expect("verified"));
        assert!(!passwords.is_outdated(&hash));
        assert!(passwords.is_outdated("$argon2id$v=19$m=32,t=1,p=1$c2FsdHNhbHQ$AAAA"));
    }

    #[tokio::test]
    async fn a_hostile_stored_hash_is_not_computed() {
        let hostile =
            "$argon2id$v=19$m=4194304,t=1,p=1$bGF0Y2h3YXktZHVtbXk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(passwords().verify(Some(hostile.to_owned()), "x".into()).await.is_err());
    }

    #[tokio::test]
    async fn too_long_is_refused_before_it_is_hashed() {
        let long = SecretString::from("x".repeat(MAX_BYTES + 1));
        assert_eq!(passwords().verify(None, long).await, Err(PasswordError::TooLong));
    }

    #[test]
    fn easy_ones_are_refused() {
        assert!(acceptable("short", "alice", 8).is_err());
        assert!(acceptable("aaaaaaaaaaaa", "alice", 8).is_err());
        assert!(acceptable("Password123", "alice", 8).is_err());
        assert!(acceptable("Alice-Liddell", "alice-liddell", 8).is_err());
        assert!(acceptable("correct horse battery", "alice", 8).is_ok());
    }
}
