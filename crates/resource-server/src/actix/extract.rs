//! Claims as parameters of a handler.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};

use super::guard::{known, remember};
use crate::claims::Claims;
use crate::extract::{Authorized, MaybeClaims, Policy, Sources};
use crate::guard::Authenticated;
use crate::request::RequestHead;
use crate::server::ResourceServer;

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

fn sources(req: &HttpRequest) -> Sources<'_> {
    Sources { known: known(req), server: req.app_data::<ResourceServer>() }
}

async fn required(req: &HttpRequest) -> Result<Authenticated, Error> {
    let caller = sources(req).required(RequestHead::from(req)).await?;
    remember(req, &caller);
    Ok(caller)
}

/// The handler runs with good credentials only. Beware of `Option<Claims>`, for which actix-web takes every refusal as
/// `None`: [`MaybeClaims`] is meant then.
impl FromRequest for Claims {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self::clone(&required(&req).await?.claims)) })
    }
}

impl FromRequest for MaybeClaims {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let caller = sources(&req).caller(RequestHead::from(&req)).await?;
            caller.iter().for_each(|caller| remember(&req, caller));
            Ok(Self(caller.map(|caller| caller.claims)))
        })
    }
}

impl<P: Policy> FromRequest for Authorized<P> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self::of(required(&req).await?)?) })
    }
}
