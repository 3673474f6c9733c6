//! What a presentation gives to choose from, in a word: players that keep a multivariant playlist notice by it that there is
//! another one, as where a rendition begins, or a sound is called otherwise.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::hash::Hash;
use crate::hex;
use crate::state::ChannelState;

/// How many bytes of a hash tell one choice from another.
const BYTES: usize = 8;

/// A short text, hexadecimal, which is another one where a state has other renditions, or its sounds other names, languages or
/// uses. Bit rates, sizes and nodes don't matter: they change all the time, and playlists of the same addresses go on. Nor does the
/// order: of a pair's states that are merged, the one that came last says it. Nor does whether every segment begins with a key frame:
/// hls.js makes nothing of `EXT-X-INDEPENDENT-SEGMENTS`, and a player that hears another word begins anew.
pub fn choice(state: &ChannelState) -> String {
    // No name has a line's end in it.
    let mut told: Vec<String> = (state.renditions.iter())
        .map(|rendition| match &rendition.sound {
            None => format!("{}\n", rendition.id),
            Some(sound) => {
                let language = sound.language.as_ref().map_or("", |language| language.as_str());
                format!("{}\n {} {language} {} {}\n", rendition.id, sound.default, sound.alone, sound.name)
            }
        })
        .collect();
    told.sort_unstable();
    let Hash(all) = Hash::of(told.concat().as_bytes());
    hex::encode(all.get(..BYTES).unwrap_or_default())
}
