//! A person at a browser: login, consent, logout, and codes for an app.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::{Api, Said};
use crate::http::{Answer, encode};
use crate::ledger::{Code, Times, handle_id};
use crate::rng::Rng;
use crate::world::{App, Person, REDIRECT_URI, RESOURCE, SCOPE};

/// Cookies of one browser; paths and expiry do not matter to the few that there are.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<(String, String)>);

/// A code and what redeems it.
#[derive(Clone, Debug)]
pub struct Grant {
    pub code: String,
    pub verifier: String,
}

impl Jar {
    fn keep(&mut self, answer: &Answer, api: &Api) {
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            self.0.retain(|(known, _)| known != name);
            if !value.is_empty() {
                if value.len() >= 16 {
                    api.ledger.secret(value);
                }
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub fn header(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// Where an authorization request goes, and its verifier.
pub fn authorize_path(app: &App, rng: &mut Rng, more: &str) -> (String, String) {
    let verifier = rng.text();
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let path = format!(
        "/oauth2/authorize?client_id={}&response_type=code&redirect_uri={}&scope={}&resource={}&state=af0ifjsldkj\
         &code_challenge={challenge}&code_challenge_method=S256{more}",
        app.id,
        encode(REDIRECT_URI),
        encode(SCOPE),
        encode(RESOURCE),
    );
    (path, verifier)
}

/// Goes through the pages until the app has a code: logs in and consents where asked.
pub async fn authorize(api: &Api, jar: &mut Jar, app: &App, person: &Person, rng: &mut Rng) -> Result<Grant, Said> {
    let (path, verifier) = authorize_path(app, rng, "");
    let mut said = api.get("authorize", &path, &jar.header()).await;
    for _ in 0..12 {
        let answer = match said {
            Said::Yes(answer) => answer,
            other => return Err(other),
        };
        jar.keep(&answer, api);
        if let Some(location) = way_on(&answer) {
            if location.starts_with(REDIRECT_URI) {
                return code_of(api, &answer, &location, verifier).ok_or(Said::No(answer.status, location));
            }
            let origin = format!("http://127.0.0.1:{}", api.issuer_port);
            let path = location.strip_prefix(&origin).unwrap_or(&location).to_owned();
            said = api.get("page", &path, &jar.header()).await;
        } else {
            let Some((action, body, kind)) = fill_in(&answer.text(), person) else {
                return Err(Said::No(answer.status, answer.text()));
            };
            said = api.page_form(kind, &action, &jar.header(), &body).await;
            if let Said::Yes(answer) = &said {
                note_form(api, answer, kind);
            }
        }
    }
    Err(Said::No(0, "twelve steps and no code".to_owned()))
}

fn note_form(api: &Api, answer: &Answer, kind: &str) {
    let (id, way) = (answer.header("x-request-id"), way_on(answer));
    if way.is_some() && kind == "login" {
        api.ledger.event(id, "login_succeeded", Times::Once);
    }
    if way.is_some_and(|way| way.starts_with(REDIRECT_URI)) && kind == "consent" {
        api.ledger.event(id, "consent_given", Times::Once);
    }
}

/// Where a browser goes on to by itself: by a redirect, or by a page.
pub fn way_on(answer: &Answer) -> Option<String> {
    match answer.status {
        300..400 => Some(answer.header("location").to_owned()),
        200 => goes_on_to(&answer.text()),
        _ => None,
    }
}

/// Where a page goes on to by itself, which is how the server answers a form that leads to the app.
fn goes_on_to(page: &str) -> Option<String> {
    let meta = page.split("<meta").find(|tag| tag.contains("http-equiv=\"refresh\""))?;
    Some(attribute(meta, "content")?.strip_prefix("0;url=")?.replace("&#38;", "&").replace("&amp;", "&"))
}

fn code_of(api: &Api, answer: &Answer, location: &str, verifier: String) -> Option<Grant> {
    let code = location.split_once("code=")?.1.split('&').next()?.to_owned();
    api.ledger.secret(&code);
    api.ledger.event(answer.header("x-request-id"), "code_issued", Times::Once);
    api.ledger.book().codes.insert(handle_id(&code)?, Code::default());
    Some(Grant { code, verifier })
}

/// Types a device's code. Returns where the decision goes, and its form without the button.
pub async fn device_page(api: &Api, jar: &mut Jar, user_code: &str) -> Result<(String, String), Said> {
    let page = settled(api.get("page", "/device", &jar.header()).await)?;
    jar.keep(&page, api);
    let (_, fields) = form_with(&page.text(), "name=\"user_code\"").ok_or(Said::No(200, page.text()))?;
    let csrf = fields.split('&').find(|field| field.starts_with("csrf=")).unwrap_or_default();
    let body = format!("{csrf}&user_code={}", encode(user_code));
    let way = settled(api.page_form("page", "/device", &jar.header(), &body).await)?;
    let location = way.header("location");
    let origin = format!("http://127.0.0.1:{}", api.issuer_port);
    let path = location.strip_prefix(&origin).unwrap_or(location);
    let page = settled(api.get("page", path, &jar.header()).await)?;
    form_with(&page.text(), "name=\"decision\"").ok_or(Said::No(200, page.text()))
}

fn settled(said: Said) -> Result<Answer, Said> {
    match said {
        Said::Yes(answer) => Ok(answer),
        other => Err(other),
    }
}

/// Where a form goes that has a certain field, and what its inputs say.
fn form_with(page: &str, field: &str) -> Option<(String, String)> {
    let mut forms = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default());
    let form = forms.find(|form| form.contains(field))?;
    let action = attribute(form.split('>').next()?, "action")?.to_owned();
    let inputs = form.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
    let field = |input| {
        Some(format!("{}={}", attribute(input, "name")?, encode(attribute(input, "value").unwrap_or_default())))
    };
    Some((action, inputs.filter_map(field).collect::<Vec<_>>().join("&")))
}

/// Logs out. `Ok`: the session has ended, by this or before.
pub async fn log_out(api: &Api, jar: &Jar) -> Result<(), Said> {
    let page = match api.get("account", "/account", &jar.header()).await {
        Said::Yes(answer) => answer,
        other => return Err(other),
    };
    if page.status != 200 {
        return Ok(());
    }
    let text = page.text();
    let csrf = text.split("action=\"/logout\"").nth(1).and_then(|rest| {
        let start = rest.find("name=\"csrf\" value=\"")? + 19;
        Some(rest[start..].split('"').next().unwrap_or_default().to_owned())
    });
    let Some(csrf) = csrf else { return Err(Said::No(page.status, "no logout form".to_owned())) };
    match api.page_form("logout", "/logout", &jar.header(), &format!("csrf={}", encode(&csrf))).await {
        Said::Yes(answer) => {
            api.ledger.event(answer.header("x-request-id"), "logged_out", Times::AtMostOnce);
            Ok(())
        }
        other => Err(other),
    }
}

/// The login or consent form of a page, filled in: where it goes, what it says, which it is.
pub fn fill_in(page: &str, person: &Person) -> Option<(String, String, &'static str)> {
    let mut forms = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default());
    let form = forms.find(|form| form.contains("name=\"password\"") || form.contains("name=\"decision\""))?;
    let action = attribute(form.split('>').next()?, "action")?.to_owned();
    let mut body = String::new();
    for input in form.split("<input").skip(1).filter_map(|rest| rest.split('>').next()) {
        let Some(name) = attribute(input, "name") else { continue };
        let value = match name {
            "username" => &person.name,
            "password" => &person.password,
            _ => attribute(input, "value").unwrap_or_default(),
        };
        body += &format!("{name}={}&", encode(value));
    }
    let consent = form.contains("name=\"decision\"");
    if consent {
        body += "decision=approve";
    }
    Some((action, body.trim_end_matches('&').to_owned(), if consent { "consent" } else { "login" }))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let end = tag[start..].find('"')?;
    Some(&tag[start..start + end])
}
