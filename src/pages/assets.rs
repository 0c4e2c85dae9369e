//! What lies in `static/`, carried in the binary and addressed by content, so that it may be cached for ever.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use actix_web::web::Bytes;

use rust_embed::{EmbeddedFile, RustEmbed};

use crate::support::gzip;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// A file as it is sent.
#[derive(Clone, Debug)]
pub struct Asset {
    pub bytes: Bytes,
    pub media: &'static str,
    /// The entity tag, in double quotes.
    pub tag: String,
    pub is_gzip: bool,
}

/// Files as they are sent compressed, by their name: with the hash of what was compressed.
static PACKED: Mutex<BTreeMap<String, (String, Bytes)>> = Mutex::new(BTreeMap::new());

/// The address of an asset with its content's hash: `/static/app.css?v=1f0c…`. Release builds hash at compile time,
/// debug builds read the file anew, so that an edited stylesheet shows at the next load.
pub fn path(name: &str) -> String {
    match Static::get(name) {
        Some(file) => format!("/static/{name}?v={}", fingerprint(&file)),
        None => format!("/static/{name}"),
    }
}

/// The asset of this name, or nothing: names are matched whole, there is no file system behind them in a release.
pub fn get(name: &str, may_gzip: bool) -> Option<Asset> {
    let media = media_type(name)?;
    let file = Static::get(name)?;
    let print = fingerprint(&file);
    // An image is compressed already.
    let packed = if may_gzip && media != "image/png" { packed(name, &print, &file) } else { None };
    match packed {
        // RFC 9110 §8.8.3.3: another encoding is another representation.
        Some(bytes) => Some(Asset { bytes, media, tag: format!("\"{print}-gzip\""), is_gzip: true }),
        None => {
            let bytes = Bytes::from(file.data.into_owned());
            Some(Asset { bytes, media, tag: format!("\"{print}\""), is_gzip: false })
        }
    }
}

/// Compressed at its first request and kept: there are as many as there are files.
fn packed(name: &str, print: &str, file: &EmbeddedFile) -> Option<Bytes> {
    let mut kept = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, bytes)) = kept.get(name)
        && known == print
    {
        return Some(bytes.clone());
    }
    let bytes = Bytes::from(gzip::pack(&file.data).ok()?);
    kept.insert(name.to_owned(), (print.to_owned(), bytes.clone()));
    Some(bytes)
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
            let Asset { bytes, tag, .. } =
                get(&name, false).unwrap_or_else(|| panic!("no media type for static/{name}"));
            assert!(!bytes.is_empty(), "static/{name} is empty");
            let packed = get(&name, true).expect("the same file");
            assert!(!packed.is_gzip || gzip::unpack(&packed.bytes).expect("gzip") == bytes, "static/{name}");
            assert_eq!(packed.is_gzip, packed.tag != tag);
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
            assert!(get(name, true).is_none(), "{name:?}");
        }
    }
}
