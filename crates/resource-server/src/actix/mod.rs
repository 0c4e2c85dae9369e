//! Middleware and extractors for actix-web.

mod extract;
mod guard;
mod response;

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, web};

pub use guard::Guarded;

use crate::request::RequestHead;
use crate::server::ResourceServer;

impl<'a> From<&'a HttpRequest> for RequestHead<'a> {
    fn from(req: &'a HttpRequest) -> Self {
        let target = req.uri().path_and_query().map_or("", |target| target.as_str());
        let head = Self::new(req.method().as_str(), target).from_peer(req.peer_addr().map(|address| address.ip()));
        req.headers().iter().fold(head, |head, (name, value)| head.header(name.as_str(), value))
    }
}

impl ResourceServer {
    /// What an app of actix-web has to be configured with: extractors find the server then, and the RFC 9728 metadata are
    /// served if there are any.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let server = self.clone();
        move |config| {
            if let Some(document) = server.metadata() {
                let (path, document) = (document.path().to_owned(), web::Data::from(Arc::clone(document)));
                config.service(web::resource(path).app_data(document).route(web::get().to(response::metadata)));
            }
            config.app_data(server);
        }
    }
}
