//! What an encoder says of splices, behind the CRC that guards it in a transport stream.

use std::collections::BTreeSet;

use railbird_core::id::NodeId;
use railbird_core::lint::{self, Place, ours};
use railbird_core::playlist;
use railbird_core::scte35::{self, SPLICES_MAX, Section, Splice};
use railbird_core::state::ChannelState;
use railbird_core::time::{MediaSpan, MediaTime};

/// What the splices are beside.
const STATE: &str = include_str!("../../fuzz-seeds/core-channel-state/live");

/// Sections without their heads and CRCs, which the target puts there: each behind how much later it was said than the one before, in
/// 100 ms, how far it is about something ahead, in 500 ms, and how many bytes it has. What is read in one comes back as it was; what a
/// playlist says of all of them is as RFC 8216bis wants it.
pub(super) fn sections(input: &[u8]) {
    let Ok(mut state) = serde_json::from_str::<ChannelState>(STATE) else { return };
    let listed = state.renditions.first().and_then(|rendition| rendition.segments.first());
    let from = listed.map_or(MediaTime(0), |first| first.start);
    let (mut said, mut rest) = (from, input);
    while let Some((&[later, ahead, len], after)) = rest.split_first_chunk::<3>() {
        let (body, after) = after.split_at(usize::from(len).min(after.len()));
        (said, rest) = (said + MediaSpan::from_ms(i64::from(later) * 100), after);
        let bytes = whole(body);
        let Ok(section) = Section::new(&bytes) else { continue };
        assert_eq!(Section::try_from(String::from(section.clone())).as_ref(), Ok(&section));
        assert!(Section::new(&bytes[..bytes.len() - 1]).is_err(), "every byte counts");
        let command = section.command();
        assert!(command.is_some(), "what was read is read again");
        let Some(command) = command else { return };
        let ahead = MediaSpan::from_ms(i64::from(ahead.cast_signed()) * 500);
        let at = if command.at.is_some() { said + ahead } else { said };
        let splice = Splice { said, at, section };
        assert!(splice.is_near());
        let is_new = scte35::is_new(&state.splices, &splice);
        let is_added = scte35::add(&mut state.splices, splice.clone());
        assert!(is_added || !is_new);
        assert!(!scte35::is_new(&state.splices, &splice), "what was added is known");
        scte35::keep_from(&mut state.splices, from);
        assert!(state.splices.len() <= SPLICES_MAX);
    }
    let ranges = scte35::ranges(&state.splices);
    assert!(ranges.iter().all(|range| range.end() >= range.start));
    let names: BTreeSet<&str> = ranges.iter().map(|range| &*range.id).collect();
    assert_eq!(names.len(), ranges.len(), "two ranges of one name: {ranges:?}");
    assert_eq!(state.check(), Ok(()));
    let order: Vec<NodeId> = state.nodes.iter().map(|node| node.id.clone()).collect();
    for rendition in &state.renditions {
        let text = playlist::media(&state, &rendition.id, &order, playlist::Wanted::default());
        let text = text.unwrap_or_default();
        let findings = ours::unexpected(lint::read(text.as_bytes(), &Place::default()).findings);
        assert!(findings.is_empty(), "{findings:?}\n{text}");
    }
}

/// `splice_info_section` (ANSI/SCTE 35, 9.6) with this between its length and its CRC.
fn whole(body: &[u8]) -> Vec<u8> {
    let len = body.len() + 4;
    let mut bytes = vec![0xfc, 0x30 | (len >> 8) as u8, len as u8];
    bytes.extend_from_slice(body);
    let check = crc(&bytes);
    bytes.extend_from_slice(&check.to_be_bytes());
    bytes
}

/// The CRC of ISO/IEC 13818-1, annex A.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let mixed = crc ^ u32::from(*byte) << 24;
        (0..8).fold(mixed, |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 })
    })
}
