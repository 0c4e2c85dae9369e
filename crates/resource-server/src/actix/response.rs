//! Refusals and metadata as responses.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, web};

use crate::extract::Rejection;
use crate::metadata::MetadataDocument;
use crate::refusal::Refused;

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        tracing::debug!(refusal = ?self.refusal, "refused");
        response(self.status_code(), self.headers(), self.body())
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(refused) => refused.status_code(),
            Self::NotConfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Refused(refused) => refused.error_response(),
            Self::NotConfigured => HttpResponse::InternalServerError().body(self.to_string()),
        }
    }
}

pub(super) async fn metadata(document: web::Data<MetadataDocument>) -> HttpResponse {
    let headers = document.headers().map(|(name, value)| (name, value.to_owned()));
    response(StatusCode::OK, headers, document.body().to_owned())
}

fn response(
    status: StatusCode,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: String,
) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    headers.into_iter().for_each(|header| _ = response.insert_header(header));
    response.body(body)
}
