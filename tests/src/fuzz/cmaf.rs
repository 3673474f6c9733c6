//! What comes from an encoder as fragmented MP4.

use railbird_core::cmaf::{Gather, Headers, Refusal};
use railbird_core::media::FeedEvent;
use railbird_core::time::{Moment, UtcMs};
use railbird_core::ts::Error;

use super::halves;

const NOW: Moment = Moment { utc: UtcMs(1_795_171_920_040), up_ms: 1000 };

type Told = (Vec<Result<FeedEvent, Error>>, [Result<(), Refusal>; 2]);

/// Two requests of one feed, one after the other. What is learned of them is the same however their bytes are cut, and no
/// more media than they bring.
pub(super) fn gather(input: &[u8]) {
    let (first, second) = halves(input);
    let whole = told([first, second], usize::MAX);
    assert_eq!(told([first, second], 61), whole);
    let frames = whole.0.iter().filter_map(|told| match told {
        Ok(FeedEvent::Frame(frame)) => Some(frame.data.len()),
        _ => None,
    });
    assert!(frames.sum::<usize>() <= input.len());
}

fn told(requests: [&[u8]; 2], piece: usize) -> Told {
    let (mut gather, mut told) = (Gather::new(&Headers::default(), NOW), Vec::new());
    let results = requests.map(|body| {
        let Ok(request) = gather.open("track", NOW) else { return Err(Refusal::TooMany) };
        let mut result = Ok(());
        for piece in body.chunks(piece.min(body.len().max(1))) {
            result = result.and_then(|()| gather.handle(request, piece, NOW));
            told.extend(std::iter::from_fn(|| gather.poll()));
        }
        result.and(gather.close(request, true, NOW))
    });
    gather.finish(NOW);
    told.extend(std::iter::from_fn(|| gather.poll()));
    (told, results)
}
