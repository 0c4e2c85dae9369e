//! The mocked API: what it answers, and to whom. It knows no authorization server: whose tokens count, a
//! [`latchway_resource_server::ResourceServer`] says, as in any API.
//!
//! ```text
//! serve                          a request, from its route to its answer
//! choose  answer  collection     which answer is given: of a document, of things that are kept
//! security  require  when  who   who may, and who asks
//! scopes                         what they may ask for, in words
//! parameters  body               requests, checked by the document
//! load  route  path              everything in one table
//! document  schema  json_pointer  int64   OpenAPI 3.0 and 3.1, its schemas
//! operation                      prepared, so that a request finds everything ready
//! generate  template  reply      bodies made up, filled in, given
//! snapshot                       a request as it came in
//! view  state  shape  negotiate  prefer  problem  near_miss  settings  error
//! ```

mod answer;
mod body;
mod choose;
mod collection;
mod document;
mod error;
mod generate;
mod int64;
mod json_pointer;
mod load;
mod near_miss;
mod negotiate;
mod operation;
mod parameters;
mod path;
mod prefer;
mod problem;
mod reply;
mod require;
mod route;
mod schema;
mod scopes;
mod security;
mod serve;
pub mod settings;
mod shape;
mod snapshot;
mod state;
mod template;
mod view;
mod when;
mod who;

use std::sync::Arc;

use latchway_oauth_types::ScopeText;

pub use error::ApiError;
pub use near_miss::NearMiss;
pub use serve::{Call, Served};
pub use settings::ApiSettings;
pub use snapshot::RequestSnapshot;
pub use state::ApiState;

/// An API as it is described. It never changes; what does is in [`ApiState`].
pub struct Api {
    seed: u64,
    validate: bool,
    table: route::Table,
    collections: Vec<Arc<collection::Collection>>,
    known: security::Known,
    views: Vec<view::View>,
    scopes: Vec<ScopeText>,
    remarks: Vec<String>,
}
