//! `latchway client`: create, list, show, update, disable, enable and delete clients.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::args::{ClientArgs, auth_method};
use super::client_secret::{change_method, hash, write_secret};
use super::client_view::{as_json, changes, described};
use super::context::{Context, usage};
use super::{client_next, output, presets, tool::Tool};
use crate::audit::{Event, EventKind};
use crate::domain::{AuthMethod, Client, ClientStatus, GrantType};
use crate::storage::{Refusal, StorageError, clients};
use crate::support::{Seconds, duration, random_token};

const EXAMPLES: &str = "\
Examples:
  A web app with a server:
    latchway client create --name Notes --redirect-uri https://notes.example/cb --scope \"openid profile\"
  An app in the browser or on a phone:
    latchway client create --name Notes --public --redirect-uri com.example.notes:/cb --scope \"openid offline_access\"
  Your own app, which shows its own login form and uses /api/v1:
    latchway client create --name \"My app\" --first-party --scope \"profile orders:read\"
    latchway client create --name \"My shop\" --first-party --application-type web --scope \"profile orders:read\"
  An app for a television, a console or a command line, which shows a code to type at /device:
    latchway client create --name Television --public --grant device_code --grant refresh_token --scope \"openid offline_access\"
  A program that acts for itself:
    latchway client create --name Reports --grant client_credentials --scope reports:read --audience https://api.example
  Software that is known, with its settings:
    latchway client create --for grafana --app-url https://grafana.example
  An API that introspects its tokens:
    latchway client create --name \"Orders API\" --audience https://api.example";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Add a client and print its id and secret, once
    Create {
        /// What people read on the consent page. With --for that software's name, if none is given
        #[arg(long, required_unless_present = "preset")]
        name: Option<String>,
        /// Set what this software needs, and print its settings; `--for list` names all
        #[arg(long = "for", value_name = "SOFTWARE", id = "preset")]
        preset: Option<String>,
        /// Where the app of --for is; the path of its callback is added
        #[arg(long, value_name = "URL", requires = "preset")]
        app_url: Option<String>,
        /// An id of your choice instead of a made one
        #[arg(long)]
        id: Option<String>,
        /// It cannot keep a secret: an app in the browser, on a phone or a desktop. So is every first-party client
        #[arg(long)]
        public: bool,
        /// client_secret_basic, client_secret_post, private_key_jwt or none
        #[arg(long)]
        auth_method: Option<String>,
        /// Write the secret into this new file, readable by you alone, instead of printing it
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        client: Box<ClientArgs>,
    },
    /// List all clients
    List,
    /// Show one client
    Show {
        /// As `client list` shows it
        client_id: String,
    },
    /// Change what is said; a list is replaced as a whole
    Update {
        /// As `client list` shows it
        client_id: String,
        #[arg(long)]
        name: Option<String>,
        /// Take the client into service again
        #[arg(long)]
        enable: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// client_secret_basic, client_secret_post, private_key_jwt or none. A secret is kept, or made and printed once
        #[arg(long, value_name = "METHOD")]
        auth_method: Option<String>,
        /// Write a new secret into this new file, readable by you alone, instead of printing it
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        client: Box<ClientArgs>,
    },
    /// Make a new secret and print it, once
    RotateSecret {
        /// As `client list` shows it
        client_id: String,
        /// How long the old secret is still accepted, such as 24h; 0 if it has leaked
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration::parse)]
        overlap: Seconds,
        /// Write the secret into this new file, readable by you alone, instead of printing it
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Take a client out of service: nothing of it works any more
    Disable {
        /// As `client list` shows it
        client_id: String,
    },
    /// Take a disabled client into service again
    Enable {
        /// As `client list` shows it
        client_id: String,
    },
    /// Remove a client for good; its id is never used again
    Delete {
        /// As `client list` shows it
        client_id: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    if let Command::Create { preset: Some(name), .. } = command
        && name == "list"
    {
        return presets::list(context);
    }
    let tool = context.open_tool()?;
    match command {
        Command::Create { name, preset, app_url, id, public, auth_method: method, secret_file, client } => {
            let preset = preset.as_deref().map(presets::find).transpose()?;
            let mut args = (**client).clone();
            if let Some(preset) = &preset {
                preset.complete(&mut args, app_url.as_deref())?;
            }
            let is_public = preset.as_ref().is_some_and(|preset| preset.public) || args.first_party == Some(true);
            let public = *public || (is_public && method.is_none());
            let method = auth_method(public, method.as_deref())?;
            let title = preset.as_ref().map(|preset| preset.title.as_str());
            let name = name.as_deref().or(title).unwrap_or_default();
            let (client, secret) = create(&tool, name, id.as_deref(), method, &args)?;
            let settings = preset.map(|preset| presets::settings(&tool, &preset, &client, app_url.as_deref()));
            let next = client_next::steps(&tool, &client)?;
            hand_over(context, &client, secret, secret_file.as_deref(), (settings.as_deref(), &next))
        }
        Command::List => list(context, &tool),
        Command::Show { client_id } => {
            let client = find(&tool, client_id)?;
            let json = as_json(&client);
            output::show(context, &json, || output::properties(&described(&json)))
        }
        Command::Update { client_id, name, enable, yes, auth_method: method, secret_file, client: args } => {
            let mut client = find(&tool, client_id)?;
            let before = as_json(&client);
            let secret = match method {
                Some(method) => change_method(&tool, &mut client, auth_method(false, Some(method))?),
                None => None,
            };
            if let Some(name) = name {
                client.name.clone_from(name);
            }
            if *enable {
                client.status = ClientStatus::Active;
            }
            let logo = args.logo()?;
            if let Some((media, _)) = &logo {
                client.logo_type = Some((*media).to_owned());
            }
            args.apply(&mut client)?;
            if client.scope.is_empty() && before["scope"] != "" {
                output::confirm(*yes, &format!("{client_id} loses all its scopes and can ask for nothing."))?;
            }
            change(&tool, &client, "updated", logo)?;
            if let Some(secret) = secret {
                return hand_over(context, &client, Some(secret), secret_file.as_deref(), (None, &[]));
            }
            let after = as_json(&client);
            output::show(context, &after, || {
                outln!("Updated {client_id}.");
                for (name, (old, new)) in changes(&before, &after) {
                    outln!("  {name}: {old} → {new}");
                }
            })
        }
        Command::RotateSecret { client_id, overlap, secret_file } => {
            rotate_secret(context, &tool, client_id, *overlap, secret_file.as_deref())
        }
        Command::Disable { client_id } => set_status(context, &tool, client_id, ClientStatus::Disabled),
        Command::Enable { client_id } => set_status(context, &tool, client_id, ClientStatus::Active),
        Command::Delete { client_id, yes } => {
            find(&tool, client_id)?;
            output::confirm(*yes, &format!("The client {client_id} and all that was issued to it end for good."))?;
            set_status(context, &tool, client_id, ClientStatus::Deleted)
        }
    }
}

fn create(
    tool: &Tool,
    name: &str,
    id: Option<&str>,
    method: AuthMethod,
    args: &ClientArgs,
) -> anyhow::Result<(Client, Option<SecretString>)> {
    let now = tool.clock.now();
    let secret =
        matches!(method, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost).then(|| random_token(&tool.rng));
    let grants = if args.redirect_uris.is_empty() {
        Vec::new()
    } else {
        vec![GrantType::AuthorizationCode, GrantType::RefreshToken]
    };
    let client_id = match id {
        Some(id) => chosen_id(id)?,
        None => made_id(tool),
    };
    let mut client = Client::new(client_id, name.to_owned(), method, now);
    client.secret_hash = secret.as_ref().map(hash);
    client.grant_types = grants;
    let logo = args.logo()?;
    client.logo_type = logo.as_ref().map(|(media, _)| (*media).to_owned());
    args.apply(&mut client)?;
    let (stored, clock) = (client.clone(), tool.clock.clone());
    let write = tool.db.write("client.create", move |tx| -> Result<_, Refusal<StorageError>> {
        clients::insert(tx, &stored)?;
        if let Some((media, image)) = &logo {
            clients::put_logo(tx, &stored.client_id, media, image)?;
        }
        Ok(Event::success(EventKind::ClientCreated).client(&stored.client_id).record(tx, &clock)?)
    });
    match tool.runtime.block_on(write) {
        Err(StorageError::Conflict(_)) => bail!("the client id {} is or was in use", client.client_id),
        other => other?,
    }
    Ok((client, secret))
}

/// Shows the new client, and its secret this once: on the terminal, or in a file of its own.
fn hand_over(
    context: &Context,
    client: &Client,
    secret: Option<SecretString>,
    file: Option<&Path>,
    (settings, next): (Option<&str>, &[String]),
) -> anyhow::Result<()> {
    if let (Some(path), Some(secret)) = (file, &secret) {
        write_secret(path, secret)?;
    }
    let (shown, mut json) = (secret.filter(|_| file.is_none()), as_json(client));
    if let Some(secret) = &shown {
        json["client_secret"] = Value::from(secret.expose_secret());
    }
    if let Some(settings) = settings {
        json["settings"] = Value::from(settings);
    }
    let remedy = format!("make another with `latchway client rotate-secret {} --overlap 0`", client.client_id);
    output::show_secret(context, &json, &remedy, || {
        outln!("client_id      {}", client.client_id);
        if let Some(secret) = &shown {
            outln!("client_secret  {}", secret.expose_secret());
            outln!("\nThe secret is shown this once. Keep it where only the app can read it.");
        }
        if let Some(path) = file {
            outln!("\nThe secret is in {}, readable by you alone.", path.display());
        }
        if !next.is_empty() {
            outln!("\nNext:");
        }
        for step in next {
            outln!("  {step}");
        }
        if let Some(settings) = settings {
            outln!("\nSettings for {}:\n\n{settings}", client.name);
        }
    })
}

/// Never of the form of a person's id, so that no client's subject is ever taken for a person's.
fn chosen_id(id: &str) -> anyhow::Result<String> {
    let sound = (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !sound || id.parse::<crate::support::Id>().is_ok() {
        return Err(usage("--id must be 1 to 100 letters, digits, dots, dashes or underscores, and no UUID"));
    }
    Ok(id.to_owned())
}

fn made_id(tool: &Tool) -> String {
    format!("lwc_{}", tool.rng.bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn list(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let all = tool.runtime.block_on(tool.db.read("client.list", clients::list))?;
    output::show(context, &all.iter().map(as_json).collect(), || {
        let row = |client: &Client| {
            let mut grants: Vec<&str> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
            grants.extend(client.is_first_party().then_some("first-party"));
            vec![
                client.client_id.clone(),
                client.name.clone(),
                client.auth_method.to_string(),
                client.status.to_string(),
                grants.join(" "),
            ]
        };
        output::table(
            &["client_id", "name", "auth method", "status", "grants"],
            &all.iter().map(row).collect::<Vec<_>>(),
        );
    })
}

fn find(tool: &Tool, client_id: &str) -> anyhow::Result<Client> {
    let id = client_id.to_owned();
    let found = tool.runtime.block_on(tool.db.read("client.find", move |conn| clients::find(conn, &id)))?;
    found.ok_or_else(|| anyhow::anyhow!("there is no client {client_id}"))
}

fn change(
    tool: &Tool,
    client: &Client,
    what: &'static str,
    logo: Option<(&'static str, Vec<u8>)>,
) -> anyhow::Result<()> {
    let (stored, clock) = (client.clone(), tool.clock.clone());
    let write = tool.db.write("client.change", move |tx| -> Result<_, Refusal<StorageError>> {
        let written = clients::update(tx, &stored, clock.now())?;
        if written {
            if let Some((media, image)) = &logo {
                clients::put_logo(tx, &stored.client_id, media, image)?;
            }
            let event =
                Event::success(EventKind::ClientChanged).client(&stored.client_id).detail(json!({"what": what}));
            event.record(tx, &clock)?;
        }
        Ok(written)
    });
    if tool.runtime.block_on(write)? {
        Ok(())
    } else {
        bail!("somebody else changed the client at the same moment; try again")
    }
}

fn rotate_secret(
    context: &Context,
    tool: &Tool,
    client_id: &str,
    overlap: Seconds,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let mut client = find(tool, client_id)?;
    let Some(old) = client.secret_hash.take() else {
        return Err(usage(format!("{client_id} has no secret: it authenticates by {}", client.auth_method)));
    };
    let secret = random_token(&tool.rng);
    let until = tool.clock.now() + overlap;
    client.secret_hash = Some(hash(&secret));
    client.previous_secret = (overlap > 0).then_some((old, until));
    change(tool, &client, "secret rotated", None)?;
    if let Some(path) = file {
        write_secret(path, &secret)?;
    }
    let mut json = json!({
        "client_id": client_id,
        "previous_secret_until": client.previous_secret.as_ref().map(|(_, until)| until),
    });
    let old = if overlap > 0 {
        format!("The old one is accepted for {} more.", duration::format(overlap))
    } else {
        "The old one is no longer accepted.".to_owned()
    };
    if let Some(path) = file {
        return output::show(context, &json, || {
            outln!("The new secret of {client_id} is in {}. {old}", path.display())
        });
    }
    json["client_secret"] = Value::from(secret.expose_secret());
    let remedy = format!("make another with `latchway client rotate-secret {client_id}`");
    output::show_secret(context, &json, &remedy, || {
        outln!("client_secret  {}", secret.expose_secret());
        outln!("\nThe secret is shown this once. {old}");
    })
}

fn set_status(context: &Context, tool: &Tool, client_id: &str, status: ClientStatus) -> anyhow::Result<()> {
    let mut client = find(tool, client_id)?;
    client.status = status;
    if status == ClientStatus::Deleted {
        client.secret_hash = None;
        client.previous_secret = None;
    }
    change(tool, &client, status.as_str(), None)?;
    output::show(context, &json!({"client_id": client_id, "status": status.as_str()}), || {
        outln!("{client_id} is {status}.")
    })
}
