//! What `serve --dev` prints after the start: addresses and the set-up link.

use serde_json::json;

use super::context::Context;
use super::output;

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
            let json =
                json!({"issuer": self.issuer, "setup": self.setup, "playground": self.playground, "metrics": metrics});
            output::raw(&format!("{json}\n"));
            return;
        }
        outln!("Latchway is ready.\n");
        outln!("  Issuer      {}", self.issuer);
        if let Some(link) = self.setup {
            outln!("  Set-up      {link}");
            outln!("              makes the first administrator; the link works once");
        }
        if let Some(address) = self.playground {
            outln!("  Playground  {address}");
        }
        if let Some(address) = self.metrics {
            outln!("  Metrics     http://{address}/metrics");
        }
        outln!();
    }
}
