//! PyPI `schemathesis`: `tests/clients/python/petstore.py` says what would make it fail.

use super::*;

const COLLECTIONS: &str = r#"
[[api.keys]]
key = "special-key"
[api.collections.pets]
path = "/pet"
items = [{ id = 1, name = "Minka", photoUrls = [], status = "available" }]
[api.collections.orders]
path = "/store/order"
[api.collections.users]
path = "/user"
id = "username"
"#;

fn environment(mock: &Mock) -> Vec<(&'static str, String)> {
    vec![("BASE", mock.base.clone()), ("DOCUMENT", mock.dir.join("petstore.yaml").display().to_string())]
}

fn run(environment: &[(&'static str, String)]) {
    let borrowed: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run_script("python/petstore.py", &borrowed);
}

/// With an access token and an API key, as somebody who may do everything.
async fn run_as_keeper(mock: &Mock, more: &[(&'static str, &str)]) {
    let wanted = json!({"sub": "bob", "scope": "read:pets write:pets", "expires_in": 3600});
    let mut environment = environment(mock);
    environment.extend([("TOKEN", mock.token(&wanted).await), ("KEY", "special-key".to_owned())]);
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    run(&environment);
}

async fn schemathesis_with_credentials() {
    run_as_keeper(&petstore(COLLECTIONS), &[]).await;
}

async fn schemathesis_as_a_stranger() {
    run(&environment(&petstore(COLLECTIONS)));
}

/// Without collections everything is made up, and nothing is remembered: that things are gone is not checked then.
async fn schemathesis_of_what_is_made_up() {
    let mock = petstore("[[api.keys]]\nkey = \"special-key\"");
    run_as_keeper(&mock, &[("WITHOUT", "use_after_free")]).await;
}

once![schemathesis_with_credentials, schemathesis_as_a_stranger, schemathesis_of_what_is_made_up];
