//! A row of a route table: a path, its handlers, and everything that the path alone decides.
//!
//! Each module that serves exports a table of its rows; `http/routes.rs` lists the tables, registers the rows and finds the
//! row of a request. Load shedding, rate limits, CORS, error bodies, metrics, the log and mock mode read the row.

use actix_web::{Resource, web};

use crate::domain::words;

/// The limit of request bodies in bytes, unless a row has another.
pub const MAX_BODY: usize = 16 * 1024;
/// The limit of JSON bodies of the API in bytes. The longest password fits, however it is escaped.
pub const MAX_API_BODY: usize = 4 * 1024;

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// In the syntax of actix: `/static/{name}`.
    pub path: &'static str,
    /// The value of the label `route` in metrics and of the field `route` in the log.
    pub label: &'static str,
    /// One a method. Empty for paths at which there is nothing.
    pub handlers: &'static [Handler],
    pub priority: Priority,
    /// Longer bodies are refused, in bytes.
    pub body_limit: usize,
    pub cors: Cors,
    pub errors: ErrorFormat,
    /// The limit that this path shares with others; `None` for health and files, which cost next to nothing.
    pub rate_limit: Option<RateLimitGroup>,
    pub needs: Needs,
    pub host: HostPolicy,
    pub onward: Onward,
    pub modes: Modes,
}

/// A handler: the method, and how actix registers it.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    pub verb: Verb,
    pub register: fn() -> actix_web::Route,
}

/// Methods of handlers. `HEAD` is answered wherever `GET` is, by the middleware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// What is served first when too many requests are under way (load shedding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Always served: health, keys, metadata, static files. They cost next to nothing.
    Exempt,
    /// What ends access or asks about it: revocation, introspection, logout.
    High,
    /// Tokens for a login or authorization that has begun.
    Normal,
    /// What begins something new: logins, authorization, device authorization, and all other pages.
    Low,
}

/// Which pages of other origins may read an answer (Fetch standard).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cors {
    /// None.
    Deny,
    /// All of them: public documents.
    Public,
    /// Those of registered browser apps.
    RegisteredOrigins,
}

/// The body of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    Json,
    Page,
}

/// What must be known before an answer means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The same at any time: documents, files, whether the process is alive.
    Nothing,
    /// The time, and keys to verify with.
    PublicKeys,
    /// The time, and keys to sign and to seal with.
    Everything,
}

/// At which hosts a path answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPolicy {
    /// The issuer's.
    Issuer,
    /// Those of apps behind forward authentication, too. Their transport and resources are not Latchway's to decide: no HSTS,
    /// no `Cross-Origin-Resource-Policy`.
    AppHosts,
}

/// How a browser is sent to another site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// By a redirect, where the browser comes from another site.
    Redirect,
    /// By a page that goes on by itself, where a form of Latchway leads: browsers check every redirect that follows a form
    /// against the `form-action` of the form's page.
    Page,
}

/// In which modes of the server a row exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    All,
    Dev,
    Mock,
}

words! {
    /// Paths that share a rate limit.
    RateLimitGroup {
        Authorize = "authorize",
        Token = "token",
        Device = "device",
        Introspect = "introspect",
        Revoke = "revoke",
        Userinfo = "userinfo",
        ForwardAuth = "forward-auth",
        Api = "api",
        Metadata = "metadata",
        Pages = "pages",
    }
}

impl Verb {
    /// By the name of actix's function: `get` for `web::get`.
    ///
    /// # Panics
    /// At compile time, if there is no such method.
    pub const fn of(name: &str) -> Self {
        match name.as_bytes() {
            b"get" => Self::Get,
            b"post" => Self::Post,
            b"put" => Self::Put,
            b"delete" => Self::Delete,
            _ => panic!("a method that routes do not have"),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The handlers of a row: `handlers![get login::get, post login::post]`.
macro_rules! handlers {
    ($($method:ident $handler:path),+ $(,)?) => {
        const {
            &[$($crate::route::Handler {
                verb: $crate::route::Verb::of(stringify!($method)),
                register: || actix_web::web::$method().to($handler),
            }),+]
        }
    };
}
pub(crate) use handlers;

impl Route {
    /// A page for people.
    pub const fn page(path: &'static str, handlers: &'static [Handler]) -> Self {
        Self {
            path,
            label: path,
            handlers,
            priority: Priority::Low,
            body_limit: MAX_BODY,
            cors: Cors::Deny,
            errors: ErrorFormat::Page,
            rate_limit: Some(RateLimitGroup::Pages),
            needs: Needs::Everything,
            host: HostPolicy::Issuer,
            onward: Onward::Page,
            modes: Modes::All,
        }
    }

    /// A file that a page loads from memory, without a limit.
    pub const fn file(path: &'static str, handlers: &'static [Handler]) -> Self {
        Self { priority: Priority::Exempt, rate_limit: None, needs: Needs::Nothing, ..Self::page(path, handlers) }
    }

    /// A public document at a well-known path (RFC 8615).
    pub const fn document(path: &'static str, handlers: &'static [Handler]) -> Self {
        Self {
            priority: Priority::Exempt,
            errors: ErrorFormat::Json,
            rate_limit: Some(RateLimitGroup::Metadata),
            needs: Needs::Nothing,
            ..Self::page(path, handlers)
        }
    }

    /// An endpoint of OAuth 2.0 or OpenID Connect that programs call.
    pub const fn oauth(path: &'static str, group: RateLimitGroup, handlers: &'static [Handler]) -> Self {
        Self { errors: ErrorFormat::Json, rate_limit: Some(group), ..Self::page(path, handlers) }
    }

    /// An endpoint of the API.
    pub const fn api(path: &'static str, handlers: &'static [Handler]) -> Self {
        Self {
            body_limit: MAX_API_BODY,
            errors: ErrorFormat::Json,
            rate_limit: Some(RateLimitGroup::Api),
            ..Self::page(path, handlers)
        }
    }

    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    pub const fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    pub const fn errors(mut self, errors: ErrorFormat) -> Self {
        self.errors = errors;
        self
    }

    pub const fn group(mut self, group: RateLimitGroup) -> Self {
        self.rate_limit = Some(group);
        self
    }

    pub const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Answers at the hosts of apps behind forward authentication, too.
    pub const fn at_app_hosts(mut self) -> Self {
        self.host = HostPolicy::AppHosts;
        self
    }

    /// Browsers come here from other sites, and are redirected to others.
    pub const fn redirects(mut self) -> Self {
        self.onward = Onward::Redirect;
        self
    }

    pub const fn only_in(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// Whether there is anything at the path, or the row stands for paths at which there is nothing.
    pub const fn is_served(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// The methods of the handlers: `GET, POST`.
    pub fn methods(&self) -> String {
        self.handlers.iter().map(|handler| handler.verb.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The value of `Allow` (RFC 9110 §10.2.1): the methods, and `HEAD` where there is `GET`.
    pub fn allow(&self) -> String {
        let head = if self.handlers.iter().any(|handler| handler.verb == Verb::Get) { ", HEAD" } else { "" };
        format!("{}{head}", self.methods())
    }

    /// What actix serves, below a scope with the path `scope`.
    pub fn resource(&self, scope: &str) -> Resource {
        let resource = web::resource(self.path.strip_prefix(scope).unwrap_or(self.path));
        let resource = resource.app_data(web::PayloadConfig::new(self.body_limit));
        self.handlers.iter().fold(resource, |resource, handler| resource.route((handler.register)()))
    }
}
