//! AAC in LATM: `AudioMuxElement`s that bring their configuration with them (ISO/IEC 14496-3, 1.7.3).
//!
//! Taken is what encoders send: one programme of one layer, whose frames all belong to one time.

use alloc::vec::Vec;

use bytes::Bytes;

use super::bits::Bits;
use super::{ConfigError, aac};

/// The longest `AudioSpecificConfig` that is looked for, in bytes.
const CONFIG_LEN_MAX: usize = 64;

/// An element gives no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatmError {
    /// It is cut off, or says what can't be.
    #[error("a LATM element that is damaged")]
    Damaged,
    /// It goes on with a configuration that has not come.
    #[error("a LATM element before the first configuration")]
    NoConfig,
    /// It is more than one track of frames.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Its frames can't be used.
    #[error(transparent)]
    Codec(ConfigError),
}

/// What an element brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The `AudioSpecificConfig` of its frames.
    pub asc: Bytes,
    /// Raw data blocks, in order.
    pub frames: Vec<Bytes>,
}

/// Reads elements, each whole.
#[derive(Clone, Debug, Default)]
pub struct Latm {
    mux: Option<Mux>,
}

/// `StreamMuxConfig` (1.7.3.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mux {
    asc: Bytes,
    /// Frames in an element.
    frames: u32,
    /// The length of each, in bytes, where it is fixed.
    fixed_len: Option<usize>,
}

impl Latm {
    /// Reads an element.
    pub fn element(&mut self, bytes: &[u8]) -> Result<Element, LatmError> {
        let mut bits = Bits::new(bytes);
        // useSameStreamMux
        if !bits.flag().ok_or(LatmError::Damaged)? {
            // One that can't be read leaves none: what follows may be of it.
            self.mux = None;
            self.mux = Some(mux(&mut bits)?);
        }
        let mux = self.mux.as_ref().ok_or(LatmError::NoConfig)?;
        let mut frames = Vec::new();
        for _ in 0..mux.frames {
            let len = match mux.fixed_len {
                Some(len) => len,
                None => payload_len(&mut bits).ok_or(LatmError::Damaged)?,
            };
            frames.push(bits.bytes(len).ok_or(LatmError::Damaged)?.into());
        }
        Ok(Element { asc: mux.asc.clone(), frames })
    }
}

fn mux(bits: &mut Bits<'_>) -> Result<Mux, LatmError> {
    const DAMAGED: LatmError = LatmError::Damaged;
    let version = bits.flag().ok_or(DAMAGED)?;
    if version && bits.flag().ok_or(DAMAGED)? {
        return Err(LatmError::Unsupported("LATM of a version that is reserved"));
    }
    if version {
        value(bits).ok_or(DAMAGED)?; // taraBufferFullness
    }
    if !bits.flag().ok_or(DAMAGED)? {
        return Err(LatmError::Unsupported("LATM whose frames belong to several times"));
    }
    let frames = bits.read(6).ok_or(DAMAGED)? + 1;
    let (programmes, layers) = (bits.read(4).ok_or(DAMAGED)?, bits.read(3).ok_or(DAMAGED)?);
    if programmes > 0 || layers > 0 {
        return Err(LatmError::Unsupported("LATM of several programmes or layers"));
    }
    let asc = match version {
        true => {
            let len = value(bits).ok_or(DAMAGED)? as usize;
            let bytes = (len <= CONFIG_LEN_MAX * 8).then(|| bits.fields(len)).flatten();
            bytes.ok_or(DAMAGED)?
        }
        false => {
            // How long it is, only reading it tells.
            let ahead = bits.left().min(CONFIG_LEN_MAX * 8);
            let rest = bits.clone().fields(ahead).ok_or(DAMAGED)?;
            if let Err(error @ ConfigError::Unsupported { .. }) = aac::config(&Bytes::copy_from_slice(&rest))
            {
                return Err(LatmError::Codec(error));
            }
            let len = aac::config_bits(&rest).ok_or(DAMAGED)?;
            bits.fields(len).ok_or(DAMAGED)?
        }
    };
    let fixed_len = match bits.read(3).ok_or(DAMAGED)? {
        0 => {
            bits.skip(8).ok_or(DAMAGED)?; // latmBufferFullness
            None
        }
        1 => Some(bits.read(9).ok_or(DAMAGED)? as usize + 20),
        _ => return Err(LatmError::Unsupported("LATM of CELP or HVXC")),
    };
    if bits.flag().ok_or(DAMAGED)? {
        // What else there is stands behind the frames; its length is not needed.
        match version {
            true => drop(value(bits).ok_or(DAMAGED)?),
            false => while bits.read(9).ok_or(DAMAGED)? & 0x100 != 0 {},
        }
    }
    if bits.flag().ok_or(DAMAGED)? {
        bits.skip(8).ok_or(DAMAGED)?; // crcCheckSum
    }
    Ok(Mux { asc: asc.into(), frames, fixed_len })
}

/// `LatmGetValue` (table 1.45).
fn value(bits: &mut Bits<'_>) -> Option<u32> {
    let more = bits.read(2)?;
    let mut value = 0_u32;
    for _ in 0..=more {
        value = value << 8 | bits.read(8)?;
    }
    Some(value)
}

/// `PayloadLengthInfo` of one layer (table 1.46): bytes that are full count on.
fn payload_len(bits: &mut Bits<'_>) -> Option<usize> {
    let mut len = 0;
    loop {
        let byte = bits.read(8)?;
        len += byte as usize;
        if byte < 255 {
            return Some(len);
        }
    }
}
