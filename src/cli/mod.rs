//! The command line: one file a subcommand.

#[macro_use]
mod output;

mod api;
mod api_key;
mod archive;
mod args;
mod audit;
mod audit_list;
mod backup;
mod banner;
mod begin_anew;
mod change_issuer;
mod cleanup;
mod client;
mod client_next;
mod client_secret;
mod client_view;
mod clock;
mod config;
mod config_check;
mod context;
mod dev;
mod encryption_key;
mod events;
mod keys;
mod logging;
mod migrate;
#[cfg(feature = "mock")]
mod mock;
#[cfg(feature = "mock")]
mod mock_token;
mod password;
mod presets;
mod process;
mod progress;
mod restore;
mod restore_point;
mod restraint;
mod scope;
mod serve;
mod start;
mod tool;
mod user;
mod user_args;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use context::Context;

#[cfg(feature = "mock")]
macro_rules! mock_example {
    () => {
        "  latchway mock                                a login and an API to develop against, before there are any\n"
    };
}

#[cfg(not(feature = "mock"))]
macro_rules! mock_example {
    () => {
        ""
    };
}

const EXAMPLES: &str = concat!(
    "\
Examples:
  latchway serve --dev                         a server on this machine, with a playground
",
    mock_example!(),
    "  latchway client create --name \"Notes\" --redirect-uri https://notes.example/cb --scope \"openid profile\"
  printf '%s' \"$PASSWORD\" | latchway user create --username alice --email alice@example.com --password-stdin
  latchway keys rotate                         publish a new signing key
  latchway backup latchway.backup              copy the embedded database while the server runs
  latchway config template > latchway.toml     every setting, with its default and what it means

Settings come from flags, then from the environment (LATCHWAY__SECTION__KEY), then from the file that --config or
LATCHWAY_CONFIG names. Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration."
);

/// An OAuth 2.0 authorization server and OpenID Provider.
#[derive(Parser)]
#[command(name = "latchway", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Args),
    /// Run a mock: the real server in memory with made-up people, and a mocked API behind it
    #[cfg(feature = "mock")]
    Mock(mock::Args),
    /// Bring the database's schema up to date
    Migrate(migrate::Args),
    /// Apps and APIs that this server knows
    #[command(subcommand)]
    Client(client::Command),
    /// People with an account
    #[command(subcommand)]
    User(user::Command),
    /// What scopes mean, in the words of the consent page
    #[command(subcommand)]
    Scope(scope::Command),
    /// What APIs are called on the consent page
    #[command(subcommand)]
    Api(api::Command),
    /// Credentials of programs
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// What was decided: list, export, verify
    #[command(subcommand)]
    Audit(audit::Command),
    /// What is being decided: the last events, and new ones as they come
    Events(events::Args),
    /// Who is restrained for a while, and why
    #[command(subcommand)]
    Restraint(restraint::Command),
    /// Settings
    #[command(subcommand)]
    Config(config::Command),
    /// Remove what has expired; a running server does this by itself
    Cleanup(cleanup::Args),
    /// Copy the embedded database into one file, while the server runs
    Backup(backup::Args),
    /// Put a backup in the place of the embedded database
    Restore(restore::Args),
    /// End everything that was issued before: for a database that other tools restored
    RestorePoint(restore_point::Args),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Tell which version this is
    Version,
}

const COMPLETIONS: &str = "\
Examples:
  latchway completions bash > ~/.local/share/bash-completion/completions/latchway
  latchway completions zsh > ~/.zfunc/_latchway
  latchway completions fish > ~/.config/fish/completions/latchway.fish";

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).and_then(|()| output::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(logged) = error.downcast_ref::<logging::Logged>() {
                return ExitCode::from(logged.exit_code);
            }
            output::failure(&cli.context, &error);
            ExitCode::from(if error.downcast_ref::<context::Usage>().is_some() { 2 } else { 1 })
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let context = &cli.context;
    match &cli.command {
        Command::Serve(args) => serve::run(context, args),
        #[cfg(feature = "mock")]
        Command::Mock(args) => mock::run(context, args),
        Command::Migrate(args) => migrate::run(context, args),
        Command::Client(command) => client::run(context, command),
        Command::User(command) => user::run(context, command),
        Command::Scope(command) => scope::run(context, command),
        Command::Api(command) => api::run(context, command),
        Command::ApiKey(command) => api_key::run(context, command),
        Command::Keys(command) => keys::run(context, command),
        Command::Audit(command) => audit::run(context, command),
        Command::Events(args) => events::run(context, args),
        Command::Restraint(command) => restraint::run(context, command),
        Command::Config(command) => config::run(context, command),
        Command::Cleanup(args) => cleanup::run(context, args),
        Command::Backup(args) => backup::run(context, args),
        Command::Restore(args) => restore::run(context, args),
        Command::RestorePoint(args) => restore_point::run(context, args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "latchway", &mut script);
            output::raw(&String::from_utf8_lossy(&script));
            Ok(())
        }
        Command::Version => version(context),
    }
}

fn version(context: &Context) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    output::show(context, &serde_json::json!({"name": "latchway", "version": version}), || {
        outln!("latchway {version}");
    })
}
