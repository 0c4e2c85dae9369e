//! What `ResourceServer` costs beyond the signature: each round checks one token many times in turn by the bare signature
//! check of jsonwebtoken, by its whole `decode`, and by `ResourceServer::verify`.
//!
//! Times are those that this thread had on a processor, so that what else runs on the machine counts less. The ratio is
//! the median of the rounds' ratios.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use latchway_core::Clock;
use latchway_resource_server::ResourceServer;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://api.example";
const TARGET: f64 = 1.3;

/// One algorithm: a key, and a token that it signed.
struct Case {
    algorithm: Algorithm,
    jwk: Value,
    token: String,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    // A kernel may count processor time in steps of milliseconds: each measurement has to be many of them.
    let (rounds, checks) = (args.next().unwrap_or(Ok(12))?, args.next().unwrap_or(Ok(8000))?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let cases = cases(&issuer)?;
    let jwks = json!({"keys": cases.iter().map(|case| &case.jwk).collect::<Vec<_>>()}).to_string();
    std::thread::spawn(move || serve(&listener, &jwks));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = ResourceServer::builder(&issuer, AUDIENCE).jwks_url(format!("{issuer}/jwks")).build()?;
    runtime.block_on(server.ready())?;
    println!("A token verified, in microseconds of CPU time ({rounds} rounds of {checks} checks, interleaved):");
    println!("| algorithm | bare signature | jsonwebtoken::decode | ResourceServer::verify | ratio to bare |");
    println!("|-----------|---------------:|---------------------:|-----------------------:|--------------:|");
    let mut worst = 0.0_f64;
    for case in &cases {
        worst = worst.max(measure(case, &issuer, &server, &runtime, rounds, checks)?);
    }
    let verdict = if worst < TARGET { "met" } else { "MISSED" };
    println!("  {verdict:<22} verification under {TARGET} times the bare signature check: {worst:.2} at most");
    Ok(())
}

/// Prints a line, and returns the ratio.
fn measure(
    case: &Case,
    issuer: &str,
    server: &ResourceServer,
    runtime: &tokio::runtime::Runtime,
    rounds: usize,
    checks: usize,
) -> Result<f64> {
    let jwk: Jwk = serde_json::from_value(case.jwk.clone())?;
    let key = DecodingKey::from_jwk(&jwk)?;
    let (message, signature) = case.token.rsplit_once('.').context("a JWS")?;
    let mut rules = Validation::new(case.algorithm);
    rules.set_audience(&[AUDIENCE]);
    rules.set_issuer(&[issuer]);
    let (mut bare, mut decode, mut verify, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=rounds {
        let one = timed(checks, || {
            (0..checks).try_for_each(|_| {
                let valid = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, case.algorithm)?;
                ensure!(valid, "the signature");
                Ok(())
            })
        })?;
        let two = timed(checks, || {
            (0..checks).try_for_each(|_| {
                jsonwebtoken::decode::<Value>(&case.token, &key, &rules).map(drop).context("jsonwebtoken")
            })
        })?;
        let three = timed(checks, || {
            runtime.block_on(async {
                for _ in 0..checks {
                    server.verify(&case.token).await?;
                }
                Ok(())
            })
        })?;
        if round > 0 {
            bare.push(one);
            decode.push(two);
            verify.push(three);
            ratios.push(three / one);
        }
    }
    let [bare, decode, verify, ratio] = [bare, decode, verify, ratios].map(median);
    let name = format!("{:?}", case.algorithm);
    println!("| {name:<9} | {bare:>14.1} | {decode:>20.1} | {verify:>22.1} | {ratio:>13.2} |");
    Ok(ratio)
}

/// Microseconds of CPU time for one.
fn timed(checks: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begin = cpu_nanos()?;
    work()?;
    Ok((cpu_nanos()? - begin) / 1000.0 / checks as f64)
}

/// What this thread has had of a processor.
fn cpu_nanos() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").context("Linux tells")?;
    Ok(stat.split(' ').next().context("a number")?.parse()?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cases(issuer: &str) -> Result<Vec<Case>> {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let rng = SystemRandom::new();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let point = ec.public_key().as_ref();
    let (x, y) = (b64(&point[1..33]), b64(&point[33..]));
    let ec_jwk = json!({"kty": "EC", "crv": "P-256", "kid": "ES256", "alg": "ES256", "use": "sig", "x": x, "y": y});
    let ed = Ed25519KeyPair::generate()?;
    let x = b64(ed.public_key().as_ref());
    let ed_jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "alg": "EdDSA", "use": "sig", "x": x});
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let public = rsa.public_key();
    let n = b64(public.modulus().big_endian_without_leading_zero());
    let e = b64(public.exponent().big_endian_without_leading_zero());
    let rsa_jwk = json!({"kty": "RSA", "kid": "RS256", "alg": "RS256", "use": "sig", "n": n, "e": e});

    let claims = claims(issuer).to_string();
    let message = |kid: &str| {
        let header = format!(r#"{{"typ":"at+jwt","alg":"{kid}","kid":"{kid}"}}"#);
        format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()))
    };
    let [es, eddsa, rs] = ["ES256", "EdDSA", "RS256"].map(message);
    let mut rsa_signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(&RSA_PKCS1_SHA256, &rng, rs.as_bytes(), &mut rsa_signature)?;
    let case = |algorithm, jwk, message: String, signature: &[u8]| {
        let token = format!("{message}.{}", b64(signature));
        Case { algorithm, jwk, token }
    };
    let (es_signature, ed_signature) = (ec.sign(&rng, es.as_bytes())?, ed.sign(eddsa.as_bytes()));
    Ok(vec![
        case(Algorithm::ES256, ec_jwk, es, es_signature.as_ref()),
        case(Algorithm::EdDSA, ed_jwk, eddsa, ed_signature.as_ref()),
        case(Algorithm::RS256, rsa_jwk, rs, &rsa_signature),
    ])
}

/// What Latchway writes for a person.
fn claims(issuer: &str) -> Value {
    let now = Clock::system().now();
    json!({
        "iss": issuer, "sub": "0193a5e2-7c1f-7d62-8a50-8f3a31c6a1de", "aud": [AUDIENCE, issuer],
        "client_id": "0193a5e2-7c1f-7d62-8a50-8f3a31c6a1df", "scope": "openid profile orders:read orders:write",
        "roles": ["user"], "jti": "0193a5e2-7c1f-7d62-8a50-8f3a31c6a1dd", "iat": now, "exp": now + 3600,
        "auth_time": now, "acr": "urn:latchway:acr:password", "amr": ["pwd"],
    })
}

/// The JWKS, to whoever asks for anything.
fn serve(listener: &TcpListener, jwks: &str) {
    for mut stream in listener.incoming().flatten() {
        let Ok(reader) = stream.try_clone() else { continue };
        let lines = BufReader::new(reader).lines().map_while(std::io::Result::ok);
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", jwks.len());
        let _ = stream.write_all((head + jwks).as_bytes());
    }
}
