use serde_json::json;

use super::context::Context;

/// What a newcomer needs to know after the start.
pub struct Banner<'a> {
    pub issuer: &'a str,
    pub setup: Option<&'a str>,
    pub playground: Option<&'a str>,
    pub metrics: Option<std::net::SocketAddr>,
}

impl Banner<'_> {
    pub fn print(&self, context: &Context) {
        if context.json {
            let metrics = self.metrics.map(|address| format!("http://{address}/metrics"));
            println!(
                "{}",
                json!({"issuer": self.issuer, "setup": self.setup, "playground": self.playground, "metrics": metrics})
            );
            return;
        }
        println!("Latchway is ready.\n");
        println!("  Issuer      {}", self.issuer);
        if let Some(link) = self.setup {
            println!("  Set-up      {link}");
            println!("              makes the first administrator; the link works once");
        }
        if let Some(address) = self.playground {
            println!("  Playground  {address}");
        }
        if let Some(address) = self.metrics {
            println!("  Metrics     http://{address}/metrics");
        }
        println!();
    }
}
