//! The invariants of the catalogue, one function each: what clients were told against what the database and the API say.

mod audit;
mod secrets;
mod tokens;

use std::pin::Pin;

use anyhow::Result;

use crate::world::World;

/// What a check found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many things it looked at: a check of nothing proves nothing.
    pub looked_at: usize,
    /// What broke it, each with why.
    pub broken: Vec<String>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'a>>;

/// One of them.
pub struct Invariant {
    pub name: &'static str,
    pub what: &'static str,
    pub run: for<'a> fn(&'a World) -> Running<'a>,
}

/// All of them, in the order of the catalogue; `I0` is what no answer may be at any time.
pub const INVARIANTS: &[Invariant] = &[
    Invariant { name: "I0", what: "every answer was one that may be given", run: |w| Box::pin(answers(w)) },
    Invariant { name: "I1", what: "what is for one use was used once", run: |w| Box::pin(tokens::single_use(w)) },
    Invariant { name: "I2", what: "a family has one live refresh token", run: |w| Box::pin(tokens::one_leaf(w)) },
    Invariant { name: "I3", what: "what was acknowledged is there", run: |w| Box::pin(tokens::durable(w)) },
    Invariant { name: "I4", what: "what was ended is dead at every node", run: |w| Box::pin(tokens::dead(w)) },
    Invariant { name: "I5", what: "no token without family, person, client", run: |w| Box::pin(tokens::no_orphans(w)) },
    Invariant { name: "I6", what: "a replayed code leaves nothing alive", run: |w| Box::pin(tokens::replayed(w)) },
    Invariant { name: "I7", what: "the audit trail is whole", run: |w| Box::pin(audit::whole(w)) },
    Invariant { name: "I8", what: "no secret in logs and metrics", run: |w| Box::pin(secrets::hidden(w)) },
];

async fn answers(world: &World) -> Result<Outcome> {
    let book = world.ledger.book();
    let looked_at = book.answers.values().sum::<u64>();
    Ok(Outcome { looked_at: usize::try_from(looked_at)?, broken: book.complaints.clone() })
}
