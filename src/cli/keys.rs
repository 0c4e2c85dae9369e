//! `latchway keys`: list, rotate, retire and reseal signing keys, and begin anew without the encryption key.

use clap::Subcommand;
use serde_json::json;

use super::clock::{self, ClockArgs};
use super::context::{Context, usage};
use super::tool::Tool;
use super::{begin_anew, encryption_key, output};
use crate::domain::Algorithm;
use crate::keys::{self, KeyRing, KeyStage, Resealed, Timing};
use crate::storage::IfMissing;
use crate::storage::keys::list;
use crate::support::{Seconds, duration};

#[derive(Subcommand)]
pub enum Command {
    /// List the keys and where each is in its life
    List,
    /// Publish a new key; it signs when everybody can know it, and the old one retires then
    Rotate {
        /// ES256, EdDSA, RS256 or PS256; by default that of access tokens
        #[arg(long)]
        alg: Option<String>,
        /// Let it sign at once, without waiting for caches: for when the old key is lost
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        clock: ClockArgs,
    },
    /// Take a key out of service at once
    Retire {
        /// As `keys list` shows it; one in 64 begins with a dash
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Refuse also what it has signed already: for when it has leaked
        #[arg(long)]
        compromised: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        clock: ClockArgs,
    },
    /// Encrypt the stored keys anew under `[keys] encryption_key`; what `previous_encryption_key` opens is opened by it
    Reseal,
    /// When the encryption key is lost: make all keys anew under the one that is configured now. Ends everything that was
    /// issued, and logs everybody out; people, clients and API keys stay
    BeginAnew(begin_anew::Args),
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let tool = context.open_tool()?;
    match command {
        Command::List => show_list(context, &tool),
        Command::Rotate { alg, now, clock } => {
            clock::check(&tool, clock)?;
            rotate(context, &tool, alg.as_deref(), *now)
        }
        Command::Retire { kid, compromised, yes, clock } => {
            output::confirm(*yes, &format!("The key {kid} will sign nothing more, which cannot be undone."))?;
            clock::check(&tool, clock)?;
            retire(context, &tool, kid, *compromised)
        }
        Command::Reseal => reseal(context, &tool),
        Command::BeginAnew(args) => begin_anew::run(context, &tool, args),
    }
}

/// How long the longest token lives that a key signs.
fn grace(tool: &Tool) -> Seconds {
    let tokens = &tool.config.tokens;
    tokens.access_token_seconds.max(tokens.id_token_seconds) + tokens.clock_skew_seconds
}

fn ring(context: &Context, tool: &Tool) -> anyhow::Result<KeyRing> {
    let sealer = encryption_key::sealer(context, &tool.config, IfMissing::Fail)?;
    let stored = tool.runtime.block_on(tool.db.read("keys.list", list))?;
    Ok(KeyRing::new(&stored, sealer, tool.clock.clone())?)
}

fn show_list(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let now = tool.clock.now();
    let stored = tool.runtime.block_on(tool.db.read("keys.list", list))?;
    let stage = |key: &crate::storage::keys::StoredKey| {
        if key.removed_at.is_some_and(|at| at <= now) {
            KeyStage::Removed
        } else if key.retired_at.is_some_and(|at| at <= now) {
            KeyStage::Retired
        } else if key.activates_at > now {
            KeyStage::Prepublished
        } else {
            KeyStage::Active
        }
    };
    let json = stored.iter().map(|key| {
        json!({
            "kid": key.kid, "alg": key.algorithm, "stage": stage(key).as_str(), "created_at": key.created_at,
            "activates_at": key.activates_at, "retired_at": key.retired_at, "removed_at": key.removed_at,
        })
    });
    output::show(context, &json.collect(), || {
        let rows: Vec<_> =
            stored.iter().map(|key| vec![key.kid.clone(), key.algorithm.clone(), stage(key).to_string()]).collect();
        output::table(&["kid", "alg", "stage"], &rows);
    })
}

fn rotate(context: &Context, tool: &Tool, alg: Option<&str>, at_once: bool) -> anyhow::Result<()> {
    let algorithm: Algorithm =
        alg.unwrap_or(&tool.config.keys.access_token_alg).parse().map_err(|e| usage(format!("--alg {e}")))?;
    let prepublish = if at_once { 0 } else { i64::try_from(tool.config.keys.prepublish_seconds)? };
    let timing = Timing { prepublish, grace: grace(tool) };
    let ring = ring(context, tool)?;
    let rotation = keys::rotate(&tool.db, &ring, &tool.rng, algorithm, timing, tool.clock.now());
    let kid = tool.runtime.block_on(rotation)?;
    let activates_at = tool.clock.now() + prepublish;
    output::show(context, &json!({"kid": kid, "alg": algorithm.as_str(), "activates_at": activates_at}), || {
        outln!(
            "Published {algorithm} key {kid}; it signs {}.",
            if at_once { "now".to_owned() } else { format!("in {}", duration::format(prepublish)) }
        );
    })
}

fn reseal(context: &Context, tool: &Tool) -> anyhow::Result<()> {
    let sealer = encryption_key::sealer(context, &tool.config, IfMissing::Fail)?;
    let resealed = tool.runtime.block_on(keys::reseal(&tool.db, &sealer, &tool.rng, tool.clock.now()))?;
    let Resealed { signing_keys, audit_key } = resealed;
    output::show(context, &json!({"resealed": signing_keys, "audit_key_resealed": audit_key}), || {
        outln!("Sealed {signing_keys} signing key(s) anew; all stored keys open with [keys] encryption_key alone.");
    })
}

fn retire(context: &Context, tool: &Tool, kid: &str, compromised: bool) -> anyhow::Result<()> {
    let grace = if compromised { 0 } else { grace(tool) };
    let sealer = encryption_key::sealer(context, &tool.config, IfMissing::Fail)?;
    let now = tool.clock.now();
    tool.runtime.block_on(async {
        keys::retire(&tool.db, kid, grace, now).await?;
        // Whoever retires the last key of an algorithm does not mean that nothing is signed any more.
        keys::ensure(&tool.db, &sealer, &tool.rng, Algorithm::ALL, now).await
    })?;
    output::show(context, &json!({"kid": kid, "verifies_for_seconds": grace}), || {
        outln!("Retired {kid}. If it was the last of its algorithm, a new key signs in its place.");
    })
}
