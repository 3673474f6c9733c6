//! The edge on this machine: the Spin component that is deployed to others, in an embedded wasmtime.
//!
//! [`EdgeHost::start`] compiles the component once, links it once, and answers each request in an instance that has no
//! other request at the time. An instance reaches the key-value store, the variables that it was given, a clock and
//! randomness, and the URLs that it may POST to or GET; no files, no sockets. What the component can do is bounded: 128 MiB of memory, 30 s an answer.
//! Static files (`/assets/…`) are served by the host, as the other platforms do.

mod engine;
mod guest;
mod key_value;
mod log;
mod metrics;
mod pool;
mod serve;
mod waits;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

pub use metrics::EdgeMetrics;

use crate::assets::Assets;

/// How many requests the component answers at a time, unless set otherwise.
pub const INSTANCES_DEFAULT: usize = 64;

/// The most that [`EdgeHostConfig::instances_max`] can be.
pub const INSTANCES_MAX: usize = 1000;

/// How long the component may take for an answer, unless set otherwise: as on the platforms where it is deployed.
pub const ANSWER_TIME_DEFAULT: Duration = Duration::from_secs(30);

/// What to run and where. It holds secrets, so it can't be printed.
pub struct EdgeHostConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The component's file.
    pub component: PathBuf,
    /// The root of the static files; its `assets` folder is served. Without it there are none.
    pub assets: Option<PathBuf>,
    /// The component's variables: lower-case names.
    pub variables: BTreeMap<String, String>,
    /// Where the component may POST to: these very URLs, and nothing else.
    pub outbound: Vec<http::Uri>,
    /// What the component may GET: whatever is below these URLs, which have no slash at their end.
    pub readable: Vec<String>,
    /// The folder of the key-value store; without it the store is in memory and gone with the process.
    pub store_dir: Option<PathBuf>,
    /// How many requests the component answers at a time (1 to [`INSTANCES_MAX`]); further ones wait.
    pub instances_max: usize,
    /// How long the component may take for an answer.
    pub answer_time_max: Duration,
    /// Where to count.
    pub metrics: EdgeMetrics,
}

impl EdgeHostConfig {
    /// No variables, no static files, a store in memory.
    pub fn new(listen: SocketAddr, component: impl Into<PathBuf>) -> EdgeHostConfig {
        EdgeHostConfig {
            listen,
            component: component.into(),
            assets: None,
            variables: BTreeMap::new(),
            outbound: Vec::new(),
            readable: Vec::new(),
            store_dir: None,
            instances_max: INSTANCES_DEFAULT,
            answer_time_max: ANSWER_TIME_DEFAULT,
            metrics: EdgeMetrics::default(),
        }
    }
}

/// Why the edge could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EdgeHostError {
    /// The component is missing or can't run here.
    #[error("the edge component {} can't be loaded ({cause}): build it with `cargo xtask build-edge spin`", path.display())]
    Component {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the engine's words.
        cause: String,
    },
    /// The static files are missing or over a bound.
    #[error("the player's files in {} can't be read ({cause}): build them with `npm run build` in edge/player", path.display())]
    Assets {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
    /// The store can't be opened.
    #[error("the edge's store in {} can't be opened ({cause}): one process at a time can use it", path.display())]
    Store {
        /// The folder.
        path: PathBuf,
        /// What is wrong, in the store's words.
        cause: String,
    },
    /// The address is taken or not ours.
    #[error("the edge can't listen on {listen} ({cause}): choose another address")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
    /// [`EdgeHostConfig::instances_max`] is out of its range.
    #[error("instances_max must be from 1 to {INSTANCES_MAX}")]
    Instances,
}

/// Starts embedded edges.
#[derive(Clone, Copy, Debug)]
pub struct EdgeHost;

/// An edge that runs. Dropping it ends it like [`Running::shutdown`], without waiting.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    metrics: EdgeMetrics,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl EdgeHost {
    /// Compiles, links and listens; returns when requests are answered.
    ///
    /// # Errors
    /// Something named in the configuration is missing, broken or taken.
    pub async fn start(config: EdgeHostConfig) -> Result<Running, EdgeHostError> {
        let EdgeHostConfig {
            listen,
            component,
            assets,
            variables,
            outbound,
            readable,
            store_dir,
            instances_max,
            answer_time_max,
            metrics,
        } = config;
        if !(1..=INSTANCES_MAX).contains(&instances_max) {
            return Err(EdgeHostError::Instances);
        }
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|cause| EdgeHostError::Listen { listen, cause })?;
        let addr = listener.local_addr().map_err(|cause| EdgeHostError::Listen { listen, cause })?;

        let for_errors = component.clone();
        let loaded = spawn_blocking(move || -> Result<_, EdgeHostError> {
            let assets = read_assets(assets)?;
            let key_values = open_store(store_dir)?;
            let shared = Arc::new(guest::Shared { key_values, variables, outbound, readable });
            let began = Instant::now();
            let factory = engine::Factory::new(&component, shared, instances_max).map_err(|error| {
                EdgeHostError::Component { path: component.clone(), cause: format!("{error:#}") }
            })?;
            tracing::info!(component = %component.display(), took_ms = began.elapsed().as_millis(), "edge compiled");
            Ok((factory, assets))
        });
        let (factory, assets) = loaded
            .await
            .map_err(|error| EdgeHostError::Component { path: for_errors, cause: error.to_string() })??;

        let files = assets.len();
        let pool = Arc::new(pool::Pool::new(factory, instances_max, answer_time_max, metrics.clone()));
        let site = Arc::new(serve::Site::new(pool, assets, metrics.clone(), instances_max));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve::serve(listener, site, stopped));
        tracing::info!(%addr, files, "edge listens");
        Ok(Running { addr, metrics, stop, task })
    }
}

/// Paths of static files begin with this; the folder of static files has a sub-folder of that name.
const ASSETS: &str = "/assets/";

fn read_assets(root: Option<PathBuf>) -> Result<Assets, EdgeHostError> {
    let Some(path) = root else { return Ok(Assets::default()) };
    Assets::read(&path.join(ASSETS.trim_matches('/')), ASSETS)
        .map_err(|cause| EdgeHostError::Assets { path, cause })
}

fn open_store(folder: Option<PathBuf>) -> Result<key_value::KeyValues, EdgeHostError> {
    let Some(path) = folder else { return Ok(key_value::KeyValues::in_memory()) };
    key_value::KeyValues::on_disk(&path)
        .map_err(|error| EdgeHostError::Store { path, cause: error.to_string() })
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its figures.
    pub fn metrics(&self) -> &EdgeMetrics {
        &self.metrics
    }

    /// Takes no more requests and returns when those under way are answered, after 10 s at the latest.
    pub async fn shutdown(self) {
        _ = self.stop.send(true);
        _ = self.task.await;
    }
}
