//! What one instance of the component can reach: the key-value store, variables, a clock, randomness, a log, and POSTs to
//! a few URLs and GETs below a few others. No files, no sockets, no other outbound HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use wasmtime::ResourceLimiter;
use wasmtime::component::{Accessor, HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::key_value::KeyValues;
use super::log::Log;
use bindings::OpenStore;
use bindings::spin::key_value::key_value as kv;
use bindings::spin::variables::variables as vars;

/// The largest linear memory of an instance, in bytes.
pub(super) const MEMORY_LEN_MAX: usize = 128 << 20;

/// The most elements of an instance's tables: functions that are called indirectly.
pub(super) const TABLE_LEN_MAX: usize = 20_000;

/// The most host resources (open stores, bodies, headers …) that an instance holds at a time.
const RESOURCES_MAX: usize = 1024;

/// Headers that an instance builds, in bytes.
const HEADERS_LEN_MAX: usize = 64 << 10;

/// How long each step of a request that the component sends may take; it has a shorter one for all of them.
const OUTBOUND_TIME_MAX: Duration = Duration::from_secs(10);

/// The only store that the component may open.
const STORE_LABEL: &str = "default";

mod bindings {
    #![expect(unreachable_pub, reason = "generated code")]
    wasmtime::component::bindgen!({
        path: "src/edge_host/wit",
        world: "railbird:host/host",
        imports: { default: async | trappable },
        with: { "spin:key-value/key-value.store": OpenStore },
    });

    /// A guest's handle to the store. There is one store, so it carries nothing.
    pub struct OpenStore;
}

/// What all instances share.
pub(super) struct Shared {
    /// The key-value store.
    pub(super) key_values: KeyValues,
    /// Variables by name; some are secrets.
    pub(super) variables: BTreeMap<String, String>,
    /// Where an instance may POST to.
    pub(super) outbound: Vec<http::Uri>,
    /// Below which URLs it may GET.
    pub(super) readable: Vec<String>,
}

impl Shared {
    fn allows(&self, request: &http::Request<WasiBody>) -> bool {
        match *request.method() {
            http::Method::POST => self.outbound.contains(request.uri()),
            http::Method::GET => {
                let url = request.uri().to_string();
                self.readable
                    .iter()
                    .any(|base| url.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')))
            }
            _ => false,
        }
    }
}

/// The host's side of one instance.
pub(super) struct Guest {
    shared: Arc<Shared>,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Outbound,
    log: Log,
    /// When the present request must be answered.
    pub(super) deadline: Instant,
    /// The largest memory that the instance has had, in bytes.
    pub(super) memory_len: usize,
}

/// Lets out what is allowed.
struct Outbound(Arc<Shared>);

impl Guest {
    /// For an instance that must be made, and answer its first request, by `deadline`.
    pub(super) fn new(shared: Arc<Shared>, deadline: Instant) -> Guest {
        let log = Log::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADERS_LEN_MAX);
        let wasi = WasiCtx::builder()
            .stdout(log.clone())
            .stderr(log.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        let hooks = Outbound(Arc::clone(&shared));
        Guest { shared, table, wasi, http, hooks, log, deadline, memory_len: 0 }
    }

    /// Prepares for a request that must be answered by `deadline`.
    pub(super) fn begin(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.log.begin();
    }
}

/// Adds everything that the component may import.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    kv::add_to_linker::<_, Host>(linker, |guest| guest)?;
    vars::add_to_linker::<_, Host>(linker, |guest| guest)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

type Sent<T> = Result<T, wasmtime_wasi_http::Error>;
type Io = Box<dyn Future<Output = Sent<()>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: Io,
    ) -> Box<dyn Future<Output = Sent<(http::Response<WasiBody>, Io)>> + Send> {
        let allowed = self.0.allows(&request);
        Box::new(async move {
            if !allowed {
                return Err(wasmtime_wasi_http::Error::HttpRequestDenied);
            }
            let bounds = RequestOptions {
                connect_timeout: Some(OUTBOUND_TIME_MAX),
                first_byte_timeout: Some(OUTBOUND_TIME_MAX),
                between_bytes_timeout: Some(OUTBOUND_TIME_MAX),
            };
            let (response, io) = wasmtime_wasi_http::default_send_request(request, Some(bounds)).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(io) as Io))
        })
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= MEMORY_LEN_MAX;
        if allowed {
            self.memory_len = self.memory_len.max(desired);
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_LEN_MAX)
    }
}

/// How the generated bindings find their data: [`Guest`] as it is.
struct Host;

impl HasData for Host {
    type Data<'a> = &'a mut Guest;
}

fn shared<T: Send>(accessor: &Accessor<T, Host>) -> Arc<Shared> {
    accessor.with(|mut access| Arc::clone(&access.get().shared))
}

impl kv::Host for &mut Guest {}
impl kv::HostStore for &mut Guest {
    async fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send> kv::HostStoreWithStore<T> for Host {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<OpenStore>, kv::Error>> {
        if label != STORE_LABEL {
            return Ok(Err(kv::Error::NoSuchStore));
        }
        Ok(accessor
            .with(|mut access| access.get().table.push(OpenStore).map_err(|_| kv::Error::StoreTableFull)))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        _store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, kv::Error>> {
        Ok(Ok(shared(accessor).key_values.get(&key).map(|value| value.to_vec())))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        _store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), kv::Error>> {
        let written = shared(accessor).key_values.set(key, value.into()).await;
        Ok(written.map_err(|error| kv::Error::Other(error.to_string())))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        _store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), kv::Error>> {
        let deleted = shared(accessor).key_values.delete(key).await;
        Ok(deleted.map_err(|error| kv::Error::Other(error.to_string())))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        _store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, kv::Error>> {
        Ok(Ok(shared(accessor).key_values.get(&key).is_some()))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        _store: Resource<OpenStore>,
    ) -> wasmtime::Result<(
        wasmtime::component::StreamReader<String>,
        wasmtime::component::FutureReader<Result<(), kv::Error>>,
    )> {
        let keys = shared(accessor).key_values.keys();
        accessor.with(|mut access| {
            let keys = wasmtime::component::StreamReader::new(&mut access, keys)?;
            let end = async { wasmtime::error::Ok(Ok(())) };
            let end = wasmtime::component::FutureReader::new(&mut access, end)?;
            Ok((keys, end))
        })
    }
}

impl vars::Host for &mut Guest {}

impl<T: Send> vars::HostWithStore<T> for Host {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, vars::Error>> {
        Ok(shared(accessor).variables.get(&name).cloned().ok_or(vars::Error::Undefined(name)))
    }
}
