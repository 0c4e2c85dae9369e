use secrecy::SecretString;

use super::{PasswordError, Passwords};
use crate::config;
use crate::domain::{User, UserStatus, normalize_email, normalize_username};
use crate::storage::{Db, Refusal, StorageError, throttles, users};
use crate::support::{Seconds, sha256};

/// Why a login did not succeed.
#[derive(Debug)]
pub enum LoginRefusal {
    /// Wrong, unknown, disabled, without a password: one answer for all.
    Wrong {
        known: Option<crate::support::Id>,
    },
    /// Too many failures; seconds to wait.
    Throttled {
        limit: Limit,
        seconds: Seconds,
    },
    Busy,
    TooLong,
    Storage(StorageError),
    Failed(String),
}

/// Which limit it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Account,
    Address,
    /// The first attempt beyond it: the moment to tell the operator that somebody tries many accounts.
    AddressJustNow,
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

/// The counters of one login attempt, always written in the same order, address first, so that no two logins wait for
/// each other. A stranger who guesses uses up the account's attempts from their own address, and
/// keeps nobody out who comes from elsewhere.
#[derive(Debug, Clone)]
pub struct Throttle {
    pair: String,
    address: String,
}

impl Throttle {
    pub fn new(login: &str, address: &str) -> Self {
        // User name and e-mail address of one account are two names here until it is known whose they are.
        let name = normalize_username(login).or_else(|| normalize_email(login)).unwrap_or_else(|| "?".to_owned());
        Self::for_account(&name, address)
    }

    fn for_account(account: &str, address: &str) -> Self {
        let hash = |text: &str| sha256(text.as_bytes())[..16].iter().map(|b| format!("{b:02x}")).collect::<String>();
        Self {
            pair: format!("login:{}:{}", hash(account), hash(address)),
            address: format!("address:{}", hash(address)),
        }
    }
}

/// Checks a user name (or e-mail address) and a password. An attempt is counted before it is evaluated, so that a
/// hundred at once are not a hundred guesses.
pub async fn log_in(
    db: &Db,
    passwords: &Passwords,
    limits: &config::Limits,
    (login, password): (&str, SecretString),
    address: &str,
    now: Seconds,
) -> Result<User, LoginRefusal> {
    let wanted = login.to_owned();
    let user = db.read("login.user", move |conn| users::find_by_login(conn, &wanted)).await?;
    // One counter an account, whichever of its names was typed.
    let throttle = match &user {
        Some(user) => Throttle::for_account(&user.username, address),
        None => Throttle::new(login, address),
    };
    reserve(db, &throttle, limits, now).await?;
    let usable = user.filter(|user| user.password_hash.is_some());
    let stored = usable.as_ref().and_then(|user| user.password_hash.clone());
    let right = match passwords.verify(stored.clone(), password.clone()).await {
        Ok(right) => right,
        Err(error) => {
            give_back(db, throttle).await?;
            return Err(error.into());
        }
    };
    let known = usable.as_ref().map(|user| user.id);
    let Some(user) = usable.filter(|user| right && user.status == UserStatus::Active) else {
        return Err(LoginRefusal::Wrong { known });
    };
    succeed(db, throttle).await?;
    if let Some(old) = stored.filter(|stored| passwords.is_outdated(stored)) {
        // Whoever proved who they are is not turned away because the new hash has to wait for the next time.
        let Ok(new) = passwords.hash(password).await else { return Ok(user) };
        let id = user.id;
        db.write("login.rehash", move |tx| -> Result<_, Refusal<StorageError>> {
            Ok(users::rehash(tx, id, &old, &new)?)
        })
        .await?;
    }
    Ok(user)
}

async fn reserve(db: &Db, throttle: &Throttle, limits: &config::Limits, now: Seconds) -> Result<(), LoginRefusal> {
    let window = Seconds::from(limits.login_window_seconds);
    let names = throttle.clone();
    let (for_account, for_address) =
        (i64::from(limits.login_failures_per_account), i64::from(limits.login_failures_per_address));
    let over = db
        .write("login.reserve", move |tx| -> Result<_, Refusal<StorageError>> {
            let (attempts, until) = throttles::count(tx, &names.address, window, now)?;
            if attempts > for_address {
                // Names that this address goes on to make up leave no rows.
                let limit = if attempts == for_address + 1 { Limit::AddressJustNow } else { Limit::Address };
                return Ok(Some((limit, until)));
            }
            let (attempts, until) = throttles::count(tx, &names.pair, window, now)?;
            Ok((attempts > for_account).then_some((Limit::Account, until)))
        })
        .await?;
    match over {
        Some((limit, until)) => Err(LoginRefusal::Throttled { limit, seconds: (until - now).max(1) }),
        None => Ok(()),
    }
}

async fn give_back(db: &Db, throttle: Throttle) -> Result<(), StorageError> {
    db.write("login.give_back", move |tx| -> Result<_, Refusal<StorageError>> {
        throttles::give_back(tx, &throttle.address)?;
        Ok(throttles::give_back(tx, &throttle.pair)?)
    })
    .await
}

async fn succeed(db: &Db, throttle: Throttle) -> Result<(), StorageError> {
    db.write("login.succeed", move |tx| -> Result<_, Refusal<StorageError>> {
        throttles::give_back(tx, &throttle.address)?;
        Ok(throttles::clear(tx, &throttle.pair)?)
    })
    .await
}
