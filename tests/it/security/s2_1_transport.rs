//! 2.1 How a request reaches the token endpoint at all.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use url::form_urlencoded::Serializer;

use super::family::{Family, issued};
use super::lock::WriteLock;
use crate::harness::*;

const FORM: &str = "application/x-www-form-urlencoded";
const ENDPOINTS: [&str; 3] = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];

fn credentials(client: &Client) -> String {
    basic(&client.id, client.secret.as_deref().expect("a secret"))
}

async fn send(server: &Server, path: &str, client: &Client, kind: &[&str], body: &str) -> Answer {
    let mut request = http().post(server.url(path)).header(AUTHORIZATION, credentials(client));
    for kind in kind {
        request = request.header(CONTENT_TYPE, *kind);
    }
    Answer::of(request.body(body.to_owned())).await
}

async fn b_001_post_alone(server: Shared) {
    let client = Client::confidential(server);
    for path in ENDPOINTS {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = http().request(method.clone(), server.url(path)).header(AUTHORIZATION, credentials(&client));
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 405, "{method}: {answer:?}");
            // RFC 9110 §15.5.6
            assert!(answer.header_or_empty("allow").contains("POST"), "{method}: {answer:?}");
            if method != Method::HEAD {
                assert_j(&answer, 405, "method_not_allowed");
            }
        }
    }
}

async fn b_001_nothing_in_the_url(server: Shared) {
    let client = Spec::confidential().auth(Auth::Post).create(server);
    let secret = client.secret.clone().expect("a secret");
    let whole = [("grant_type", "client_credentials"), ("client_id", &*client.id), ("client_secret", &*secret)];
    let encoded = |pairs: &[(&str, &str)]| Serializer::new(String::new()).extend_pairs(pairs).finish();
    for (query, body) in [
        (encoded(&whole), String::new()),
        (encoded(&whole[2..]), encoded(&whole[..2])),
        (encoded(&whole[..1]), encoded(&whole[1..])),
        (encoded(&whole), encoded(&whole)),
    ] {
        let url = server.url(&format!("/oauth2/token?{query}"));
        assert_j(&Answer::of(http().post(&url).header(CONTENT_TYPE, FORM).body(body)).await, 400, "invalid_request");
        assert_eq!(Answer::of(http().get(&url)).await.status, 405);
    }
    assert_tokens(&client.token(&whole[..1]).await);
}

async fn b_002_other_content_types(server: Shared) {
    let client = Client::confidential(server);
    let body = "grant_type=client_credentials";
    let json = r#"{"grant_type":"client_credentials"}"#;
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--\r\n";
    let utf_16 = format!("{FORM};charset=utf-16");
    let refused: [(&[&str], &str); 8] = [
        (&["application/json"], json),
        (&["application/json"], body),
        (&["multipart/form-data; boundary=x"], multipart),
        (&["text/plain"], body),
        (&[], body),
        (&[""], body),
        (&[&utf_16], body),
        (&[FORM, "application/json"], body),
    ];
    for path in ENDPOINTS {
        for (kind, body) in refused {
            assert_j(&send(server, path, &client, kind, body).await, 415, "unsupported_media_type");
        }
    }
    for kind in [FORM, "Application/X-WWW-Form-Urlencoded", &format!("{FORM}; charset=UTF-8")] {
        assert_tokens(&send(server, "/oauth2/token", &client, &[kind], body).await);
    }
}

/// Every parameter twice: with the same value, another one, an empty one.
async fn b_003_parameters_twice(server: Shared) {
    let (client, user) = (Spec::confidential().auth(Auth::Post).create(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let family = Family::new(&client, &browser, &user).await;
    let secret = client.secret.clone().expect("a secret");
    let by_code = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*client.redirect),
        ("code_verifier", &*request.pkce.verifier),
    ];
    let by_refresh = [("grant_type", "refresh_token"), ("refresh_token", &*family.refresh), ("scope", "openid")];
    let own = [("grant_type", "client_credentials")];
    let about = [("token", &*family.access), ("token_type_hint", "access_token")];
    let forms: [(&str, &[(&str, &str)]); 5] = [
        ("/oauth2/token", &by_code),
        ("/oauth2/token", &by_refresh),
        ("/oauth2/token", &own),
        ("/oauth2/introspect", &about),
        ("/oauth2/revoke", &about),
    ];
    for (path, form) in forms {
        // The client's own id and secret are in the form too, once.
        for &(name, value) in form.iter().chain(&[("client_id", &*client.id), ("client_secret", &*secret)]) {
            for other in [value, "other", ""] {
                let answer = client.post(path, &[form, &[(name, other)]].concat()).await;
                assert_j(&answer, 400, "invalid_request");
            }
        }
    }
    // None of that used anything up.
    assert_tokens(&client.redeem(&request, &code).await);
    assert_tokens(&client.refresh(&family.refresh).await);
    assert_eq!(client.introspect(&family.access).await.json()["active"], true);
}

async fn b_015_grant_types(server: Shared) {
    let (client, public, user) = (Client::confidential(server), Client::public(server), User::new(server));
    for client in [&client, &public] {
        assert_j(&client.token(&[]).await, 400, "invalid_request");
        assert_j(&client.token(&[("grant_type", "")]).await, 400, "invalid_request");
        for name in ["password", "implicit", "Password", "CLIENT_CREDENTIALS", "client_credentials ", "urn:x", "\u{e9}"]
        {
            let form = [("grant_type", name), ("username", &*user.username), ("password", &*user.password)];
            assert_j(&client.token(&form).await, 400, "unsupported_grant_type");
        }
    }
    for name in ["password", "implicit", "urn:ietf:params:oauth:grant-type:token-exchange"] {
        Spec::confidential().grants(&["authorization_code", name]).try_create(server).expect_err(name);
    }
}

/// A database that takes no write: 503, nothing issued, nothing used up.
async fn b_016_storage_fails(db: Db) {
    let server = Server::start(db, &[("database.timeout_seconds", "1")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let family = Family::new(&client, &browser, &user).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let before = issued(&server, &client);

    let lock = WriteLock::hold(&server).await;
    let begin = Instant::now();
    for answer in [
        client.token(&[("grant_type", "client_credentials")]).await,
        client.refresh(&family.refresh).await,
        client.redeem(&request, &code).await,
        client.revoke(&family.access).await,
    ] {
        assert_j_unavailable(&answer);
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "took {:?}", begin.elapsed());
    lock.release().await;

    assert_eq!(issued(&server, &client), before, "nothing is half issued");
    assert_eq!(client.introspect(&family.access).await.json()["active"], true, "not revoked, as it was told");
    assert_tokens(&client.refresh(&family.refresh).await);
    assert_tokens(&client.redeem(&request, &code).await);
}

#[track_caller]
fn assert_j_unavailable(answer: &Answer) {
    assert_j(answer, 503, "temporarily_unavailable");
    let seconds = answer.header_or_empty("retry-after").parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| (1..=10).contains(&seconds)), "Retry-After: {answer:?}");
}

both![
    b_001_post_alone,
    b_001_nothing_in_the_url,
    b_002_other_content_types,
    b_003_parameters_twice,
    b_015_grant_types,
    b_016_storage_fails,
];
