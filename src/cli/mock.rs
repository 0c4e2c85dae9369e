//! `latchway mock`: starts the mock server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use actix_web::web;
use anyhow::Context as _;

use super::context::{Context, cannot_listen, environment, listen_address, usage};
use super::{logging, mock_token, output};
use crate::config::LogFormat;
use crate::http::{self, routes, server};
use crate::mock::{House, Settings, description};

const EXAMPLES: &str = "\
Examples:
  latchway mock                                 Alice and Bob log in by a click; any client id, any redirect to this machine
  latchway mock --openapi api.yaml              and an API behind it, made of its document
  latchway mock --config mock.toml --seed 7     people, routes, data and trouble of your own

Everything is in memory, on this machine alone, and the same for the same seed. http://127.0.0.1:8080/mock tells what there is.
In CI: GET /oauth2/authorize?...&login_hint=alice logs Alice in and comes straight back.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Address and port to listen on, or a port alone; loopback only
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    /// An OpenAPI document (3.0 or 3.1, YAML or JSON) whose API is mocked. May be repeated
    #[arg(long, value_name = "FILE")]
    pub openapi: Vec<PathBuf>,
    /// Keys, ids and made-up data follow from it
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Trouble from the start: auth-down, flaky, slow-3g, or a profile of the file
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print a token, good or with a defect
    Token(mock_token::Args),
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    refuse_production()?;
    let (settings, folder) = settings(context, args)?;
    if let Some(Command::Token(args)) = &args.command {
        return mock_token::run(context, args, settings);
    }
    logging::start(LogFormat::Text, "latchway=warn,error")?;
    let listener = server::bind(settings.listen)
        .map_err(|error| cannot_listen(settings.listen, &error, "choose another address with --listen"))?;
    let base = format!("http://{}", listener.local_addr()?);
    actix_web::rt::System::new().block_on(async {
        let house =
            web::Data::new(House::new(settings, folder, base, routes::is_known).map_err(|e| usage(e.to_string()))?);
        let world = house.world("").await?;
        let main = world.issuer(&house, "").await?;
        announce(context, &house, &world)?;
        for remark in house.api.remarks() {
            tracing::warn!(remark, "a detail of an API document was left out");
        }
        http::mock::run(house, main.app, listener).await.context("the mock failed")
    })
}

/// A mock lets everybody in: it must not be started by the environment of a real server.
fn refuse_production() -> anyhow::Result<()> {
    let of_a_server = |name: &str| name == "LATCHWAY_CONFIG" || name.starts_with("LATCHWAY__");
    match environment().find(|(name, _)| of_a_server(name)) {
        Some((name, _)) => Err(usage(format!(
            "{name} is set: that is the configuration of a real server, and a mock lets everybody in. Unset it first"
        ))),
        None => Ok(()),
    }
}

/// What the flags and the file say, and the file's folder.
fn settings(context: &Context, args: &Args) -> anyhow::Result<(Settings, PathBuf)> {
    if context.data.is_some() {
        return Err(usage(
            "--data is of no use to a mock: everything is in memory, and it never opens a real database",
        ));
    }
    let (mut settings, folder) = match &context.config {
        Some(path) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            (Settings::read(path).map_err(|e| usage(e.to_string()))?, folder.to_owned())
        }
        None => (Settings::default(), PathBuf::from(".")),
    };
    settings.listen = args.listen.unwrap_or(settings.listen);
    settings.seed = args.seed.unwrap_or(settings.seed);
    for document in &args.openapi {
        // From where the command was given, unlike those that the file names.
        let document = std::path::absolute(document)?;
        settings.api.documents.push(document.display().to_string());
    }
    settings.profile = args.profile.clone().or(settings.profile);
    settings.check().map_err(|e| usage(e.to_string()))?;
    Ok((settings, folder))
}

fn announce(context: &Context, house: &House, world: &crate::mock::World) -> anyhow::Result<()> {
    output::show(context, &description(house, world), || {
        outln!("Latchway mocks.\n");
        outln!("  Issuer      {}", house.base);
        let people = world.issuers().first().map(|issuer| {
            let names = issuer.app.personas.iter().map(|person| format!("{} ({})", person.username, person.about));
            names.collect::<Vec<_>>().join(", ")
        });
        outln!("  People      {}", people.unwrap_or_default());
        outln!("  Everything  {}/mock", house.base);
        outln!("\nNobody here is who they say: for this machine only.");
    })
}
