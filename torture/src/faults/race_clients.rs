//! R-005 and R-008: assertions at every node at once, and clients that are changed and deleted under a consent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Run;
use super::scene::{Shot, Visitor, at_once, must, note_redeemed, tally};
use crate::api::Said;
use crate::browser::{Grant, authorize_path, fill_in, way_on};
use crate::http::{form, request};
use crate::ledger::{State, Times, handle_id};
use crate::world::{REDIRECT_URI, World};

/// R-005: the same assertion at four nodes, or four times at one.
pub async fn assertions(run: &mut Run<'_>, world: &Arc<World>, rounds: usize) -> Result<()> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": x, "y": y});
    let file = world.nodes[0].log.with_file_name("client.jwks.json");
    std::fs::write(&file, json!({"keys": [jwk]}).to_string())?;
    let file = file.display().to_string();
    let args = ["client", "create", "--name", "Service", "--grant", "client_credentials", "--scope", "orders"];
    let more = ["--auth-method", "private_key_jwt", "--jwks-file", &file];
    let client = world.cli(&[&args[..], &more].concat(), "").await?;
    let id = client["client_id"].as_str().context("a client")?.to_owned();
    let issuer = format!("http://127.0.0.1:{}", world.front());
    let (mut rng, mut wrong) = (world.rng.clone(), Vec::new());
    for _ in 0..rounds {
        let jti = rng.text();
        let iat = now();
        let claims = json!({"iss": id, "sub": id, "aud": issuer, "jti": jti, "iat": iat, "exp": iat + 60});
        let assertion = sign(&pair, &claims.to_string())?;
        world.ledger.secret(&assertion);
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ]);
        let shots = (0..4).map(|n| {
            let api = world.api_at(world.nodes[n % world.nodes.len()].port);
            let bytes = request("POST", "/oauth2/token", world.front(), "", Some(&body));
            Shot { api, what: "assertion", bytes, after: Duration::ZERO }
        });
        let outcomes = at_once(shots.collect()).await;
        let mut taken = 0;
        for (said, _) in &outcomes {
            if let Said::Yes(answer) = said {
                taken += 1;
                world.ledger.event(answer.header("x-request-id"), "token_issued", Times::Once);
            }
        }
        world.ledger.book().assertions.insert(jti, taken);
        let refused = outcomes.iter().filter(|(said, _)| matches!(said, Said::No(401, _))).count();
        if taken != 1 || refused != 3 {
            wrong.push(tally(outcomes.iter().map(|(said, _)| said)));
        }
    }
    run.report.did(rounds as u64);
    run.report.say(&format!("R-005 {rounds} assertions, each at four places at once: {} wrong", wrong.len()));
    run.report.expect("R-005 each taken once, refused three times", must(wrong.is_empty(), || wrong[0].clone()));
    Ok(())
}

/// R-008: somebody consents while the client's scope is changed and the client is deleted.
pub async fn consents(run: &mut Run<'_>, world: &Arc<World>, rounds: usize) -> Result<()> {
    let mut alive = Vec::new();
    let mut codes = 0;
    for round in 0..rounds {
        let mut visitor = Visitor::new(world, &format!("consent {round}")).await?;
        visitor.tokens().await?;
        // Asks for consent again, by prompt.
        let (path, verifier) = authorize_path(&visitor.app, &mut visitor.rng, "&prompt=consent");
        let (action, body) = consent_page(&visitor, &path).await?;
        let after = Duration::from_millis(visitor.rng.below(150));
        let consent = async {
            tokio::time::sleep(after).await;
            visitor.api.page_form("consent", &action, &visitor.jar.header(), &body).await
        };
        let narrow = ["client", "update", &visitor.app.id, "--scope", "openid profile"];
        let delete = ["client", "delete", &visitor.app.id, "--yes"];
        let (said, _, deleted) = tokio::join!(consent, world.cli(&narrow, ""), world.cli(&delete, ""));
        // The change and the deletion may meet; the second to come is told so, and comes again.
        if deleted.is_err() {
            world.cli(&delete, "").await?;
        }
        world.ledger.book().disabled_apps.insert(visitor.app.id.clone());
        let Said::Yes(answer) = said else { continue };
        let way = way_on(&answer).unwrap_or_default();
        let Some((_, code)) = way.split_once("code=") else { continue };
        codes += 1;
        let code = code.split('&').next().unwrap_or_default().to_owned();
        world.ledger.secret(&code);
        world.ledger.book().codes.insert(handle_id(&code).unwrap_or_default(), crate::ledger::Code::default());
        if let Said::Yes(answer) = visitor.api.redeem(&visitor.app, &code, &verifier).await {
            let tokens = note_redeemed(&visitor.api, &visitor.app, &Grant { code, verifier }, &answer)?;
            visitor.api.ledger.end_family(tokens.family, State::Dead, "its client was deleted");
            alive.push(visitor.app.id.clone());
        }
    }
    run.report.did(rounds as u64);
    run.report.say(&format!("R-008 {rounds} consents against change and deletion: {codes} got a code"));
    run.report.expect(
        "R-008 no code of a deleted client is redeemed",
        must(alive.is_empty(), || format!("{} were: {alive:?}", alive.len())),
    );
    Ok(())
}

async fn consent_page(visitor: &Visitor, path: &str) -> Result<(String, String)> {
    let mut path = path.to_owned();
    for _ in 0..5 {
        let Said::Yes(answer) = visitor.api.get("authorize", &path, &visitor.jar.header()).await else { break };
        if answer.status == 200 {
            let form = fill_in(&answer.text(), &visitor.person).filter(|(.., kind)| *kind == "consent");
            return form.map(|(action, body, _)| (action, body)).context("a consent form");
        }
        let location = answer.header("location").to_owned();
        anyhow::ensure!(!location.starts_with(REDIRECT_URI), "nobody was asked: {location}");
        let origin = format!("http://127.0.0.1:{}", visitor.api.issuer_port);
        path = location.strip_prefix(&origin).unwrap_or(&location).to_owned();
    }
    anyhow::bail!("no consent page")
}

fn sign(pair: &EcdsaKeyPair, claims: &str) -> Result<String> {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"one"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes())?;
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[expect(clippy::disallowed_methods, reason = "the server lives in real time, and so do assertions for it")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}
