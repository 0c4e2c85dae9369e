use secrecy::SecretString;

use super::throttle::{Limit, Origin, Reserved, Throttle, Used};
use super::{LoginProof, PasswordError, Passwords};
use crate::config;
use crate::domain::{UserStatus, normalize_email, normalize_username};
use crate::storage::{Db, Refusal, StorageError, users};
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

/// Checks a user name (or e-mail address) and a password, at the time `now`. An attempt is counted before it is evaluated, so
/// that a hundred at once are not a hundred guesses.
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
    let known = user.as_ref().map(|user| user.id);
    let throttle = Throttle::new(&account, user.as_ref(), origin.into(), now);
    let used = reserve(db, &throttle, limits, known, now).await?;
    let usable = user.filter(|user| user.password_hash.is_some());
    let stored = usable.as_ref().and_then(|user| user.password_hash.clone());
    let right = match passwords.verify(stored.clone(), &account, password.clone()).await {
        Ok(right) => right,
        Err(error) => {
            give_back(db, throttle, used).await?;
            return Err(error.into());
        }
    };
    let Some(user) = usable.filter(|user| right && user.status == UserStatus::Active) else {
        return Err(LoginRefusal::Wrong { known });
    };
    succeed(db, throttle, used, now).await?;
    if let Some(old) = stored.filter(|stored| passwords.is_outdated(stored)) {
        // Whoever proved who they are is not turned away because the new hash has to wait for the next time.
        let Ok(new) = passwords.hash(password).await else { return Ok(LoginProof::new(user, now)) };
        let id = user.id;
        let (before, after) = (old.clone(), new.clone());
        let rehashed = db.write("login.rehash", move |tx| -> Result<_, Refusal<StorageError>> {
            Ok(users::rehash(tx, id, &old, &new)?)
        });
        if rehashed.await? {
            passwords.replaced(&before, &after);
        }
    }
    Ok(LoginProof::new(user, now))
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

async fn reserve(
    db: &Db,
    throttle: &Throttle,
    limits: &config::Limits,
    known: Option<Id>,
    now: Seconds,
) -> Result<Used, LoginRefusal> {
    let (names, limits) = (throttle.clone(), limits.clone());
    let reserved = db
        .write("login.reserve", move |tx| -> Result<_, Refusal<StorageError>> { Ok(names.reserve(tx, &limits, now)?) })
        .await?;
    match reserved {
        Reserved::Evaluate(used) => Ok(used),
        Reserved::Wait(limit, until) => Err(LoginRefusal::Throttled { limit, seconds: (until - now).max(1), known }),
    }
}

async fn give_back(db: &Db, throttle: Throttle, used: Used) -> Result<(), StorageError> {
    db.write("login.give_back", move |tx| -> Result<_, Refusal<StorageError>> { Ok(throttle.give_back(tx, used)?) })
        .await
}

async fn succeed(db: &Db, throttle: Throttle, used: Used, now: Seconds) -> Result<(), StorageError> {
    db.write("login.succeed", move |tx| -> Result<_, Refusal<StorageError>> { Ok(throttle.succeed(tx, used, now)?) })
        .await
}
