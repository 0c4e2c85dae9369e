//! I1 to I6.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::Outcome;
use crate::api::Api;
use crate::ledger::State;
use crate::rng::Rng;
use crate::world::{App, World};

/// I1
pub async fn single_use(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let grant = db.hex("grant_id");
    let mut broken = Vec::new();
    let looked_at = {
        let book = world.ledger.book();
        let twice = book.codes.iter().filter(|(_, code)| code.successes > 1);
        broken.extend(twice.map(|(id, code)| format!("code {id} was redeemed {} times", code.successes)));
        let twice = book.assertions.iter().filter(|(_, count)| **count > 1);
        broken.extend(twice.map(|(jti, count)| format!("assertion {jti} was taken {count} times")));
        book.codes.len() + book.assertions.len()
    };
    // A second use whose answer was lost shows in the rows: a family begins with one refresh and one access token.
    for (table, root) in [("refresh_tokens", "parent_id"), ("access_tokens", "refreshed_from")] {
        let rest =
            format!("FROM {table} WHERE grant_id IS NOT NULL AND {root} IS NULL GROUP BY grant_id HAVING count(*) > 1");
        let rows = db.rows(&[&grant, "count(*)"], &rest).await?;
        broken.extend(rows.iter().map(|row| format!("family {} begins with {} {table}", row[0], row[1])));
    }
    let rest = "FROM refresh_tokens WHERE parent_id IS NOT NULL GROUP BY parent_id HAVING count(*) > 1";
    let rows = db.rows(&[&db.hex("parent_id"), "count(*)"], rest).await?;
    broken.extend(rows.iter().map(|row| format!("refresh token {} has {} successors", row[0], row[1])));
    // Tokens of a code that nobody consumed, or none of one that was.
    let rest = "FROM codes c WHERE (c.consumed_at IS NOT NULL) <> EXISTS \
                (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = c.grant_id)";
    let rows = db.rows(&[&db.hex("c.id")], rest).await?;
    broken.extend(rows.iter().map(|row| format!("code {}: its mark and its tokens do not fit", row[0])));
    // The same for devices.
    let rest = "FROM device_codes d WHERE (d.grant_id IS NOT NULL AND d.ended_at IS NOT NULL) <> EXISTS \
                (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = d.grant_id)";
    let rows = db.rows(&[&db.hex("d.id")], rest).await?;
    broken.extend(rows.iter().map(|row| format!("device code {}: its mark and its tokens do not fit", row[0])));
    Ok(Outcome { looked_at, broken })
}

/// I2
pub async fn one_leaf(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let families = db.count("count(DISTINCT grant_id)", "FROM refresh_tokens").await?;
    let rest = "FROM refresh_tokens WHERE consumed_at IS NULL GROUP BY grant_id HAVING count(*) > 1";
    let rows = db.rows(&[&db.hex("grant_id"), "count(*)"], rest).await?;
    let broken = rows.iter().map(|row| format!("family {} has {} live refresh tokens", row[0], row[1])).collect();
    Ok(Outcome { looked_at: usize::try_from(families)?, broken })
}

/// A token about which the API is asked.
struct Question {
    app: App,
    text: String,
    name: String,
}

/// I3
pub async fn durable(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let columns = [&db.hex("a.jti")[..], "a.revoked_at", "g.revoked_at"];
    let rows = db.rows(&columns, "FROM access_tokens a LEFT JOIN grants g ON g.id = a.grant_id").await?;
    let access: HashMap<String, bool> = live_rows(rows);
    let columns = [&db.hex("r.id")[..], "r.consumed_at", "g.revoked_at"];
    let rows = db.rows(&columns, "FROM refresh_tokens r LEFT JOIN grants g ON g.id = r.grant_id").await?;
    let refresh: HashMap<String, bool> = live_rows(rows);
    let (mut broken, mut questions) = (Vec::new(), Vec::new());
    {
        let book = world.ledger.book();
        for token in book.access.iter().filter(|token| book.access_state(token) == State::Live) {
            match access.get(&token.jti) {
                Some(true) => {}
                Some(false) => broken.push(format!("access token {} was not ended, and is", token.jti)),
                None => broken.push(format!("access token {} was acknowledged, and has no row", token.jti)),
            }
            let name = format!("access token {}", token.jti);
            questions.push(Question { app: token.app.clone(), text: token.text.clone(), name });
        }
        for token in book.refresh.iter().filter(|token| book.refresh_state(token) == State::Live) {
            match refresh.get(&token.id) {
                Some(true) => {}
                Some(false) => broken.push(format!("refresh token {} was not used or ended, and is", token.id)),
                None => broken.push(format!("refresh token {} was acknowledged, and has no row", token.id)),
            }
            let name = format!("refresh token {}", token.id);
            questions.push(Question { app: token.app.clone(), text: token.text.clone(), name });
        }
    }
    let looked_at = questions.len();
    let questions = choose(world, "I3", questions);
    broken.extend(ask(&world.api(), questions, true).await);
    Ok(Outcome { looked_at, broken })
}

/// I4
pub async fn dead(world: &World) -> Result<Outcome> {
    let mut questions = Vec::new();
    {
        let book = world.ledger.book();
        for token in book.access.iter().filter(|token| book.access_state(token) == State::Dead) {
            let why = token.family.map_or("", |family| book.families[family].why);
            let name = format!("access token {} {why}", token.jti);
            questions.push(Question { app: token.app.clone(), text: token.text.clone(), name });
        }
        for token in book.refresh.iter().filter(|token| book.refresh_state(token) == State::Dead) {
            let name = format!("refresh token {} {}", token.id, book.families[token.family].why);
            questions.push(Question { app: token.app.clone(), text: token.text.clone(), name });
        }
    }
    let looked_at = questions.len();
    let questions = choose(world, "I4", questions);
    let mut broken = Vec::new();
    for node in &world.nodes {
        let again = questions.iter();
        let again = again.map(|q| Question { app: q.app.clone(), text: q.text.clone(), name: q.name.clone() });
        broken.extend(ask(&world.api_at(node.port), again.collect(), false).await);
    }
    Ok(Outcome { looked_at, broken })
}

/// I5
pub async fn no_orphans(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let family = "NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = t.grant_id)";
    let (mut looked_at, mut broken) = (0, Vec::new());
    for (table, key, rule) in [
        ("access_tokens", "jti", format!("t.grant_id IS NOT NULL AND {family}")),
        ("access_tokens", "jti", "NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = t.client_id)".to_owned()),
        ("refresh_tokens", "id", family.to_owned()),
        ("codes", "id", family.to_owned()),
        ("grants", "id", "NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id)".to_owned()),
        ("grants", "id", "NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = t.client_id)".to_owned()),
        (
            "grants",
            "id",
            "t.revoked_at IS NULL AND NOT EXISTS \
             (SELECT 1 FROM consents c WHERE c.user_id = t.user_id AND c.client_id = t.client_id)"
                .to_owned(),
        ),
    ] {
        looked_at += usize::try_from(db.count("count(*)", &format!("FROM {table}")).await?)?;
        let rows = db.rows(&[&db.hex(&format!("t.{key}"))], &format!("FROM {table} t WHERE {rule}")).await?;
        broken.extend(rows.iter().map(|row| format!("{table} {}: {rule}", row[0])));
    }
    Ok(Outcome { looked_at, broken })
}

/// I6
pub async fn replayed(world: &World) -> Result<Outcome> {
    let db = &world.database;
    let rows = db.rows(&[&db.hex("c.id"), "g.revoked_at"], "FROM codes c JOIN grants g ON g.id = c.grant_id").await?;
    let alive: HashSet<&str> = rows.iter().filter(|row| row[1].is_empty()).map(|row| row[0].as_str()).collect();
    let (mut broken, mut questions) = (Vec::new(), Vec::new());
    let looked_at = {
        let book = world.ledger.book();
        let codes = || book.codes.iter().filter(|(_, code)| code.replayed);
        broken.extend(
            codes()
                .filter(|(id, _)| alive.contains(id.as_str()))
                .map(|(id, _)| format!("code {id} was replayed and its family stands")),
        );
        let families: HashSet<usize> = codes().filter_map(|(_, code)| code.family).collect();
        for token in book.access.iter().filter(|token| token.family.is_some_and(|f| families.contains(&f))) {
            let name = format!("access token {} of a replayed code", token.jti);
            questions.push(Question { app: token.app.clone(), text: token.text.clone(), name });
        }
        codes().count()
    };
    let questions = choose(world, "I6", questions);
    broken.extend(ask(&world.api(), questions, false).await);
    Ok(Outcome { looked_at, broken })
}

/// Row keys, and whether both times of their ends are empty.
fn live_rows(rows: Vec<Vec<String>>) -> HashMap<String, bool> {
    rows.into_iter().map(|row| (row[0].clone(), row[1].is_empty() && row[2].is_empty())).collect()
}

/// The API is asked about some, the database about all.
fn choose(world: &World, name: &str, mut questions: Vec<Question>) -> Vec<Question> {
    let mut rng = Rng::new(world.rng.clone().below(u64::MAX), name);
    rng.shuffle(&mut questions);
    questions.truncate(world.asked);
    questions
}

/// Asks, a few at once, and tells which answers are not the expected one.
async fn ask(api: &Api, questions: Vec<Question>, expected: bool) -> Vec<String> {
    let mut tasks = tokio::task::JoinSet::new();
    let lanes = questions.len().div_ceil(8).max(1);
    let mut questions = questions.into_iter().peekable();
    while questions.peek().is_some() {
        let (api, lane) = (api.clone(), questions.by_ref().take(lanes).collect::<Vec<_>>());
        tasks.spawn(async move {
            let mut broken = Vec::new();
            for question in lane {
                match api.is_active(&question.app, &question.text).await {
                    Ok(active) if active == expected => {}
                    Ok(active) => broken.push(format!("{}: active is {active} at port {}", question.name, api.port)),
                    Err(said) => broken.push(format!("{}: {said:?}", question.name)),
                }
            }
            broken
        });
    }
    tasks.join_all().await.concat()
}
