//! Sound tracks beside the first one, of two feeds.

use std::boxed::Box;

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

/// What came out: the segments of the source and of the further track, and those of it that were lost, each by where it starts in
/// milliseconds.
#[derive(Debug, Default)]
struct Came {
    source: Vec<u64>,
    further: Vec<u64>,
    lost: Vec<u64>,
}

impl Came {
    fn take(&mut self, programme: &mut Programme) {
        let ms = |at: MediaTime| at.utc().ms_since(START.utc);
        while let Some(output) = programme.poll() {
            match output {
                Output::Object(object) => match object.kind {
                    Made::Segment { start, .. } => self.source.push(ms(start)),
                    Made::Rung(rung, Rung::Segment { start, .. }) if rung.as_str() == "audio-1" => {
                        self.further.push(ms(start));
                    }
                    _ => {}
                },
                Output::Lost(_, start) => self.lost.push(ms(start)),
                _ => {}
            }
        }
    }
}

/// A feed: whether it tells of the further track, and what it sends in a millisecond.
type Sends = (Role, bool, fn(&Encoder, i64) -> Vec<FeedEvent>);

/// What comes of these feeds, which begin together and end in order after so many milliseconds.
fn came_of(feeds: &[Sends], end_ms: u64) -> Came {
    let voices = vec![voice(0), voice(1)];
    let mut programme = Programme::new(Settings { tap: false, voices, ..settings() }, Resume::default());
    let publishes: Vec<Publish> = feeds.iter().map(|(role, ..)| programme.begin(*role, START)).collect();
    let encoders: Vec<Encoder> = feeds.iter().map(|(role, ..)| Encoder::new(*role)).collect();
    for (publish, (_, has_further, _)) in publishes.iter().zip(feeds) {
        programme.handle(*publish, video(1280), START);
        programme.handle(*publish, audio(), START);
        if *has_further {
            programme.handle(*publish, FeedEvent::Further { track: 1, event: Box::new(audio()) }, START);
        }
    }
    let mut came = Came::default();
    for at in 0..end_ms {
        for ((publish, encoder), (.., sends)) in publishes.iter().zip(&encoders).zip(feeds) {
            for event in sends(encoder, i64::try_from(at).unwrap()) {
                programme.handle(*publish, event, START.plus_ms(at));
            }
        }
        came.take(&mut programme);
    }
    for publish in publishes {
        programme.end(publish, End::InOrder, START.plus_ms(end_ms));
    }
    programme.give_up_waiting();
    came.take(&mut programme);
    came
}

/// It sends all of it for seven seconds, and nothing more.
fn for_a_while(encoder: &Encoder, at: i64) -> Vec<FeedEvent> {
    if at < 7_000 { spoken(encoder, at) } else { Vec::new() }
}

#[test]
fn a_commentary_goes_on_when_the_backup_takes_over() {
    let feeds: [Sends; 2] = [(Role::Primary, true, for_a_while), (Role::Backup, true, spoken)];
    let came = came_of(&feeds, 20_000);
    assert_eq!(came.source, came.further);
    assert_eq!((came.source.len(), came.lost.len()), (10, 0));
}

#[test]
fn a_further_track_on_another_clock_is_left_out_and_stops_nothing() {
    let an_hour_off = |encoder: &Encoder, at| {
        let mut events = spoken(encoder, at);
        for event in &mut events {
            if let FeedEvent::Further { event, .. } = event
                && let FeedEvent::Frame(frame) = &mut **event
            {
                frame.dts_ms += 3_600_000;
            }
        }
        events
    };
    let came = came_of(&[(Role::Primary, true, an_hour_off)], 10_000);
    assert_eq!((came.source.len(), came.further.len(), came.lost.len()), (5, 0, 5));
}

#[test]
fn a_commentary_that_the_backup_does_not_have_is_lost_at_each_cut() {
    let feeds: [Sends; 2] = [(Role::Primary, true, for_a_while), (Role::Backup, false, Encoder::frames)];
    let Came { source, further, lost } = came_of(&feeds, 20_000);
    assert!(further.len() >= 2 && lost.len() >= 4, "{further:?} {lost:?}");
    assert_eq!([further, lost].concat(), source, "of each of the source's it is known what becomes of it");
}

/// As [`spoken`], but a frame of the further track is stamped nine seconds ahead, again and again.
fn sometimes_ahead(encoder: &Encoder, at: i64) -> Vec<FeedEvent> {
    let mut events = spoken(encoder, at);
    for event in &mut events {
        if let FeedEvent::Further { event, .. } = event
            && let FeedEvent::Frame(frame) = &mut **event
            && at % 3_000 >= 2_980
        {
            frame.dts_ms += 9_000;
        }
    }
    events
}

#[test]
fn one_wrong_time_in_a_further_track_costs_it_nothing() {
    let came = came_of(&[(Role::Primary, true, sometimes_ahead)], 20_000);
    assert_eq!((came.source.len(), came.lost), (10, vec![]));
    assert_eq!(came.source, came.further);
}
