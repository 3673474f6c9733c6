//! Fragmented MP4, which encoders put by HTTP, a request for each fragment: through what gathers them, and what can be done to them.

use std::ops::Range;

use railbird_core::cmaf::{Gather, Headers};

use super::seed::{Seed, harm_bytes};
use super::way::Way;

/// Six seconds of x264 and AAC in ffmpeg's hands: 96x64, 25 frames a second, a key frame a second, two B-frames; a fragment of both
/// tracks every quarter of a second.
const AVC: &[u8] = include_bytes!("streams/avc.fmp4");

/// How much of a body comes at once.
const PIECE_LEN: usize = 1_400;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    name: String,
    pub(crate) body: Vec<u8>,
}

/// The header of the stream, then its fragments. The header comes again in the middle: whoever was told another one by then is told
/// the right one.
pub(crate) fn puts() -> Vec<Put> {
    let moofs: Vec<usize> = boxes(AVC).filter(|(name, _)| *name == b"moof").map(|(_, at)| at.start).collect();
    let end = boxes(AVC).find(|(name, _)| *name == b"mfra").map_or(AVC.len(), |(_, at)| at.start);
    let header = Put { name: "live/init.mp4".into(), body: AVC[..moofs[0]].to_vec() };
    let ends = moofs.iter().skip(1).copied().chain([end]);
    let fragments = moofs
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(n, (from, to))| Put { name: format!("live/{n}.m4s"), body: AVC[*from..to].to_vec() });
    let fragments: Vec<Put> = fragments.collect();
    let (first, rest) = fragments.split_at(fragments.len() / 2);
    [std::slice::from_ref(&header), first, std::slice::from_ref(&header), rest].concat()
}

/// The outermost boxes: their names, and where they are.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (len, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok().filter(|len| *len >= 8)?;
        let from = at;
        at += len;
        Some((rest.get(..4)?, from..at))
    })
}

/// Requests that come as fast as they were made, `len` of them in `ms`.
pub(crate) fn send(way: &mut Way, puts: &[Put], len: usize, ms: u64) {
    way.begin();
    let mut gather = Gather::new(&Headers::default(), way.now());
    for (n, put) in puts.iter().enumerate() {
        way.at(n as u64 * ms / len as u64);
        let now = way.now();
        gather.tick(now);
        let request = gather.open(&put.name, now).unwrap();
        // What is refused is answered so, and the next one comes.
        let mut pieces = put.body.chunks(PIECE_LEN);
        let taken = pieces.try_for_each(|piece| gather.handle(request, piece, now));
        let _ = gather.close(request, taken.is_ok(), now);
        drain(&mut gather, way);
    }
    gather.finish(way.now());
    drain(&mut gather, way);
    way.finish();
}

fn drain(gather: &mut Gather, way: &mut Way) {
    while let Some(told) = gather.poll() {
        if let Ok(event) = told {
            way.take(event);
        }
    }
}

/// Breaks a few requests within a range.
pub(crate) fn harm(puts: &mut Vec<Put>, within: Range<usize>, seed: &mut Seed) {
    for _ in 0..seed.within(1..6) {
        let within = within.start..within.end.min(puts.len());
        let piece = seed.piece(within, 6);
        if piece.is_empty() {
            return;
        }
        match seed.within(0..9) {
            0 => drop(puts.drain(piece)),
            1 => {
                let again = puts[piece.clone()].to_vec();
                puts.splice(piece.end..piece.end, again);
            }
            2 => puts[piece].reverse(),
            3 => {
                let by = seed.one_of(&[1, 600, 12_800, 40_000, 120_000, 1_000_000, 1 << 31, (1 << 32) - 500]);
                puts[piece].iter_mut().for_each(|put| times(put, |time| time.wrapping_add(by)));
            }
            4 => puts[piece].iter_mut().for_each(|put| times(put, |_| 0)),
            5 => puts[piece].iter_mut().for_each(|put| times(put, |_| seed.next())),
            6 => {
                // A header again, harmed.
                let mut header = puts[0].clone();
                harm_body(&mut header.body, seed);
                puts.insert(piece.start, header);
            }
            // What describes the media, or the media.
            7 => puts[piece].iter_mut().for_each(|put| harm_head(&mut put.body, seed)),
            _ => puts[piece].iter_mut().for_each(|put| harm_body(&mut put.body, seed)),
        }
    }
}

/// Changes the decoding times at which the fragments of a request begin.
fn times(put: &mut Put, mut to: impl FnMut(u64) -> u64) {
    let found: Vec<usize> =
        put.body.windows(4).enumerate().filter(|(_, name)| *name == b"tfdt").map(|(at, _)| at + 4).collect();
    for at in found {
        let is_wide = put.body.get(at).is_some_and(|version| *version == 1);
        let len = if is_wide { 8 } else { 4 };
        let Some(time) = put.body.get_mut(at + 4..at + 4 + len) else { continue };
        let told = time.iter().fold(0, |told, byte| told << 8 | u64::from(*byte));
        time.copy_from_slice(&to(told).to_be_bytes()[8 - len..]);
    }
}

fn harm_head(body: &mut Vec<u8>, seed: &mut Seed) {
    let head = boxes(body).find(|(name, _)| *name == b"moof").map(|(_, at)| at);
    if let Some(head) = head {
        harm_bytes(body, head, seed);
    }
}

fn harm_body(body: &mut Vec<u8>, seed: &mut Seed) {
    let len = body.len();
    match seed.within(0..3) {
        0 => body.truncate(seed.within(0..len + 1)),
        _ => harm_bytes(body, 0..len, seed),
    }
}
