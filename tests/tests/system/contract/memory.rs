//! The contract on the core itself, over the store in memory.

use railbird_edge::memory::MemoryStore;
use railbird_edge::{Edge, Moment, Request, Response, Settings};

use super::ask::now;
use super::{Door, VARIABLES, run};

impl Door for Edge<MemoryStore> {
    async fn call(&self, request: Request) -> anyhow::Result<Response> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy)?;
        Ok(self.handle(request, &Moment { now: now(), entropy }).await)
    }
}

#[tokio::test]
async fn the_core_in_memory() {
    let variable = |name: &str| {
        VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string())
    };
    run(&Edge::new(Settings::read(variable), MemoryStore::default())).await;
}
