//! `client create --for`: what other people's software needs of its client. The table is `presets.toml`.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use super::args::ClientArgs;
use super::context::{Context, usage};
use super::output;
use super::tool::Tool;
use crate::domain::Client;

const TABLE: &str = include_str!("presets.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    preset: Vec<Preset>,
}

/// A row of the table. What it leaves out is as for any client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    /// The client's name, where none is given.
    pub title: String,
    #[serde(default)]
    pub public: bool,
    /// The path at the app that answers are sent to.
    callback: Option<String>,
    /// Where the app has no address of its own.
    redirect_uri: Option<String>,
    grants: Option<Vec<String>>,
    scope: Option<String>,
    pkce: Option<String>,
    id_token_claims: Option<String>,
    id_token_alg: Option<String>,
    settings: String,
}

/// All presets, in the order of the table.
pub fn all() -> anyhow::Result<Vec<Preset>> {
    Ok(toml::from_str::<Table>(TABLE).context("the table of presets")?.preset)
}

pub fn find(name: &str) -> anyhow::Result<Preset> {
    let mut all = all()?;
    match all.iter().position(|preset| preset.name == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let names: Vec<&str> = all.iter().map(|preset| preset.name.as_str()).collect();
            Err(usage(format!("--for: {name:?} is none of {}; `--for list` describes them", names.join(", "))))
        }
    }
}

impl Preset {
    /// Says of the client what was not said on the command line.
    pub fn complete(&self, args: &mut ClientArgs, app_url: Option<&str>) -> anyhow::Result<()> {
        if args.redirect_uris.is_empty() {
            args.redirect_uris.extend(self.redirect(app_url)?);
        }
        if args.grants.is_empty() {
            args.grants.extend(self.grants.clone().unwrap_or_default());
        }
        for (said, wanted) in [
            (&mut args.scope, &self.scope),
            (&mut args.pkce, &self.pkce),
            (&mut args.id_token_claims, &self.id_token_claims),
            (&mut args.id_token_alg, &self.id_token_alg),
        ] {
            if said.is_none() {
                said.clone_from(wanted);
            }
        }
        Ok(())
    }

    fn redirect(&self, app_url: Option<&str>) -> anyhow::Result<Option<String>> {
        match (&self.callback, app_url) {
            (Some(callback), Some(url)) => Ok(Some(format!("{}{callback}", url.trim_end_matches('/')))),
            (Some(callback), None) => Err(usage(format!(
                "--for {} needs --app-url, such as https://app.example, to which {callback} is added, or --redirect-uri",
                self.name
            ))),
            (None, _) => Ok(self.redirect_uri.clone()),
        }
    }

    /// What the other side is told, with the values of this client.
    pub fn settings(&self, values: &[(&str, &str)]) -> String {
        let filled = values
            .iter()
            .fold(self.settings.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        filled.trim_end().to_owned()
    }
}

/// What the software of a preset is told. The secret is named, not repeated: settings are copied to many places.
pub fn settings(tool: &Tool, preset: &Preset, client: &Client, app_url: Option<&str>) -> String {
    let redirect = client.redirect_uris.first().map(ToString::to_string).unwrap_or_default();
    preset.settings(&[
        ("issuer", &tool.config.server.issuer),
        ("client_id", &client.client_id),
        ("client_secret", "<client_secret>"),
        ("redirect_uri", &redirect),
        ("app_url", app_url.unwrap_or("<app_url>")),
    ])
}

pub fn list(context: &Context) -> anyhow::Result<()> {
    let all = all()?;
    let json = all.iter().map(|preset| json!({"name": preset.name, "title": preset.title}));
    output::show(context, &json.collect(), || {
        let rows: Vec<_> = all.iter().map(|preset| vec![preset.name.clone(), preset.title.clone()]).collect();
        output::table(&["--for", "software"], &rows);
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{AuthMethod, GrantType};

    #[test]
    fn every_preset_makes_a_client_and_leaves_no_placeholder() {
        let all = all().expect("the table");
        let names: BTreeSet<&str> = all.iter().map(|preset| preset.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "each name once");
        for preset in &all {
            let mut args = ClientArgs::default();
            preset.complete(&mut args, Some("https://app.example/")).expect(&preset.name);
            let method = if preset.public { AuthMethod::None } else { AuthMethod::ClientSecretBasic };
            let mut client = Client::new("c".to_owned(), preset.title.clone(), method, 0);
            if !args.redirect_uris.is_empty() {
                client.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
            }
            args.apply(&mut client).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let names = ["issuer", "client_id", "client_secret", "redirect_uri", "app_url"];
            let filled = preset.settings(&names.map(|name| (name, "x")));
            assert!(names.iter().all(|name| !filled.contains(&format!("{{{name}}}"))), "{}: {filled}", preset.name);
            assert!(!preset.public || !preset.settings.contains("{client_secret}"), "{} has none", preset.name);
        }
    }

    #[test]
    fn what_is_said_wins() {
        let mut args = ClientArgs { pkce: Some("required".to_owned()), ..ClientArgs::default() };
        args.redirect_uris.push("https://app.example/own".to_owned());
        let spring = find("spring").expect("a preset");
        spring.complete(&mut args, None).expect("complete");
        assert_eq!(args.redirect_uris, ["https://app.example/own"]);
        assert_eq!(args.pkce.as_deref(), Some("required"));
        spring.complete(&mut ClientArgs::default(), None).expect_err("where is the app?");
        assert!(find("sprong").expect_err("unknown").to_string().contains("spring"));
    }
}
