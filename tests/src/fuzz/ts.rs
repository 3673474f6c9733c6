//! What comes from a venue encoder as an MPEG transport stream.

use railbird_core::media::{FeedEvent, Kind};
use railbird_core::ts::{Demux, Error};

type Told = Vec<Result<FeedEvent, Error>>;

/// A stream from its first byte. What is learned of it is the same however its bytes are cut.
pub(super) fn demux(input: &[u8]) {
    let whole = told([input]);
    assert_eq!(told(input.chunks(61)), whole);
    let refusals = whole.iter().filter(|one| matches!(one, Err(Error::Refuse { .. }))).count();
    assert!(refusals == 0 || refusals == 1 && matches!(whole.last(), Some(Err(Error::Refuse { .. }))));
    let mut data = 0;
    for event in whole.into_iter().flatten() {
        match event {
            FeedEvent::Frame(frame) => {
                assert!(frame.key || frame.kind == Kind::Video, "audio is always a random access point");
                assert!(frame.cts >= 0, "shown before it is decoded");
                data += frame.data.len();
            }
            FeedEvent::Video(config) => assert!(config.width > 0 && config.height > 0),
            FeedEvent::Audio(config) => assert!(config.sample_rate > 0 && config.channels > 0),
            _ => {}
        }
    }
    // A start code of three bytes becomes a length of four.
    assert!(data <= input.len() * 2);
}

fn told<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let (mut demux, mut told) = (Demux::new().with_sounds(&[1, 2]), Told::new());
    for piece in pieces {
        demux.handle(piece);
        told.extend(std::iter::from_fn(|| demux.poll()));
    }
    demux.end();
    told.extend(std::iter::from_fn(|| demux.poll()));
    told
}
