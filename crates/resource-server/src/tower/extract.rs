//! Claims as parameters of axum's handlers.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::claims::Claims;
use crate::extract::{Authorized, MaybeClaims, Policy, Rejection, Sources};
use crate::guard::Authenticated;
use crate::request::RequestHead;

fn sources(parts: &Parts) -> Sources<'_> {
    Sources { known: parts.extensions.get().cloned(), server: parts.extensions.get() }
}

async fn caller(parts: &mut Parts) -> Result<Option<Authenticated>, Rejection> {
    let caller = sources(parts).caller(RequestHead::from(&*parts)).await?;
    // For the extractors after this one.
    if let Some(caller) = &caller {
        parts.extensions.insert(caller.clone());
    }
    Ok(caller)
}

async fn required(parts: &mut Parts) -> Result<Authenticated, Rejection> {
    let caller = sources(parts).required(RequestHead::from(&*parts)).await?;
    parts.extensions.insert(caller.clone());
    Ok(caller)
}

/// The handler runs with good credentials only.
impl<S: Send + Sync> FromRequestParts<S> for Claims {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(Self::clone(&required(parts).await?.claims))
    }
}

/// `Option<Claims>` is as [`MaybeClaims`]: `None` if no credentials came, and bad ones are refused.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Claims {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(caller(parts).await?.map(|caller| Self::clone(&caller.claims)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeClaims {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(Self(caller(parts).await?.map(|caller| caller.claims)))
    }
}

impl<S: Send + Sync, P: Policy> FromRequestParts<S> for Authorized<P> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::of(required(parts).await?)
    }
}
