use clap::Subcommand;

use super::context::{Context, environment, usage};
use super::output;
use crate::config::{Dev, Format, load, print, template};

#[derive(Subcommand)]
pub enum Command {
    /// Read all settings as `serve` would, and say what is wrong with them
    Check {
        /// By the rules of `serve --dev`
        #[arg(long)]
        dev: bool,
    },
    /// Print the settings in force, without their secrets
    Print {
        /// By the rules of `serve --dev`
        #[arg(long)]
        dev: bool,
    },
    /// Print every setting with its default and what it means
    Template,
}

pub fn run(context: &Context, command: &Command) -> anyhow::Result<()> {
    let read = |dev: bool| {
        let dev = if dev { Dev::Yes } else { Dev::No };
        load(&context.overrides(dev), environment()).map_err(|e| usage(e.to_string()))
    };
    match command {
        Command::Check { dev } => {
            read(*dev)?;
            output::show(context, &serde_json::json!({"valid": true}), || outln!("The configuration is valid."))
        }
        Command::Print { dev } => {
            let format = if context.json { Format::Json } else { Format::Toml };
            output::raw(&format!("{}\n", print(&read(*dev)?, format).trim_end()));
            Ok(())
        }
        Command::Template => {
            output::raw(template());
            Ok(())
        }
    }
}
