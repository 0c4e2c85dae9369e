//! The values of `X-Forwarded-*` and `X-Original-*`, each brought into its one spelling or refused by name.

use actix_web::http::header::HeaderMap;

use crate::domain::origin_of;

/// What one or several headers say of one thing.
pub enum Said<T> {
    Nothing,
    Once(T),
    Differently,
}

impl<T: PartialEq> Said<T> {
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, said) | (said, Self::Nothing) => said,
            (Self::Once(one), Self::Once(other)) if one == other => Self::Once(one),
            _ => Self::Differently,
        }
    }

    pub fn believed(self) -> Option<T> {
        if let Self::Once(value) = self { Some(value) } else { None }
    }

    pub fn as_ref(&self) -> Said<&T> {
        match self {
            Self::Nothing => Said::Nothing,
            Self::Once(value) => Said::Once(value),
            Self::Differently => Said::Differently,
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Said<U> {
        match self {
            Self::Nothing => Said::Nothing,
            Self::Once(value) => Said::Once(change(value)),
            Self::Differently => Said::Differently,
        }
    }

    pub fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Said<U>, E> {
        Ok(match self {
            Self::Nothing => Said::Nothing,
            Self::Once(value) => Said::Once(change(value)?),
            Self::Differently => Said::Differently,
        })
    }
}

/// The lines of one header, in their order.
pub struct Forwarded(Vec<String>);

impl Forwarded {
    /// Reads a header. What is not visible ASCII is percent-encoded, as browsers would have sent it.
    pub fn read(headers: &HeaderMap, name: &str) -> Self {
        let values = headers.get_all(name).map(|value| visible(value.as_bytes().trim_ascii()));
        Self(values.filter(|value| !value.is_empty()).collect())
    }

    /// The value, where all lines have the same.
    pub fn one(self) -> Said<String> {
        self.0.into_iter().map(Said::Once).reduce(Said::and).unwrap_or(Said::Nothing)
    }

    /// All lines as the one list that they are (RFC 9110 §5.3).
    pub fn all(self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.0.join(",")) }
    }

    /// The first member of that list: what the proxy next to the client saw.
    pub fn first(self) -> Option<String> {
        members(&self.all()?).next()
    }
}

fn members(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|member| trimmed(member).to_owned()).filter(|member| !member.is_empty())
}

/// Without the blanks around it, which were encoded.
fn trimmed(mut member: &str) -> &str {
    for blank in ["%20", "%09"].iter().cycle().take(16) {
        member = member.trim_start_matches(blank).trim_end_matches(blank);
    }
    member
}

fn visible(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            0x21..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// The origin of a scheme and a host with its port.
pub fn origin_at((scheme_header, scheme): (&str, &str), (host_header, hosts): (&str, &str)) -> Result<String, String> {
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        // A WebSocket is opened by a request of HTTP (RFC 6455 §3).
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => return Err(format!("{scheme_header} must be https, http, wss or ws")),
    };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let mut origins = members(hosts).map(|host| {
        let host = host.to_ascii_lowercase();
        format!("{scheme}://{}", host.strip_suffix(default_port).unwrap_or(&host))
    });
    let origin = origins.next().unwrap_or_default();
    if !origins.all(|other| other == origin) {
        // A proxy that appends to what the client sent: the first would be the client's choice.
        return Err(format!("{host_header} names several hosts; the proxy must send its own alone"));
    }
    match origin_of(&origin) {
        Some(whole) if whole == origin => Ok(origin),
        _ => Err(format!("{host_header} must be a host in ASCII, with a port where it is not the default one")),
    }
}

/// The origin of an absolute URL, and the rest of it.
pub fn url(header: &str, text: &str) -> Result<(String, String), String> {
    let wanted = || format!("{header} must be an absolute URL such as https://app.example/path");
    let (scheme, rest) = text.split_once("://").ok_or_else(wanted)?;
    let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if host.contains(',') {
        return Err(wanted());
    }
    let origin = origin_at((header, scheme), (header, host)).map_err(|_| wanted())?;
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((origin, format!("{slash}{target}")))
}

/// As much of an address as a browser can be led back to: without its query if it is too long with it, or else the root.
pub fn address_of(origin: &str, target: &str) -> String {
    // A fragment never reaches a server; what looks like one is part of the path.
    let whole = format!("{origin}{}", target.replace('#', "%23"));
    let path = whole.split('?').next().unwrap_or_default();
    let kept = [whole.as_str(), path].into_iter().find(|address| origin_of(address) == Some(origin));
    kept.map_or_else(|| format!("{origin}/"), str::to_owned)
}
