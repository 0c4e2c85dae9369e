//! What lies in `static/`, carried in the binary and addressed by content, so that it may be cached for ever.

use std::{borrow::Cow, fmt::Write};

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// A file as it is sent: its bytes, its media type, its entity tag (already in double quotes).
pub type Asset = (Cow<'static, [u8]>, &'static str, String);

/// The address of an asset with its content's hash: `/static/app.css?v=1f0c…`. Release builds hash at compile time,
/// debug builds read the file anew, so that an edited stylesheet shows at the next load.
pub fn path(name: &str) -> String {
    match Static::get(name) {
        Some(file) => format!("/static/{name}?v={}", fingerprint(&file)),
        None => format!("/static/{name}"),
    }
}

/// The asset of this name, or nothing: names are matched whole, there is no file system behind them in a release.
pub fn get(name: &str) -> Option<Asset> {
    let media = media_type(name)?;
    let file = Static::get(name)?;
    let tag = format!("\"{}\"", fingerprint(&file));
    Some((file.data, media, tag))
}

/// Whether `v` names the present content, which alone may be answered with `Cache-Control: immutable`.
pub fn is_current(name: &str, v: &str) -> bool {
    Static::get(name).is_some_and(|file| fingerprint(&file) == v)
}

fn fingerprint(file: &EmbeddedFile) -> String {
    file.metadata.sha256_hash()[..12].iter().fold(String::with_capacity(24), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_media_type_and_a_stable_address() {
        for name in Static::iter() {
            let (bytes, _, tag) = get(&name).unwrap_or_else(|| panic!("no media type for static/{name}"));
            assert!(!bytes.is_empty(), "static/{name} is empty");
            let address = path(&name);
            let v = address.split_once("?v=").expect("a version").1;
            assert_eq!(tag, format!("\"{v}\""));
            assert!(is_current(&name, v));
            assert!(!is_current(&name, "0"));
        }
    }

    #[test]
    fn nothing_else_is_reachable() {
        for name in ["", "..", "../Cargo.toml", "/etc/passwd", "app.css/", "app", "%2e%2e/Cargo.toml", "app.css\0"] {
            assert!(get(name).is_none(), "{name:?}");
        }
    }
}
