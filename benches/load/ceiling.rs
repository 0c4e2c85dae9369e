//! The ceiling: what actix-web and jsonwebtoken cost alone. It parses the same form, signs the same claims with the same
//! library, and answers the same JSON; it knows no client, stores nothing and decides nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

struct State {
    issuer: String,
    header: Header,
    id_header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    jwks: String,
}

#[derive(Deserialize)]
struct TokenForm {
    grant_type: String,
    scope: Option<String>,
    resource: String,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct IntrospectionForm {
    token: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    client_id: String,
    scope: String,
    jti: String,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: [&'a str; 1],
    iat: u64,
    exp: u64,
    auth_time: u64,
    acr: &'a str,
    amr: [&'a str; 1],
    at_hash: String,
    sid: &'a str,
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: String,
    token_type: &'a str,
    expires_in: u64,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

#[derive(Serialize)]
struct IntrospectionAnswer {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: Claims,
}

const ACR: &str = "urn:latchway:acr:password";
const PERSON: &str = "0199f0a4-7a5e-7cc1-a2c4-6a9d1a6d9d10";

/// `POST /oauth2/token`: one signature, and a second one for an ID token where the scope asks for it.
#[expect(clippy::disallowed_methods, reason = "a yardstick has no clock to hand in")]
async fn token(state: web::Data<State>, form: web::Form<TokenForm>) -> HttpResponse {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let form = form.into_inner();
    let of_person = form.grant_type != "client_credentials";
    let scope = form.scope.unwrap_or_else(|| "orders".to_owned());
    let claims = Claims {
        iss: state.issuer.clone(),
        sub: PERSON.to_owned(),
        aud: vec![form.resource],
        client_id: "lw_0199f0a47a5e7cc1a2c46a9d1a6d9d10".to_owned(),
        scope: scope.clone(),
        jti: Uuid::now_v7().to_string(),
        iat: now,
        exp: now + 900,
        auth_time: of_person.then_some(now),
        acr: of_person.then(|| ACR.to_owned()),
        amr: of_person.then(|| vec!["pwd".to_owned()]),
    };
    let Ok(access_token) = encode(&state.header, &claims, &state.signing) else {
        return HttpResponse::InternalServerError().finish();
    };
    let id_token = scope.contains("openid").then(|| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, access_token.as_bytes());
        let claims = IdClaims {
            iss: &state.issuer,
            sub: PERSON,
            aud: [&claims.client_id],
            iat: now,
            exp: now + 3600,
            auth_time: now,
            acr: ACR,
            amr: ["pwd"],
            at_hash: URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
            sid: "AAECAwQFBgcICQoLDA0ODw",
        };
        encode(&state.id_header, &claims, &state.signing).unwrap_or_default()
    });
    HttpResponse::Ok().json(TokenAnswer {
        access_token,
        token_type: "Bearer",
        expires_in: 900,
        scope: &scope,
        refresh_token: form.refresh_token.as_deref(),
        id_token,
    })
}

/// `POST /oauth2/introspect`: one verification.
async fn introspect(state: web::Data<State>, form: web::Form<IntrospectionForm>) -> HttpResponse {
    match decode::<Claims>(&form.token, &state.verifying, &state.validation) {
        Ok(data) => {
            HttpResponse::Ok().json(IntrospectionAnswer { active: true, token_type: "Bearer", claims: data.claims })
        }
        Err(_) => HttpResponse::Ok().json(serde_json::json!({"active": false})),
    }
}

async fn jwks(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.jwks.clone())
}

/// Serves until it is killed.
pub fn serve(port: u16) -> Result<()> {
    let issuer = format!("http://127.0.0.1:{port}");
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())?;
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let header = |typ: &str| Header {
        typ: Some(typ.to_owned()),
        kid: Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_aud = false;
    // As many keys as Latchway publishes: one for each algorithm.
    let key =
        serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": "k"});
    let filler = "A".repeat(1040);
    let state = web::Data::new(State {
        header: header("at+jwt"),
        id_header: header("JWT"),
        signing: EncodingKey::from_ec_der(pkcs8.as_ref()),
        verifying: DecodingKey::from_ec_components(&x, &y)?,
        validation,
        jwks: serde_json::json!({"keys": [key], "filler": filler}).to_string(),
        issuer,
    });
    let factory = move || {
        App::new()
            .app_data(state.clone())
            .route("/oauth2/token", web::post().to(token))
            .route("/oauth2/introspect", web::post().to(introspect))
            .route("/.well-known/jwks.json", web::get().to(jwks))
            .route("/readyz", web::get().to(HttpResponse::Ok))
    };
    let server = HttpServer::new(factory).workers(1).bind(("127.0.0.1", port)).context("binding")?;
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}
