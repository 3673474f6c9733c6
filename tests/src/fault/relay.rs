//! One connection: reads a request, lets its fault happen, or passes it on and the answer back.

use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::{Fault, Shared};

/// The longest head of a request or an answer, in bytes.
const HEAD_LEN_MAX: usize = 64 << 10;

/// The longest body, in bytes.
const BODY_LEN_MAX: usize = 64 << 20;

/// How often a dripping body drips.
const DRIP_EVERY: Duration = Duration::from_millis(20);

/// A client's stream, which can be reset.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The head of a request or an answer, as it came.
struct Head {
    bytes: Vec<u8>,
    /// The words of its first line.
    first: [String; 2],
    len: Option<usize>,
    chunked: bool,
    close: bool,
}

/// Says what no protocol says, and hangs up.
pub(super) async fn garbage(mut stream: TcpStream) -> io::Result<()> {
    let mut some = [0; 1024];
    let _ = stream.read(&mut some).await?;
    stream.write_all(b"\x00\xffthis is no protocol that anybody speaks\r\n\r\n").await?;
    stream.shutdown().await?;
    // Until the client has hung up as well: a reset would overtake what was said.
    while stream.read(&mut some).await? > 0 {}
    Ok(())
}

/// Serves a client until either side ends it.
pub(super) async fn serve(stream: impl Stream, shared: &Shared) -> io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut upstream = None;
    while let Some(head) = head(&mut client).await? {
        let [method, path] = &head.first;
        let (fault, number) = shared.judge(method, path);
        let len = head.len.unwrap_or(0);
        if head.chunked || len > BODY_LEN_MAX {
            return answer(&mut client, "411 Length Required", "", b"", 0).await;
        }
        match fault {
            Some(Fault::BlackHole) => return sink(&mut client).await,
            Some(Fault::Reset) if len > 0 => {
                body(&mut client, len / 2).await?;
                return reset(client.get_ref());
            }
            Some(Fault::Truncate) if len > 0 => {
                body(&mut client, len).await?;
                return answer(&mut client, "200 OK", "etag: \"cut\"\r\n", b"<half of ", 64).await;
            }
            Some(Fault::Busy { status, retry_after }) => {
                body(&mut client, len).await?;
                let header = retry_after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
                answer(&mut client, &format!("{status} Busy"), &header, b"", 0).await?;
                continue;
            }
            Some(Fault::Latency(time)) => sleep(time).await,
            _ => {}
        }
        if !pass(&mut client, &mut upstream, &head, fault, number, shared).await? {
            return client.shutdown().await;
        }
    }
    Ok(())
}

/// Passes a request and its answer on; whether the connection goes on.
async fn pass<S: Stream>(
    client: &mut BufReader<S>,
    upstream: &mut Option<BufReader<TcpStream>>,
    request: &Head,
    fault: Option<Fault>,
    number: u64,
    shared: &Shared,
) -> io::Result<bool> {
    let rate = match fault {
        Some(Fault::Drip(rate)) => Some(rate.max(1)),
        _ => None,
    };
    let stream = match upstream {
        Some(stream) => stream,
        None => match TcpStream::connect(shared.upstream).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                upstream.insert(BufReader::new(stream))
            }
            Err(_) => {
                answer(client, "502 Bad Gateway", "", b"", 0).await?;
                return Ok(false);
            }
        },
    };
    stream.write_all(&request.bytes).await?;
    let mut left = request.len.unwrap_or(0);
    while left > 0 {
        let part = body(client, left.min(step(rate))).await?;
        stream.write_all(&part).await?;
        left -= part.len();
        pause(rate).await;
    }
    let Some(answer) = head(stream).await? else { return Ok(false) };
    let bodiless = request.first[0] == "HEAD" || ["204", "304"].contains(&answer.first[1].as_str());
    let mut found = match answer.len {
        _ if bodiless => Vec::new(),
        _ if answer.chunked => chunks(stream).await?,
        Some(len) => body(stream, len).await?,
        None => rest(stream).await?,
    };
    let half = found.len() / 2;
    match fault {
        Some(Fault::Corrupt) if request.first[0] == "GET" && !found.is_empty() => {
            let place = usize::try_from(number).unwrap_or(0) % found.len();
            found[place] ^= 0x55;
        }
        Some(Fault::Truncate) => found.truncate(half),
        Some(Fault::Reset) => {
            client.write_all(&answer.bytes).await?;
            client.write_all(&found[..half]).await?;
            client.flush().await?;
            reset(client.get_ref())?;
            return Ok(false);
        }
        _ => {}
    }
    client.write_all(&answer.bytes).await?;
    for part in found.chunks(step(rate)) {
        client.write_all(part).await?;
        client.flush().await?;
        pause(rate).await;
    }
    client.flush().await?;
    let ends = answer.close || request.close || fault == Some(Fault::Truncate);
    Ok(!ends && (answer.len.is_some() || answer.chunked || bodiless))
}

/// How much of a body goes at a time.
fn step(rate: Option<u32>) -> usize {
    let drips = (1000 / DRIP_EVERY.as_millis().max(1)) as usize;
    rate.map_or(64 << 10, |rate| (rate as usize).div_ceil(drips))
}

async fn pause(rate: Option<u32>) {
    if rate.is_some() {
        sleep(DRIP_EVERY).await;
    }
}

/// The next head; `None`: the other side has ended, between two of them.
async fn head(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Head>> {
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    loop {
        let begin = bytes.len();
        let mut bounded = (&mut *stream).take((HEAD_LEN_MAX - begin) as u64);
        let len = bounded.read_until(b'\n', &mut bytes).await?;
        if len == 0 && begin == 0 {
            return Ok(None);
        }
        if bytes.last() != Some(&b'\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let line = String::from_utf8_lossy(&bytes[begin..]).trim_end().to_string();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let field = |name: &str| {
        let fields = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ').map(String::from);
    let first = [words.next().unwrap_or_default(), words.next().unwrap_or_default()];
    let len = field("content-length").map(|len| len.parse().map_err(|_| io::ErrorKind::InvalidData));
    let chunked = field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let close = field("connection").is_some_and(|words| words.contains("close"));
    Ok(Some(Head { bytes, first, len: len.transpose()?, chunked, close }))
}

async fn body(stream: &mut (impl AsyncRead + Unpin), len: usize) -> io::Result<Vec<u8>> {
    if len > BODY_LEN_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// A body that ends with its connection.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    stream.take(BODY_LEN_MAX as u64).read_to_end(&mut body).await?;
    Ok(body)
}

/// A chunked body, as it came: chunks, their sizes and the trailer.
async fn chunks(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    let mut trailer = false;
    loop {
        let begin = whole.len();
        (&mut *stream).take(HEAD_LEN_MAX as u64).read_until(b'\n', &mut whole).await?;
        let line = String::from_utf8_lossy(&whole[begin..]).trim().to_string();
        if line.is_empty() && trailer {
            return Ok(whole);
        }
        if trailer {
            continue;
        }
        let size = line.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        match size {
            Some(0) => trailer = true,
            Some(size) if whole.len() + size < BODY_LEN_MAX => {
                whole.extend(body(stream, size + 2).await?);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// An answer of our own that claims `len_min` bytes at least.
async fn answer<S: Stream>(
    client: &mut BufReader<S>,
    status: &str,
    headers: &str,
    body: &[u8],
    len_min: usize,
) -> io::Result<()> {
    let len = body.len().max(len_min);
    client
        .write_all(format!("HTTP/1.1 {status}\r\n{headers}content-length: {len}\r\n\r\n").as_bytes())
        .await?;
    client.write_all(body).await?;
    client.flush().await
}

/// Takes whatever comes, and says nothing until the client has had enough.
async fn sink(client: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut some = vec![0; 64 << 10];
    while client.read(&mut some).await? > 0 {}
    Ok(())
}

/// The connection ends with a reset when it is dropped.
fn reset(stream: &impl Stream) -> io::Result<()> {
    stream.tcp().set_zero_linger()
}
