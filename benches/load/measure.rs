//! One round: all connections at once, closed loop, for a while.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::http::Client;
use crate::scenario::{Scenario, Work, prepare};
use crate::system::System;

/// What one system did in one scenario, over all rounds.
pub struct Sample {
    pub operations: u64,
    pub wall: f64,
    /// CPU seconds of the server.
    pub cpu: f64,
    /// CPU seconds of its database server.
    pub database_cpu: f64,
    /// Microseconds.
    pub latency: Histogram<u64>,
}

impl Sample {
    pub fn new() -> Result<Self> {
        let latency = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        Ok(Self { operations: 0, wall: 0.0, cpu: 0.0, database_cpu: 0.0, latency })
    }

    /// Operations per second on the one core that the server had.
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.wall
    }

    /// Operations per second of CPU time that the server really used.
    pub fn per_cpu_second(&self) -> f64 {
        self.operations as f64 / self.cpu
    }

    fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.database_cpu += other.database_cpu;
        let _ = self.latency.add(&other.latency);
    }
}

/// How long and how wide.
#[derive(Clone, Copy)]
pub struct Shape {
    pub seconds: f64,
    pub warm_up: f64,
    pub connections: usize,
}

/// Prepares, warms up and measures one round, and adds it to what was measured before.
pub async fn round(scenario: Scenario, system: &System, shape: Shape, sample: &mut Sample) -> Result<()> {
    let works = prepare(scenario, system, shape.connections).await?;
    let mut crew = Vec::new();
    for work in works {
        crew.push((Client::connect(system.port).await?, work));
    }
    let (crew, _) = run(crew, Until::Time(Duration::from_secs_f64(shape.warm_up))).await?;
    let before = system.cpu();
    let (_, mut measured) = run(crew, Until::Time(Duration::from_secs_f64(shape.seconds))).await?;
    let after = system.cpu();
    measured.cpu = after.0 - before.0;
    measured.database_cpu = after.1 - before.1;
    sample.add(&measured);
    Ok(())
}

#[derive(Clone, Copy)]
pub enum Until {
    Time(Duration),
    /// So many operations by each connection.
    Count(u64),
}

type Crew = Vec<(Client, Work)>;

pub async fn run(crew: Crew, until: Until) -> Result<(Crew, Sample)> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut http, mut work) in crew {
        tasks.spawn_local(async move {
            let mut sample = Sample::new()?;
            loop {
                let started = Instant::now();
                let over = match until {
                    Until::Time(limit) => started - begin >= limit,
                    Until::Count(count) => sample.operations >= count,
                };
                if over {
                    return anyhow::Ok((http, work, sample));
                }
                work.step(&mut http).await?;
                sample.operations += 1;
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                sample.latency.saturating_record(micros.max(1));
            }
        });
    }
    let mut total = Sample::new()?;
    let mut crew = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        let (http, work, sample) = outcome??;
        total.add(&sample);
        crew.push((http, work));
    }
    total.wall = begin.elapsed().as_secs_f64();
    Ok((crew, total))
}
