//! What the feed says of splices.

use super::linted::Linter;
use super::*;
use crate::playlist::{Recorded, Stretch};
use crate::scte35::{self, Splice, tests};

fn at(ms: u64) -> u64 {
    START.plus_ms(ms).media().0
}

fn out(ms: u64) -> Splice {
    tests::splice(at(ms), tests::OUT, 0x4800_0001, Some(5_400_000))
}

fn back(ms: u64) -> Splice {
    tests::splice(at(ms), tests::IN, 0x4800_0001, None)
}

fn with(of: &[Splice]) -> ChannelState {
    let mut state = state();
    of.iter().for_each(|splice| _ = scte35::add(&mut state.splices, splice.clone()));
    state
}

fn tags(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("#EXT-X-DATERANGE")).collect()
}

#[test]
fn a_way_out_and_its_way_in_are_one_date_range_with_their_sections() {
    let text = media_text(&with(&[out(2_000)]), &["a"]);
    let section = out(2_000).section.hexadecimal();
    let opened = tags(&text);
    assert_eq!(opened.len(), 1);
    let (name, rest) = opened[0].split_once(",START-DATE=").unwrap();
    assert!(name.starts_with("#EXT-X-DATERANGE:ID=\"") && name.ends_with('"'), "{name}");
    assert_eq!(
        rest,
        std::format!("\"2026-11-20T10:52:02.040Z\",PLANNED-DURATION=60.000,SCTE35-OUT={section}")
    );
    // A way in that the playlist does not reach yet may still be put off.
    assert_eq!(tags(&media_text(&with(&[out(2_000), back(90_000)]), &["a"])), opened);
    let whole = media_text(&with(&[out(2_000), back(7_000)]), &["a"]);
    let way_in = back(7_000).section.hexadecimal();
    assert_eq!(
        tags(&whole),
        [std::format!(
            "{name},START-DATE=\"2026-11-20T10:52:02.040Z\",DURATION=5.000,PLANNED-DURATION=60.000,SCTE35-OUT={section},SCTE35-IN={way_in}"
        )]
    );
    // The one step after the other is as players want it.
    let mut linter = Linter::default();
    linter.load(&text);
    linter.load(&whole);
}

#[test]
fn what_is_no_pair_is_a_command() {
    let signal = Splice {
        section: scte35::Section::new(&tests::section(6, &tests::time(1, 0xfe), &[], 0)).unwrap(),
        ..out(3_000)
    };
    let text = media_text(&with(&[signal, back(1_000)]), &["a"]);
    let tags = tags(&text);
    assert_eq!(tags.len(), 2);
    assert!(
        tags.iter().all(|tag| tag.contains(",SCTE35-CMD=0xFC30") && !tag.contains("DURATION")),
        "{tags:?}"
    );
}

#[test]
fn a_recording_tells_what_lies_in_it_and_nothing_before_it_was_said() {
    let mut chapter = with(&[out(2_000), back(7_000)]);
    chapter.phase = Phase::Ended;
    let live = with(&[back(7_000)]);
    let chapters = [chapter];
    let recorded =
        |stretch| Recorded { chapters: &chapters, live: Some(&live), ended: true, ranges: &[], stretch };
    let until = |ms| Stretch { until: Some(START.plus_ms(ms)), clip: None };
    for (stretch, count, ends) in [
        (Stretch::default(), 1, true),
        (until(1_500), 0, false),
        (until(4_000), 1, false),
        (Stretch { until: None, clip: Some((START.plus_ms(4_000), START.plus_ms(8_000))) }, 1, true),
    ] {
        let text = recorded(stretch).media(&"source".parse().unwrap(), &ids(&["a"]), false).unwrap();
        let text = linted::sound(text);
        let tags = tags(&text);
        assert_eq!(tags.len(), count, "{stretch:?}");
        assert!(
            tags.iter().all(|tag| tag.contains("SCTE35-OUT") && tag.contains("SCTE35-IN") == ends),
            "{tags:?}"
        );
    }
}
