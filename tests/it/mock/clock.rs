//! The time of a mock.

use serde_json::json;

use super::*;

async fn set(mock: &Mock, change: serde_json::Value) -> serde_json::Value {
    let answer = mock.send("PUT", "/mock/clock", &change).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Fails if a token outlives the time of its mock, or is of another time.
async fn tokens_expire_by_the_clock() {
    let mock = Mock::start(CI);
    let shown = set(&mock, json!({"frozen": "2030-01-01T00:00:00Z"})).await;
    assert_eq!((shown["now"].as_str(), shown["frozen"].as_bool()), (Some("2030-01-01T00:00:00.000Z"), Some(true)));
    let token = ci_token(&mock).await;
    assert_eq!(claims_of(&token)["iat"], 1_893_456_000);
    assert!(is_active(&mock, &token).await);
    set(&mock, json!({"advance": "4m"})).await;
    assert!(is_active(&mock, &token).await, "a token lives for five minutes");
    set(&mock, json!({"advance": 61})).await;
    assert!(!is_active(&mock, &token).await);
    set(&mock, json!({"now": "2030-01-01T00:01:00Z"})).await;
    assert!(is_active(&mock, &token).await, "back in its time it counts again");
    let shown = set(&mock, json!({"resume": true})).await;
    assert_eq!((shown["ahead_seconds"].as_i64(), shown["frozen"].as_bool()), (Some(0), Some(false)));
}

/// Fails if a login session outlives the time of its mock.
async fn sessions_expire_by_the_clock() {
    let mock = Mock::start("");
    let browser = mock.browser();
    let page = browser.open("/account").await;
    let account = browser.submit(&page.form("/login").with("username", "alice").with("password", "alice")).await;
    assert!(account.words().contains("Your account"), "{account:?}");
    set(&mock, json!({"advance": "11h"})).await;
    assert!(browser.open("/account").await.words().contains("Your account"), "it ends when it was idle for 12 hours");
    set(&mock, json!({"advance": "15d"})).await;
    assert!(browser.open("/account").await.has_form("/login"));
}

/// Fails if something that is no time moves the clock, or is refused without its name.
async fn what_is_no_time_is_refused() {
    let mock = Mock::start("");
    for (body, says) in [
        (json!({"frozen": "tomorrow"}), "frozen:"),
        (json!({"advance": "soon"}), "advance:"),
        (json!({"advnce": 1}), "did you mean advance"),
        (json!({}), "give one of"),
        (json!({"advance": 1, "now": 0}), "give one of"),
    ] {
        let answer = mock.send("PUT", "/mock/clock", &body).await;
        assert!(answer.status == 400 && answer.text("detail").contains(says), "{body}: {answer:?}");
    }
    assert_eq!(mock.get("/mock/clock").await.json()["ahead_seconds"], 0);
}

once![tokens_expire_by_the_clock, sessions_expire_by_the_clock, what_is_no_time_is_refused];
