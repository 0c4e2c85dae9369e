//! The API of `orders_api_actix`, in axum: the same routes, requirements and answers.
//!
//! Every route says what it requires; nothing else in here knows of tokens. `docs/resource-server.md` explains it, and
//! `tests/it/resource_server/` runs both programs against a real Latchway, by the same expectations. To run it yourself:
//!
//! ```sh
//! latchway client create --name "Orders API" --resource http://127.0.0.1:3000   # prints the two below
//! ISSUER=http://127.0.0.1:8080 API_CLIENT_ID=… API_CLIENT_SECRET=… cargo run -p latchway-resource-server --features tower --example orders_api_axum
//! ```

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use latchway_resource_server::{
    Authorized, Claims, Introspection, MaybeClaims, Policy, Requirement, ResourceMetadata, ResourceServer, all_of,
    any_of, fresh, machine, role, scope,
};
use serde_json::json;
use tokio::net::TcpListener;

/// Public: open to all, and it greets those it knows.
async fn home(MaybeClaims(caller): MaybeClaims) -> impl IntoResponse {
    let name = caller.and_then(|claims| claims.person().map(str::to_owned));
    Json(json!({"api": "orders", "person": name}))
}

/// For people and machines alike, as far as their scope goes: the guard around it says so.
async fn list(caller: Claims) -> impl IntoResponse {
    Json(json!({"orders": [], "of": caller.sub, "person": caller.person(), "by": caller.client_id}))
}

async fn place(caller: Claims) -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({"order": 1, "of": caller.sub})))
}

/// Who may delete an order: an administrator, through an app that they allowed it to, a moment after they proved who they
/// are. The scope beside the role keeps apps of others from doing it with an administrator's token.
struct DeleteOrders;

impl Policy for DeleteOrders {
    fn requirement() -> Requirement {
        all_of([scope("orders:admin"), role("admin"), fresh(Duration::from_secs(300))])
    }
}

async fn remove(administrator: Authorized<DeleteOrders>, Path(order): Path<u32>) -> impl IntoResponse {
    Json(json!({"deleted": order, "by": administrator.sub}))
}

async fn import(caller: Claims) -> impl IntoResponse {
    Json(json!({"imported": 0, "by": caller.client_id}))
}

async fn report(caller: Claims) -> impl IntoResponse {
    Json(json!({"revenue": 0, "for": caller.sub}))
}

async fn refund(caller: Claims, Path(order): Path<u32>) -> impl IntoResponse {
    Json(json!({"refunded": order, "by": caller.sub}))
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
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

    let read = any_of([scope("orders:read"), all_of([machine(), scope("orders:export")])]);
    let by_scope = get(list)
        .route_layer(orders.require(read))
        .merge(post(place).route_layer(orders.require(scope("orders:write"))));
    let app = Router::new()
        .route("/", get(home))
        .route("/orders", by_scope)
        .route("/orders/{order}", delete(remove))
        .nest(
            "/machines",
            Router::new()
                .route("/stock", post(import))
                .layer(orders.require(all_of([machine(), scope("stock:write")]))),
        )
        .route("/reports", get(report).route_layer(orders.require(scope("reports:read"))))
        .route("/refunds/{order}", post(refund).route_layer(money.require(scope("orders:write"))))
        .layer(orders.layer());
    let listener = TcpListener::bind(&listen).await?;
    println!("the orders API listens on http://{listen}");
    // API keys that are bound to networks need the address of the caller.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
