//! The bytes that an encoder sends over RTMP: our own client, recorded while it talks to our own server.

use std::io::Write;

use anyhow::{Result, bail};
use railbird_core::flv::Tag;
use railbird_core::rtmp::{Client, ClientOutput, Output, Server, Url};
use railbird_core::time::UtcMs;

/// What the server that reads the recording must be made with.
pub(crate) const ENTROPY: [u8; 32] = [7; 32];

/// Writes all that a client sends, from the handshake to the last of the tags.
pub(crate) fn record(tags: impl Iterator<Item = Result<Tag>>, out: &mut impl Write) -> Result<()> {
    let now = UtcMs(1_795_171_920_000);
    let mut client = Client::new(Url::parse("rtmp://127.0.0.1/live/bench-table-1")?, [1; 32]);
    let mut server = Server::new(ENTROPY);
    server.handle(&[], now);
    client.handle(&[], now);
    let mut ready = false;
    while !ready {
        let mut quiet = true;
        while let Some(output) = client.poll() {
            quiet = false;
            match output {
                ClientOutput::Send(bytes) => {
                    out.write_all(&bytes)?;
                    server.handle(&bytes, now);
                }
                ClientOutput::Ready => ready = true,
                other => bail!("the client gave up: {other:?}"),
            }
        }
        while let Some(output) = server.poll() {
            quiet = false;
            match output {
                Output::Send(bytes) => client.handle(&bytes, now),
                Output::Publish { .. } => server.accept(),
                other => bail!("the server: {other:?}"),
            }
        }
        if quiet {
            bail!("client and server wait for each other");
        }
    }
    for tag in tags {
        let tag = tag?;
        client.send(tag.kind, tag.timestamp_ms, &tag.payload)?;
        while let Some(output) = client.poll() {
            let ClientOutput::Send(bytes) = output else { bail!("the client gave up: {output:?}") };
            out.write_all(&bytes)?;
        }
    }
    Ok(())
}
