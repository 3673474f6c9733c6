//! AAC: `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::bits::Bits;
use super::{CONFIG_LEN_MAX, ConfigError, opus};
use crate::media::{AudioCoding, AudioConfig};

/// The lowest and the highest sample rate that is taken, in Hz.
pub const SAMPLE_RATE_MIN: u32 = 4_000;
/// See [`SAMPLE_RATE_MIN`].
pub const SAMPLE_RATE_MAX: u32 = 192_000;

const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// What `samplingFrequencyIndex` stands for (table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The parameters in an `AudioSpecificConfig`.
///
/// Taken are AAC-LC and, on top of it, SBR (HE-AAC) and PS (HE-AAC v2), signalled explicitly in either way. With SBR,
/// sample rate and frame length are those of the decoded sound: 2048 samples at 48 kHz where AAC-LC codes 1024 at 24 kHz.
pub fn config(asc: &Bytes) -> Result<AudioConfig, ConfigError> {
    if asc.len() > CONFIG_LEN_MAX {
        return Err(ConfigError::Malformed("the AAC sequence header is longer than 16 KiB"));
    }
    // OBS, where its sound is set to Opus and it sends by RTMP: its packets have no place there that players know.
    if asc.starts_with(opus::MAGIC) {
        return Err(ConfigError::Unsupported { sent: "Opus as if it were AAC".to_string(), set: "AAC-LC" });
    }
    let parsed =
        parse(&mut Bits::new(asc)).ok_or(ConfigError::Malformed("the AAC sequence header is cut off"))?;
    if parsed.base != AAC_LC {
        return Err(ConfigError::Unsupported { sent: name(parsed.base), set: "AAC-LC" });
    }
    let rate = parsed.sbr_rate.unwrap_or(parsed.rate);
    if ![parsed.rate, rate].iter().all(|rate| (SAMPLE_RATE_MIN..=SAMPLE_RATE_MAX).contains(rate)) {
        return Err(ConfigError::Malformed("the AAC sequence header has a sample rate outside 4 to 192 kHz"));
    }
    if parsed.channels == 0 {
        return Err(ConfigError::Malformed("the AAC sequence header has a reserved channel configuration"));
    }
    // The decoder doubles the samples; any other ratio of the rates is no SBR that a player knows.
    let doubled = parsed.sbr_rate.is_some_and(|sbr| sbr != parsed.rate);
    if doubled && u64::from(rate) != u64::from(parsed.rate) * 2 {
        return Err(ConfigError::Malformed("the AAC sequence header's SBR rate is not twice the core's"));
    }
    Ok(AudioConfig {
        coding: AudioCoding::Aac,
        record: asc.clone(),
        codec: format!("mp4a.40.{}", parsed.kind),
        sample_rate: rate,
        channels: if parsed.kind == PS && parsed.channels == 1 { 2 } else { parsed.channels },
        frame_len: parsed.frame_len * if doubled { 2 } else { 1 },
    })
}

/// How many bits an `AudioSpecificConfig` at the beginning of these bytes has, where nothing else says it; `None` where it is cut
/// off. SBR that is told behind it is not part of it (1.6.6.1 wants a length for that).
pub(super) fn config_bits(bytes: &[u8]) -> Option<usize> {
    let mut bits = Bits::new(bytes);
    parse_to(&mut bits, false)?;
    Some(bytes.len() * 8 - bits.left())
}

/// What an encoder may call the audio object type (table 1.17).
fn name(object_type: u32) -> String {
    let known = match object_type {
        1 => "AAC Main",
        3 => "AAC SSR",
        4 => "AAC LTP",
        23 => "AAC-LD",
        34 => "MP3",
        36 => "ALS",
        39 => "AAC-ELD",
        42 => "xHE-AAC",
        other => return format!("MPEG-4 audio of object type {other}"),
    };
    known.to_string()
}

/// A syntactic element of channels with its `element_instance_tag` (ISO/IEC 14496-3, 4.4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// `single_channel_element`.
    Single(u8),
    /// `channel_pair_element`.
    Pair(u8),
    /// `lfe_channel_element`.
    Low(u8),
}

/// The elements of which an access unit of these parameters consists, in the order of table 1.19 or of their `program_config_element`;
/// `None` where it is no AAC-LC, or has none.
pub(super) fn elements(asc: &[u8]) -> Option<Vec<Element>> {
    use Element::{Low, Pair, Single};
    let parsed = parse(&mut Bits::new(asc)).filter(|parsed| parsed.base == AAC_LC)?;
    let elements: &[Element] = match parsed.layout {
        0 => &parsed.elements,
        1 => &[Single(0)],
        2 => &[Pair(0)],
        3 => &[Single(0), Pair(0)],
        4 => &[Single(0), Pair(0), Single(1)],
        5 => &[Single(0), Pair(0), Pair(1)],
        6 => &[Single(0), Pair(0), Pair(1), Low(0)],
        7 | 12 => &[Single(0), Pair(0), Pair(1), Pair(2), Low(0)],
        11 => &[Single(0), Pair(0), Pair(1), Single(1), Low(0)],
        14 => &[Single(0), Pair(0), Pair(1), Low(0), Pair(2)],
        _ => &[],
    };
    (!elements.is_empty()).then(|| elements.to_vec())
}

struct Parsed {
    /// The object type that the codec string names: 2, 5 or 29.
    kind: u32,
    /// The object type that codes the core.
    base: u32,
    rate: u32,
    sbr_rate: Option<u32>,
    /// `channelConfiguration`, and the elements where that is 0.
    layout: u32,
    elements: Vec<Element>,
    /// 0: reserved.
    channels: u8,
    frame_len: u32,
}

fn parse(bits: &mut Bits<'_>) -> Option<Parsed> {
    parse_to(bits, true)
}

/// `trailing`: with what may stand behind.
fn parse_to(bits: &mut Bits<'_>, trailing: bool) -> Option<Parsed> {
    let kind = object_type(bits)?;
    let rate = sample_rate(bits)?;
    let layout = bits.read(4)?;
    let (mut base, mut sbr_rate) = (kind, None);
    if kind == SBR || kind == PS {
        sbr_rate = Some(sample_rate(bits)?);
        base = object_type(bits)?;
    }
    let (channels, elements) = (channels(layout), Vec::new());
    let mut parsed = Parsed { kind, base, rate, sbr_rate, layout, elements, channels, frame_len: 1024 };
    if base != AAC_LC {
        return Some(parsed);
    }
    // GASpecificConfig (4.4.1).
    if bits.flag()? {
        parsed.frame_len = 960;
    }
    if bits.flag()? {
        bits.skip(14)?; // coreCoderDelay
    }
    bits.skip(1)?; // extensionFlag, 0 for AAC-LC
    if layout == 0 {
        (parsed.channels, parsed.elements) = program_config(bits)?;
    }
    if trailing
        && kind == AAC_LC
        && let Some((kind, rate)) = trailing_sbr(bits)
    {
        (parsed.kind, parsed.sbr_rate) = (kind, Some(rate));
    }
    Some(parsed)
}

/// The way of signalling SBR and PS that old decoders overlook, because it follows what they read (1.6.6.1).
fn trailing_sbr(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    if bits.read(11)? != 0x2b7 || object_type(bits)? != SBR || !bits.flag()? {
        return None;
    }
    let rate = sample_rate(bits)?;
    let ps = bits.read(11) == Some(0x548) && bits.flag() == Some(true);
    Some((if ps { PS } else { SBR }, rate))
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.read(5)? {
        31 => Some(32 + bits.read(6)?),
        kind => Some(kind),
    }
}

/// A reserved index counts as a rate of 0, which the caller refuses.
fn sample_rate(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.read(4)? {
        15 => bits.read(24),
        index => Some(RATES.get(index as usize).copied().unwrap_or(0)),
    }
}

/// How many channels a `channelConfiguration` has (table 1.19); 0 where it is reserved.
fn channels(layout: u32) -> u8 {
    match layout {
        1..=6 => layout as u8,
        7 | 12 | 14 => 8,
        11 => 7,
        _ => 0,
    }
}

/// `program_config_element` (4.5.1.2), read for its number of channels and its elements that have any.
fn program_config(bits: &mut Bits<'_>) -> Option<(u8, Vec<Element>)> {
    bits.skip(10)?; // element_instance_tag, object_type, sampling_frequency_index
    let (front, side, back) = (bits.read(4)?, bits.read(4)?, bits.read(4)?);
    let (lfe, data, coupling) = (bits.read(2)?, bits.read(3)?, bits.read(4)?);
    for width in [4, 4, 3] {
        // mono mixdown, stereo mixdown, matrix mixdown
        if bits.flag()? {
            bits.skip(width)?;
        }
    }
    let (mut count, mut elements) = (lfe, Vec::new());
    for _ in 0..front + side + back {
        let pair = bits.flag()?;
        count += 1 + u32::from(pair);
        let tag = bits.read(4)? as u8;
        elements.push(if pair { Element::Pair(tag) } else { Element::Single(tag) });
    }
    for _ in 0..lfe {
        elements.push(Element::Low(bits.read(4)? as u8));
    }
    bits.skip(data * 4)?;
    for _ in 0..coupling {
        bits.skip(5)?;
    }
    bits.align();
    for _ in 0..bits.read(8)? {
        bits.skip(8)?; // comment
    }
    Some((u8::try_from(count).ok()?, elements))
}
