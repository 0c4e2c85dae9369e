//! A number in the metrics and a line in the log for every answer.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::Method;
use metrics::{Counter, counter, histogram};

use crate::app::RequestInfo;
use crate::http::request_log::{Line, Refused};
use crate::protocol::OAuthError;
use crate::request::{Caller, Noted};

/// Counts and logs an answer.
pub fn record(info: RequestInfo, method: &Method, elapsed: Duration, response: &mut HttpResponse, noted: Noted) {
    let status = response.status().as_u16();
    let (class, responses) = class(status);
    responses.increment(1);
    histogram!("latchway_http_request_seconds", "route" => info.route.label, "status" => class)
        .record(elapsed.as_secs_f64());
    let redirected = |error: OAuthError| Refused { code: error.code, reason: Some(error.wire_description()) };
    let refused = response.extensions_mut().remove::<Refused>().or_else(|| noted.refusal.map(redirected));
    let client_id = noted.client.as_ref().map(Caller::client_id);
    Line { info, method, status, elapsed, client_id }.write(refused.as_ref());
}

/// The class of a status: its name, and the counter of its answers, which is looked up once.
fn class(status: u16) -> (&'static str, &'static Counter) {
    static RESPONSES: LazyLock<[(&str, Counter); 4]> = LazyLock::new(|| {
        let of = |class| (class, counter!("latchway_http_responses_total", "status" => class));
        [of("2xx"), of("3xx"), of("4xx"), of("5xx")]
    });
    let (class, responses) = &RESPONSES[usize::from(status / 100).clamp(2, 5) - 2];
    (class, responses)
}
