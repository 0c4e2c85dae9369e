//! How a version 2 would stand beside version 1: a sample of it, over real HTTP.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, web};
use latchway::api::{Retirement, VERSIONS, Version, configure, v1};
use latchway::route::{Handler, Route, Verb};

use crate::harness::{Answer, http};

const SAMPLE: &[Version] = &[
    Version {
        name: "v1",
        routes: v1::ROUTES,
        retirement: Some(Retirement { deprecated_at: 1_798_761_600, sunset_at: Some(1_830_297_600), successor: "v2" }),
    },
    Version { name: "v2", routes: SAMPLE_ROUTES, retirement: None },
];

static SAMPLE_ROUTES: &[Route] =
    &[Route::api("/api/v2/me", &[Handler { verb: Verb::Get, register: || web::get().to(me) }])];

async fn me() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"subject": "alice"}))
}

/// Serves these versions at an address of its own.
fn serve(versions: &'static [Version]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let server = HttpServer::new(move || App::new().configure(configure(versions))).workers(1).disable_signals();
        let running = server.listen(listener).expect("a server");
        actix_web::rt::System::new().block_on(running.run())
    });
    address
}

fn check(test: impl AsyncFnOnce(String), versions: &'static [Version]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test(serve(versions)));
}

#[test]
fn an_old_version_says_that_it_goes_and_where_to() {
    check(
        async |address| {
            let old = Answer::of(http().get(format!("{address}/api/v1/openapi.json"))).await;
            assert_eq!(old.status, 200, "{old:?}");
            assert_eq!(old.header("deprecation"), Some("@1798761600"), "RFC 9745");
            assert_eq!(old.header("sunset"), Some("Sat, 01 Jan 2028 00:00:00 GMT"), "RFC 8594");
            assert_eq!(old.header("link"), Some(r#"</api/v2/openapi.json>; rel="successor-version""#), "RFC 5829");
            // So does what it refuses.
            for path in ["/api/v1/nothing", "/api/v1/login"] {
                let refused = Answer::of(http().get(format!("{address}{path}"))).await;
                assert!([404, 405].contains(&refused.status), "{refused:?}");
                assert_eq!(refused.header("deprecation"), Some("@1798761600"), "{refused:?}");
            }
            let new = Answer::of(http().get(format!("{address}/api/v2/me"))).await;
            assert_eq!((new.status, new.json()["subject"].as_str()), (200, Some("alice")), "{new:?}");
            for name in ["deprecation", "sunset", "link"] {
                assert_eq!(new.header(name), None, "{new:?}");
            }
        },
        SAMPLE,
    );
}

#[test]
fn version_1_stays() {
    assert_eq!(VERSIONS.iter().map(|version| version.name).collect::<Vec<_>>(), ["v1"]);
    check(
        async |address| {
            let answer = Answer::of(http().get(format!("{address}/api/v1/openapi.json"))).await;
            assert_eq!((answer.status, answer.header("deprecation")), (200, None), "{answer:?}");
        },
        VERSIONS,
    );
}
