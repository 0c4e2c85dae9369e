//! `latchway api-key`: create, list, rotate and revoke API keys.

use clap::{ArgGroup, Subcommand};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::context::{Context, usage};
use super::output;
use super::tool::Tool;
use crate::api_key::{self, Actor, ApiKeyView, Limit, NO_API, OwnAudiences, Unfit, Wish};
use crate::domain::{ApiKey, KeyOwner, Scopes};
use crate::storage::{Conn, Refusal, StorageError, api_keys, clients, users};
use crate::support::{ApiKeyText, Id, Network, Seconds, duration};

const EXAMPLES: &str = "\
Examples:
  For a program of a client's:
    latchway api-key create --client lwc_1f0… --name \"Nightly export\" --scope orders:read \\
      --audience https://orders.example --expires 90d
  For a script of a person's, from one network, at most 60 times a minute:
    latchway api-key create --user alice --name Backup --scope orders:read --audience https://orders.example \\
      --network 10.0.0.0/8 --rate-limit 60
  Another secret, while the old one works for an hour more:
    latchway api-key rotate 0197c2f4-… --overlap 1h";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Command {
    /// Make a key and print it, once
    #[command(group = ArgGroup::new("owner").required(true).args(["client", "user"]))]
    Create {
        /// The client whose program it is for
        #[arg(long, value_name = "CLIENT_ID")]
        client: Option<String>,
        /// The person whose program it is for: user name, e-mail address or id
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// What it is for, in your words
        #[arg(long)]
        name: String,
        /// What it may do: scopes of its owner's. May be repeated
        #[arg(long, num_args = 1.., required = true)]
        scope: Vec<String>,
        /// An API that it is for. Required for a person's key; a client's key without any can be looked up by that client
        /// alone. May be repeated
        #[arg(long = "audience", value_name = "URI", num_args = 1..)]
        audiences: Vec<String>,
        /// How long it lasts, such as 90d or 12h; for ever if not said
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        expires: Option<Seconds>,
        /// A network that it may be used from, such as 10.0.0.0/8 or 192.0.2.7. May be repeated
        #[arg(long = "network", value_name = "CIDR", num_args = 1.., value_parser = Network::or_address)]
        networks: Vec<Network>,
        /// How often it may be used in a minute
        #[arg(long, value_name = "USES")]
        rate_limit: Option<u32>,
    },
    /// List keys, the newest first
    List {
        /// Those of one client
        #[arg(long, value_name = "CLIENT_ID", conflicts_with = "user")]
        client: Option<String>,
        /// Those of one person
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Make another secret for a key and print it, once
    Rotate {
        id: Id,
        /// How long the old secret is still taken, such as 24h; 0 if it has leaked
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        overlap: Option<Seconds>,
    },
    /// Take a key back; from now on nothing accepts it
    Revoke { id: Id },
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::Create { client, user, name, scope, audiences, expires, networks, rate_limit } => {
            let Some(owner) = owner(&tool, client.as_deref(), user.as_deref())? else {
                return Err(usage("say whose key it is: --client or --user"));
            };
            let wish = Wish {
                owner,
                name: name.clone(),
                scope: Scopes::parse(&scope.join(" ")).map_err(|e| usage(format!("--scope: {e}")))?,
                audience: audiences.clone(),
                networks: networks.clone(),
                rate_limit: *rate_limit,
                expires_in: *expires,
            };
            create(context, &tool, wish)
        }
        Command::List { client, user } => {
            let owner = owner(&tool, client.as_deref(), user.as_deref())?;
            list(context, &tool, owner)
        }
        Command::Rotate { id, overlap } => rotate(context, &tool, *id, *overlap),
        Command::Revoke { id } => revoke(context, &tool, *id),
    }
}

fn owner(tool: &Tool, client: Option<&str>, user: Option<&str>) -> anyhow::Result<Option<KeyOwner>> {
    let (client, user) = (client.map(str::to_owned), user.map(str::to_owned));
    let (missing, found) = match (&client, &user) {
        (Some(client), _) => (format!("client {client}"), true),
        (None, Some(user)) => (format!("person {user}"), true),
        (None, None) => (String::new(), false),
    };
    if !found {
        return Ok(None);
    }
    let find = move |conn: &mut Conn| -> Result<Option<KeyOwner>, StorageError> {
        if let Some(client) = &client {
            return Ok(clients::find(conn, client)?.map(|client| KeyOwner::Client(client.client_id)));
        }
        let wanted = user.as_deref().unwrap_or_default();
        let person = match wanted.parse::<Id>() {
            Ok(id) => users::find(conn, id)?,
            Err(_) => users::find_by_login(conn, wanted)?,
        };
        Ok(person.map(|person| KeyOwner::Person(person.id)))
    };
    let found = tool.runtime.block_on(tool.db.read("api_key.owner", find))?;
    found.map(Some).ok_or_else(|| anyhow::anyhow!("there is no {missing}"))
}

fn actor(tool: &Tool) -> Actor {
    Actor { clock: tool.clock.clone(), rng: tool.rng.clone(), request: None }
}

/// What is wrong with the command is a matter of usage; the rest failed.
fn explain(unfit: Unfit) -> anyhow::Error {
    match unfit {
        Unfit::Invalid(error) => {
            let flag = match error.parameter {
                "expires_in" => "expires",
                "networks" => "network",
                "rate_limit" => "rate-limit",
                other => other,
            };
            usage(format!("--{flag} {}", error.why))
        }
        Unfit::NoApi => usage(format!("--audience {NO_API}")),
        other => other.into(),
    }
}

fn create(context: &Context, tool: &Tool, wish: Wish) -> anyhow::Result<()> {
    let (actor, own) = (actor(tool), OwnAudiences::of(&tool.config));
    let write = tool.db.write("api_key.create", move |tx| -> Result<_, Refusal<Unfit>> {
        Ok(api_key::create(tx, &actor, &wish, None, &own, Limit::None)?)
    });
    let (key, text) = tool.runtime.block_on(write).map_err(explain)?;
    let mut json = as_json(&key, tool)?;
    json["api_key"] = Value::from(text.expose().expose_secret());
    let remedy = format!("make another with `latchway api-key rotate {} --overlap 0`", key.id);
    output::show_secret(context, &json, &remedy, || {
        outln!("id       {}", key.id);
        outln!("api_key  {}", text.expose().expose_secret());
        outln!("\nThe key is shown this once. Keep it where only the program can read it.");
        if key.audience.is_empty() {
            outln!("It names no API (--audience), so that only its client can look it up.");
        }
    })
}

fn list(context: &Context, tool: &Tool, owner: Option<KeyOwner>) -> anyhow::Result<()> {
    let read = tool.db.read("api_key.list", move |conn| api_keys::list(conn, owner.as_ref()));
    let (keys, now) = (tool.runtime.block_on(read)?, tool.clock.now());
    let views: Vec<ApiKeyView> = keys.iter().map(|key| ApiKeyView::of(key, now)).collect();
    output::show(context, &serde_json::to_value(&views)?, || {
        let row = |key: &ApiKeyView| {
            let owner = key.client_id.as_ref().or(key.user_id.as_ref()).cloned().unwrap_or_default();
            let last = key.last_used_at.map_or_else(String::new, |at| at.to_string());
            vec![key.id.clone(), key.name.clone(), owner, key.scope.clone(), key.status.to_owned(), last]
        };
        output::table(
            &["id", "name", "owner", "scope", "status", "last used"],
            &views.iter().map(row).collect::<Vec<_>>(),
        );
    })
}

fn find(tx: &mut crate::storage::Tx<'_>, id: Id) -> Result<ApiKey, Unfit> {
    api_keys::find(tx.reader(), id)?.ok_or(Unfit::NotFound)
}

fn rotate(context: &Context, tool: &Tool, id: Id, overlap: Option<Seconds>) -> anyhow::Result<()> {
    let (actor, overlap) = (actor(tool), overlap.unwrap_or(tool.config.api_keys.overlap_seconds));
    let write = tool.db.write("api_key.rotate", move |tx| -> Result<_, Refusal<Unfit>> {
        let key = find(tx, id)?;
        let text = api_key::rotate(tx, &actor, &key, None, overlap)?;
        Ok((find(tx, id)?, text))
    });
    let (key, text): (ApiKey, ApiKeyText) = tool.runtime.block_on(write).map_err(explain)?;
    let mut json = as_json(&key, tool)?;
    json["api_key"] = Value::from(text.expose().expose_secret());
    let remedy = format!("make another with `latchway api-key rotate {id}`");
    output::show_secret(context, &json, &remedy, || {
        outln!("id       {id}");
        outln!("api_key  {}", text.expose().expose_secret());
        let old = if overlap > 0 {
            format!("accepted for {} more", duration::format(overlap))
        } else {
            "no longer accepted".to_owned()
        };
        outln!("\nThe key is shown this once. The old one is {old}.");
    })
}

fn revoke(context: &Context, tool: &Tool, id: Id) -> anyhow::Result<()> {
    let actor = actor(tool);
    let write = tool.db.write("api_key.revoke", move |tx| -> Result<_, Refusal<Unfit>> {
        let key = find(tx, id)?;
        api_key::revoke(tx, &actor, &key).map_err(Unfit::from)?;
        Ok(find(tx, id)?)
    });
    let key = tool.runtime.block_on(write).map_err(explain)?;
    output::show(context, &as_json(&key, tool)?, || outln!("{id} is revoked."))
}

fn as_json(key: &ApiKey, tool: &Tool) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(ApiKeyView::of(key, tool.clock.now()))?)
}
