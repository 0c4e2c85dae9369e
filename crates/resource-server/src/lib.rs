//! For APIs written with actix-web: who calls, and may they?
//!
//! A [`ResourceServer`] knows the issuer that an API trusts and the name of the API in its tokens. It checks what a request
//! carries, attaches [`Claims`], and refuses as RFC 6750 says. Each route declares what it requires.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use latchway_resource_server::{Claims, ResourceServer, scope};
//!
//! async fn orders(claims: Claims) -> String {
//!     format!("the orders of {}", claims.sub)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = ResourceServer::builder("https://id.example", "https://orders.example").build()?;
//!     HttpServer::new(move || {
//!         App::new()
//!             .configure(server.routes())
//!             .service(web::scope("/orders").wrap(server.require(scope("orders:read"))).route("", web::get().to(orders)))
//!     })
//!     .bind(("127.0.0.1", 3000))?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! Whatever cannot be decided is refused: without keys, or without an answer of the issuer where one is needed, the caller
//! gets 503 and never the route. `docs/resource-server.md` is the guide, `examples/orders_api_actix.rs` a whole API.
//!
//! ```text
//! guard  extract  metadata     what an actix-web app is given
//! server  builder              the parts put together
//! credential  require  refusal what a request carries, what a route wants, how it is refused
//! keys  introspect             who says that a token is good: the issuer's keys, or the issuer
//! discovery  jwk  token        the documents of the RFCs, read strictly
//! claims  json  remote  fetch
//! ```

mod algorithm;
mod builder;
mod claims;
mod credential;
mod discovery;
mod extract;
mod fetch;
mod guard;
mod introspect;
mod json;
mod jwk;
mod keys;
mod metadata;
mod refusal;
mod remote;
mod require;
mod server;
mod token;

pub use algorithm::Algorithm;
pub use builder::{BuildError, Builder};
pub use claims::{Claims, Presented};
pub use extract::{Authorized, MaybeClaims, Policy};
pub use guard::{Guard, Guarded};
pub use introspect::Introspection;
pub use metadata::ResourceMetadata;
pub use refusal::{Refusal, Refused};
pub use require::{Requirement, all_of, any_of, fresh, machine, person, role, scope};
pub use server::ResourceServer;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/resource-server.md")]
struct Guide;
