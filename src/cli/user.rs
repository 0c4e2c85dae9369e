use std::io::Read;

use anyhow::bail;
use clap::Subcommand;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::context::{Context, Tool, usage};
use super::output;
use crate::audit::{Event, EventKind};
use crate::domain::{Role, USERNAME_RULE, User, UserStatus, normalize_email, normalize_username};
use crate::identity::Passwords;
use crate::pages::setup;
use crate::storage::{Refusal, StorageError, Tx, api_keys, grants, links, sessions, settings, users};
use crate::support::{Id, Seconds};

const EXAMPLES: &str = "\
Examples:
  printf '%s' \"$PASSWORD\" | latchway user create --username alice --email alice@example.com --password-stdin
  printf '%s' \"$PASSWORD\" | latchway user set-password alice --password-stdin
  latchway user disable alice";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Add a person
    Create {
        #[arg(long)]
        username: String,
        #[arg(long)]
        email: Option<String>,
        /// The name that apps with the scope `profile` see
        #[arg(long)]
        name: Option<String>,
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
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create { username, email, name, password_stdin, admin, email_verified } => {
            let password = read_password(*password_stdin)?;
            let tool = context.open_tool()?;
            let mut user = new_user(&tool, username, email.as_deref(), name.as_deref())?;
            user.role = if *admin { Role::Admin } else { Role::User };
            user.email_verified_at = user.email.as_ref().filter(|_| *email_verified).map(|_| user.created_at);
            user.password_hash = Some(hash(&tool, password)?);
            create(context, &tool, user)
        }
        Command::List => list(context, &context.open_tool()?),
        Command::Disable { user } => set_status(context, &context.open_tool()?, user, UserStatus::Disabled),
        Command::Enable { user } => set_status(context, &context.open_tool()?, user, UserStatus::Active),
        Command::SetPassword { user, password_stdin } => {
            let password = read_password(*password_stdin)?;
            set_password(context, &context.open_tool()?, user, password)
        }
    }
}

fn read_password(from_stdin: bool) -> anyhow::Result<SecretString> {
    if !from_stdin {
        return Err(usage(
            "say --password-stdin and give the password on standard input; a flag would show it to others",
        ));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().take(64 * 1024).read_to_string(&mut text)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(usage("the password on standard input is empty"));
    }
    if password.chars().any(char::is_control) {
        return Err(usage("the password on standard input has a control character, which no login form could send"));
    }
    Ok(SecretString::from(password))
}

fn hash(tool: &Tool, password: SecretString) -> anyhow::Result<String> {
    use secrecy::ExposeSecret;
    let min = tool.config.passwords.min_length;
    if password.expose_secret().chars().count() < min {
        return Err(usage(format!("the password must have at least {min} characters ([passwords] min_length)")));
    }
    let passwords = Passwords::new(&tool.config.passwords, tool.rng.clone())?;
    Ok(tool.runtime.block_on(passwords.hash(password))?)
}

fn new_user(tool: &Tool, username: &str, email: Option<&str>, name: Option<&str>) -> anyhow::Result<User> {
    let username =
        normalize_username(username).ok_or_else(|| usage(format!("--username must have {USERNAME_RULE}")))?;
    let email = email
        .map(|email| {
            normalize_email(email).ok_or_else(|| usage("--email must be an address, such as alice@example.com"))
        })
        .transpose()?;
    let now = tool.clock.now();
    Ok(User { email, name: name.map(str::to_owned), ..User::new(Id::new(&tool.clock, &tool.rng), username, now) })
}

fn as_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(), "username": user.username, "email": user.email, "name": user.name,
        "email_verified": user.email_verified_at.is_some(), "role": user.role.as_str(), "status": user.status.as_str(),
        "created_at": user.created_at,
    })
}

fn create(context: &Context, tool: &Tool, user: User) -> anyhow::Result<()> {
    let (stored, clock) = (user.clone(), tool.clock.clone());
    let write = tool.db.write("user.create", move |tx| -> Result<_, Refusal<StorageError>> {
        users::insert(tx, &stored)?;
        if stored.role == Role::Admin {
            // Once there was an administrator, no set-up link makes another.
            settings::set_once(tx, setup::COMPLETED, &stored.id.to_string())?;
            links::expire_all(tx, setup::PURPOSE, stored.created_at)?;
        }
        Ok(Event::success(EventKind::UserCreated).subject(stored.id).record(tx, &clock)?)
    });
    match tool.runtime.block_on(write) {
        Err(StorageError::Conflict(_)) => bail!("there is already a person with this user name or e-mail address"),
        other => other?,
    }
    output::show(context, &as_json(&user), || outln!("Created {} with the id {}.", user.username, user.id))
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

/// Ends every session and every API key, and revokes everything that was allowed.
fn end_access(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<(), StorageError> {
    sessions::end_all(tx, id, None, now)?;
    grants::revoke_for_user(tx, id, now)?;
    api_keys::revoke_for_user(tx, id, now)?;
    Ok(())
}

fn set_status(context: &Context, tool: &Tool, wanted: &str, status: UserStatus) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let (id, now, clock) = (user.id, tool.clock.now(), tool.clock.clone());
    tool.runtime.block_on(tool.db.write("user.status", move |tx| -> Result<_, Refusal<StorageError>> {
        users::set_status(tx, id, status, now)?;
        if status == UserStatus::Disabled {
            end_access(tx, id, now)?;
        }
        let event = Event::success(EventKind::UserChanged).subject(id).detail(json!({"status": status.as_str()}));
        Ok(event.record(tx, &clock)?)
    }))?;
    let user = User { status, ..user };
    output::show(context, &as_json(&user), || outln!("{} is {status}.", user.username))
}

fn set_password(context: &Context, tool: &Tool, wanted: &str, password: SecretString) -> anyhow::Result<()> {
    let user = find(tool, wanted)?;
    let hash = hash(tool, password)?;
    let (id, now, clock) = (user.id, tool.clock.now(), tool.clock.clone());
    tool.runtime.block_on(tool.db.write("user.password", move |tx| -> Result<_, Refusal<StorageError>> {
        users::set_password(tx, id, &hash, now)?;
        end_access(tx, id, now)?;
        let event = Event::success(EventKind::UserChanged).subject(id).detail(json!({"password": "changed"}));
        Ok(event.record(tx, &clock)?)
    }))?;
    output::show(context, &as_json(&user), || outln!("{} has a new password; all sessions are ended.", user.username))
}
