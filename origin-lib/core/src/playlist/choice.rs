//! What a presentation gives to choose from, in a word: players that keep a multivariant playlist notice by it that there is
//! another one, as where a rendition begins, or a sound is called otherwise.

use alloc::string::String;
use core::fmt::Write as _;

use crate::hash::Hash;
use crate::hex;
use crate::state::ChannelState;

/// How many bytes of a hash tell one choice from another.
const BYTES: usize = 8;

/// A short text, hexadecimal, which is another one where a state has other renditions, or its sounds other names, languages or
/// uses. Bit rates, sizes and nodes don't matter: they change all the time, and playlists of the same addresses go on.
pub fn choice(state: &ChannelState) -> String {
    let mut told = String::new();
    for rendition in &state.renditions {
        // Writing to a String can't fail. No name has a line's end in it.
        let _ = writeln!(told, "{}", rendition.id);
        if let Some(sound) = &rendition.sound {
            let language = sound.language.as_ref().map_or("", |language| language.as_str());
            let _ = writeln!(told, " {} {language} {} {}", sound.default, sound.alone, sound.name);
        }
    }
    let Hash(all) = Hash::of(told.as_bytes());
    hex::encode(all.get(..BYTES).unwrap_or_default())
}
