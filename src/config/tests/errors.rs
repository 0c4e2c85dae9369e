//! What is said of keys and values that cannot be.

use super::super::*;
use super::Setup;

#[test]
fn an_unknown_key_names_its_neighbour() {
    for (text, line) in [
        ("[server]\nisuer = 'x'", "unknown key [server] isuer; did you mean \"issuer\"?"),
        ("[server]\nissuer_url = 'x'", "unknown key [server] issuer_url; did you mean \"issuer\"?"),
        ("[server]\naudit_days = 1", "unknown key [server] audit_days; did you mean [cleanup] audit_days?"),
        ("[sever]\nissuer = 'x'", "unknown section [sever]; did you mean [server]?"),
        ("issuer = 'x'", "unknown key issuer outside any section; did you mean [server] issuer?"),
        ("server = 1", "server: is a section; write [server] on a line of its own and its keys below"),
    ] {
        assert_eq!(Setup::dev().file(text).error(), format!("latchway.toml: {line}"));
    }
}

#[test]
fn every_key_is_suggested_when_a_letter_is_missing() {
    for key in lookup::all() {
        let typo = format!("{}{}", &key.name[..1], &key.name[2..]);
        let text = format!("[{}]\n{typo} = 1", key.section);
        assert!(Setup::dev().file(&text).error().ends_with(&format!("did you mean \"{}\"?", key.name)), "{typo}");
        let variable = format!("LATCHWAY__{}__{}", key.section, typo).to_uppercase();
        let error = Setup::dev().env(&variable, "secret").error();
        assert_eq!(error, format!("environment variable {variable}: unknown key; did you mean {}?", key.variable()));
    }
}

#[test]
fn misspelt_variables_are_found_and_strangers_left_alone() {
    for (name, nearest) in [
        ("LATCHWAY__SEVER__ISSUER", "LATCHWAY__SERVER__ISSUER"),
        ("LATCHWAY__ISSUER", "LATCHWAY__SERVER__ISSUER"),
        ("LATCHWAY_DATABASE_URL", "LATCHWAY__DATABASE__URL"),
        ("LATCHWAY_DATABASE__URL_FILE", "LATCHWAY__DATABASE__URL_FILE"),
        ("LATCHWAY__server__issuer", "LATCHWAY__SERVER__ISSUER"),
        ("LATCHWAY__KEYS__ENCRYPTON_KEY_FILE", "LATCHWAY__KEYS__ENCRYPTION_KEY_FILE"),
    ] {
        let error = Setup::dev().env(name, "x").error();
        assert_eq!(error, format!("environment variable {name}: unknown key; did you mean {nearest}?"));
    }
    for name in ["LATCHWAY_SERVICE_HOST", "LATCHWAY_SERVER_PORT", "LATCHWAY_PORT_8080_TCP_ADDR", "LATCHWAY", "PATH"] {
        Setup::dev().env(name, "x").ok();
    }
}

#[test]
fn a_bad_value_names_key_origin_value_and_fix() {
    for (text, line) in [
        ("[tokens]\ncode_seconds = 900", "[tokens] code_seconds = 900: must be a whole number from 1 to 600"),
        (
            "[tokens]\ncode_seconds = '60'",
            "[tokens] code_seconds = \"60\": must be a whole number from 1 to 600, written without quotes",
        ),
        ("[tokens]\ncode_seconds = 1.5", "[tokens] code_seconds = 1.5: must be a whole number from 1 to 600"),
        ("[database]\nmigrate_on_start = 1", "[database] migrate_on_start = 1: must be true or false"),
        ("[keys]\nid_token_alg = 'none'", "[keys] id_token_alg = \"none\": must be one of ES256, EdDSA, RS256, PS256"),
        ("[log]\nformat = 'xml'", "[log] format = \"xml\": must be one of json, text"),
        (
            "[server]\nlisten = 'localhost:8080'",
            "[server] listen = \"localhost:8080\": must be an IP address and port, such as \"127.0.0.1:8080\"",
        ),
        (
            "[server]\ntrusted_proxies = ['10.0.0.1']",
            "[server] trusted_proxies = [\"10.0.0.1\"]: must be a list of networks, such as [\"10.0.0.0/8\"]; one \
             address is written with /32 or /128, such as \"10.0.0.1/32\", and IPv4-mapped IPv6 has at least /96",
        ),
        ("[server]\nname = ' '", "[server] name = \" \": must be one line of text, not empty"),
        ("[server]\nissuer = 7", "[server] issuer = 7: must be text in quotes"),
    ] {
        assert_eq!(Setup::dev().file(text).error(), format!("latchway.toml: {line}"));
    }
    assert_eq!(
        Setup::dev().env("LATCHWAY__PASSWORDS__MEMORY_KIB", "lots").error(),
        "environment variable LATCHWAY__PASSWORDS__MEMORY_KIB: [passwords] memory_kib = \"lots\": must be a whole \
         number from 8192 to 4194304"
    );
}

#[test]
fn all_problems_come_at_once() {
    let errors = Setup::dev()
        .file("[tokens]\ncode_seconds = 0\n[log]\nlevl = 'x'")
        .env("LATCHWAY__CLEANUP__BATCH", "1001")
        .errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn secrets_are_in_no_error() {
    let key = "s3cret";
    for setup in [
        Setup::dev().env("LATCHWAY__KEYS__ENCRYPTION_KEY", key),
        Setup::dev().file(&format!("[keys]\nencryption_key = ['{key}']")),
        Setup::dev().file(&format!("[keys]\nencryption_key = '{key}")),
        Setup::dev().file(&format!("[keys]\nencryption_key = {key}")),
        Setup::dev().file(&format!("[keys]\nencryption_key = 's' {key}")),
        Setup::dev().file(&format!("[keys]\nencryption_kay = '{key}'")),
        Setup::dev().env("LATCHWAY__DATABASE__URL", &format!("mysql://u:{key}@host/db")),
        Setup::dev().env("LATCHWAY__DATABASE__URL", key),
        Setup::dev().env("LATCHWAY__SERVER__ISSUER", &format!("https://u:{key}@id.example")),
    ] {
        let error = setup.load().expect_err("refused");
        assert!(!format!("{error} {error:?}").contains(key), "{error} {error:?}");
    }
    let setup = Setup::dev();
    let path = setup.write("secret", key).display().to_string();
    let error = setup.env("LATCHWAY__SERVER__LISTEN_FILE", &path).error();
    assert!(error.contains("LATCHWAY__SERVER__LISTEN_FILE") && !error.contains(key), "{error}");
}

#[test]
fn bad_toml_names_the_line() {
    let error = Setup::dev().file("[server]\n\nname = \n").error();
    assert!(error.starts_with("latchway.toml: line 3 is not valid TOML: "), "{error}");
}
