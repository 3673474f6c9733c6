//! The handshake (RTMP 1.0, 5.2).
//!
//! Only the plain form is spoken. A client that sends the form with digests (a version where the zeros are) takes the
//! plain answer too: version zero in S1 tells it that no digest follows, and no encoder's checks of S2 ask for more.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::Error;

const VERSION: u8 = 3;

/// The length of C1, C2, S1 and S2.
const BLOCK_LEN: usize = 1536;

/// One side of the handshake: collects the peer's bytes, says what to send.
#[derive(Debug)]
pub(super) struct Handshake {
    role: Role,
    entropy: [u8; 32],
    /// The peer's first two parts, until they are whole; then its last.
    received: Vec<u8>,
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

impl Handshake {
    pub(super) fn server(entropy: [u8; 32]) -> Handshake {
        Handshake { role: Role::Server, entropy, received: Vec::new(), answered: false }
    }

    /// Appends C0 and C1 to `out`.
    pub(super) fn client(entropy: [u8; 32], out: &mut Vec<u8>) -> Handshake {
        out.push(VERSION);
        out.extend_from_slice(&own_block(&entropy));
        Handshake { role: Role::Client, entropy, received: Vec::new(), answered: false }
    }

    /// Takes bytes from the input's front, appends what to send; says whether the handshake is done.
    pub(super) fn handle(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        if !self.answered {
            self.take(input, 1 + BLOCK_LEN);
            let Some((&version, block)) = self.received.split_first() else { return Ok(false) };
            if version != VERSION {
                return Err(Error::NotRtmp(other_protocol(version)));
            }
            if block.len() < BLOCK_LEN {
                return Ok(false);
            }
            if self.role == Role::Server {
                out.push(VERSION);
                out.extend_from_slice(&own_block(&self.entropy));
            }
            // C2 and S2 give the peer's block back.
            out.extend_from_slice(block);
            self.received.clear();
            self.answered = true;
        }
        // What comes back is not compared: clients that send digests sign it anew.
        self.take(input, BLOCK_LEN);
        Ok(self.received.len() == BLOCK_LEN)
    }

    fn take(&mut self, input: &mut &[u8], length: usize) {
        let missing = length.saturating_sub(self.received.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.received.extend_from_slice(taken);
        *input = rest;
    }
}

/// Time zero, version zero, then bytes that the peer can't foresee.
fn own_block(entropy: &[u8; 32]) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    for (number, part) in block[8..].chunks_mut(32).enumerate() {
        let digest =
            Sha256::new().chain_update(entropy).chain_update((number as u64).to_be_bytes()).finalize();
        part.copy_from_slice(&digest[..part.len()]);
    }
    block
}

/// What a first byte other than RTMP's version most likely begins.
fn other_protocol(first: u8) -> &'static str {
    match first {
        b'A'..=b'Z' => "HTTP",
        0x16 => "TLS (as in rtmps://)",
        6 | 8 => "encrypted RTMP (rtmpe://)",
        _ => "an unknown protocol",
    }
}
