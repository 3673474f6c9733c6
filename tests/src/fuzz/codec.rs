//! Codec parameters, and what access units say of themselves.

use bytes::Bytes;
use railbird_core::codec::{aac, av1, avc, hevc, opus};

/// `AVCDecoderConfigurationRecord`, and the same bytes as an access unit.
pub(super) fn avc(input: &[u8]) {
    if let Ok(config) = avc::config(&Bytes::copy_from_slice(input)) {
        assert!(config.width > 0 && config.height > 0 && config.codec.len() == "avc1.640028".len());
        assert!(avc::length_size(input).is_some());
    }
    for length_size in [1, 2, 4] {
        if let Some((kept, _)) = avc::picture(Bytes::copy_from_slice(input), length_size) {
            assert_eq!(kept.len(), input.len());
        }
    }
}

/// `AudioSpecificConfig`.
pub(super) fn aac(input: &[u8]) {
    if let Ok(config) = aac::config(&Bytes::copy_from_slice(input)) {
        assert!((aac::SAMPLE_RATE_MIN..=aac::SAMPLE_RATE_MAX).contains(&config.sample_rate));
        assert!(config.channels > 0 && config.frame_len > 0);
    }
}

/// `HEVCDecoderConfigurationRecord`, and the same bytes as an access unit.
pub(super) fn hevc(input: &[u8]) {
    if let Ok(config) = hevc::config(&Bytes::copy_from_slice(input)) {
        assert!(config.width > 0 && config.height > 0 && config.codec.starts_with("hvc1."));
        assert!(hevc::length_size(input).is_some());
    }
    for length_size in [1, 2, 4] {
        let _ = hevc::picture(input, length_size);
    }
}

/// `AV1CodecConfigurationRecord`, and the same bytes as a temporal unit.
pub(super) fn av1(input: &[u8]) {
    let input = Bytes::copy_from_slice(input);
    if let Ok(config) = av1::config(&input) {
        assert!(config.width > 0 && config.height > 0 && config.codec.starts_with("av01.0."));
    }
    if let Some((unit, _)) = av1::picture(&input) {
        assert!(input.ends_with(&unit));
        // It has no delimiter left.
        assert_eq!(av1::picture(&unit).map(|(again, _)| again), Some(unit));
    }
}

/// An identification header, which comes back as it was, and the same bytes as a packet.
pub(super) fn opus(input: &[u8]) {
    if let Ok(config) = opus::config(input) {
        assert!(config.channels > 0 && config.sample_rate == opus::SAMPLE_RATE);
        assert_eq!(opus::config(&opus::head(&config.record)).as_ref(), Ok(&config));
    }
    assert!(opus::packet_len(input).is_none_or(|len| (1..=opus::FRAME_LEN_MAX).contains(&len)));
}
