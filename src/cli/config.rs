//! `latchway config`: check, print, template, and the change of the issuer.

use clap::Subcommand;

use super::change_issuer;
use super::config_check::{self, Connect};
use super::context::{Context, environment, usage};
use super::output;
use crate::config::{Dev, Format, load, print, schema, template};
use crate::http::routes::check_limits;

#[derive(Subcommand)]
pub enum Command {
    /// Read all settings as `serve` would, and say what is wrong with them
    Check {
        /// By the rules of `serve --dev`
        #[arg(long)]
        dev: bool,
        /// Ask the database, too: its schema, whose it is, and whether the encryption key opens its keys
        #[arg(long)]
        connect: bool,
    },
    /// Give the database to the issuer that is configured now, and tell who has to change
    ChangeIssuer(change_issuer::Args),
    /// Print the settings in force, without their secrets
    Print {
        /// By the rules of `serve --dev`
        #[arg(long)]
        dev: bool,
    },
    /// Print every setting with its default and what it means
    Template,
    /// Print the JSON Schema of the configuration file, for editors and checks
    Schema,
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let read = |dev: bool| {
        let dev = if dev { Dev::Yes } else { Dev::No };
        let config = load(&context.overrides(dev), environment()).map_err(|e| usage(e.to_string()))?;
        check_limits(&config.limits.routes).map_err(usage)?;
        Ok::<_, anyhow::Error>(config)
    };
    match command {
        Command::Check { dev, connect } => {
            let connect = if *connect { Connect::Yes } else { Connect::No };
            config_check::run(context, &read(*dev)?, if *dev { Dev::Yes } else { Dev::No }, connect)
        }
        Command::ChangeIssuer(args) => change_issuer::run(context, args),
        Command::Print { dev } => {
            let format = if context.json { Format::Json } else { Format::Toml };
            output::raw(&format!("{}\n", print(&read(*dev)?, format).trim_end()));
            Ok(())
        }
        Command::Template => {
            output::raw(template());
            Ok(())
        }
        Command::Schema => {
            output::raw(&format!("{:#}\n", schema()));
            Ok(())
        }
    }
}
