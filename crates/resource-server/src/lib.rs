//! For APIs: who calls, and may they?
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
//! That was actix-web (feature `actix`). With axum (feature `tower`) the handler is the same, and the app is
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use latchway_resource_server::{Claims, ResourceServer, scope};
//! # async fn orders(claims: Claims) -> String { claims.sub }
//! # fn app(server: ResourceServer) -> Router {
//! Router::new()
//!     .route("/orders", get(orders).route_layer(server.require(scope("orders:read"))))
//!     .layer(server.layer())
//! # }
//! ```
//!
//! Both guards are layers of tower, so that they stand before services of tonic and hyper as well. Without a feature there is
//! no framework: [`Guard::decide`] takes a [`RequestHead`] and gives [`Claims`] or a [`Refused`], which is status, headers
//! and body.
//!
//! Whatever cannot be decided is refused: without keys, or without an answer of the issuer where one is needed, the caller
//! gets 503 and never the route. `docs/resource-server.md` is the guide, `examples/orders_api_actix.rs` and
//! `examples/orders_api_axum.rs` are a whole API.
//!
//! ```text
//! actix  tower                 what an app of a framework is given: middleware, extractors, responses
//! guard  extract  metadata     the same without the framework
//! builder  server              the parts put together
//! request  credential          the head of a request, and what it carries
//! require  refusal             what a route wants, and how a request is refused
//! keys  introspect             who says that a token is good: the issuer's keys, or the issuer
//! discovery  jwk  token        the documents of the RFCs, read strictly
//! claims  confirmation  json  remote  fetch
//! ```

#[cfg(feature = "actix")]
mod actix;
mod algorithm;
mod builder;
mod claims;
mod confirmation;
mod credential;
mod discovery;
#[cfg(any(feature = "actix", feature = "tower"))]
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
mod request;
mod require;
mod server;
mod token;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "actix")]
pub use actix::Guarded;
pub use algorithm::Algorithm;
pub use builder::{BuildError, Builder};
pub use claims::{Claims, Presented};
pub use confirmation::Confirmation;
#[cfg(any(feature = "actix", feature = "tower"))]
pub use extract::{Authorized, MaybeClaims, Policy, Rejection};
pub use guard::{Decision, Guard};
pub use introspect::Introspection;
/// What [`Builder::clock`] takes.
pub use latchway_core::Clock;
pub use metadata::{MetadataDocument, ResourceMetadata};
pub use refusal::{Refusal, Refused};
pub use request::RequestHead;
pub use require::{Requirement, all_of, any_of, fresh, machine, person, role, scope};
pub use server::ResourceServer;
#[cfg(feature = "tower")]
pub use tower::{GuardService, ServerLayer, ServerService};

#[cfg(all(doctest, feature = "actix", feature = "tower"))]
#[doc = include_str!("../../../docs/resource-server.md")]
struct Guide;

#[cfg(all(doctest, feature = "actix", feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;
