use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Long enough after 1970 that nothing of the breaker's is within its memory.
const START: u64 = 1_000_000;

fn verdict(letter: char) -> Verdict {
    match letter {
        'b' => Verdict::Bad,
        'g' => Verdict::Good,
        _ => Verdict::Quiet,
    }
}

/// The share after each window of a text: `g`ood, `b`ad, `.` quiet; a space is nothing.
fn shares(windows: &str) -> Vec<u8> {
    let mut breaker = Breaker::new(START);
    let letters = windows.chars().filter(|letter| *letter != ' ');
    let share = |(window, letter)| {
        breaker.handle(window, verdict(letter), 0);
        breaker.share()
    };
    (START..).zip(letters).map(share).collect()
}

fn text(shares: &[u8]) -> String {
    let mut text = String::new();
    let mut last = None;
    for share in shares {
        text.push_str(&match last == Some(share) {
            true => String::from("."),
            false => std::format!(" {share}"),
        });
        last = Some(share);
    }
    text.trim_start().into()
}

#[test]
fn how_a_node_is_left_and_comes_back() {
    for (windows, expected) in [
        ("gggggg", "100....."),
        ("b", "100"),
        ("bb", "100 0"),
        ("b.b", "100. 0"),
        ("bgb", "100. 0"),
        ("bggb", "100..."),
        ("b..b", "100..."),
        // Five windows of cool-down, then two good ones a step.
        ("bb ..... gg gg gg g", "100 0.... 1. 5. 25. 100."),
        // Votes while it is open count for nothing.
        ("bb bbbbb gg", "100 0.... 1. 5"),
        // A good and a quiet window; and nothing but quiet ones, five a step.
        ("bb ..... g.g", "100 0.... 1.. 5"),
        ("bb ..... ... ... ... .", "100 0.... 1.. 5.. 25.. 100."),
        // Each relapse takes twice as long.
        (
            "bb ..... b .......... b .................... g",
            "100 0.... 1 0......... 1 0................... 1.",
        ),
        ("bb ..... gg gb .........", "100 0.... 1. 5. 0........."),
    ] {
        assert_eq!(text(&shares(windows)), expected, "{windows}");
    }
}

#[test]
fn cool_downs_double_up_to_a_bound_and_are_forgiven() {
    let mut breaker = Breaker::new(START);
    let mut window = START;
    let mut downs = Vec::new();
    for _ in 0..10 {
        while !breaker.is_open() {
            breaker.handle(window, Verdict::Bad, 0);
            window += 1;
        }
        let opened = window;
        while breaker.is_open() {
            window += 1;
            breaker.rest(window);
        }
        downs.push(window - opened);
        assert_eq!(breaker.share(), STEPS[0]);
    }
    assert_eq!(downs, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]);
    // Back in good standing, and bad again after a while: long enough, or just not.
    for (after, expected) in [(FORGIVEN - 1, 300), (FORGIVEN, 5)] {
        let mut breaker = breaker.clone();
        breaker.rest(window + 9);
        assert!(breaker.is_closed());
        let opens = window + 9 + after;
        breaker.handle(opens - 2, Verdict::Bad, 0);
        breaker.handle(opens - 1, Verdict::Bad, 0);
        breaker.rest(opens + expected - 1);
        assert!(breaker.is_open());
        breaker.rest(opens + expected);
        assert!(!breaker.is_open());
    }
    assert_eq!((cool_down(1, 0), cool_down(1, u32::MAX), cool_down(255, u32::MAX)), (5, 6, 374));
}

#[test]
fn a_window_that_is_bad_already_opens_it_before_its_end() {
    let mut breaker = Breaker::new(START);
    assert!(!breaker.alarm(START, 0), "one bad window is none too many");
    breaker.handle(START, Verdict::Bad, 0);
    assert!(breaker.alarm(START + 1, 0));
    let open = breaker.clone();
    breaker.handle(START + 1, Verdict::Good, 0);
    assert_eq!(breaker, open, "a window has one verdict");
    // While it is open it is told which of several is the least bad.
    assert_eq!(breaker.blamed(), START + 2);
    assert!(breaker.alarm(START + 3, 0));
    assert_eq!((breaker.blamed(), breaker.is_open()), (START + 4, true));
}

#[test]
fn an_outage_that_origins_saw_ends_in_the_same_way() {
    let ended = UtcMs(START * WINDOW_MS + 700);
    let at = |times, ms| Breaker::after(Outage { ended: Some(ended), times }, ended.plus_ms(ms)).share();
    let first = [0, 9_000, 10_000, 15_000, 16_000, 21_000, 22_000, 27_000, 28_000, u64::MAX / 4];
    assert_eq!(first.map(|ms| at(1, ms)), [0, 0, 1, 1, 5, 5, 25, 25, 100, 100]);
    assert_eq!([19_000, 20_000, 38_000].map(|ms| at(2, ms)), [0, 1, 100]);
    assert_eq!([599_000, 600_000].map(|ms| at(255, ms)), [0, 1]);
    let lasting = Breaker::after(Outage { ended: None, times: 1 }, ended.plus_ms(u64::MAX / 4));
    assert_eq!((lasting.share(), lasting.blamed()), (0, u64::MAX));
    // A clock that was set back.
    assert_eq!(Breaker::after(Outage { ended: Some(ended), times: 1 }, UtcMs(5)).share(), 0);
}

fn verdicts() -> impl Strategy<Value = Vec<(u64, Verdict, u32)>> {
    let verdict = prop_oneof![Just(Verdict::Quiet), Just(Verdict::Good), Just(Verdict::Bad)];
    let apart = prop_oneof![5 => Just(0_u64), 1 => 1_u64..30];
    proptest::collection::vec((apart, verdict, any::<u32>()), 0..200)
}

proptest! {
    /// From nothing to all it is always 0, 1, 5, 25, 100: never two steps between two windows that were judged one after
    /// the other.
    #[test]
    fn no_step_is_left_out(verdicts in verdicts()) {
        let mut breaker = Breaker::new(START);
        let mut window = START;
        let ladder = [0, 1, 5, 25, 100];
        let step = |breaker: &Breaker| ladder.iter().position(|share| *share == breaker.share()).unwrap();
        for (apart, verdict, jitter) in verdicts {
            for quiet in window..window + apart {
                let before = step(&breaker);
                breaker.rest(quiet + 1);
                prop_assert!([before, before + 1].contains(&step(&breaker)), "quiet windows lead upwards only");
            }
            window += apart;
            let before = step(&breaker);
            breaker.handle(window, verdict, jitter);
            let after = step(&breaker);
            match verdict {
                Verdict::Bad => prop_assert!(after <= before + 1),
                _ => prop_assert!([before, before + 1].contains(&after)),
            }
            window += 1;
        }
    }

    /// Whoever works it out, at whatever moments: it comes to the same.
    #[test]
    fn rest_is_a_matter_of_time_alone(verdicts in verdicts(), stops in proptest::collection::vec(0_u64..400, 0..20)) {
        let mut breaker = Breaker::new(START);
        let mut window = START;
        for (apart, verdict, jitter) in verdicts {
            window += apart;
            breaker.handle(window, verdict, jitter);
            window += 1;
        }
        let mut at_once = breaker.clone();
        at_once.rest(window + 400);
        let mut stops: Vec<u64> = stops;
        stops.sort_unstable();
        for stop in stops {
            breaker.rest(window + stop);
        }
        breaker.rest(window + 400);
        prop_assert_eq!(breaker, at_once);
    }

    /// Bad windows that are further apart than three never open it.
    #[test]
    fn rare_trouble_is_no_reason_to_leave(apart in proptest::collection::vec(3_u64..50, 1..50)) {
        let mut breaker = Breaker::new(START);
        let mut window = START;
        for apart in apart {
            breaker.handle(window, Verdict::Bad, 0);
            prop_assert_eq!(breaker.share(), WHOLE);
            window += apart;
        }
    }
}
