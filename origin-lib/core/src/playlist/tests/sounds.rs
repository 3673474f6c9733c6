//! Several sound tracks beside the pictures.

use std::format;

use super::*;
use crate::sound::Sound;

/// Pictures in two sizes, and sound in two languages.
fn spoken(alone: bool) -> ChannelState {
    let mut state = state();
    state.renditions[0].codecs = "avc1.64001f".to_string();
    let mut low = state.renditions[0].clone();
    (low.id, low.bandwidth, low.average_bandwidth) = ("low".parse().unwrap(), 600_000, 500_000);
    (low.width, low.height) = (640, 360);
    state.renditions.push(low);
    for (id, name, language, codecs, kbps) in
        [("audio", "English", "en", "mp4a.40.2", 130), ("audio-1", "Korean commentary", "ko", "Opus", 70)]
    {
        let mut audio = state.renditions[0].clone();
        (audio.id, audio.codecs) = (id.parse().unwrap(), codecs.to_string());
        (audio.bandwidth, audio.average_bandwidth) = (kbps * 1000, kbps * 1000);
        (audio.width, audio.height, audio.frame_rate_milli) = (0, 0, 0);
        let default = id == "audio";
        audio.sound = Some(Sound {
            name: name.to_string(),
            language: Some(language.parse().unwrap()),
            channels: if default { 2 } else { 1 },
            default,
            alone: alone && default,
        });
        state.renditions.push(audio);
    }
    state
}

#[test]
fn golden() {
    let text = linted::sound(multivariant(&spoken(false), &ids(&["b", "a"])));
    let media = |node: &str| {
        std::format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound-{node}\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,\
             CHANNELS=\"2\",URI=\"{node}/audio.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound-{node}\",NAME=\"Korean commentary\",LANGUAGE=\"ko\",DEFAULT=NO,\
             AUTOSELECT=YES,CHANNELS=\"1\",URI=\"{node}/audio-1.m3u8\"\n"
        )
    };
    let variants = |node: &str| {
        std::format!(
            "#EXT-X-STREAM-INF:BANDWIDTH=1330000,AVERAGE-BANDWIDTH=1130000,CODECS=\"avc1.64001f,mp4a.40.2,Opus\",\
             RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"sound-{node}\",PATHWAY-ID=\"{node}\"\n\
             {node}/source.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=730000,AVERAGE-BANDWIDTH=630000,CODECS=\"avc1.64001f,mp4a.40.2,Opus\",\
             RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO=\"sound-{node}\",PATHWAY-ID=\"{node}\"\n\
             {node}/low.m3u8\n"
        )
    };
    assert_eq!(
        text,
        std::format!(
            "#EXTM3U\n\
             #EXT-X-VERSION:7\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-CONTENT-STEERING:SERVER-URI=\"../../steer/table-1\",PATHWAY-ID=\"b\"\n\
             {}{}{}{}",
            media("b"),
            media("a"),
            variants("b"),
            variants("a")
        )
    );
    let (_, parsed) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    assert_eq!((parsed.variants.len(), parsed.alternatives.len()), (4, 4));
}

#[test]
fn the_default_may_be_offered_alone_as_well() {
    let text = linted::sound(multivariant(&spoken(true), &ids(&["a"])));
    let alone = "#EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=130000,CODECS=\"mp4a.40.2,Opus\",AUDIO=\"sound-a\",\
                 PATHWAY-ID=\"a\"\na/audio.m3u8\n";
    assert!(text.ends_with(alone), "{text}");
}

#[test]
fn two_of_one_language_are_told_apart_by_name_and_one_of_them_selects_itself() {
    let mut state = spoken(false);
    let english = state.renditions[2].sound.clone().unwrap().language;
    state.renditions[3].sound.as_mut().unwrap().language = english;
    let text = linted::sound(multivariant(&state, &ids(&["a"])));
    assert!(text.contains("NAME=\"Korean commentary\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO"), "{text}");
    // Of one name, the second gets another one, which is nobody's.
    state.renditions[3].sound.as_mut().unwrap().name = "English".to_string();
    let mut third = state.renditions[3].clone();
    third.id = "audio-2".parse().unwrap();
    third.sound.as_mut().unwrap().name = "English 2".to_string();
    state.renditions.push(third);
    let text = linted::sound(multivariant(&state, &ids(&["a"])));
    for (name, rendition) in [("English", "audio"), ("English 3", "audio-1"), ("English 2", "audio-2")] {
        let line = text.lines().find(|line| line.contains(&format!("NAME=\"{name}\",")));
        assert!(line.is_some_and(|line| line.contains(&format!("a/{rendition}.m3u8"))), "{name}: {text}");
    }
    assert_eq!(text.matches("TYPE=AUDIO").count(), 3, "{text}");
}

#[test]
fn sound_without_pictures_is_a_variant() {
    let mut state = spoken(false);
    state.renditions.drain(..2);
    let text = linted::sound(multivariant(&state, &ids(&["a"])));
    assert!(!text.contains("EXT-X-MEDIA") && text.contains("a/audio-1.m3u8"), "{text}");
}

#[test]
fn another_rendition_or_name_of_a_sound_is_another_choice_and_another_bit_rate_or_order_is_none() {
    let state = spoken(false);
    let before = choice(&state);
    assert_eq!(before.len(), 16);
    let after = |change: fn(&mut ChannelState)| {
        let mut state = state.clone();
        change(&mut state);
        choice(&state)
    };
    assert_eq!(after(|state| state.renditions[0].bandwidth += 1), before);
    assert_eq!(after(|state| state.renditions[2].segments.clear()), before);
    assert_eq!(after(|state| state.nodes.clear()), before);
    assert_eq!(after(|state| state.renditions.reverse()), before);
    let changes: [fn(&mut ChannelState); 4] = [
        |state| _ = state.renditions.pop(),
        |state| {
            let other = state.renditions[3].sound.take();
            state.renditions[3].sound = core::mem::replace(&mut state.renditions[2].sound, other);
        },
        |state| state.renditions[3].sound.as_mut().unwrap().name = "Korean".to_string(),
        |state| state.renditions[3].sound.as_mut().unwrap().language = None,
    ];
    for change in changes {
        assert_ne!(after(change), before);
    }
}
