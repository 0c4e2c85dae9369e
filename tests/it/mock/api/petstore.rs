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

async fn schemathesis_with_a_token() {
    let mock = petstore(COLLECTIONS);
    let mut environment = environment(&mock);
    environment
        .push(("TOKEN", mock.token(&json!({"sub": "bob", "scope": "read:pets write:pets", "expires_in": 3600})).await));
    run(&environment);
}

async fn schemathesis_as_a_stranger() {
    run(&environment(&petstore(COLLECTIONS)));
}

/// Without collections everything is made up, and nothing is remembered: what is checked of that is left out.
async fn schemathesis_of_what_is_made_up() {
    let mock = petstore("[[api.keys]]\nkey = \"special-key\"");
    let mut environment = environment(&mock);
    environment
        .push(("TOKEN", mock.token(&json!({"sub": "bob", "scope": "read:pets write:pets", "expires_in": 3600})).await));
    environment.push(("WITHOUT", "use_after_free".to_owned()));
    run(&environment);
}

once![schemathesis_with_a_token, schemathesis_as_a_stranger, schemathesis_of_what_is_made_up];
