//! The socket's datagrams, by whom they are for.

use std::net::SocketAddr;
use std::time::Duration;

use railbird_core::rtp::stun;

use super::Around;

/// The longest datagram that is read: more than any that is sent over the internet.
const DATAGRAM_LEN_MAX: usize = 2048;

/// How long to wait where the socket can't be read.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// Reads datagrams until the origin stops.
pub(super) async fn run(around: Around) {
    let mut buffer = [0; DATAGRAM_LEN_MAX];
    let mut broken = false;
    loop {
        let read = tokio::select! {
            biased;
            () = around.stop.cancelled() => return,
            read = around.socket.recv_from(&mut buffer) => read,
        };
        match read {
            Ok((len, from)) => {
                broken = false;
                let datagram = buffer.get(..len).unwrap_or_default();
                // A socket for both families knows IPv4 by another name.
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                around.table.deliver(stun::addressee(datagram), from, datagram);
            }
            Err(error) => {
                // Said once, not ten times a second.
                if !std::mem::replace(&mut broken, true) {
                    tracing::error!(%error, "the socket for WHIP can't be read");
                }
                tokio::time::sleep(READ_PAUSE).await;
            }
        }
    }
}
