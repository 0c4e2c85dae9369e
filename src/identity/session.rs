//! Login sessions in browsers: cookies, the current session, its beginning and its end.

use super::proof::Confirmed;
use crate::config;
use crate::domain::{Session, SessionStage, User, UserStatus};
use crate::storage::{Db, StorageError, Tx, api_keys, grants, sessions, users};
use crate::support::{Clock, Handle, Id, Rng, Seconds, text};

/// The names and attributes of our cookies. On https they carry the `__Host-` prefix (RFC 6265bis §4.1.3.2).
#[derive(Debug, Clone, Copy)]
pub struct SessionCookies {
    /// Who is logged in.
    pub session: &'static str,
    /// Which browser began a login; carries no identity.
    pub browser: &'static str,
    /// Which people have logged in in this browser before; sealed.
    pub device: &'static str,
    attributes: &'static str,
}

impl SessionCookies {
    pub fn for_issuer(issuer: &str) -> Self {
        if issuer.starts_with("https://") {
            Self {
                session: "__Host-latchway_session",
                browser: "__Host-latchway_browser",
                device: "__Host-latchway_device",
                attributes: "Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        } else {
            Self {
                session: "latchway_session",
                browser: "latchway_browser",
                device: "latchway_device",
                attributes: "Path=/; HttpOnly; SameSite=Lax",
            }
        }
    }

    /// A `Set-Cookie` value. Without `Max-Age` the cookie goes with the browser; the server's own expiry is shorter.
    pub fn set(&self, name: &str, value: &str) -> String {
        format!("{name}={value}; {}", self.attributes)
    }

    /// A `Set-Cookie` value for one that outlives the browser's window by so many seconds.
    pub fn keep(&self, name: &str, value: &str, seconds: Seconds) -> String {
        format!("{name}={value}; Max-Age={seconds}; {}", self.attributes)
    }

    pub fn remove(&self, name: &str) -> String {
        format!("{name}=; Max-Age=0; {}", self.attributes)
    }

    /// The value of a cookie in a `Cookie` header. One that stands there twice was tossed in by another host of the
    /// domain, and counts as absent.
    ///
    /// A header that is no text hides what stands in it, so then there is no cookie at all.
    pub fn read<'a>(&self, headers: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<&'a str> {
        let mut found = None;
        for header in headers {
            for pair in std::str::from_utf8(header).ok()?.split(';') {
                if let Some((key, value)) = pair.trim().split_once('=')
                    && key == name
                {
                    if found.is_some() {
                        return None;
                    }
                    found = Some(value);
                }
            }
        }
        found
    }
}

/// What a request tells about the browser it came from; shown to the account's owner.
#[derive(Debug, Clone)]
pub struct Browser {
    pub user_agent: String,
    pub address: String,
}

/// A session that stands, with the person whose it is.
#[derive(Debug, Clone)]
pub struct CurrentSession {
    pub session: Session,
    pub user: User,
}

/// The session that a cookie stands for, if it stands: known, not ended, not expired, its person active.
pub async fn current(db: &Db, cookie: &str, now: Seconds) -> Result<Option<CurrentSession>, StorageError> {
    let Ok(handle) = Handle::parse(cookie) else { return Ok(None) };
    let id = handle.id();
    let found = db.read("session.current", move |conn| sessions::find_with_user(conn, id)).await?;
    Ok(found.and_then(|(session, user)| {
        let is_browsers = session.client_id.is_none();
        let stands = is_browsers && handle.matches(&session.secret_hash) && stands(&session, &user, now);
        stands.then_some(CurrentSession { session, user })
    }))
}

/// Whether a session stands: not ended, not expired, its person active and with the password of then.
pub fn stands(session: &Session, user: &User, now: Seconds) -> bool {
    session.stage == SessionStage::Live
        && session.expires_at > now
        && session.auth_time >= user.password_changed_at
        && user.status == UserStatus::Active
}

/// Holds a session and its person until the transaction ends, if the session still stands; `None` if it does not. For what a
/// person does in a session and what outlives the request: what ends the session at the same time comes before or after.
pub fn hold_session(tx: &mut Tx<'_>, current: &CurrentSession, now: Seconds) -> Result<Option<Session>, StorageError> {
    let Some(user) = users::hold(tx, current.user.id)? else { return Ok(None) };
    let session = sessions::hold(tx, current.session.id)?;
    Ok(session.filter(|session| session.stage == SessionStage::Live && stands(session, &user, now)))
}

/// Begins a session by a proof that holds. The session that the same browser had before ends: its identifier changes with every login. What
/// the same person had allowed in it goes on in the new one; another person's ends with it.
pub fn start(
    tx: &mut Tx<'_>,
    (clock, rng): (&Clock, &Rng),
    config: &config::Sessions,
    proved: &Confirmed,
    browser: &Browser,
    replaces: Option<&Session>,
) -> Result<(Session, Handle), StorageError> {
    let now = clock.now();
    let expires_at = now + config.idle_seconds.min(config.absolute_seconds);
    let (session, handle) = fresh((clock, rng), proved, browser, expires_at);
    sessions::insert(tx, &session)?;
    if let Some(old) = replaces {
        if old.user_id == session.user_id {
            grants::move_to_session(tx, session.user_id, old.id, session.id)?;
        }
        end(tx, old, now)?;
    }
    Ok((session, handle))
}

/// Begins the session of a login in a first-party app, until `expires_at`. No cookie stands for it: the app has tokens, which
/// end with it.
pub fn start_in_app(
    tx: &mut Tx<'_>,
    means: (&Clock, &Rng),
    proved: &Confirmed,
    client_id: &str,
    browser: &Browser,
    expires_at: Seconds,
) -> Result<Session, StorageError> {
    let (session, _) = fresh(means, proved, browser, expires_at);
    let session = Session { client_id: Some(client_id.to_owned()), ..session };
    sessions::insert(tx, &session)?;
    Ok(session)
}

fn fresh(
    (clock, rng): (&Clock, &Rng),
    proved: &Confirmed,
    browser: &Browser,
    expires_at: Seconds,
) -> (Session, Handle) {
    let (now, handle) = (clock.now(), Handle::new(clock, rng));
    let session = Session {
        id: handle.id(),
        secret_hash: handle.digest().to_vec(),
        user_id: proved.user().id,
        auth_time: proved.auth_time(),
        created_at: now,
        last_seen_at: now,
        expires_at,
        stage: SessionStage::Live,
        user_agent: text::for_log(&browser.user_agent, 200),
        address: browser.address.clone(),
        client_id: None,
    };
    (session, handle)
}

/// Ends a session and what was allowed in it, but for what was to go on without its person.
pub fn end(tx: &mut Tx<'_>, session: &Session, now: Seconds) -> Result<(), StorageError> {
    sessions::end(tx, session.id, now)?;
    grants::revoke_for_session(tx, session.user_id, session.id, now)?;
    Ok(())
}

/// Ends all other sessions of the same person, as [`end_all`] does.
pub fn end_others(tx: &mut Tx<'_>, session: &Session, now: Seconds) -> Result<usize, StorageError> {
    end_all(tx, session.user_id, Some(session.id), now)
}

/// Ends all sessions of a person, except perhaps one, and what was allowed in them, but for what was to go on without the
/// person. However many there are, in browsers and in first-party apps. Tells how many there were.
pub fn end_all(tx: &mut Tx<'_>, user_id: Id, except: Option<Id>, now: Seconds) -> Result<usize, StorageError> {
    let ended = sessions::end_all(tx, user_id, except, now)?;
    grants::revoke_in_sessions(tx, user_id, except, now)?;
    Ok(ended)
}

/// Ends all that a person has: every session, everything that was allowed to apps, every API key.
pub fn end_access(tx: &mut Tx<'_>, user_id: Id, now: Seconds) -> Result<(), StorageError> {
    sessions::end_all(tx, user_id, None, now)?;
    grants::revoke_for_user(tx, user_id, now)?;
    api_keys::revoke_for_user(tx, user_id, now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn https_cookies_are_bound_to_their_host() {
        let cookies = SessionCookies::for_issuer("https://id.example");
        assert_eq!(
            cookies.set(cookies.session, "x"),
            "__Host-latchway_session=x; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_cookie_that_comes_twice_counts_as_absent() {
        let cookies = SessionCookies::for_issuer("http://127.0.0.1");
        let read = |headers: &[&'static [u8]]| cookies.read(headers.iter().copied(), "a");
        assert_eq!(read(&[b"b=2; a=1"]), Some("1"));
        assert_eq!(read(&[b"a=1; a=2"]), None);
        assert_eq!(read(&[b"a=1", b"a=2"]), None);
        assert_eq!(read(&[b"aa=1; =; ;a"]), None);
        assert_eq!(read(&[b"a=1", b"\xff=1; a=2"]), None);
    }

    proptest! {
        #[test]
        fn a_cookie_is_read_once_or_not_at_all(before in "[^\\p{Cc};=]{0,20}", value in "[!-:<-~]{0,20}", after in "\\PC{0,20}") {
            let cookies = SessionCookies::for_issuer("http://127.0.0.1");
            let one = format!("x{before}=1; a={value}; x{}", after.replace(';', ""));
            prop_assert_eq!(cookies.read([one.as_bytes()].into_iter(), "a"), Some(value.trim()));
            let two = format!("{one}; a=tossed");
            prop_assert_eq!(cookies.read([two.as_bytes()].into_iter(), "a"), None);
        }

        #[test]
        fn no_header_makes_it_panic(header in proptest::collection::vec(any::<u8>(), 0..100)) {
            SessionCookies::for_issuer("https://id.example").read([header.as_slice()].into_iter(), "a");
        }
    }
}
