//! What codec parameters say: H.264 and AAC.
//!
//! Parameters come from outside, so every read is checked and every text of an error names what to do.

use alloc::string::String;

pub mod aac;
pub mod avc;
mod bits;

/// The longest codec configuration that is read, in bytes. Real ones have tens of bytes.
pub const CONFIG_LEN_MAX: usize = 16 * 1024;

/// Why a codec configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The bytes make no sense. A later configuration may.
    #[error("{0}")]
    Malformed(&'static str),
    /// The encoder works as set, but viewers can't play it.
    #[error("the encoder sends {sent}: set {set}")]
    Unsupported {
        /// What the encoder sends.
        sent: String,
        /// What to set instead.
        set: &'static str,
    },
}

#[cfg(test)]
mod tests;
