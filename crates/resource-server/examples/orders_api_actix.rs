//! An API behind Latchway: something for everybody, for people, for administrators, for machines, for programs with an API
//! key, and for a browser app with its cookie.
//!
//! Every route says what it requires; nothing else in here knows of tokens. `docs/resource-server.md` explains it, and
//! `tests/it/resource_server/` runs this very program against a real Latchway. To run it yourself:
//!
//! ```sh
//! latchway client create --name "Orders API" --resource http://127.0.0.1:3000   # prints the two below
//! ISSUER=http://127.0.0.1:8080 API_CLIENT_ID=… API_CLIENT_SECRET=… cargo run -p latchway-resource-server --features actix --example orders_api_actix
//! ```

use std::env;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, Responder, web};
use latchway_resource_server::{
    Authorized, Claims, Introspection, MaybeClaims, Policy, Requirement, ResourceMetadata, ResourceServer, all_of,
    any_of, fresh, machine, role, scope,
};
use serde_json::json;

/// Public: open to all, and it greets those it knows.
async fn home(MaybeClaims(caller): MaybeClaims) -> impl Responder {
    let name = caller.and_then(|claims| claims.person().map(str::to_owned));
    web::Json(json!({"api": "orders", "person": name}))
}

/// For people and machines alike, as far as their scope goes: the guard around it says so.
async fn list(caller: Claims) -> impl Responder {
    web::Json(json!({"orders": [], "of": caller.sub, "person": caller.person(), "by": caller.client_id}))
}

async fn place(caller: Claims) -> impl Responder {
    HttpResponse::Created().json(json!({"order": 1, "of": caller.sub}))
}

/// Who may delete an order: an administrator, through an app that they allowed it to, a moment after they proved who they
/// are. The scope beside the role keeps apps of others from doing it with an administrator's token.
struct DeleteOrders;

impl Policy for DeleteOrders {
    fn requirement() -> Requirement {
        all_of([scope("orders:admin"), role("admin"), fresh(Duration::from_secs(300))])
    }
}

async fn delete(administrator: Authorized<DeleteOrders>, order: web::Path<u32>) -> impl Responder {
    web::Json(json!({"deleted": *order, "by": administrator.sub}))
}

async fn import(caller: Claims) -> impl Responder {
    web::Json(json!({"imported": 0, "by": caller.client_id}))
}

async fn report(caller: Claims) -> impl Responder {
    web::Json(json!({"revenue": 0, "for": caller.sub}))
}

async fn refund(caller: Claims, order: web::Path<u32>) -> impl Responder {
    web::Json(json!({"refunded": *order, "by": caller.sub}))
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = variable("LISTEN", "127.0.0.1:3000");
    let (issuer, audience) =
        (variable("ISSUER", "http://127.0.0.1:8080"), variable("AUDIENCE", &format!("http://{listen}")));
    let client = Introspection::new(variable("API_CLIENT_ID", "orders-api"), variable("API_CLIENT_SECRET", "not set"));
    let about = ResourceMetadata::new().name("Orders").scopes(["orders:read", "orders:write", "orders:admin"]);

    // Most of the API believes a token until it expires: fast, and it works while the issuer is away.
    let orders = ResourceServer::builder(&issuer, &audience)
        .cookies()
        .api_keys(client.clone())
        .metadata(about.clone())
        .build()?;
    // Where money goes out, a token that was revoked a moment ago is too old: the issuer is asked each time.
    let money = ResourceServer::builder(&issuer, &audience)
        .introspection(client.cache_for(Duration::ZERO))
        .metadata(about)
        .build()?;

    let server = HttpServer::new(move || {
        let read = any_of([scope("orders:read"), all_of([machine(), scope("orders:export")])]);
        App::new()
            .configure(orders.routes())
            .route("/", web::get().to(home))
            .service(
                web::resource("/orders")
                    .route(web::get().to(list).wrap(orders.require(read)))
                    .route(web::post().to(place).wrap(orders.require(scope("orders:write")))),
            )
            .route("/orders/{order}", web::delete().to(delete))
            .service(
                web::scope("/machines")
                    .wrap(orders.require(all_of([machine(), scope("stock:write")])))
                    .route("/stock", web::post().to(import)),
            )
            .service(
                web::scope("/reports").wrap(orders.require(scope("reports:read"))).route("", web::get().to(report)),
            )
            .service(
                web::scope("/refunds")
                    .wrap(money.require(scope("orders:write")))
                    .route("/{order}", web::post().to(refund)),
            )
    });
    let server = server.workers(2).bind(&listen)?;
    println!("the orders API listens on http://{listen}");
    server.run().await?;
    Ok(())
}
