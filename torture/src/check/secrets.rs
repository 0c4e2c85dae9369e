//! I8

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;

use super::Outcome;
use crate::http::request;
use crate::world::World;

/// A secret is recognised by its last so many bytes.
const WINDOW: usize = 16;

/// I8: nothing that was ever a secret stands in a log or a metric.
pub async fn hidden(world: &World) -> Result<Outcome> {
    let ends: HashMap<[u8; WINDOW], String> = {
        let book = world.ledger.book();
        book.secrets.iter().filter_map(|secret| Some((end_of(secret)?, secret.chars().take(6).collect()))).collect()
    };
    let mut broken = Vec::new();
    for node in &world.nodes {
        let log = std::fs::read(&node.log).unwrap_or_default();
        broken.extend(find(&ends, &log).map(|secret| format!("{}: a secret that begins {secret}", node.log.display())));
        let ask = request("GET", "/metrics", node.metrics_port, "Connection: close\r\n", None);
        if let Ok(page) = world.http.send(node.metrics_port, &ask, Duration::from_secs(5)).await {
            broken.extend(find(&ends, &page.body).map(|secret| format!("/metrics: a secret that begins {secret}")));
        }
    }
    Ok(Outcome { looked_at: ends.len(), broken })
}

fn end_of(secret: &str) -> Option<[u8; WINDOW]> {
    secret.as_bytes().last_chunk::<WINDOW>().copied()
}

fn find(ends: &HashMap<[u8; WINDOW], String>, text: &[u8]) -> Option<String> {
    let mut windows = text.windows(WINDOW);
    windows.find_map(|window| ends.get(&<[u8; WINDOW]>::try_from(window).ok()?).cloned())
}

#[cfg(test)]
mod tests {
    use super::{HashMap, end_of, find};

    #[test]
    fn a_secret_is_found_inside_a_line() {
        let secret = "kZ3-abcdefghijklmnopqrstuvwxyz";
        let ends = HashMap::from([(end_of(secret).expect("long enough"), "kZ3-ab".to_owned())]);
        assert_eq!(find(&ends, format!("token={secret}&x=1").as_bytes()), Some("kZ3-ab".to_owned()));
        assert_eq!(find(&ends, b"token=kZ3-abcdefghijklmnopqrstuvwxy&x=1"), None);
    }
}
