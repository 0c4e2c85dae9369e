//! Which source wins, and what is shown of the result.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};

use super::super::*;
use super::{KEY, Setup};

#[test]
fn later_sources_win() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nname = \"File\"\nworkers = 3";
    let name = ("LATCHWAY__SERVER__NAME", "Environment");
    assert_eq!(Setup::dev().file(file).ok().server.listen.port(), 1);

    let mut setup = Setup::dev().file(file).env(name.0, name.1).env("LATCHWAY__SERVER__LISTEN", "127.0.0.1:2");
    setup.overrides.listen = "127.0.0.1:3".parse().ok();
    let server = setup.ok().server;
    assert_eq!((server.listen.port(), server.name.as_str(), server.workers), (3, "Environment", 3));
    assert_eq!(server.issuer, "http://127.0.0.1:3");
}

#[test]
fn the_flag_names_the_file_before_the_environment() {
    let setup = Setup::dev();
    let other = setup.write("other.toml", "[server]\nname = \"Other\"").display().to_string();
    assert_eq!(setup.env("LATCHWAY_CONFIG", &other).ok().server.name, "Other");
    let setup = Setup::dev().file("[server]\nname = \"Flag\"").env("LATCHWAY_CONFIG", "/nowhere");
    assert_eq!(setup.ok().server.name, "Flag");
    assert_eq!(Setup::dev().env("LATCHWAY_CONFIG", "").ok().server.name, "Latchway");
    assert_eq!(
        Setup::dev().env("LATCHWAY_CONFIG", "/nowhere").error(),
        "/nowhere: cannot be read: No such file or directory (os error 2); check environment variable LATCHWAY_CONFIG"
    );
}

#[test]
fn the_environment_has_types() {
    let config = Setup::dev()
        .env("LATCHWAY__DATABASE__MIGRATE_ON_START", "true")
        .env("LATCHWAY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8")
        .env("LATCHWAY__LOG__FORMAT", "json")
        .ok();
    assert!(config.database.migrate_on_start);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.log.format, LogFormat::Json);
    let proxies = |text| Setup::dev().env("LATCHWAY__SERVER__TRUSTED_PROXIES", text).ok().server.trusted_proxies.len();
    assert_eq!((proxies(""), proxies("[\"10.0.0.0/8\"]")), (0, 1));
}

#[test]
fn a_value_can_live_in_a_file() {
    let setup = Setup::production().without("LATCHWAY__KEYS__ENCRYPTION_KEY");
    let path = setup.write("key", &format!("{KEY}\n")).display().to_string();
    let config = setup.env("LATCHWAY__KEYS__ENCRYPTION_KEY_FILE", &path).ok();
    assert_eq!(config.keys.encryption_key.expect("a key").expose_secret(), KEY);
    assert_eq!(
        Setup::production().env("LATCHWAY__KEYS__ENCRYPTION_KEY_FILE", "/nowhere").error(),
        "LATCHWAY__KEYS__ENCRYPTION_KEY and LATCHWAY__KEYS__ENCRYPTION_KEY_FILE are both set; remove one of them"
    );
    assert_eq!(
        Setup::dev().env("LATCHWAY__DATABASE__URL_FILE", "/nowhere").error(),
        "/nowhere: cannot be read: No such file or directory (os error 2); check environment variable \
         LATCHWAY__DATABASE__URL_FILE"
    );
}

#[test]
fn defaults_load_in_dev() {
    let config = Setup::dev().ok();
    assert_eq!(config.server.issuer, "http://127.0.0.1:8080");
    assert_eq!(config.server.name, "Latchway");
    assert_eq!(config.database.url.expose_secret(), "sqlite://data/latchway.db");
    assert_eq!(config.keys.access_token_alg, "ES256");
    assert!(config.keys.encryption_key_bytes().is_none());
    assert_eq!(config.tokens.refresh_absolute_seconds, 90 * 86_400);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.server.metrics_address(), "127.0.0.1:9464".parse().ok());
}

#[test]
fn the_template_the_keys_and_the_sections_are_the_same() {
    let mut config = Setup::dev().ok();
    config.keys.encryption_key = Some(SecretString::from(KEY));
    config.keys.previous_encryption_key = Some(SecretString::from(KEY));
    let shown: toml::Table = print(&config, Format::Toml).parse().expect("TOML");
    let fields = shown.iter().flat_map(|(section, table)| {
        table.as_table().expect("a section").keys().map(move |name| format!("[{section}] {name}"))
    });
    let fields: BTreeSet<String> = fields.collect();
    let known: BTreeSet<String> = lookup::all().map(ToString::to_string).collect();
    assert_eq!(fields, known);
    assert_eq!(documented(), known);
}

/// The keys in the template; each, and a run of none, has its comment above it.
fn documented() -> BTreeSet<String> {
    let (mut section, mut before, mut found) = ("", "", BTreeSet::new());
    for line in template().lines() {
        let secret = line.strip_prefix("# ").filter(|rest| rest.ends_with("encryption_key = \"\""));
        let setting = secret.unwrap_or(line);
        if let Some(name) = setting.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, _)) = setting.split_once(" = ").filter(|(name, _)| !name.starts_with('#')) {
            assert!(before.starts_with("# "), "{name} has no comment");
            found.insert(format!("[{section}] {name}"));
        }
        before = line;
    }
    found
}

#[test]
fn the_schema_takes_the_template_and_refuses_what_loading_refuses() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let fits = |text: &str| {
        let table: toml::Table = text.parse().expect("TOML");
        validator.is_valid(&serde_json::to_value(table).expect("JSON"))
    };
    assert!(fits(template()));
    for text in [
        "[tokens]\ncode_seconds = 601",
        "[tokens]\ncode_seconds = '60'",
        "[tokens]\ncode_secs = 60",
        "[token]\ncode_seconds = 60",
        "[database]\nmigrate_on_start = 1",
        "[keys]\nid_token_alg = 'none'",
        "[server]\ntrusted_proxies = '10.0.0.0/8'",
        "[anomalies]\nerror_rate_reactions = ['block_address']",
    ] {
        assert!(!fits(text), "{text}");
        Setup::dev().file(text).error();
    }
}

#[test]
fn no_key_looks_like_the_file_of_another() {
    assert!(lookup::all().all(|key| !key.name.ends_with("_file") && !key.name.contains("__")));
}

#[test]
fn what_is_printed_holds_no_secret() {
    let config = || Setup::production().env("LATCHWAY__DATABASE__URL", "postgres://u:s3cret@host/db").ok();
    for format in [Format::Toml, Format::Json] {
        let printed = print(&config(), format);
        assert!(printed.contains("\"postgres://u:[redacted]@host/db\""), "{printed}");
        assert!(printed.contains("\"[redacted]\"") && !printed.contains("s3cret") && !printed.contains(KEY));
    }
    let json: serde_json::Value = serde_json::from_str(&print(&config(), Format::Json)).expect("JSON");
    assert_eq!(json["tokens"]["code_seconds"], 60);
    assert!(!format!("{:?}", config()).contains("s3cret"));
}
