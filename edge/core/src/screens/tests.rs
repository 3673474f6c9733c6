use std::format;
use std::vec;

use proptest::prelude::*;

use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_040);

fn id(n: u8) -> ScreenId {
    ScreenId([n; 16])
}

fn session(n: u8) -> SessionId {
    SessionId::new(&[n; 16])
}

/// Screen `n` of session `of` claims a place out of two.
fn claimed(n: u8, of: u8) -> Claim {
    Claim {
        id: id(n),
        name: format!("Screen {n}"),
        session: session(of),
        bare: id(100 + of),
        again: false,
        screens_max: 2,
    }
}

/// A key for session `of`, which claims nothing.
fn drawn(of: u8, screens_max: usize) -> Draw {
    let bare = Bare { id: id(100 + of), name: "VLC".to_string(), session: session(of) };
    Draw { bare: Some(bare), screens_max, period_ms: 60_000 }
}

fn ids(holder: &Holder) -> Vec<u8> {
    holder.screens.iter().map(|screen| screen.id.0[0]).collect()
}

fn after(ms: u64) -> UtcMs {
    NOW.plus_ms(ms)
}

#[test]
fn one_more_than_may_is_told_who_plays() {
    let holder = &mut Holder::default();
    for n in [1, 2] {
        assert_eq!(claim(holder, claimed(n, n), NOW), Ok(Held { until: after(LEASE_MS) }));
    }
    let Err(Refusal::TooMany(shown)) = claim(holder, claimed(3, 3), after(1)) else { panic!("{holder:?}") };
    let names: Vec<&str> = shown.iter().map(|screen| &*screen.name).collect();
    assert_eq!((names, &*shown[0].since), (vec!["Screen 1", "Screen 2"], "2026-11-20T10:52:00.040Z"));
    // The one that does not renew lapses; the other one goes on.
    claim(holder, claimed(1, 1), after(60_000)).unwrap();
    holder.prune(after(LEASE_MS));
    assert_eq!(ids(holder), [1]);
    claim(holder, claimed(3, 3), after(LEASE_MS)).unwrap();
    assert_eq!(ids(holder), [1, 3]);
}

#[test]
fn a_renewal_is_written_when_less_than_half_is_left() {
    let holder = &mut Holder::default();
    claim(holder, claimed(1, 1), NOW).unwrap();
    let first = holder.clone();
    assert_eq!(claim(holder, claimed(1, 1), after(20_000)), Ok(Held { until: after(LEASE_MS) }));
    assert_eq!(*holder, first);
    let renewed = claim(holder, claimed(1, 1), after(40_000));
    assert_eq!(renewed, Ok(Held { until: after(40_000 + LEASE_MS) }));
    assert_eq!(holder.screens[0].since, NOW);
}

#[test]
fn one_renewal_may_get_lost() {
    for lost in 1..10 {
        let holder = &mut Holder::default();
        for n in (0..10).filter(|n| *n != lost) {
            let at = after(n * RENEW_S * 1000);
            holder.prune(at);
            assert!(n == 0 || ids(holder) == [1], "renewal {n}, without {lost}");
            claim(holder, claimed(1, 1), at).unwrap();
        }
    }
}

#[test]
fn a_screen_that_was_stopped_stays_so_until_it_asks_again() {
    let holder = &mut Holder::default();
    claim(holder, claimed(1, 1), NOW).unwrap();
    claim(holder, claimed(2, 2), NOW).unwrap();
    stop(holder, &Stop { id: id(1) }, after(1)).unwrap();
    claim(holder, claimed(3, 3), after(2)).unwrap();
    for later in [3, 200_000] {
        assert_eq!(claim(holder, claimed(1, 1), after(later)), Err(Refusal::Stopped));
    }
    let again = || Claim { again: true, ..claimed(1, 1) };
    assert!(matches!(claim(holder, again(), after(3)), Err(Refusal::TooMany(_))));
    release(holder, &Release { id: id(3), session: session(3) }).unwrap();
    claim(holder, again(), after(4)).unwrap();
    claim(holder, claimed(1, 1), after(5)).unwrap();
    assert_eq!(ids(holder), [2, 1]);
}

#[test]
fn only_its_own_player_releases_a_screen() {
    let holder = &mut Holder::default();
    claim(holder, claimed(1, 1), NOW).unwrap();
    release(holder, &Release { id: id(1), session: session(2) }).unwrap();
    assert_eq!(ids(holder), [1]);
    release(holder, &Release { id: id(1), session: session(1) }).unwrap();
    assert!(ids(holder).is_empty());
    // The same page, loaded once more.
    claim(holder, claimed(1, 1), after(1)).unwrap();
    assert_eq!((ids(holder), holder.marks.len()), (vec![1], 0));
}

#[test]
fn a_lease_is_no_good_after_its_place_was_given_away() {
    let lease = |n: u8, of: u8| lease::Lease { screen: [n; 16], session: [of; 16], until_s: 0 };
    let holder = &mut Holder::default();
    // What is kept lags behind: the lease is what there is.
    assert_eq!(holds(holder, &lease(1, 1)), Ok(true));
    claim(holder, claimed(1, 1), NOW).unwrap();
    assert_eq!(holds(holder, &lease(1, 1)), Ok(true));
    // The same player with a new session takes its screen along, and the old lease says no more.
    claim(holder, claimed(1, 2), NOW).unwrap();
    assert_eq!(
        (ids(holder), holds(holder, &lease(1, 1)), holds(holder, &lease(1, 2))),
        (vec![1], Ok(false), Ok(true))
    );
    drop_of_session(holder, &session(2));
    assert_eq!((ids(holder), holds(holder, &lease(1, 2))), (vec![], Ok(false)));
    claim(holder, claimed(1, 3), NOW).unwrap();
    stop(holder, &Stop { id: id(1) }, NOW).unwrap();
    assert_eq!(holds(holder, &lease(1, 3)), Err(KEY_STOPPED));
    // Marks go with the leases that they are about.
    holder.prune(after(STOPPED_MS));
    assert!(holder.marks.is_empty());
}

#[test]
fn a_session_without_a_lease_is_a_screen_for_as_long_as_its_key_is_of_use() {
    let holder = &mut Holder::default();
    draw(holder, drawn(1, 2), NOW).unwrap();
    assert_eq!(holder.screens[0].until, after(60_000 + SLACK_MS));
    claim(holder, claimed(2, 2), NOW).unwrap();
    assert!(matches!(draw(holder, drawn(3, 2), NOW), Err(Refusal::TooMany(_))));
    assert!(matches!(claim(holder, claimed(4, 4), NOW), Err(Refusal::TooMany(_))));
    draw(holder, drawn(1, 2), after(50_000)).unwrap();
    assert_eq!(holder.screens[0].until, after(110_000 + SLACK_MS));
    // Nobody shares its place by claiming it under its id.
    let share = &mut holder.clone();
    claim(share, claimed(101, 7), after(50_000)).unwrap();
    assert_eq!(draw(share, drawn(1, 2), after(50_000)), Err(Refusal::Stopped));
    // Its player begins to claim: it is that screen now, and no other one.
    claim(holder, claimed(5, 1), after(60_000)).unwrap();
    assert_eq!(ids(holder), [2, 5]);
    // A player without a script can't ask again: it may once there is room.
    release(holder, &Release { id: id(2), session: session(2) }).unwrap();
    draw(holder, drawn(3, 2), after(60_000)).unwrap();
    stop(holder, &Stop { id: id(103) }, after(60_000)).unwrap();
    assert_eq!(draw(holder, drawn(3, 2), after(60_001)), Err(Refusal::Stopped));
    holder.prune(after(60_000 + LEASE_MS));
    draw(holder, drawn(3, 2), after(60_000 + LEASE_MS)).unwrap();
}

#[test]
fn who_seeks_gets_keys_and_who_walks_through_everything_does_not() {
    let holder = &mut Holder::default();
    let key = |screens_max| Draw { bare: None, screens_max, period_ms: 60_000 };
    // Back and forth for a minute.
    for n in 0..u64::from(KEYS_BURST) {
        draw(holder, key(2), after(n * 1000)).unwrap();
    }
    // A day of a table has 1,440 periods.
    let mut walk = holder.clone();
    let walked = (0..1440_u64).filter(|n| draw(&mut walk, key(2), after(60_000 + n * 100)).is_ok()).count();
    assert!(walked < 30, "{walked}");
    let Err(Refusal::TooManyKeys(wait_ms)) = draw(&mut walk, key(2), after(204_000)) else { panic!() };
    assert!((1..=7_500).contains(&wait_ms), "{wait_ms}");
    // Whoever watches at twice the speed on both screens is never held up.
    for n in 0..1000 {
        let at = after(60_000 + n * 30_000);
        draw(holder, key(2), at).unwrap();
        draw(holder, key(2), at).unwrap();
    }
    // Of an hour's period, too.
    let hour = |screens_max| Draw { period_ms: 3_600_000, ..key(screens_max) };
    let walked = (0..1440).filter(|n| draw(&mut Holder::default(), hour(1), after(n * 100)).is_ok()).count();
    assert_eq!(walked, 1440, "nobody else's keys count");
}

#[test]
fn a_crowd_that_takes_turns_is_too_fast() {
    let holder = &mut Holder::default();
    let mut turns = 0;
    let refused = loop {
        let (n, at) = (turns as u8 + 1, after(turns * 1000));
        match claim(holder, claimed(n, n), at) {
            Ok(_) => release(holder, &Release { id: id(n), session: session(n) }).unwrap(),
            Err(refusal) => break refusal,
        };
        turns += 1;
    };
    assert!((12..=16).contains(&turns), "{turns}");
    assert!(matches!(refused, Refusal::TooFast(1..=5_000)), "{refused:?}");
}

#[test]
fn names_are_bounded_and_on_one_line() {
    assert_eq!(named("Chrome on Linux"), "Chrome on Linux");
    assert_eq!(named(" \r\nx\0\u{1b}[31m\u{85} "), "x[31m");
    assert_eq!(named(&"ü".repeat(1000)), "ü".repeat(NAME_LEN_MAX));
    for nameless in ["", " ", "\n"] {
        assert_eq!(named(nameless), "Another device");
    }
}

#[test]
fn ids_have_one_form() {
    let text = "AAECAwQFBgcICQoLDA0ODw";
    let id: ScreenId = text.parse().unwrap();
    assert_eq!((id.0, String::from(id)), (core::array::from_fn(|n| n as u8), text.to_string()));
    for bad in [
        "",
        "AAECAwQFBgcICQoLDA0OD",
        "AAECAwQFBgcICQoLDA0ODx",
        "AAECAwQFBgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0O/w",
    ] {
        assert_eq!(bad.parse::<ScreenId>(), Err(ScreenIdError), "{bad}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Claim { n: u8, of: u8, again: bool },
    Release { n: u8, of: u8 },
    Stop { n: u8 },
    Draw { of: u8 },
    End { of: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, 0..4_u8, any::<bool>()).prop_map(|(n, of, again)| Step::Claim { n, of, again }),
        1 => (0..6_u8, 0..4_u8).prop_map(|(n, of)| Step::Release { n, of }),
        1 => (0..6_u8).prop_map(|n| Step::Stop { n }),
        2 => (0..4_u8).prop_map(|of| Step::Draw { of }),
        1 => (0..4_u8).prop_map(|of| Step::End { of }),
    ]
}

proptest! {
    /// Whatever comes in whatever order: never more screens than may, none twice, and the cell stays small.
    #[test]
    fn never_more_screens_than_may(
        steps in proptest::collection::vec((step(), 0_u64..30_000), 1..300),
        screens_max in 1..4_usize,
    ) {
        let (mut holder, mut now) = (Holder::default(), NOW);
        for (step, passed_ms) in steps {
            now = now.plus_ms(passed_ms);
            holder.prune(now);
            let mut next = holder.clone();
            let answer = match step {
                Step::Claim { n, of, again } => claim(&mut next, Claim { again, screens_max, ..claimed(n, of) }, now),
                Step::Release { n, of } => release(&mut next, &Release { id: id(n), session: session(of) }),
                Step::Stop { n } => stop(&mut next, &Stop { id: id(n) }, now),
                Step::Draw { of } => draw(&mut next, drawn(of, screens_max), now),
                Step::End { of } => {
                    drop_of_session(&mut next, &session(of));
                    Ok(Held::default())
                }
            };
            if answer.is_ok() {
                holder = next;
            }
            prop_assert!(holder.screens.len() <= screens_max);
            let mut playing = ids(&holder);
            playing.sort_unstable();
            playing.dedup();
            prop_assert_eq!(playing.len(), holder.screens.len());
            prop_assert!(holder.marks.len() <= MARKS_MAX);
            prop_assert!(holder.marks.iter().all(|mark| !holder.screens.iter().any(|screen| screen.id == mark.id)));
        }
    }
}
