//! A request that takes too long leaves as every other does.

use crate::harness::*;

/// Its answer has the headers of all answers, and it is in the metrics and in the log.
async fn route_timeouts_are_counted_and_logged(db: Db) {
    let config = [("server.request_timeout_seconds", "1"), ("database.timeout_seconds", "30")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let blocked = server.database.block();
    let answer = client.token(&[("grant_type", "client_credentials")]).await;
    drop(blocked);
    assert_j(&answer, 408, "request_timeout");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_no_store(&answer);
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let line = server.logged(&id);
    let line = line.lines().find(|line| line.contains(&id)).expect("a line of the request").to_owned();
    assert!(line.contains("/oauth2/token") && line.contains("408") && line.contains("request_timeout"), "{line}");
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    let counted = r#"latchway_http_request_seconds_count{route="/oauth2/token",status="4xx"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

both![route_timeouts_are_counted_and_logged];
