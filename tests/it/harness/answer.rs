//! An HTTP answer, read to its end.

use std::sync::LazyLock;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;
use url::Url;

/// One client for everything. It keeps no connections, because each test has a runtime of its own.
pub fn http() -> &'static reqwest::Client {
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .tls_built_in_root_certs(false)
            .no_proxy()
            .build()
            .expect("an HTTP client")
    });
    &HTTP
}

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// What was asked for.
    pub url: Url,
    pub body: String,
    /// Did the request carry `Authorization`?
    pub authorized: bool,
}

/// A redirect off the server: back to the app, or wherever it wrongly leads.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// `Location`, whole.
    pub location: String,
    /// Its query.
    pub params: Vec<(String, String)>,
}

impl Answer {
    /// Sends, never following a redirect.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let request = request.build().expect("a request");
        let (url, authorized) = (request.url().clone(), request.headers().contains_key(AUTHORIZATION));
        let response = http().execute(request).await.unwrap_or_else(|error| panic!("no answer from {url}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the body");
        Self { status, headers, url, body: String::from_utf8_lossy(&body).into_owned(), authorized }
    }

    /// A header that is there once. Panics if it is there more often.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        assert!(values.next().is_none(), "{name} more than once in {self:?}");
        Some(first.to_str().expect("a header in ASCII"))
    }

    /// A header, or the empty string.
    #[track_caller]
    pub fn header_or_empty(&self, name: &str) -> &str {
        self.header(name).unwrap_or_default()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// A text member of the JSON body.
    #[track_caller]
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no text {member} in {self:?}")).to_owned()
    }

    pub fn is_html(&self) -> bool {
        self.header_or_empty("content-type").starts_with("text/html")
    }

    /// Where a browser goes on to by itself: `Location`, or the address of a page that goes on. Absolute; none if it stays.
    #[track_caller]
    pub fn location(&self) -> Option<String> {
        let location = self.header("location").map(str::to_owned).or_else(|| self.goes_on_to())?;
        let location = location.as_str();
        Some(match self.url.join(location) {
            // A location that is absolute stays as it was written: matching is by bytes.
            Ok(_) if Url::parse(location).is_ok() => location.to_owned(),
            Ok(url) => url.to_string(),
            Err(error) => panic!("Location {location}: {error}"),
        })
    }

    /// The address in a page of ours that goes on by itself (`<meta http-equiv="refresh">`), as it is written there.
    #[track_caller]
    pub fn goes_on_to(&self) -> Option<String> {
        if self.status != 200 || !self.is_html() {
            return None;
        }
        let page = scraper::Html::parse_document(&self.body);
        let selector = scraper::Selector::parse("meta[http-equiv=refresh]").expect("a selector");
        let content = page.select(&selector).next()?.attr("content").expect("what a refresh does");
        Some(content.strip_prefix("0;url=").unwrap_or_else(|| panic!("at once, and to where: {self:?}")).to_owned())
    }

    /// The redirect back to an app. Panics unless this answer leads off the server.
    #[track_caller]
    pub fn redirect(&self) -> Redirect {
        let location = self.location().unwrap_or_else(|| panic!("no redirect: {self:?}"));
        assert!(!self.leads_to_itself(&location), "redirects to itself, not to the app: {self:?}");
        Redirect { params: query_of(&location), location }
    }

    /// Is this address on the server that answered?
    pub fn leads_to_itself(&self, location: &str) -> bool {
        Url::parse(location).is_ok_and(|to| to.origin().is_tuple() && to.origin() == self.url.origin())
    }
}

impl Redirect {
    /// The parameter, if it is there exactly once.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut found = self.params.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    #[track_caller]
    pub fn code(&self) -> String {
        self.param("code").unwrap_or_else(|| panic!("no code in {}", self.location)).to_owned()
    }
}

/// The parameters after the first `?`, decoded.
pub fn query_of(location: &str) -> Vec<(String, String)> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} from {}", self.status, self.url)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        let body: String = self.body.chars().take(2_000).collect();
        write!(f, "{body}")
    }
}
