//! The URL of PostgreSQL, and TLS by libpq's `sslmode` names.

use std::net::IpAddr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::storage::StorageError;

/// What most often makes a URL unreadable.
const ENCODING: &str =
    "in a user name or password @ is written %40, / is %2F, : is %3A, ? is %3F, # is %23, & is %26 and % is %25";

/// Reads the URL of a database and how the way to it is secured, by libpq's names: `sslmode` is `disable`, `prefer`,
/// `require`, `verify-ca` or `verify-full`, and `sslrootcert` a file of certificates (PEM) that are trusted instead of
/// the system's.
///
/// Stricter than libpq: where there is TLS the certificate and the name in it are verified in every mode, as whoever
/// can read the way can mostly write to it, too. Without `sslmode` this machine itself is asked without TLS, as what
/// Debian's PostgreSQL shows there is signed by nobody, and others with TLS or not at all: `prefer`, libpq's default, goes
/// on in clear wherever somebody on the way says that there is no TLS, and has to be asked for by name.
pub fn read(url: &str) -> Result<(Config, rustls::ClientConfig), StorageError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if base.matches('@').count() > 1 {
        return Err(wrong(&format!("there is more than one @ in it; {ENCODING}")));
    }
    let (mut kept, mut mode, mut roots) = (Vec::new(), None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", "verify-ca" | "verify-full")) => mode = Some("require"),
            Some(("sslmode", other)) => mode = Some(other),
            Some(("sslrootcert", file)) => roots = Some(decoded(file)?),
            _ => kept.push(pair.to_owned()),
        }
    }
    kept.extend(mode.or(roots.as_ref().map(|_| "require")).map(|mode| format!("sslmode={mode}")));
    let plain = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let mut config: Config = plain.parse().map_err(|e| wrong(&format!("{}; {ENCODING}", explained(&e))))?;
    if mode.is_none() && roots.is_none() {
        let is_near = config.get_hosts().iter().all(is_this_machine);
        config.ssl_mode(if is_near { SslMode::Disable } else { SslMode::Require });
    }
    let trusted = match (config.get_ssl_mode(), roots.as_deref()) {
        (SslMode::Disable, _) => RootCertStore::empty(),
        (_, None | Some("system")) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
        (_, Some(file)) => certificates(file).map_err(|e| wrong(&format!("sslrootcert {file}: {e}")))?,
    };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok((config, tls))
}

/// What went wrong, with what that came of and, where it is a certificate, what to do about it. For the log.
pub fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if text.contains("UnknownIssuer") || text.contains("BadSignature") {
        text.push_str("; name the authority that signed it by sslrootcert=FILE in [database] url");
    } else if text.contains("does not support TLS") {
        text.push_str(
            "; on a network that is yours alone say sslmode=disable in [database] url: without it another machine is only \
             reached with TLS",
        );
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        text.push_str("; [database] url must have a name that is in it");
    }
    text
}

fn certificates(file: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())? {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

fn decoded(text: &str) -> Result<String, StorageError> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|e| wrong(&e))?.into_owned())
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn wrong(what: &dyn std::fmt::Display) -> StorageError {
    StorageError::Unavailable(format!("[database] url: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        read(url).expect(url).0.get_ssl_mode()
    }

    #[test]
    fn a_way_is_secured_as_its_url_says() {
        assert_eq!(mode("postgres://a@db.example/x"), SslMode::Require);
        for own in ["localhost", "127.0.0.1", "127.0.0.2:5433", "localhost,127.0.0.1"] {
            assert_eq!(mode(&format!("postgres://a@{own}/x")), SslMode::Disable, "{own}");
        }
        assert_eq!(mode("postgres:///x?host=/run/postgresql&user=a"), SslMode::Disable);
        assert_eq!(mode("postgres://a@localhost,db.example/x"), SslMode::Require, "one of them is another machine");
        assert_eq!(mode("postgres://a@localhost/x?sslmode=prefer"), SslMode::Prefer);
        assert_eq!(mode("postgres://a@db.example/x?sslmode=disable&application_name=y"), SslMode::Disable);
        for strict in ["require", "verify-ca", "verify-full"] {
            assert_eq!(mode(&format!("postgres://a@localhost/x?sslmode={strict}")), SslMode::Require);
        }
        assert_eq!(mode("postgres://a@localhost/x?sslrootcert=system"), SslMode::Require);
    }

    #[test]
    fn what_else_is_in_the_url_is_kept() {
        let (config, _) =
            read("postgres://a:b@one,two:5433/x?connect_timeout=3&sslmode=verify-full&application_name=y%20z")
                .expect("a URL");
        assert_eq!((config.get_application_name(), config.get_dbname()), (Some("y z"), Some("x")));
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, &[5432, 5433][..]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, reason) in [
            ("postgres://a@db.example/x?sslmode=sometimes", "sslmode"),
            ("postgres://a@db.example/x?sslrootcert=/there/is/none", "sslrootcert /there/is/none"),
            ("postgres://a@db.example/x?sslrootcert=Cargo.toml", "there is no certificate in it"),
            ("postgres://a@db.example/x?colour=red", "colour"),
            ("postgres://a:p@ss/w@db.example/x", "%40"),
        ] {
            let error = read(url).expect_err(url).to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
