//! `latchway user`: create, list, show, update, disable, enable and delete accounts, and set passwords.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::context::{Context, usage};
use super::tool::Tool;
use super::user_args::{Changes, Profile};
use super::{output, password};
use crate::audit::{Event, EventKind};
use crate::domain::{Role, USERNAME_RULE, User, UserStatus, normalize_username};
use crate::identity;
use crate::pages::setup;
use crate::storage::{Refusal, StorageError, Tx, api_keys, grants, links, sessions, settings, users};
use crate::support::{Id, Seconds};

const EXAMPLES: &str = "\
Examples:
  latchway user create --username alice --email alice@example.com
  printf '%s' \"$PASSWORD\" | latchway user create --username alice --email alice@example.com --password-stdin
  latchway user update alice --email-verified yes --given-name Alice --family-name Liddell
  latchway user set-password alice
  latchway user disable alice

At a terminal the password is asked for; else --password-stdin reads it. USER is a user name, an e-mail address or an id.";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Add a person
    Create {
        #[arg(long)]
        username: String,
        #[command(flatten)]
        profile: Profile,
        /// Read the password from standard input; a line break at its end does not count
        #[arg(long)]
        password_stdin: bool,
        /// May administer this server
        #[arg(long)]
        admin: bool,
        /// Take the e-mail address as verified
        #[arg(long)]
        email_verified: bool,
    },
    /// List all people
    List,
    /// Show one person
    Show { user: String },
    /// Change the profile, the e-mail address or the role of a person. An empty value removes what was there
    Update {
        user: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Lock a person out, and end all sessions and all access
    Disable { user: String },
    /// Let a disabled person log in again
    Enable { user: String },
    /// Set another password, and end all sessions and all access
    SetPassword {
        user: String,
        /// Read the password from standard input; a line break at its end does not count
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a person for good: the account, sessions, consents, API keys and all access. The audit trail stays, and has
    /// no names
    Delete {
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::Create { username, profile, password_stdin, admin, email_verified } => {
            let mut user = new_user(&tool, username)?;
            profile.apply(&mut user)?;
            user.role = if *admin { Role::Admin } else { Role::User };
            user.email_verified_at = user.email.as_ref().filter(|_| *email_verified).map(|_| user.created_at);
            user.password_hash = Some(password::hash(&tool, &user, password::read(*password_stdin)?)?);
            create(context, &tool, user)
        }
        Command::List => list(context, &tool),
        Command::Show { user } => show(context, &tool, user),
        Command::Update { user, changes } => update(context, &tool, user, changes),
        Command::Disable { user } => set_status(context, &tool, user, UserStatus::Disabled),
        Command::Enable { user } => set_status(context, &tool, user, UserStatus::Active),
        Command::SetPassword { user, password_stdin } => set_password(context, &tool, user, *password_stdin),
        Command::Delete { user, yes } => delete(context, &tool, user, *yes),
    }
}

fn new_user(tool: &Tool, username: &str) -> anyhow::Result<User> {
    let username =
        normalize_username(username).ok_or_else(|| usage(format!("--username must have {USERNAME_RULE}")))?;
    Ok(User::new(Id::new(&tool.clock, &tool.rng), username, tool.clock.now()))
}

fn as_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(), "username": user.username, "email": user.email, "name": user.name,
        "given_name": user.given_name, "family_name": user.family_name,
        "email_verified": user.email_verified_at.is_some(), "role": user.role.as_str(), "status": user.status.as_str(),
        "created_at": user.created_at, "updated_at": user.updated_at,
    })
}

fn create(context: &Context, tool: &Tool, user: User) -> anyhow::Result<()> {
    let (stored, clock) = (user.clone(), tool.clock.clone());
    let write = tool.db.write("user.create", move |tx| -> Result<_, Refusal<StorageError>> {
        users::insert(tx, &stored)?;
        close_setup(tx, &stored, stored.created_at)?;
        Ok(Event::success(EventKind::UserCreated).subject(stored.id).record(tx, &clock)?)
    });
    match tool.runtime.block_on(write) {
        Err(StorageError::Conflict(_)) => bail!("there is already a person with this user name or e-mail address"),
        other => other?,
    }
    output::show(context, &as_json(&user), || outln!("Created {} with the id {}.", user.username, user.id))
}

/// Once there was an administrator, no set-up link makes another.
fn close_setup(tx: &mut Tx<'_>, user: &User, now: Seconds) -> Result<(), StorageError> {
    if user.role == Role::Admin {
        settings::set_once(tx, setup::COMPLETED, &user.id.to_string())?;
        links::expire_all(tx, setup::PURPOSE, now)?;
    }
    Ok(())
}

fn list(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let all = tool.runtime.block_on(tool.db.read("user.list", users::list))?;
    output::show(context, &all.iter().map(as_json).collect(), || {
        let row = |user: &User| {
            let email = user.email.clone().unwrap_or_default();
            vec![user.username.clone(), email, user.role.to_string(), user.status.to_string(), user.id.to_string()]
        };
        output::table(&["username", "email", "role", "status", "id"], &all.iter().map(row).collect::<Vec<_>>());
    })
}

/// By id, user name or e-mail address.
pub fn find(tool: &Tool, wanted: &str) -> anyhow::Result<User> {
    let text = wanted.to_owned();
    let found = tool.runtime.block_on(tool.db.read("user.find", move |conn| match text.parse::<Id>() {
        Ok(id) => users::find(conn, id),
        Err(_) => users::find_by_login(conn, &text),
    }))?;
    found.ok_or_else(|| anyhow::anyhow!("there is no person {wanted}"))
}

/// What still stands of a person's access.
struct Standing {
    sessions: i64,
    grants: i64,
    api_keys: i64,
}

fn standing(tool: &Tool, id: Id) -> anyhow::Result<Standing> {
    let now = tool.clock.now();
    Ok(tool.runtime.block_on(tool.db.read("user.standing", move |conn| {
        Ok(Standing {
            sessions: sessions::count_live(conn, id, now)?,
            grants: grants::count_live(conn, id, now)?,
            api_keys: api_keys::count_live_of_user(conn, id, now)?,
        })
    }))?)
}

fn show(context: &Context, tool: &Tool, wanted: &str) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let Standing { sessions, grants, api_keys } = standing(tool, user.id)?;
    let mut shown = as_json(&user);
    shown["has_password"] = user.password_hash.is_some().into();
    shown["password_changed_at"] = user.password_changed_at.into();
    shown["sessions"] = sessions.into();
    shown["grants"] = grants.into();
    shown["api_keys"] = api_keys.into();
    output::show(context, &shown, || {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let verified = if user.email_verified_at.is_some() { "verified" } else { "not verified" };
        let email = user.email.as_ref().map(|email| format!("{email} ({verified})")).unwrap_or_default();
        output::properties(&[
            ("id", user.id.to_string()),
            ("username", user.username.clone()),
            ("email", email),
            ("name", text(&user.name)),
            ("given name", text(&user.given_name)),
            ("family name", text(&user.family_name)),
            ("role", user.role.to_string()),
            ("status", user.status.to_string()),
            ("sessions", sessions.to_string()),
            ("grants", grants.to_string()),
            ("api keys", api_keys.to_string()),
        ]);
    })
}

fn update(context: &Context, tool: &Tool, wanted: &str, changes: &Changes) -> anyhow::Result<()> {
    if changes.is_empty() {
        return Err(usage(
            "nothing to change; give --email, --email-verified, --name, --given-name, --family-name or --role",
        ));
    }
    let before = find(tool, wanted)?;
    let (mut user, now) = (before.clone(), tool.clock.now());
    let changed = changes.apply(&mut user, now)?;
    if !changed.is_empty() {
        user.updated_at = now;
        let (stored, fields, clock) = (user.clone(), changed.clone(), tool.clock.clone());
        let write = tool.db.write("user.update", move |tx| -> Result<_, Refusal<StorageError>> {
            if !users::update(tx, &before, &stored, now)? {
                return Ok(false);
            }
            close_setup(tx, &stored, now)?;
            // Which fields, and not what is in them: the trail has no names.
            let event = Event::success(EventKind::UserChanged).subject(stored.id).detail(json!({"changed": fields}));
            event.record(tx, &clock)?;
            Ok(true)
        });
        match tool.runtime.block_on(write) {
            Err(StorageError::Conflict(_)) => bail!("there is already a person with this e-mail address"),
            Ok(false) => bail!("{} was changed at the same moment; run the command again", user.username),
            other => other?,
        };
    }
    output::show(context, &as_json(&user), || match changed.as_slice() {
        [] => outln!("{} has these values already.", user.username),
        fields => outln!("Changed {} of {}.", fields.join(", "), user.username),
    })
}

fn set_status(context: &Context, tool: &Tool, wanted: &str, status: UserStatus) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let (id, now, clock) = (user.id, tool.clock.now(), tool.clock.clone());
    tool.runtime.block_on(tool.db.write("user.status", move |tx| -> Result<_, Refusal<StorageError>> {
        users::set_status(tx, id, status, now)?;
        if status == UserStatus::Disabled {
            identity::end_access(tx, id, now)?;
        }
        let event = Event::success(EventKind::UserChanged).subject(id).detail(json!({"status": status.as_str()}));
        Ok(event.record(tx, &clock)?)
    }))?;
    let user = User { status, ..user };
    output::show(context, &as_json(&user), || outln!("{} is {status}.", user.username))
}

fn set_password(context: &Context, tool: &Tool, wanted: &str, from_stdin: bool) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let hash = password::hash(tool, &user, password::read(from_stdin)?)?;
    let (id, now, clock) = (user.id, tool.clock.now(), tool.clock.clone());
    tool.runtime.block_on(tool.db.write("user.password", move |tx| -> Result<_, Refusal<StorageError>> {
        users::set_password(tx, id, &hash, now)?;
        identity::end_access(tx, id, now)?;
        let event = Event::success(EventKind::UserChanged).subject(id).detail(json!({"password": "changed"}));
        Ok(event.record(tx, &clock)?)
    }))?;
    output::show(context, &as_json(&user), || outln!("{} has a new password; all sessions are ended.", user.username))
}

fn delete(context: &Context, tool: &Tool, wanted: &str, yes: bool) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let Standing { sessions, grants, api_keys } = standing(tool, user.id)?;
    output::confirm(
        yes,
        &format!(
            "This deletes {} with {sessions} sessions, {grants} grants and {api_keys} API keys, and cannot be undone.",
            user.username
        ),
    )?;
    let (id, now, clock) = (user.id, tool.clock.now(), tool.clock.clone());
    let deleted =
        tool.runtime.block_on(tool.db.write("user.delete", move |tx| -> Result<_, Refusal<StorageError>> {
            let deleted = users::erase(tx, id, now)?;
            if deleted {
                Event::success(EventKind::UserDeleted).subject(id).record(tx, &clock)?;
            }
            Ok(deleted)
        }))?;
    if !deleted {
        bail!("{} was deleted a moment ago", user.username);
    }
    let json = json!({
        "id": user.id.to_string(), "username": user.username, "deleted": true, "sessions": sessions, "grants": grants,
        "api_keys": api_keys,
    });
    output::show(context, &json, || outln!("{} is deleted; all sessions and all access are ended.", user.username))
}
