//! An issuer below a path: the server itself believes to be at the root of its host.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::http::uri::{PathAndQuery, Uri};

/// Our cookies are called so; those of an issuer below a path have its name behind theirs, so that they stay apart.
const COOKIES: &str = "latchway_";

/// Takes the prefix from a request: of its path, and of the names of its cookies.
pub fn enter(req: &mut ServiceRequest, prefix: &str, inner: &str) {
    let query = req.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    lead_to(req, &format!("{inner}{query}"));
    let cookies: Vec<String> = req
        .headers()
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .map(|text| inward(text, prefix))
        .collect();
    let headers = req.headers_mut();
    headers.remove(COOKIE);
    for value in cookies.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
        headers.append(COOKIE, value);
    }
}

/// Takes a parameter out of the query, which is the mock's own business.
pub fn drop_parameter(req: &mut ServiceRequest, name: &str) {
    let query = req.uri().query().unwrap_or_default();
    let is_it = |pair: &&str| pair.split('=').next() == Some(name);
    if !query.split('&').any(|pair| is_it(&pair)) {
        return;
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_it(pair)).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let path = format!("{}{query}", req.uri().path());
    lead_to(req, &path);
}

fn lead_to(req: &mut ServiceRequest, path_and_query: &str) {
    let mut parts = req.uri().clone().into_parts();
    parts.path_and_query = path_and_query.parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        req.match_info_mut().get_mut().update(&uri);
        req.head_mut().uri = uri;
    }
}

/// What the names of an issuer's cookies end with. A name has no slash (RFC 6265 §4.1.1).
fn suffix(prefix: &str) -> String {
    format!(".{}", prefix.replace('/', "!"))
}

/// Of several issuers' cookies those of this one, by the names that it knows.
fn inward(cookies: &str, prefix: &str) -> String {
    let suffix = suffix(prefix);
    let renamed = cookies.split(';').map(str::trim).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        match name.strip_prefix(COOKIES) {
            None => Some(pair.to_owned()),
            Some(_) => name.strip_suffix(&suffix).map(|name| format!("{name}={value}")),
        }
    });
    renamed.collect::<Vec<_>>().join("; ")
}

/// Puts the prefix into an answer: into where it leads, the names of its cookies and the links of a page.
pub async fn leave(response: ServiceResponse<BoxBody>, prefix: &str) -> ServiceResponse<BoxBody> {
    let (request, mut answer) = response.into_parts();
    outward(answer.headers_mut(), prefix);
    let is_page = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        let (head, body) = answer.into_parts();
        let body = match actix_web::body::to_bytes(body).await {
            Ok(bytes) => BoxBody::new(links(&String::from_utf8_lossy(&bytes), prefix)),
            Err(_) => BoxBody::new(()),
        };
        answer = head.set_body(body);
    }
    ServiceResponse::new(request, answer.map_body(|_, body| body.boxed()))
}

/// Puts the banner on a page that is no template of ours: that of the API's document.
pub async fn with_banner(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    const BANNER: &str = "<aside aria-label=\"Mode of this server\"><strong>Mock.</strong> Nobody here is who they say, and nothing is secret. \
                          <a href=\"/mock\">What this mock is</a></aside>";
    let (request, answer) = response.into_parts();
    let (head, body) = answer.into_parts();
    let body = actix_web::body::to_bytes(body).await.unwrap_or_default();
    let page = String::from_utf8_lossy(&body);
    let begins = page.find("<body").and_then(|at| Some(at + page[at..].find('>')? + 1));
    let body = match begins {
        Some(at) => BoxBody::new(format!("{}{BANNER}{}", &page[..at], &page[at..])),
        None => BoxBody::new(body),
    };
    ServiceResponse::new(request, head.set_body(body))
}

fn outward(headers: &mut HeaderMap, prefix: &str) {
    let local = |value: &HeaderValue| {
        let text = value.to_str().ok().filter(|text| text.starts_with('/') && !text.starts_with("//"))?;
        HeaderValue::from_str(&format!("/{prefix}{text}")).ok()
    };
    if let Some(location) = headers.get(LOCATION).and_then(local) {
        headers.insert(LOCATION, location);
    }
    let cookies: Vec<String> = headers
        .get_all(SET_COOKIE)
        .filter_map(|value| value.to_str().ok())
        .map(|text| match text.split_once('=') {
            Some((name, rest)) if name.starts_with(COOKIES) => format!("{name}{}={rest}", suffix(prefix)),
            _ => text.to_owned(),
        })
        .collect();
    headers.remove(SET_COOKIE);
    for value in cookies.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
        headers.append(SET_COOKIE, value);
    }
}

/// Askama escapes quotes in values, so that these stand in our own markup alone.
fn links(page: &str, prefix: &str) -> String {
    // A page that goes on by itself to a path of ours.
    let mut page = page.replace(" content=\"0;url=/", &format!(" content=\"0;url=/{prefix}/"));
    for attribute in ["href", "src", "action"] {
        page = page.replace(&format!(" {attribute}=\"/"), &format!(" {attribute}=\"/{prefix}/"));
        // What is the mock's own is at the root.
        page = page.replace(&format!(" {attribute}=\"/{prefix}/mock\""), &format!(" {attribute}=\"/mock\""));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_issuers_stay_apart() {
        let sent = "theme=dark; latchway_session=main; latchway_session.acme=ours; latchway_session.acme2=other";
        assert_eq!(inward(sent, "acme"), "theme=dark; latchway_session=ours");
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("latchway_session=x; Path=/; HttpOnly"));
        headers.insert(LOCATION, HeaderValue::from_static("/login?transaction=1"));
        outward(&mut headers, "acme");
        assert_eq!(headers.get(SET_COOKIE).expect("a cookie"), "latchway_session.acme=x; Path=/; HttpOnly");
        assert_eq!(headers.get(LOCATION).expect("a place"), "/acme/login?transaction=1");
    }

    #[test]
    fn a_cookie_of_a_deep_issuer_has_a_name_that_cookies_may_have() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("latchway_session=x; Path=/"));
        outward(&mut headers, "realms/demo");
        assert_eq!(headers.get(SET_COOKIE).expect("a cookie"), "latchway_session.realms!demo=x; Path=/");
        assert_eq!(
            inward("latchway_session.realms!demo=x; latchway_session.demo=y", "realms/demo"),
            "latchway_session=x"
        );
    }

    #[test]
    fn links_are_below_the_path() {
        let page = r#"<a href="/account">x</a> <form method="post" action="/login"> <a href="/mock">m</a> href="/x" <meta http-equiv="refresh" content="0;url=/a">"#;
        let expected = r#"<a href="/acme/account">x</a> <form method="post" action="/acme/login"> <a href="/mock">m</a> href="/acme/x" <meta http-equiv="refresh" content="0;url=/acme/a">"#;
        assert_eq!(links(page, "acme"), expected);
    }
}
