//! Refusals as responses.

use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::extract::Rejection;
use crate::refusal::Refused;

pub(super) fn refused(refused: &Refused) -> Response<Full<Bytes>> {
    tracing::debug!(refusal = ?refused.refusal, "refused");
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, refused.headers(), refused.body())
}

pub(super) fn response(
    status: StatusCode,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: String,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        // The values are visible ASCII, which a header may have.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        refused(&self).map(Body::new)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::NotConfigured => (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response(),
        }
    }
}
