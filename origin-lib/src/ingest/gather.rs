//! The socket of a feed that goes on: what comes within a moment is taken together.
//!
//! A socket that the runtime watches wakes the origin for each message, 80 times a second for one encoder in real time, and that
//! is most of what such a feed costs. One that is gathered from is not watched: it is looked at every [`EVERY`], all feeds' in
//! the same moment. What comes meanwhile waits in the system's buffer. Where more comes than is gathered well, or nothing, the
//! runtime watches it again.

use std::io::{self, Read, Write};
use std::net;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long bytes may wait until they are read: far less than a segment.
const EVERY: Duration = Duration::from_millis(40);

/// So many bytes at once are no trickle: a key frame, or a feed of more than a dozen megabits. What follows within [`EVERY`] is
/// read as it comes, or an encoder that sends more than the system's buffer takes would wait for us. Less than that buffer is at
/// first, 64 KiB.
const MUCH: usize = 60 << 10;

/// After so many looks in vain the encoder is silent, and looking costs more than being woken.
const IN_VAIN_MAX: u32 = 8;

/// Says whether a socket may be gathered from. Cheap to clone; at first it may not.
#[derive(Clone, Debug, Default)]
pub(super) struct Consent(Arc<AtomicBool>);

impl Consent {
    pub(super) fn set(&self, may: bool) {
        self.0.store(may, Ordering::Relaxed);
    }

    fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A socket that is watched, or gathered from where its [`Consent`] says that it may be.
#[derive(Debug)]
pub(super) struct Gather {
    socket: Socket,
    consent: Consent,
    /// When it is looked at next.
    look: Pin<Box<Sleep>>,
    /// What came since it was empty.
    came: usize,
    in_vain: u32,
    /// The last read took all that there was.
    emptied: bool,
    /// Nothing has come since it was gathered from in vain.
    silent: bool,
    /// The last burst is over then.
    calm: Instant,
    /// Somebody waits until it takes what is to be written: the runtime must watch it.
    full: bool,
}

#[derive(Debug)]
enum Socket {
    Watched(TcpStream),
    Gathered(net::TcpStream),
    /// It could not be handed over from one to the other.
    Lost,
}

impl Gather {
    pub(super) fn new(stream: TcpStream, consent: Consent) -> Gather {
        let (socket, now) = (Socket::Watched(stream), Instant::now());
        let look = Box::pin(sleep_until(now));
        Gather {
            socket,
            consent,
            look,
            came: 0,
            in_vain: 0,
            emptied: false,
            silent: false,
            calm: now,
            full: false,
        }
    }

    /// It is looked at in the next of the moments that all sockets have in common.
    fn wait(&mut self) {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let passed = BEGIN.elapsed().as_millis() / EVERY.as_millis();
        let looks = u32::try_from(passed).unwrap_or(0).saturating_add(1);
        self.look.as_mut().reset(*BEGIN + EVERY * looks);
        self.came = 0;
    }

    /// The runtime watches it no longer.
    fn gather(&mut self) -> io::Result<()> {
        if let Socket::Watched(stream) = std::mem::replace(&mut self.socket, Socket::Lost) {
            self.socket = Socket::Gathered(stream.into_std()?);
        }
        (self.in_vain, self.emptied) = (0, false);
        self.wait();
        Ok(())
    }

    /// The runtime watches it.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket = match std::mem::replace(&mut self.socket, Socket::Lost) {
            Socket::Gathered(stream) => Socket::Watched(TcpStream::from_std(stream)?),
            socket => socket,
        };
        match &mut self.socket {
            Socket::Watched(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Gather {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Socket::Watched(stream) = &mut this.socket {
            let before = buf.filled().len();
            let read = Pin::new(stream).poll_read(cx, buf);
            if read.is_ready() {
                (this.silent, this.came) = (false, this.came + buf.filled().len() - before);
                return read;
            }
            // It is empty: the next that comes may wait.
            if std::mem::take(&mut this.came) >= MUCH {
                this.calm = Instant::now() + EVERY;
            }
            if !this.consent.is_given() || this.silent || this.full || Instant::now() < this.calm {
                return Poll::Pending;
            }
            this.gather()?;
        }
        while let Socket::Gathered(stream) = &mut this.socket {
            ready!(this.look.as_mut().poll(cx));
            // What is less than there was room for was all: what has come since waits for the next look.
            let read = match std::mem::take(&mut this.emptied) {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => stream.read(buf.initialize_unfilled()),
            };
            match read {
                Ok(len) => {
                    this.emptied = (1..buf.remaining()).contains(&len);
                    buf.advance(len);
                    this.came += len;
                    if this.came >= MUCH {
                        this.watched()?;
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Looked at until it is empty.
                    this.in_vain = if this.came > 0 { 0 } else { this.in_vain + 1 };
                    if this.in_vain >= IN_VAIN_MAX || !this.consent.is_given() {
                        this.silent = true;
                        return this.watched()?.poll_read(cx, buf);
                    }
                    this.wait();
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        this.watched()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Gather {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Socket::Gathered(stream) = &mut this.socket {
            match stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
        let written = this.watched()?.poll_write(cx, bytes);
        this.full = written.is_pending();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().watched()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A socket that may be gathered from, and its peer.
    async fn pair() -> (Gather, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let consent = Consent::default();
        consent.set(true);
        (Gather::new(listener.accept().await.unwrap().0, consent), peer)
    }

    fn is_gathered(socket: &Gather) -> bool {
        matches!(socket.socket, Socket::Gathered(_))
    }

    #[tokio::test]
    async fn what_trickles_is_gathered_and_comes_whole_and_in_order() {
        let (mut socket, mut peer) = pair().await;
        let writing = tokio::spawn(async move {
            for n in 0..200_u32 {
                peer.write_all(&n.to_be_bytes().repeat(usize::try_from(n).unwrap())).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (mut came, mut gathered, mut buffer) = (Vec::new(), false, [0; 1000]);
        loop {
            let len = socket.read(&mut buffer).await.unwrap();
            gathered |= is_gathered(&socket);
            if len == 0 {
                break;
            }
            came.extend_from_slice(&buffer[..len]);
        }
        writing.await.unwrap();
        let sent = (0..200_u32).flat_map(|n| n.to_be_bytes().repeat(usize::try_from(n).unwrap()));
        assert!(gathered && came == sent.collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn messages_of_one_moment_come_in_one_read() {
        let (mut socket, mut peer) = pair().await;
        let mut buffer = [0; 1000];
        // Nothing is there: from here on it is gathered from.
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket));
        peer.write_all(b"one").await.unwrap();
        peer.write_all(b"two").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 6);
        assert_eq!(&buffer[..6], b"onetwo");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_behind_a_look_waits_for_the_next_one() {
        let (mut socket, mut peer) = pair().await;
        let mut buffer = [0; 1000];
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket));
        peer.write_all(b"one").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 3);
        peer.write_all(b"two").await.unwrap();
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket));
        let looked = Instant::now();
        peer.write_all(b"three").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(&buffer[..8], b"twothree");
        assert!(looked.elapsed() <= EVERY);
        // Where nothing may wait any more, it is read at once.
        peer.write_all(b"four").await.unwrap();
        socket.consent.set(false);
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 4);
        assert!(!is_gathered(&socket));
    }

    #[tokio::test]
    async fn nothing_waits_where_it_may_not() {
        let (mut socket, mut peer) = pair().await;
        socket.consent.set(false);
        let mut buffer = [0; 10];
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(!is_gathered(&socket));
        peer.write_all(b"one").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_a_burst_is_read_as_it_comes() {
        let (mut socket, mut peer) = pair().await;
        let mut buffer = vec![0; 64 << 10];
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket));
        // Time stands still as long as somebody has something to do.
        let sent = vec![7; 32 * MUCH];
        let mut came = 0;
        let ((), ()) = tokio::join!(async { peer.write_all(&sent).await.unwrap() }, async {
            while came < sent.len() {
                came += socket.read(&mut buffer).await.unwrap();
            }
        });
        assert!(!is_gathered(&socket));
        assert!(tokio::time::timeout(EVERY / 2, socket.read(&mut buffer)).await.is_err());
        assert!(!is_gathered(&socket), "more of it may come");
        assert!(tokio::time::timeout(EVERY * 2, socket.read(&mut buffer)).await.is_err());
        peer.write_all(b"one").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 3);
        assert!(tokio::time::timeout(EVERY / 2, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket), "it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn an_encoder_that_falls_silent_is_watched_until_it_sends_again() {
        let (mut socket, mut peer) = pair().await;
        let mut buffer = [0; 10];
        let silent = tokio::select! {
            _ = socket.read(&mut buffer) => false,
            () = tokio::time::sleep(EVERY * (IN_VAIN_MAX + 50)) => true,
        };
        assert!(silent && !is_gathered(&socket));
        peer.write_all(b"one").await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 3);
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        assert!(is_gathered(&socket));
    }

    #[tokio::test]
    async fn what_is_written_goes_out_even_where_the_peer_reads_late() {
        let (mut socket, mut peer) = pair().await;
        let mut buffer = [0; 10];
        assert!(tokio::time::timeout(Duration::ZERO, socket.read(&mut buffer)).await.is_err());
        let sent = vec![7; 16 << 20];
        let (written, read) = tokio::join!(
            async {
                socket.write_all(&sent).await.unwrap();
                socket.shutdown().await
            },
            async {
                let mut all = Vec::new();
                peer.read_to_end(&mut all).await.unwrap();
                all.len()
            }
        );
        written.unwrap();
        assert_eq!(read, 16 << 20);
    }
}
