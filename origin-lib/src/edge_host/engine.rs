//! Compiling the component and making instances of it.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Store, UpdateDeadline};
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};

use super::guest::{self, Guest, MEMORY_LEN_MAX, Shared, TABLE_LEN_MAX};

/// How often running guests are looked at: the grain of a deadline, and how long a busy one holds a thread.
const TICK: Duration = Duration::from_millis(10);

/// The largest component file, in bytes.
const COMPONENT_LEN_MAX: u64 = 64 << 20;

/// Memory and stack that a used slot of the pool keeps resident, in bytes: cheaper than mapping it anew.
const KEEP_RESIDENT: usize = 64 << 10;

/// A compiled component, linked as far as it goes without an instance.
pub(super) struct Factory {
    engine: Engine,
    pre: ServicePre<Guest>,
    shared: Arc<Shared>,
}

/// One instance and its store.
pub(super) struct Instance {
    pub(super) store: Store<Guest>,
    pub(super) service: Service,
    /// Requests it has answered.
    pub(super) served: u32,
}

impl Factory {
    /// Compiles the component; takes a few hundred milliseconds of both cores, so call it off the async threads.
    ///
    /// # Errors
    /// The engine can't be set up on this machine, or the file is not a component that this host can run.
    pub(super) fn new(
        component: &Path,
        shared: Arc<Shared>,
        instances_max: usize,
    ) -> wasmtime::Result<Factory> {
        let engine = engine(instances_max)?;
        let length = std::fs::metadata(component)?.len();
        if length > COMPONENT_LEN_MAX {
            return Err(wasmtime::format_err!("the file is larger than {COMPONENT_LEN_MAX} bytes"));
        }
        let component = Component::from_file(&engine, component)?;
        let mut linker = Linker::new(&engine);
        guest::add_to_linker(&mut linker)?;
        let pre = ServicePre::new(linker.instantiate_pre(&component)?)?;
        tick(&engine)?;
        Ok(Factory { engine, pre, shared })
    }

    /// A fresh instance. Making it runs code of the component, for which the deadline holds, too.
    ///
    /// # Errors
    /// There is no room for one, or its start failed or took too long.
    pub(super) async fn instantiate(&self, deadline: Instant) -> wasmtime::Result<Instance> {
        let mut store = Store::new(&self.engine, Guest::new(Arc::clone(&self.shared), deadline));
        store.limiter(|guest| guest);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            let over = Instant::now() >= context.data().deadline;
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let service = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, service, served: 0 })
    }
}

fn engine(instances_max: usize) -> wasmtime::Result<Engine> {
    let slots = u32::try_from(instances_max)?;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(4))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(4))
        .total_stacks(slots.saturating_mul(2))
        .max_memory_size(MEMORY_LEN_MAX)
        .table_elements(TABLE_LEN_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        // Where the kernel can tell which pages were written, only those are put back (Linux 6.7 and later).
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true).allocation_strategy(pool);
    Engine::new(&config).or_else(|error| {
        // The pool reserves address space up front, which a container may not grant.
        tracing::warn!(
            error = format!("{error:#}"),
            "the instance pool can't be reserved: slower on-demand allocation"
        );
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
        Engine::new(&config)
    })
}

/// Moves the engine's epoch on for as long as the engine lives.
fn tick(engine: &Engine) -> wasmtime::Result<()> {
    let weak = engine.weak();
    thread::Builder::new().name("edge-epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}
