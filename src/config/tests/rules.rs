//! What must be set, and what goes together.

use std::fs;
use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::super::*;
use super::{KEY, Setup};

#[test]
fn production_wants_three_things() {
    assert_eq!(
        Setup { overrides: Overrides::default(), ..Setup::dev() }.errors().join("\n"),
        "[server] issuer is not set; set it to the URL at which this server is reached, such as https://id.example, in \
         the configuration file or as LATCHWAY__SERVER__ISSUER\n\
         [database] url is not set; set it to sqlite:///absolute/path.db or postgres://user:password@host/name, in the \
         configuration file or as LATCHWAY__DATABASE__URL, or give --data DIR for an SQLite file there\n\
         [keys] encryption_key is not set; make one with `openssl rand -base64 32`, keep it in a file and name that \
         file in LATCHWAY__KEYS__ENCRYPTION_KEY_FILE"
    );
    let config = Setup::production().ok();
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.keys.encryption_key_bytes().as_deref(), Some(b"0123456789abcdef0123456789abcdef"));
}

#[test]
fn every_limit_fits_its_field() {
    for key in lookup::all() {
        let keys::Rule::Number { min, max } = key.rule else { continue };
        for bound in [min, max] {
            let setup = Setup::production().env("LATCHWAY__KEYS__PREPUBLISH_SECONDS", "3600");
            setup.env(&key.variable(), &bound.to_string()).ok();
        }
        for beyond in [min - 1, max + 1] {
            let error = Setup::production().env(&key.variable(), &beyond.to_string()).error();
            assert!(
                error.ends_with(&format!("{key} = {beyond}: must be a whole number from {min} to {max}")),
                "{error}"
            );
        }
    }
}

#[test]
fn dev_stays_on_this_machine() {
    for (name, value) in [
        ("LATCHWAY__SERVER__LISTEN", "0.0.0.0:8080"),
        ("LATCHWAY__SERVER__LISTEN", "[::]:8080"),
        ("LATCHWAY__SERVER__METRICS_LISTEN", "192.0.2.1:9464"),
        ("LATCHWAY__SERVER__ISSUER", "https://id.example"),
    ] {
        let error = Setup::dev().env(name, value).error();
        assert!(error.starts_with(&format!("environment variable {name}: ")), "{error}");
        assert!(error.contains("--dev serves this machine only; use a loopback address such as"), "{error}");
    }
    let mut setup = Setup::dev();
    setup.overrides.listen = "0.0.0.0:80".parse().ok();
    assert!(setup.error().starts_with("--listen: [server] listen = \"0.0.0.0:80\": "));
    Setup::dev().env("LATCHWAY__SERVER__ISSUER", "http://localhost:8080").ok();
    Setup::production().env("LATCHWAY__SERVER__LISTEN", "0.0.0.0:8080").ok();
    assert!(Setup::dev().env("LATCHWAY__SERVER__LISTEN", "127.0.0.1:0").error().contains("port 0 makes no issuer"));
}

#[test]
fn the_database_is_a_file_or_postgres() {
    let url = |setup: Setup| setup.ok().database.url.expose_secret().to_owned();
    let mut setup = Setup::production().without("LATCHWAY__DATABASE__URL");
    setup.overrides.data_dir = Some(PathBuf::from("/var/lib/latchway"));
    assert_eq!(url(setup), "sqlite:///var/lib/latchway/latchway.db");
    for good in ["postgres://u:p@/db?host=/run", "postgresql://h/db", "sqlite://relative.db"] {
        assert_eq!(url(Setup::production().env("LATCHWAY__DATABASE__URL", good)), good);
    }
    for bad in
        ["mysql://h/db", "sqlite:relative.db", "/var/lib/x.db", "sqlite://", "sqlite://:memory:", "sqlite:///dir/"]
    {
        let error = Setup::production().env("LATCHWAY__DATABASE__URL", bad).error();
        assert!(error.starts_with("environment variable LATCHWAY__DATABASE__URL: [database] url: "), "{error}");
    }
}

#[test]
fn the_encryption_key_has_32_bytes() {
    let with = |key: &str| Setup::production().env("LATCHWAY__KEYS__ENCRYPTION_KEY", key);
    let high = "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8";
    for good in [KEY, KEY.trim_end_matches('='), high, &high.replace('-', "+").replace('_', "/")] {
        assert!(with(good).ok().keys.encryption_key_bytes().is_some(), "{good}");
    }
    for bad in ["", "short", &KEY[4..], &format!("AAAA{KEY}"), "0123456789abcdef0123456789abcdef"] {
        let error = with(bad).error();
        assert!(error.ends_with("make one with `openssl rand -base64 32`"), "{error}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let setup = Setup::production().env("LATCHWAY__SERVER__METRICS_LISTEN", "127.0.0.1:8080");
    assert!(setup.error().contains("is the address of [server] listen"));
    let setup = Setup::production().env("LATCHWAY__KEYS__RELOAD_SECONDS", "60");
    let error = setup.env("LATCHWAY__KEYS__PREPUBLISH_SECONDS", "30").error();
    assert!(error.contains("prepublish_seconds = 30: must be at least [keys] reload_seconds, 60"), "{error}");
    assert_eq!(Setup::production().env("LATCHWAY__SERVER__METRICS_LISTEN", "").ok().server.metrics_address(), None);
}

#[test]
fn u06_pages_link_to_what_is_safe_to_link_to() {
    for (name, good) in [
        ("HELP_URL", "https://help.example/login?a=b"),
        ("SUPPORT_URL", "http://127.0.0.1:8080/"),
        ("SUPPORT_EMAIL", "support+id@example.com"),
        ("SECURITY_CONTACT", "https://example.com/report"),
        ("SECURITY_CONTACT", "security@example.com"),
        ("SECURITY_CONTACT", ""),
    ] {
        Setup::production().env(&format!("LATCHWAY__SERVER__{name}"), good).ok();
    }
    for (name, bad) in [
        ("HELP_URL", "https://a:b@help.example"),
        ("SUPPORT_URL", "javascript:alert(1)"),
        ("SUPPORT_URL", "http://help.example"),
        ("SUPPORT_EMAIL", "not an address"),
        ("SUPPORT_EMAIL", "a@b.example?subject=x"),
        ("SECURITY_CONTACT", "x@y.example\r\nEvil: 1"),
        ("SECURITY_POLICY_URL", "ftp://x.example"),
    ] {
        let error = Setup::production().env(&format!("LATCHWAY__SERVER__{name}"), bad).error();
        assert!(error.contains(&format!("[server] {}", name.to_lowercase())), "{name} = {bad}: {error}");
    }
}

/// Fails if there is a setting that no code reads outside the declaration of the settings: it would be accepted and ignored.
#[test]
fn every_setting_is_read() {
    let mut code = String::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_declaration = path.ends_with("config/tests") || path.ends_with("config/sections");
            if path.is_dir() && !is_declaration {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code += &fs::read_to_string(path).expect("a file");
            }
        }
    }
    for key in crate::config::lookup::all() {
        let reads = code.match_indices(&format!(".{}", key.name)).any(|(at, found)| {
            let next = code[at + found.len()..].chars().next();
            !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
        });
        assert!(reads, "no code reads {key}");
    }
}
