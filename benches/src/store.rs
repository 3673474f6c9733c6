//! A store of the S3 API and the node over it, in this process: takes objects, gives them back, and dies when told to.
//!
//! It knows no signatures and no errors but its own death, so that what is measured is the origin's.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// The most segments and parts whose bytes are kept for reading: the oldest are forgotten, their names are not.
const BODIES_MAX: usize = 1024;

/// The longest body that is taken.
const BODY_LEN_MAX: usize = 64 << 20;

/// How a store is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Well,
    /// Connections are taken, and no request is answered or even read to its end.
    Silent,
    /// Nobody listens, and every connection is cut.
    Refusing,
}

/// An object as it came first.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) name: String,
    /// When its put had been answered.
    pub(crate) at: Instant,
    pub(crate) len: u64,
}

/// A running store, or another door to its objects. It runs until the process ends.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    addr: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    objects: Arc<Mutex<Objects>>,
}

struct State {
    mode: Mode,
    listens: bool,
    open: BTreeMap<u64, TcpStream>,
    opened: u64,
}

#[derive(Default)]
struct Objects {
    arrived: BTreeMap<String, Arrived>,
    bodies: BTreeMap<String, Arc<[u8]>>,
    segments: VecDeque<String>,
}

impl Store {
    pub(crate) fn start() -> Result<Store> {
        Store::over(Arc::default())
    }

    /// Another door to the same objects, which can die alone: a node.
    pub(crate) fn door(&self) -> Result<Store> {
        Store::over(self.0.objects.clone())
    }

    fn over(objects: Arc<Mutex<Objects>>) -> Result<Store> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = State { mode: Mode::Well, listens: true, open: BTreeMap::new(), opened: 0 };
        let (addr, state) = (listener.local_addr()?, Mutex::new(state));
        let inner = Inner { addr, state, changed: Condvar::new(), objects };
        let store = Store(Arc::new(inner));
        let accepting = store.clone();
        thread::spawn(move || accepting.accept(listener));
        Ok(store)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// From now on it is so. Gives when it was.
    pub(crate) fn set(&self, mode: Mode) -> Result<Instant> {
        let mut state = self.state();
        state.mode = mode;
        self.0.changed.notify_all();
        let listens = mode != Mode::Refusing;
        if !listens {
            for stream in state.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
            drop(state);
            // Who waits for a connection gets this one, and looks.
            let _ = TcpStream::connect(self.0.addr);
            state = self.state();
        }
        while state.listens != listens {
            ensure!(state.mode == mode, "two change the mode at once");
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Instant::now())
    }

    /// Everything that came so far, in the order of names.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.objects().arrived.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this holds of the mode.
    fn until(&self, wanted: impl Fn(Mode) -> bool) {
        let mut state = self.state();
        while !wanted(state.mode) {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn accept(&self, mut listener: TcpListener) {
        loop {
            let accepted = listener.accept();
            let mut state = self.state();
            if state.mode == Mode::Refusing {
                drop((accepted, listener));
                state.listens = false;
                self.0.changed.notify_all();
                drop(state);
                self.until(|mode| mode != Mode::Refusing);
                // Nobody else was given this port a moment ago; without it there is no figure.
                let Ok(again) = TcpListener::bind(self.0.addr) else { return };
                listener = again;
                self.state().listens = true;
                self.0.changed.notify_all();
                continue;
            }
            let Ok((stream, _)) = accepted else { continue };
            let Ok(handle) = stream.try_clone() else { continue };
            state.opened += 1;
            let number = state.opened;
            state.open.insert(number, handle);
            drop(state);
            let store = self.clone();
            thread::spawn(move || {
                let _ = store.serve(stream);
                store.state().open.remove(&number);
            });
        }
    }

    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut input = BufReader::with_capacity(64 << 10, stream);
        while let Some(request) = Request::read(&mut input)? {
            if self.state().mode == Mode::Silent {
                self.until(|mode| mode != Mode::Silent);
                // Whoever asked has long given up.
                return Ok(());
            }
            if request.continues {
                input.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let mut body = vec![0; request.len];
            input.read_exact(&mut body)?;
            let stream = input.get_mut();
            match request.method.as_str() {
                "PUT" => self.put(&request, body, stream)?,
                "DELETE" => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?,
                _ => self.get(&request, stream)?,
            }
        }
        Ok(())
    }

    fn put(&self, request: &Request, body: Vec<u8>, stream: &mut TcpStream) -> Result<()> {
        // An edge that is pushed to answers so.
        if request.path.contains("/origin/v1/") {
            return Ok(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?);
        }
        let name = request.name().to_owned();
        if request.only_new && self.objects().arrived.contains_key(&name) {
            return Ok(stream.write_all(b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n")?);
        }
        let len = body.len() as u64;
        self.objects().keep(&name, body);
        stream.write_all(b"HTTP/1.1 200 OK\r\netag: \"0\"\r\ncontent-length: 0\r\n\r\n")?;
        let arrived = Arrived { name: name.clone(), at: Instant::now(), len };
        self.objects().arrived.entry(name).or_insert(arrived);
        Ok(())
    }

    fn get(&self, request: &Request, stream: &mut TcpStream) -> Result<()> {
        if let Some((_, query)) = request.path.split_once('?')
            && query.contains("list-type=2")
        {
            let text = self.list(query);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            return Ok(stream.write_all((head + &text).as_bytes())?);
        }
        let body = self.objects().bodies.get(request.name()).cloned();
        let Some(body) = body else {
            return Ok(stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?);
        };
        // The only range that is asked for here is the first byte.
        let (status, part) = match request.ranged {
            true => ("206 Partial Content", body.get(..1).unwrap_or_default()),
            false => ("200 OK", &body[..]),
        };
        stream
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", part.len()).as_bytes())?;
        Ok(stream.write_all(part)?)
    }

    fn list(&self, query: &str) -> String {
        let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or("");
        let objects = self.objects();
        let names = objects.arrived.keys().filter(|name| name.starts_with(prefix)).take(1000);
        let names: String = names.map(|name| format!("<Contents><Key>{name}</Key></Contents>")).collect();
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{names}</ListBucketResult>")
    }
}

impl Objects {
    fn keep(&mut self, name: &str, body: Vec<u8>) {
        let new = self.bodies.insert(name.to_owned(), body.into()).is_none();
        if new && name.ends_with(".m4s") {
            self.segments.push_back(name.to_owned());
        }
        if self.segments.len() > BODIES_MAX
            && let Some(oldest) = self.segments.pop_front()
        {
            self.bodies.remove(&oldest);
        }
    }
}

struct Request {
    method: String,
    path: String,
    len: usize,
    continues: bool,
    only_new: bool,
    ranged: bool,
}

impl Request {
    /// The next one's head; `None` at the connection's end.
    fn read(input: &mut impl BufRead) -> Result<Option<Request>> {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next().context("no method")?, words.next().context("no path")?);
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            len: 0,
            continues: false,
            only_new: false,
            ranged: false,
        };
        loop {
            line.clear();
            ensure!(input.read_line(&mut line)? > 0, "the head ends too early");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => request.len = value.trim().parse()?,
                "expect" => request.continues = true,
                "if-none-match" => request.only_new = true,
                "range" => request.ranged = true,
                _ => {}
            }
        }
        ensure!(request.len <= BODY_LEN_MAX, "a body of {} bytes", request.len);
        Ok(Some(request))
    }

    /// The object's name: what follows the bucket.
    fn name(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or("");
        path.trim_start_matches('/').split_once('/').map_or("", |(_, name)| name)
    }
}
