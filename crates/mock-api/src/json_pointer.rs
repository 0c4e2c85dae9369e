//! JSON pointers (RFC 6901), as references in documents have them.

/// The JSON pointer of a reference into its own document (RFC 6901 §6).
pub fn local(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    percent_encoding::percent_decode_str(fragment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A name as a segment of a JSON pointer (RFC 6901 §3).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
