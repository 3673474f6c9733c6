//! Secrets: bytes that show themselves to nobody by accident.

use std::fmt;
use std::sync::Arc;

/// A secret that was resolved from an environment variable or a file. Cheap to clone; its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the secret's text.
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// The secret as text: for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
