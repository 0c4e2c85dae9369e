//! Versions beside each other, and how an old one says that it goes.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, HttpDate, LINK};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};

use crate::route::Route;
use crate::support::Seconds;

/// RFC 9745
pub static DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// RFC 8594
pub static SUNSET: HeaderName = HeaderName::from_static("sunset");

/// A version of the API, with all its routes below its name.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// As it stands in the path: `v1`.
    pub name: &'static str,
    /// Its rows of the route table, with their whole paths.
    pub routes: &'static [Route],
    /// `None` while it is to stay.
    pub retirement: Option<Retirement>,
}

/// How a version ends. Every answer of it tells so.
#[derive(Debug, Clone, Copy)]
pub struct Retirement {
    /// From when on nothing new should use it.
    pub deprecated_at: Seconds,
    /// When it is removed, at the earliest.
    pub sunset_at: Option<Seconds>,
    /// The version that takes its place.
    pub successor: &'static str,
}

/// Mounts versions at `/api/NAME`, each with the headers that tell of its end.
pub fn configure(versions: &'static [Version]) -> impl Fn(&mut ServiceConfig) {
    move |routes| {
        for version in versions {
            let announce = move |req: ServiceRequest, next: Next<_>| announce(version, req, next);
            let path = format!("/api/{}", version.name);
            let mounted = web::scope(&path).wrap(from_fn(announce));
            let resources = version.routes.iter().map(|route| route.resource(&path));
            routes.service(resources.fold(mounted, |scope, resource| scope.service(resource)));
        }
    }
}

async fn announce(
    version: &Version,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut response = next.call(req).await?;
    if let Some(retirement) = &version.retirement {
        retirement.announce(response.headers_mut());
    }
    Ok(response)
}

impl Retirement {
    fn announce(&self, headers: &mut HeaderMap) {
        let mut insert = |name: &HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name.clone(), value);
            }
        };
        // RFC 9745 §2: a date of structured fields.
        insert(&DEPRECATION, format!("@{}", self.deprecated_at));
        if let Some(at) = self.sunset_at.and_then(|at| u64::try_from(at).ok()) {
            insert(&SUNSET, HttpDate::from(UNIX_EPOCH + Duration::from_secs(at)).to_string());
        }
        // RFC 5829 §3.5
        insert(&LINK, format!("</api/{}/openapi.json>; rel=\"successor-version\"", self.successor));
    }
}
