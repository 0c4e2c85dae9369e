//! A login by password: limits, the check, and the proof that comes of it.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

use super::throttle::{Limit, Origin, Reserved, Throttle, Used};
use super::{LoginProof, PasswordError, Passwords};
use crate::config;
use crate::domain::{User, UserStatus, normalize_email, normalize_username};
use crate::storage::{Db, Refusal, StorageError, Tx, users};
use crate::support::{Id, Seconds, sha256};

/// Why a login did not succeed.
#[derive(Debug)]
pub enum LoginRefusal {
    /// Wrong, unknown, disabled, without a password: one answer for all.
    Wrong {
        known: Option<Id>,
    },
    /// Too many failures; seconds to wait.
    Throttled {
        limit: Limit,
        seconds: Seconds,
        known: Option<Id>,
    },
    /// It was right, and the account was changed before it became a credential: the answer is that of [`Self::Wrong`].
    Changed {
        known: Id,
    },
    Busy,
    TooLong,
    Storage(StorageError),
    Failed(String),
}

impl From<StorageError> for LoginRefusal {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<PasswordError> for LoginRefusal {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            PasswordError::TooLong => Self::TooLong,
            PasswordError::Failed(why) => Self::Failed(why),
        }
    }
}

/// Pauses before an attempt asks again for a place, while too many are being evaluated; in milliseconds.
const PAUSES: [u64; 6] = [50, 100, 200, 400, 800, 800];

/// Checks a user name (or e-mail address) and a password, at the time `now`. An attempt takes its places before it is
/// evaluated, so that a hundred at once are not a hundred guesses; while there are none because others are being evaluated, it waits a moment.
pub async fn log_in<'a>(
    db: &Db,
    passwords: &Passwords,
    limits: &config::Limits,
    (login, password): (&str, SecretString),
    origin: impl Into<Origin<'a>>,
    now: Seconds,
) -> Result<LoginProof, LoginRefusal> {
    let wanted = login.to_owned();
    let user = db.read("login.user", move |conn| users::find_by_login(conn, &wanted)).await?;
    // One counter an account, whichever of its names was typed.
    let account = user.as_ref().map_or_else(|| normalized(login), |user| user.username.clone());
    let (origin, bounds) = (origin.into(), (limits, passwords.queue_length()));
    let throttle = Throttle::new((&account, &account_tag(login)), user.as_ref(), origin, bounds, now);
    let attempt =
        Attempt { db: db.clone(), passwords: passwords.clone(), throttle, known: user.as_ref().map(|u| u.id) };
    let network = origin.address.parse().ok();
    // It goes on when whoever asked has gone: what was evaluated counts, and no place stays taken.
    let running = tokio::spawn(async move { attempt.run(user, account, password, network, now).await });
    running.await.map_err(|error| LoginRefusal::Failed(format!("a login ended early: {error}")))?
}

/// One attempt, from its places to what becomes of them.
struct Attempt {
    db: Db,
    passwords: Passwords,
    throttle: Throttle,
    known: Option<Id>,
}

impl Attempt {
    async fn run(
        self,
        user: Option<User>,
        account: String,
        password: SecretString,
        network: Option<IpAddr>,
        now: Seconds,
    ) -> Result<LoginProof, LoginRefusal> {
        let used = self.places(network, now).await?;
        let usable = user.filter(|user| user.password_hash.is_some());
        let stored = usable.as_ref().and_then(|user| user.password_hash.clone());
        let right = match self.passwords.verify(stored.clone(), &account, password.clone()).await {
            Ok(right) => right,
            Err(error) => {
                self.settle("login.give_back", move |throttle, tx| throttle.give_back(tx, used, now)).await?;
                return Err(error.into());
            }
        };
        let Some(user) = usable.filter(|user| right && user.status == UserStatus::Active) else {
            self.settle("login.fail", move |throttle, tx| throttle.fail(tx, used, now)).await?;
            return Err(LoginRefusal::Wrong { known: self.known });
        };
        self.settle("login.succeed", move |throttle, tx| throttle.succeed(tx, used, now)).await?;
        if let Some(old) = stored.filter(|stored| self.passwords.is_outdated(stored)) {
            // Whoever proved who they are is not turned away because the new hash has to wait for the next time.
            let Ok(new) = self.passwords.hash(password).await else { return Ok(LoginProof::new(user, now)) };
            let id = user.id;
            let (before, after) = (old.clone(), new.clone());
            let rehashed = self.db.write("login.rehash", move |tx| -> Result<_, Refusal<StorageError>> {
                Ok(users::rehash(tx, id, &old, &new)?)
            });
            if rehashed.await? {
                self.passwords.replaced(&before, &after);
            }
        }
        Ok(LoginProof::new(user, now))
    }

    /// Takes the places of the attempt. While there are none because others are being evaluated, it waits, beside a bounded
    /// number of others of its network.
    async fn places(&self, network: Option<IpAddr>, now: Seconds) -> Result<Used, LoginRefusal> {
        let mut waiting = None;
        let mut pauses = PAUSES.iter();
        loop {
            let throttle = self.throttle.clone();
            let reserve = move |tx: &mut Tx<'_>| -> Result<_, Refusal<StorageError>> { Ok(throttle.reserve(tx, now)?) };
            match self.db.write("login.reserve", reserve).await? {
                Reserved::Evaluate(used) => return Ok(used),
                Reserved::Wait(limit, until) => {
                    let seconds = (until - now).max(1);
                    return Err(LoginRefusal::Throttled { limit, seconds, known: self.known });
                }
                Reserved::Busy => {}
            }
            if waiting.is_none() {
                waiting = network.and_then(|network| self.passwords.wait_beside(network));
            }
            let (Some(_), Some(pause)) = (&waiting, pauses.next()) else { return Err(LoginRefusal::Busy) };
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
    }

    async fn settle<W>(&self, name: &'static str, work: W) -> Result<(), StorageError>
    where
        W: Fn(&Throttle, &mut Tx<'_>) -> Result<(), StorageError> + Send + 'static,
    {
        let throttle = self.throttle.clone();
        self.db.write(name, move |tx| -> Result<_, Refusal<StorageError>> { Ok(work(&throttle, tx)?) }).await
    }
}

/// What was typed, as accounts are named.
fn normalized(login: &str) -> String {
    normalize_username(login).or_else(|| normalize_email(login)).unwrap_or_else(|| "?".to_owned())
}

/// Four hexadecimal digits for a name that nobody has, so that an investigator sees whether many were tried. More would
/// tell of what people type into the wrong field.
pub fn account_tag(login: &str) -> String {
    let [first, second, ..] = sha256(normalized(login).as_bytes());
    format!("{first:02x}{second:02x}")
}
