//! What is asked of each system, and what a connection does again and again.

use std::rc::Rc;

use anyhow::{Result, bail};

use crate::flow::{Web, encode};
use crate::http::{Client, find, request};
use crate::system::{API, Kind, OPAQUE_API, PASSWORD, PEOPLE, System, person};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    ClientCredentials,
    Code,
    Refresh,
    RefreshOpenId,
    IntrospectClient,
    IntrospectPerson,
    Jwks,
}

impl Scenario {
    pub const ALL: [Self; 7] = [
        Self::ClientCredentials,
        Self::Code,
        Self::Refresh,
        Self::RefreshOpenId,
        Self::IntrospectClient,
        Self::IntrospectPerson,
        Self::Jwks,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Code => "code flow, with ID token",
            Self::Refresh => "refresh",
            Self::RefreshOpenId => "refresh, with ID token",
            Self::IntrospectClient => "introspect a client's token",
            Self::IntrospectPerson => "introspect a person's token",
            Self::Jwks => "JWKS",
        }
    }

    /// There is no ceiling for the code flow: it has no one costly step to compare with.
    pub fn is_run_by(self, kind: Kind) -> bool {
        self != Self::Code || kind != Kind::Ceiling
    }
}

/// What one connection repeats.
pub enum Work {
    /// Requests of a common pool, in turn.
    Requests {
        pool: Rc<Vec<Vec<u8>>>,
        next: usize,
        expect: &'static [u8],
    },
    Code {
        web: Rc<Web>,
        cookies: Rc<str>,
    },
    Refresh {
        web: Rc<Web>,
        token: String,
    },
}

impl Work {
    pub async fn step(&mut self, http: &mut Client) -> Result<()> {
        match self {
            Self::Requests { pool, next, expect } => {
                *next = (*next + 1) % pool.len();
                let answer = http.send(&pool[*next]).await?;
                if answer.status != 200 || find(answer.body, expect).is_none() {
                    bail!("an unexpected answer: {} {}", answer.status, answer.text());
                }
            }
            Self::Code { web, cookies } => {
                web.run(http, cookies).await?.member("access_token")?;
            }
            Self::Refresh { web, token } => {
                let scope = encode(&web.scope);
                let resource = encode(&web.resource);
                let body = format!("grant_type=refresh_token&refresh_token={token}&scope={scope}&resource={resource}");
                let refresh = request("POST", "/oauth2/token", web.port, &web.client.header(), Some(&body));
                let answer = http.send(&refresh).await?;
                if answer.status != 200 {
                    bail!("a refresh failed: {} {}", answer.status, answer.text());
                }
                *token = answer.member("refresh_token")?.to_owned();
            }
        }
        Ok(())
    }
}

/// How many live tokens are introspected in turn. The peer's adapter keeps the last thousand things alone.
fn pool_size(kind: Kind, scenario: Scenario) -> usize {
    match (kind, scenario) {
        (Kind::Peer, Scenario::IntrospectPerson) => 200,
        (Kind::Peer, _) => 500,
        _ => 1000,
    }
}

/// Work for every connection: logged in, consented and with tokens where that is needed.
pub async fn prepare(scenario: Scenario, system: &System, connections: usize) -> Result<Vec<Work>> {
    let port = system.port;
    let fixed = |pool: Vec<Vec<u8>>, expect: &'static [u8]| {
        let pool = Rc::new(pool);
        let start = |n: usize| n * pool.len() / connections;
        (0..connections).map(|n| Work::Requests { pool: pool.clone(), next: start(n), expect }).collect()
    };
    let scope = if scenario == Scenario::Refresh { "orders" } else { "openid orders" };
    let introspects = matches!(scenario, Scenario::IntrospectClient | Scenario::IntrospectPerson);
    let resource = if introspects && system.kind == Kind::Peer { OPAQUE_API } else { API };
    let web = Rc::new(Web { port, client: system.web.clone(), scope: scope.to_owned(), resource: resource.to_owned() });
    match scenario {
        Scenario::Jwks => Ok(fixed(vec![request("GET", "/.well-known/jwks.json", port, "", None)], b"\"keys\"")),
        Scenario::ClientCredentials => Ok(fixed(vec![client_credentials(system, resource)], b"\"access_token\"")),
        Scenario::IntrospectClient | Scenario::IntrospectPerson => {
            let tokens = if scenario == Scenario::IntrospectClient || system.kind == Kind::Ceiling {
                tokens_of_client(system, resource, pool_size(system.kind, scenario)).await?
            } else {
                tokens_of_people(&web, pool_size(system.kind, scenario)).await?
            };
            let header = system.api.header();
            let ask =
                |token: &String| request("POST", "/oauth2/introspect", port, &header, Some(&format!("token={token}")));
            Ok(fixed(tokens.iter().map(ask).collect(), b"\"active\":true"))
        }
        Scenario::Code => {
            let sessions = log_in_all(&web).await?;
            let work = |n: usize| Work::Code { web: web.clone(), cookies: sessions[n % PEOPLE].clone() };
            Ok((0..connections).map(work).collect())
        }
        Scenario::Refresh | Scenario::RefreshOpenId => {
            if system.kind == Kind::Ceiling {
                let work = |_| Work::Refresh { web: web.clone(), token: format!("lwrt_{}", "x".repeat(64)) };
                return Ok((0..connections).map(work).collect());
            }
            let sessions = log_in_all(&web).await?;
            let mut http = Client::connect(port).await?;
            let mut works = Vec::new();
            for n in 0..connections {
                let answer = web.run(&mut http, &sessions[n % PEOPLE]).await?;
                works.push(Work::Refresh { web: web.clone(), token: answer.member("refresh_token")?.to_owned() });
            }
            Ok(works)
        }
    }
}

fn client_credentials(system: &System, resource: &str) -> Vec<u8> {
    let body = format!("grant_type=client_credentials&scope=orders&resource={}", encode(resource));
    request("POST", "/oauth2/token", system.port, &system.service.header(), Some(&body))
}

async fn log_in_all(web: &Web) -> Result<Vec<Rc<str>>> {
    let mut sessions = Vec::new();
    for n in 0..PEOPLE {
        let mut http = Client::connect(web.port).await?;
        sessions.push(Rc::from(web.log_in(&mut http, &person(n), PASSWORD).await?));
    }
    Ok(sessions)
}

async fn tokens_of_client(system: &System, resource: &str, count: usize) -> Result<Vec<String>> {
    let mut http = Client::connect(system.port).await?;
    let ask = client_credentials(system, resource);
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(http.send(&ask).await?.member("access_token")?.to_owned());
    }
    Ok(tokens)
}

async fn tokens_of_people(web: &Web, count: usize) -> Result<Vec<String>> {
    let sessions = log_in_all(web).await?;
    let mut http = Client::connect(web.port).await?;
    let mut tokens = Vec::new();
    for n in 0..count {
        tokens.push(web.run(&mut http, &sessions[n % PEOPLE]).await?.member("access_token")?.to_owned());
    }
    Ok(tokens)
}
