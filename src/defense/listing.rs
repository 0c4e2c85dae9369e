//! All that restrains somebody at this moment, as an operator sees it and ends it.

use std::net::IpAddr;

use crate::domain::ThrottleKind;
use crate::storage::restraints::{self, Restraint};
use crate::storage::throttles::{self, Full};
use crate::storage::{Conn, StorageError, Tx, users};
use crate::support::{Id, Seconds, host, neighbourhood};

/// One restraint, with those whom it concerns as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub kind: String,
    /// What `restraint lift` takes.
    pub subject: String,
    /// The user name of a person.
    pub user: Option<String>,
    pub client: Option<String>,
    pub api_key: Option<String>,
    pub network: Option<String>,
    pub reason: String,
    pub expires_at: Seconds,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Restraint { subject: String },
    Throttle { name: String },
}

/// Whose restraints are to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// As the list shows it.
    Subject(String),
    User(Id),
    Client(String),
    Address(IpAddr),
}

/// All that restrains somebody, what lasts the longest first.
pub fn list(conn: &mut Conn, now: Seconds) -> Result<Vec<Listed>, StorageError> {
    let mut listed: Vec<Listed> = restraints::live(conn, now)?.into_iter().map(Listed::of_restraint).collect();
    for full in throttles::full(conn, now)? {
        listed.push(Listed::of_throttle(conn, full)?);
    }
    listed.sort_by(|a, b| b.expires_at.cmp(&a.expires_at).then_with(|| a.subject.cmp(&b.subject)));
    Ok(listed)
}

/// Ends what restrains somebody, on all nodes; tells how many restraints that were. What had failed before counts for
/// nothing from then on.
pub fn lift(tx: &mut Tx<'_>, wanted: &Wanted, now: Seconds) -> Result<usize, StorageError> {
    let listed: Vec<Listed> = list(tx.reader(), now)?.into_iter().filter(|each| each.is(wanted)).collect();
    let mut names = Vec::new();
    for each in &listed {
        match &each.source {
            Source::Restraint { subject } => _ = restraints::lift(tx, subject)?,
            Source::Throttle { name } => names.push(name.clone()),
        }
    }
    throttles::forget_names(tx, &names)?;
    let forgotten = match wanted {
        Wanted::Subject(_) => 0,
        Wanted::User(id) => throttles::forget(tx, Some(&id.to_string()), None)?,
        Wanted::Client(id) => throttles::forget(tx, Some(id), None)?,
        Wanted::Address(address) => throttles::forget(tx, None, Some(&host(*address).to_string()))?,
    };
    Ok(if listed.is_empty() { forgotten } else { listed.len() })
}

impl Listed {
    fn of_restraint(row: Restraint) -> Self {
        // A network, a client, or both, separated by a space.
        let (mut client, mut network) = (None, None);
        for word in row.subject.split(' ') {
            let place = if word.contains('/') { &mut network } else { &mut client };
            *place = Some(word.to_owned());
        }
        Self {
            kind: row.kind,
            user: None,
            client,
            api_key: None,
            network,
            reason: row.reason,
            expires_at: row.expires_at,
            source: Source::Restraint { subject: row.subject.clone() },
            subject: row.subject,
        }
    }

    fn of_throttle(conn: &mut Conn, full: Full) -> Result<Self, StorageError> {
        let kind = full.kind.parse::<ThrottleKind>().ok();
        let subject = Some(full.subject).filter(|subject| !subject.is_empty());
        let (mut user, mut client, mut api_key) = (None, None, None);
        match kind {
            Some(ThrottleKind::ClientAuth) => client = subject,
            Some(ThrottleKind::ApiKey) => api_key = subject,
            _ => user = subject.map(|subject| user_name(conn, subject)).transpose()?,
        }
        let network = Some(full.network).filter(|network| !network.is_empty());
        let words = [&user, &client, &api_key, &network].into_iter().flatten();
        Ok(Self {
            subject: words.map(String::as_str).collect::<Vec<_>>().join(" "),
            reason: reason(kind, full.failures),
            kind: full.kind,
            user,
            client,
            api_key,
            network,
            expires_at: full.until,
            source: Source::Throttle { name: full.name },
        })
    }

    fn is(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Subject(subject) => self.subject == *subject,
            // Their names are ended below, whatever the list shows of them.
            Wanted::User(_) => false,
            Wanted::Client(id) => self.client.as_ref() == Some(id),
            Wanted::Address(address) => {
                let networks = [host(*address).to_string(), neighbourhood(*address).to_string()];
                self.network.as_ref().is_some_and(|network| networks.contains(network))
            }
        }
    }
}

/// The name of a person by the id; a tag where nobody has the name that was typed.
fn user_name(conn: &mut Conn, subject: String) -> Result<String, StorageError> {
    let Ok(id) = subject.parse::<Id>() else { return Ok(subject) };
    Ok(users::find(conn, id)?.map_or(subject, |user| user.username))
}

fn reason(kind: Option<ThrottleKind>, failures: i64) -> String {
    let what = match kind {
        Some(ThrottleKind::ClientAuth) => "wrong secrets or assertions of this client",
        Some(ThrottleKind::UnknownClient) => "authentications of clients that do not exist",
        Some(ThrottleKind::ApiKey) => "wrong secrets of this API key",
        Some(ThrottleKind::UnknownApiKey) => "API keys that do not exist",
        Some(ThrottleKind::Link) => "one-time links that do not work",
        Some(ThrottleKind::LoginAddress) => "failed logins",
        Some(ThrottleKind::LoginAccountAtAddress) => "failed logins of this account",
        Some(ThrottleKind::LoginAccount | ThrottleKind::LoginBrake) => {
            "failed logins of this account from anywhere; unknown browsers and networks wait between two tries"
        }
        Some(ThrottleKind::LoginBrowser) => "failed logins of this account in a browser that it has used before",
        Some(ThrottleKind::UserCodeAddress | ThrottleKind::UserCodePerson) => "wrong codes of devices",
        None => "failures",
    };
    format!("{failures} {what}")
}
