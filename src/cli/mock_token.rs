//! `latchway mock token`: a token of the mock's issuer, valid or with a chosen defect.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use url::Url;

use super::context::{Context, usage};
use crate::mock::token::{self, Wanted};
use crate::mock::{Issuer, Origin, Settings};
use crate::support::Clock;

const EXAMPLES: &str = "\
Examples:
  latchway mock token --sub alice --scope \"orders:read\"
  latchway mock token --sub bob --role admin --claim tenant=t1 --expires-in 60
  latchway mock token --sub alice --defect expired
  curl -H \"Authorization: Bearer $(latchway mock token --sub alice)\" http://127.0.0.1:8080/orders

The token is signed with the keys of the seed, so that a mock of the same seed verifies it, and it need not be running. With --url the
running mock makes it, by its own clock, and can introspect and revoke it.
Defects: expired, not_yet_valid, wrong_issuer, wrong_audience, bad_signature, unknown_key, alg_none, wrong_typ, missing_claim.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A persona's user name, or any subject
    #[arg(long)]
    pub sub: Option<String>,
    /// The client that has the token
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Scopes, separated by spaces
    #[arg(long)]
    pub scope: Option<String>,
    /// A role; by default the persona's. May be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// One more claim, in JSON or as text. May be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// An API that it is for; by default the mocked one. May be repeated
    #[arg(long = "audience", value_name = "URI")]
    pub audiences: Vec<String>,
    /// Seconds that it counts
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub expires_in: Option<i64>,
    /// ES256, EdDSA, RS256 or PS256
    #[arg(long)]
    pub alg: Option<String>,
    /// What is to be wrong with it
    #[arg(long)]
    pub defect: Option<String>,
    /// With --defect missing_claim, which; exp by default
    #[arg(long, value_name = "CLAIM")]
    pub missing: Option<String>,
    /// The issuer of the token; by default that of a mock on its usual address
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    pub issuer: Option<String>,
    /// The seed of the mock that is to verify it
    #[arg(long, value_name = "N", conflicts_with = "url")]
    pub seed: Option<u64>,
    /// The running mock that makes it
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

pub fn run(context: &Context, args: &Args, mut settings: Settings) -> anyhow::Result<()> {
    let wanted = wanted(args)?;
    settings.seed = args.seed.unwrap_or(settings.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let made = match &args.url {
        Some(url) => runtime.block_on(ask(url, &wanted))?,
        None => runtime.block_on(sign(&settings, args.issuer.as_deref(), wanted))?,
    };
    if context.json {
        outln!("{made}");
    } else {
        outln!("{}", made["access_token"].as_str().context("the mock answered without a token")?);
    }
    Ok(())
}

fn wanted(args: &Args) -> anyhow::Result<Value> {
    let mut wanted = Map::new();
    let texts = [
        ("sub", &args.sub),
        ("client", &args.client),
        ("scope", &args.scope),
        ("alg", &args.alg),
        ("defect", &args.defect),
        ("missing", &args.missing),
    ];
    for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        wanted.insert(name.to_owned(), json!(value));
    }
    for (name, list) in [("roles", &args.roles), ("audience", &args.audiences)] {
        if !list.is_empty() {
            wanted.insert(name.to_owned(), json!(list));
        }
    }
    if let Some(seconds) = args.expires_in {
        wanted.insert("expires_in".to_owned(), json!(seconds));
    }
    let mut claims = Map::new();
    for claim in &args.claims {
        let (name, text) =
            claim.split_once('=').ok_or_else(|| usage(format!("--claim {claim:?} must be NAME=VALUE")))?;
        claims.insert(name.to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    }
    wanted.insert("claims".to_owned(), Value::Object(claims));
    Ok(Value::Object(wanted))
}

/// Signs with the keys that follow from the seed.
async fn sign(settings: &Settings, issuer: Option<&str>, wanted: Value) -> anyhow::Result<Value> {
    let usual = || format!("http://{}", settings.listen);
    let issuer = issuer.map_or_else(usual, |text| text.trim_end_matches('/').to_owned());
    let url = Url::parse(&issuer).map_err(|error| usage(format!("--issuer {issuer:?} is no URL: {error}")))?;
    let (base, prefix) = match url.path().trim_matches('/') {
        "" => (issuer.as_str(), ""),
        prefix if crate::mock::is_prefix(prefix) => {
            (issuer[..issuer.len() - prefix.len()].trim_end_matches('/'), prefix)
        }
        _ => {
            return Err(usage(format!(
                "--issuer {issuer:?} must have a path of letters, digits, -, _, . and ~, or none"
            )));
        }
    };
    let wanted: Wanted = serde_json::from_value(wanted)?;
    let made = Issuer::make(settings, base, prefix, &Clock::system(), Origin::New(&[])).await?;
    let made = token::make(&made.app, settings, &wanted).map_err(usage)?;
    Ok(made.describe())
}

async fn ask(url: &str, wanted: &Value) -> anyhow::Result<Value> {
    let place = format!("{}/mock/token", url.trim_end_matches('/'));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client =
        reqwest::Client::builder().use_preconfigured_tls(tls).no_proxy().timeout(Duration::from_secs(10)).build()?;
    let request = client.post(&place).header("content-type", "application/json").body(wanted.to_string());
    let response = request.send().await.with_context(|| format!("no mock answers at {url}"))?;
    let (status, body) = (response.status(), response.bytes().await?);
    let answer: Value =
        serde_json::from_slice(&body).with_context(|| format!("{place} answered {status}, and no JSON"))?;
    match status.as_u16() {
        200 => Ok(answer),
        400 => Err(usage(answer["detail"].as_str().unwrap_or("the mock refused").to_owned())),
        _ => bail!("{place} answered {status}: {answer}"),
    }
}
