//! The whole of `load`, from its sources to a checked configuration.

mod errors;
mod reference;
mod rules;
mod sources;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A directory for the files of one test, and the arguments of `load`.
struct Setup {
    dir: TempDir,
    overrides: Overrides,
    env: Vec<(String, String)>,
}

impl Setup {
    /// Developers' mode, in which nothing has to be set.
    fn dev() -> Self {
        let overrides = Overrides { dev: Dev::Yes, ..Overrides::default() };
        Self { dir: TempDir::new().expect("a directory"), overrides, env: Vec::new() }
    }

    /// Production, with all that must be set.
    fn production() -> Self {
        let setup = Self { overrides: Overrides::default(), ..Self::dev() };
        setup
            .env("LATCHWAY__SERVER__ISSUER", "https://id.example")
            .env("LATCHWAY__DATABASE__URL", "sqlite:///var/lib/latchway.db")
            .env("LATCHWAY__KEYS__ENCRYPTION_KEY", KEY)
    }

    /// Sets a variable, over what it was.
    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.env.retain(|(set, _)| set != name);
        self
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn file(mut self, text: &str) -> Self {
        self.overrides.config_file = Some(self.write("latchway.toml", text));
        self
    }

    fn load(self) -> Result<Config, ConfigError> {
        load(&self.overrides, self.env.into_iter())
    }

    fn ok(self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The lines of the error, with the directory left out.
    fn errors(self) -> Vec<String> {
        let directory = format!("{}/", self.dir.path().display());
        let error = self.load().expect_err("refused");
        error.problems().iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
    }

    fn error(self) -> String {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.into_iter().next().expect("one")
    }
}
