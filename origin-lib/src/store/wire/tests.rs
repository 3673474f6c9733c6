use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

const GOOD: &[u8] =
    b"HTTP/1.1 200 OK\r\nx-amz-request-id: R1\r\nx-amz-id-2: H2\r\nserver: x\r\ncontent-length: 2\r\n\r\nok";

/// Deadlines that no test reaches.
fn patient() -> Deadlines {
    let long = Duration::from_secs(20);
    Deadlines { dns: long, connect: long, tls: long, first_byte: long, total: long }
}

fn wire(deadlines: Deadlines, pem: Option<&str>, secure: bool) -> Wire {
    let whom = Whom { place: "the place".into(), address_key: "endpoint", redact: Redact::default() };
    let authority = pem.map(|pem| crate::config::Authority { path: "ca.pem".into(), pem: pem.into() });
    Wire::new(whom, &Connection { deadlines, authority }, secure).unwrap()
}

fn put(url: &str, body: Vec<u8>) -> Request<Outgoing> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    Request::put(url).body(Outgoing::new(body)).unwrap()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads one request whose body is `len` bytes.
async fn request(stream: &mut (impl tokio::io::AsyncRead + Unpin), len: usize) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await?;
    Ok(head)
}

#[tokio::test]
async fn a_connection_is_kept_and_the_trace_says_which_was_made() {
    let (listener, port) = listener().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                while let Ok(head) = request(&mut stream, 4).await {
                    let head = String::from_utf8(head).unwrap();
                    assert!(head.starts_with("PUT /a/b?c=d HTTP/1.1\r\n"), "{head}");
                    assert!(
                        head.contains("host: localhost:") && head.contains("user-agent: railbird-origin/")
                    );
                    stream.write_all(GOOD).await.unwrap();
                }
            });
        }
    });
    let wire = wire(patient(), None, false);
    let url = format!("http://localhost:{port}/a/b?c=d");
    for n in 0..3 {
        let Answer { result, trace } = wire.exchange(put(&url, b"body".into()), 2).await;
        assert_eq!(result.unwrap().body(), "ok");
        assert_eq!(trace.peer.unwrap().port(), port);
        assert_eq!((trace.dns.is_some(), trace.connect.is_some(), trace.tls), (n == 0, n == 0, None));
        assert!(trace.first_byte.unwrap() <= trace.total);
        assert_eq!(trace.status, Some(200));
        assert_eq!(trace.request_id.as_deref(), Some("x-amz-request-id: R1; x-amz-id-2: H2"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_nobody_a_failure() {
    let (listener, port) = listener().await;
    let (answered, mut turn) = tokio::sync::mpsc::channel::<()>(1);
    let server = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream, 1).await.unwrap();
            stream.write_all(GOOD).await.unwrap();
            stream.shutdown().await.unwrap();
            // The client has seen the end when its own comes.
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
            answered.send(()).await.unwrap();
        }
    });
    let wire = wire(patient(), None, false);
    for _ in 0..3 {
        let answer = wire.exchange(put(&format!("http://127.0.0.1:{port}/"), b"x".into()), 9).await;
        assert_eq!(answer.result.unwrap().body(), "ok");
        assert!(answer.trace.connect.is_some());
        turn.recv().await.unwrap();
    }
    server.await.unwrap();
}

#[tokio::test]
async fn each_step_has_its_own_deadline_and_sentence() {
    let short = Duration::from_millis(60);
    // Accepts and says nothing.
    let (silent, port) = listener().await;
    tokio::spawn(async move {
        let mut held: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let large = vec![0; 32 << 20];
    for (deadlines, scheme, body, said, unreachable) in [
        (
            Deadlines { tls: short, ..patient() },
            "https",
            Vec::new(),
            "tls: the place did not finish the handshake within 60 ms (tls_ms)",
            true,
        ),
        (
            Deadlines { first_byte: short, ..patient() },
            "http",
            b"x".to_vec(),
            "first byte: the place did not begin to answer within 60 ms (first_byte_ms)",
            false,
        ),
        // A body that nobody reads keeps the upload, not the answer, waiting.
        (
            Deadlines { first_byte: short, total: 4 * short, ..patient() },
            "http",
            large,
            "total: the place was not done with a request within 240 ms (put_ms)",
            false,
        ),
    ] {
        let wire = wire(deadlines, None, scheme == "https");
        let answer = wire.exchange(put(&format!("{scheme}://127.0.0.1:{port}/"), body), 9).await;
        let error = answer.result.unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(matches!(error, PutError::Unreachable(_)), unreachable);
        assert_eq!(answer.trace.first_byte, None);
    }
}

#[tokio::test]
async fn a_name_and_a_connection_that_take_too_long_are_told_apart() {
    let short = Duration::from_millis(60);
    let slow = wire(Deadlines { dns: short, ..patient() }, None, false);
    // A lookup that never ends.
    let (_resolver, answer) = tokio::sync::watch::channel(None);
    slow.lookup.0.lock().unwrap().insert("slow.invalid".into(), answer);
    let error = slow.exchange(put("http://slow.invalid/", Vec::new()), 9).await.result.unwrap_err();
    let said = "dns: the name \"slow.invalid\" of the place was not resolved within 60 ms (dns_ms)";
    assert_eq!(error, PutError::Unreachable(said.into()));

    // A listener that never accepts, with its queue full: the system answers no more knocks.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = timeout(short, TcpStream::connect(address)).await {
        held.push(stream.unwrap());
    }
    let slow = wire(Deadlines { connect: short, ..patient() }, None, false);
    let answer = slow.exchange(put(&format!("http://{address}/"), Vec::new()), 9).await;
    let said = "connect: the place did not accept a connection within 60 ms (connect_ms): is endpoint right?";
    assert_eq!(answer.result.unwrap_err(), PutError::Unreachable(said.into()));
    assert_eq!((answer.trace.peer, answer.trace.connect), (Some(address), None));
}

#[tokio::test]
async fn who_is_not_there_is_unreachable() {
    let (listener, port) = listener().await;
    drop(listener);
    let wire = wire(patient(), None, false);
    for (url, said) in [
        (
            format!("http://127.0.0.1:{port}/"),
            "connect: the place refuses connections: is it running, and is the port in endpoint right?",
        ),
        ("http://nobody.invalid/".into(), "dns: the name \"nobody.invalid\" of the place can't be resolved"),
    ] {
        let error = wire.exchange(put(&url, Vec::new()), 9).await.result.unwrap_err();
        let PutError::Unreachable(text) = error else { panic!("{error:?}") };
        assert!(text.starts_with(said), "{text}");
    }
}

#[tokio::test]
async fn one_lookup_of_a_name_is_under_way_at_a_time() {
    let lookup = Lookup::default();
    let (first, second) = (lookup.under_way("localhost"), lookup.under_way("localhost"));
    assert!(first.same_channel(&second));
    assert!(!first.same_channel(&lookup.under_way("other.invalid")));
    assert!(!lookup.addresses("localhost").await.unwrap().is_empty());
}

#[test]
fn a_wait_is_told_in_seconds_or_as_a_date() {
    assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
    assert_eq!(retry_after(" 0 "), Some(Duration::ZERO));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    let then = std::time::SystemTime::now() + Duration::from_secs(3600);
    let wait = retry_after(&httpdate::fmt_http_date(then)).unwrap();
    assert!((Duration::from_secs(1800)..=Duration::from_secs(3600)).contains(&wait), "{wait:?}");
    for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
        assert_eq!(retry_after(nonsense), None, "{nonsense:?}");
    }
}

/// An authority that nobody knows.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new(name: &str) -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server that shows this authority's certificate for `name` and answers well.
    async fn server(&self, name: &str, expired: bool) -> u16 {
        let mut params = CertificateParams::new([name.to_string()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let (listener, port) = listener().await;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    request(&mut stream, 1).await.unwrap();
                    stream.write_all(GOOD).await.unwrap();
                }
            }
        });
        port
    }
}

#[tokio::test]
async fn tls_trusts_whom_it_is_told_to_and_says_what_is_wrong() {
    let (ours, other, namesake) = (Ca::new("ours"), Ca::new("other"), Ca::new("ours"));
    let (our_pem, both) = (ours.0.pem(), format!("{}{}", other.0.pem(), ours.0.pem()));
    for pem in [&our_pem, &both] {
        let port = ours.server("localhost", false).await;
        let wire = wire(patient(), Some(pem), true);
        let answer = wire.exchange(put(&format!("https://localhost:{port}/"), b"x".into()), 9).await;
        assert_eq!(answer.result.unwrap().body(), "ok");
        assert!(answer.trace.tls.is_some());
    }
    for (name, expired, pem, said) in [
        ("localhost", false, None, "set ca_file to that authority's certificate"),
        ("localhost", false, Some(other.0.pem()), "set ca_file to that authority's certificate"),
        ("localhost", false, Some(namesake.0.pem()), "set ca_file to that authority's certificate"),
        ("elsewhere.test", false, Some(our_pem.clone()), "for another name: check endpoint"),
        ("localhost", true, Some(our_pem.clone()), "has expired"),
    ] {
        let port = ours.server(name, expired).await;
        let wire = wire(patient(), pem.as_deref(), true);
        let answer = wire.exchange(put(&format!("https://localhost:{port}/"), b"x".into()), 9).await;
        let PutError::Misconfigured(text) = answer.result.unwrap_err() else { panic!("{said}") };
        assert!(text.starts_with("tls: the place shows a certificate ") && text.contains(said), "{text}");
        assert_eq!(answer.trace.tls, None);
    }
}

#[tokio::test]
async fn a_port_without_tls_is_said_to_be_one() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 64];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            // Until the client hangs up: a reset could overtake the answer.
            while !matches!(stream.read(&mut hello).await, Ok(0) | Err(_)) {}
        }
    });
    let wire = wire(patient(), None, true);
    let error = wire.exchange(put(&format!("https://127.0.0.1:{port}/"), b"x".into()), 9).await.result;
    let said = error.unwrap_err();
    assert_eq!(
        said,
        PutError::Unreachable("tls: the place does not speak TLS: is the port in endpoint right?".into())
    );
}

#[tokio::test]
async fn a_useless_authority_is_found_at_once() {
    let whom = Whom { place: "the place".into(), address_key: "url", redact: Redact::default() };
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let authority = Some(crate::config::Authority { path: "ca.pem".into(), pem: pem.into() });
    let connection = Connection { deadlines: patient(), authority };
    let error = Wire::new(whom, &connection, true).unwrap_err().to_string();
    assert!(error.starts_with("ca_file ca.pem: "), "{error}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for (answer, said) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"[..], "the answer of the place broke off"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
            "the answer of the place broke off",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n0123456789", "answered with more than 9 bytes"),
        (b"SSH-2.0-x\r\n\r\n", "the place answered something that is not HTTP"),
        (b"", "the connection to the place was lost"),
    ] {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream, 1).await.unwrap();
            let sent = stream.write_all(answer).await.map_err(|error| error.kind());
            assert!(matches!(sent, Ok(()) | Err(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)));
        });
        let wire = wire(patient(), None, false);
        let answer = wire.exchange(put(&format!("http://127.0.0.1:{port}/"), b"x".into()), 9).await;
        let error = answer.result.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// A peer that reads nothing, and says `words` once it was written to; then it ends.
struct Deaf {
    words: &'static [u8],
    written_to: bool,
    reader: Option<std::task::Waker>,
}

impl tokio::io::AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.written_to {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(std::mem::take(&mut self.words));
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Deaf {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
        self.written_to = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What comes of a request to such a peer.
async fn said_by_deaf(words: &'static [u8]) -> Result<u16, hyper::Error> {
    let stream = Heard::new(Deaf { words, written_to: false, reader: None });
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let head = sender.send_request(put("http://place/object", vec![1; 1 << 20])).await?;
    Ok(head.status().as_u16())
}

#[tokio::test]
async fn an_answer_is_heard_though_the_body_is_not_wanted() {
    let words = b"HTTP/1.1 412 Precondition Failed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(said_by_deaf(words).await.unwrap(), 412);
}

#[tokio::test]
async fn where_no_answer_comes_the_write_says_why() {
    let error = said_by_deaf(b"").await.unwrap_err();
    assert!(root_words(&error).to_lowercase().contains("broken pipe"), "{error:?}");
}
