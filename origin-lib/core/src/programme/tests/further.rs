//! Sound tracks beside the first one, of two feeds.

use super::*;
use crate::package::Rung;
use crate::sound::Voice;

fn voice(track: u8) -> Voice {
    let rendition = if track == 0 { "audio".into() } else { format!("audio-{track}") };
    Voice { track, rendition: rendition.parse().unwrap(), name: None, language: None, alone: false }
}

/// What an encoder sends in a millisecond: its frames, and the same sound as a further track.
fn spoken(encoder: &Encoder, at: i64) -> Vec<FeedEvent> {
    let frames = encoder.frames(at);
    let sound = |event: &&FeedEvent| matches!(event, FeedEvent::Frame(frame) if frame.kind == Kind::Audio);
    let further: Vec<FeedEvent> = frames
        .iter()
        .filter(sound)
        .map(|event| FeedEvent::Further { track: 1, event: Box::new(event.clone()) })
        .collect();
    frames.into_iter().chain(further).collect()
}

/// Which segments of the source and of the further track came out, by where they start in milliseconds; those that were lost.
fn made(programme: &mut Programme, source: &mut Vec<u64>, further: &mut Vec<u64>, lost: &mut Vec<u64>) {
    let ms = |at: MediaTime| at.utc().ms_since(START.utc);
    while let Some(output) = programme.poll() {
        match output {
            Output::Object(object) => match object.kind {
                Made::Segment { start, .. } => source.push(ms(start)),
                Made::Rung(rung, Rung::Segment { start, .. }) if rung.as_str() == "audio-1" => {
                    further.push(ms(start));
                }
                _ => {}
            },
            Output::Lost(_, start) => lost.push(ms(start)),
            _ => {}
        }
    }
}

#[test]
fn a_commentary_goes_on_when_the_backup_takes_over() {
    let voices = vec![voice(0), voice(1)];
    let mut programme = Programme::new(Settings { tap: false, voices, ..settings() }, Resume::default());
    let (primary, backup) = (Encoder::new(Role::Primary), Encoder::new(Role::Backup));
    let [p, b] = [Role::Primary, Role::Backup].map(|role| programme.begin(role, START));
    for publish in [p, b] {
        programme.handle(publish, video(1280), START);
        programme.handle(publish, audio(), START);
        programme.handle(publish, FeedEvent::Further { track: 1, event: Box::new(audio()) }, START);
    }
    let (mut source, mut further, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..20_000 {
        let now = START.plus_ms(at);
        let at = i64::try_from(at).unwrap();
        for event in if at < 7_000 { spoken(&primary, at) } else { Vec::new() } {
            programme.handle(p, event, now);
        }
        for event in spoken(&backup, at) {
            programme.handle(b, event, now);
        }
        made(&mut programme, &mut source, &mut further, &mut lost);
    }
    for publish in [p, b] {
        programme.end(publish, End::InOrder, START.plus_ms(20_000));
    }
    programme.give_up_waiting();
    made(&mut programme, &mut source, &mut further, &mut lost);
    assert_eq!(source, further);
    assert_eq!((source.len(), lost.len()), (10, 0));
}

#[test]
fn a_further_track_on_another_clock_is_left_out_and_stops_nothing() {
    let voices = vec![voice(0), voice(1)];
    let mut programme = Programme::new(Settings { tap: false, voices, ..settings() }, Resume::default());
    let encoder = Encoder::new(Role::Primary);
    let publish = programme.begin(Role::Primary, START);
    programme.handle(publish, video(1280), START);
    programme.handle(publish, audio(), START);
    programme.handle(publish, FeedEvent::Further { track: 1, event: Box::new(audio()) }, START);
    let (mut source, mut further, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..10_000 {
        let now = START.plus_ms(at);
        for mut event in spoken(&encoder, i64::try_from(at).unwrap()) {
            if let FeedEvent::Further { event, .. } = &mut event
                && let FeedEvent::Frame(frame) = &mut **event
            {
                frame.dts_ms += 3_600_000;
            }
            programme.handle(publish, event, now);
        }
        made(&mut programme, &mut source, &mut further, &mut lost);
    }
    programme.end(publish, End::InOrder, START.plus_ms(10_000));
    programme.give_up_waiting();
    made(&mut programme, &mut source, &mut further, &mut lost);
    assert_eq!((source.len(), further.len(), lost.len()), (5, 0, 5));
}

#[test]
fn a_commentary_that_the_backup_does_not_have_is_lost_at_each_cut() {
    let voices = vec![voice(0), voice(1)];
    let mut programme = Programme::new(Settings { tap: false, voices, ..settings() }, Resume::default());
    let (primary, backup) = (Encoder::new(Role::Primary), Encoder::new(Role::Backup));
    let [p, b] = [Role::Primary, Role::Backup].map(|role| programme.begin(role, START));
    for publish in [p, b] {
        programme.handle(publish, video(1280), START);
        programme.handle(publish, audio(), START);
    }
    programme.handle(p, FeedEvent::Further { track: 1, event: Box::new(audio()) }, START);
    let (mut source, mut further, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..20_000 {
        let now = START.plus_ms(at);
        let at = i64::try_from(at).unwrap();
        for event in if at < 7_000 { spoken(&primary, at) } else { Vec::new() } {
            programme.handle(p, event, now);
        }
        for event in backup.frames(at) {
            programme.handle(b, event, now);
        }
        made(&mut programme, &mut source, &mut further, &mut lost);
    }
    assert!(further.len() >= 2 && lost.len() >= 4, "{further:?} {lost:?}");
    assert_eq!([further, lost].concat(), source, "of each of the source's it is known what becomes of it");
}
