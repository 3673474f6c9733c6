//! What a host prints while it is asked everything that the contract asks: never a secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::contract::{VARIABLES, fixture};

/// What was printed so far.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    /// Everything that this process logs from now on, up to what is for developers only.
    pub(crate) fn log() -> Printed {
        let printed = Printed::default();
        let writer = printed.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
        subscriber.with_writer(move || writer.clone()).init();
        printed
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails with the line that tells one: a secret of the host's, a password or its hash, an address of a pass holder's, the
/// start that all tokens have, a lease.
pub(crate) fn tells_no_secret(text: &str) {
    assert!(!text.trim().is_empty(), "nothing was printed that could be searched");
    let secrets = VARIABLES.iter().filter(|(name, _)| name.contains("secret")).map(|(_, value)| *value);
    let held =
        [fixture::PASSWORD, fixture::PASSWORD_HASH, fixture::EMAIL, "2D3RhEOhAQWg", "railbird-screen="];
    for secret in secrets.chain(held) {
        let told = text.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret:?} was printed");
    }
}
