//! Which rules can be played, and that a discipline is nothing but a set of them.

use super::*;

fn error_of(json: Value) -> Option<String> {
    let mut start = json!({"type":"start","title":"Final","discipline":"three-cushion","breaks":0,
        "sides":[{"name":"A"},{"name":"B"}]});
    start.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
    let body = json!({"occurred":1,"action":start}).to_string();
    Event::from_json(body.as_bytes()).err().map(|error| error.to_string())
}

#[test]
fn every_discipline_can_be_played_as_it_stands() {
    for discipline in Discipline::ALL {
        assert_eq!(discipline.rules().check(), Ok(()), "{discipline:?}");
        let mut scorer = Scorer::of(json!({"discipline":discipline}));
        assert_eq!(scorer.0.rules(), Some(&discipline.rules()), "{discipline:?}");
        assert_eq!(document(&scorer.0).check(), Ok(()));
        assert_eq!(scorer.take(end(Some(Side::Second))).winner, Some(Side::Second));
    }
}

#[test]
fn a_start_has_rules_of_its_own() {
    let scorer = Scorer::of(json!({"discipline":"three-cushion","target":[50, 40],"equalising_inning":false,
        "rules":{"turns":"shot","unit":"set","length":{"race_to":[3, 2]},"tie":{"extension":{"innings":3}},
            "shot_clock":{"seconds":30,"extensions":1,"extension_seconds":30,"per":"unit"}}}));
    let clock = ShotClockRules { seconds: 30, extensions: 1, extension_seconds: 30, per: Per::Unit };
    let expected = Rules {
        target: Some(PerSide::Each([50, 40])),
        equalising_inning: false,
        turns: Turns::Shot,
        unit: Unit::Set,
        length: Length::RaceTo(PerSide::Each([3, 2])),
        tie: Tie::Extension { innings: 3 },
        shot_clock: Some(clock),
        ..Discipline::ThreeCushion.rules()
    };
    assert_eq!(scorer.0.rules(), Some(&expected));
    let document = document(&scorer.0);
    assert_eq!((document.target, document.unit), (expected.target, Unit::Set));
    assert_eq!((document.length, document.average), (Some(expected.length), true));
}

#[test]
fn rules_that_contradict_each_other_say_what_to_change() {
    let rules = |rules: Value| json!({ "rules": rules });
    let clock = |seconds: u32, extensions: u32, extension_seconds: u32, per: &str| json!({"shot_clock":{"seconds":seconds,"extensions":extensions,"extension_seconds":extension_seconds,"per":per}});
    for (json, reason) in [
        (json!({"target":0}), "target is 1 to 1000"),
        (json!({"target":[40, 1001]}), "target is 1 to 1000"),
        (json!({"target":[40, 30, 20]}), "one for each side"),
        (json!({"variant":"a\nb"}), "variant"),
        (rules(json!({"length":{"best_of":3}})), "rules.unit"),
        (rules(json!({"unit":"set","length":{"best_of":0}})), "1 to 99"),
        (rules(json!({"unit":"set","length":{"race_to":[1, 100]}})), "1 to 99"),
        (rules(json!({"unit":"leg"})), "unknown variant"),
        (rules(json!({"last_target":11})), "rules.unit"),
        (rules(json!({"unit":"set","last_target":0})), "last_target"),
        (rules(json!({"points":false})), "rules.points: true"),
        (json!({"discipline":"points","rules":{"points":false,"foul":"none"}}), "rules.unit"),
        (json!({"discipline":"nine-ball","target":5}), "rules.points: true"),
        (json!({"discipline":"nine-ball","rules":{"foul":"opponent"}}), "rules.foul"),
        (json!({"discipline":"snooker","equalising_inning":true}), "equalising_inning"),
        (json!({"discipline":"snooker","rules":{"innings_max":5}}), "innings_max"),
        (json!({"discipline":"snooker","rules":{"tie":{"extension":{"innings":1}}}}), "extension"),
        (json!({"discipline":"snooker","rules":{"break_at_half":true}}), "target"),
        (json!({"discipline":"snooker","rules":{"swap_balls":"half"}}), "target"),
        (json!({"discipline":"snooker","rules":{"last_target":7}}), "target"),
        (rules(json!({"innings_max":0})), "innings_max"),
        (rules(json!({"tie":{"extension":{"innings":0}}})), "1 to 100 innings"),
        (rules(json!({"rack_balls":0})), "rack_balls"),
        (rules(json!({"head_start":[40, 0]})), "head start"),
        (rules(json!({"head_start":[0, -1]})), "head start"),
        (rules(json!({"head_start":[0, -2147483648_i64]})), "head start"),
        (rules(clock(0, 1, 1, "match")), "1 to 600 seconds"),
        (rules(clock(30, 101, 1, "match")), "1 to 600 seconds"),
        (rules(clock(30, 1, 601, "match")), "1 to 600 seconds"),
        (rules(clock(30, 1, 1, "unit")), "rules.unit"),
        (rules(json!({"time_outs":{"count":1,"seconds":0,"per":"match"}})), "3600 seconds"),
        (rules(json!({"time_outs":{"count":1,"seconds":1,"per":"unit"}})), "rules.unit"),
        (rules(json!({"referee":1})), "unknown field"),
        (json!({"figures":[{"code":"A","points":1},{"code":"A","points":2}]}), "its own code"),
        (json!({"figures":[{"code":"A","points":0}]}), "1 to 1000 points"),
        (json!({"figures":[{"code":"a b","points":1}]}), "its own code"),
        (
            json!({"figures":(0..101).map(|n| json!({"code":n.to_string(),"points":1})).collect::<Vec<_>>()}),
            "at most 100",
        ),
    ] {
        let error = error_of(json.clone()).unwrap_or_else(|| panic!("{json} was taken"));
        assert!(error.contains(reason), "{json}: {error}");
    }
    for good in [
        json!({}),
        json!({"target":[1, 1000]}),
        json!({"rules":{}}),
        rules(json!({"tie":"play_on"})),
        rules(json!({"head_start":[39, 0]})),
        rules(json!({"head_start":[0, -5],"below_zero":true})),
        json!({"discipline":"nine-ball","target":10,"rules":{"points":true}}),
        json!({"figures":(0..100).map(|n| json!({"code":n.to_string(),"points":1})).collect::<Vec<_>>()}),
    ] {
        assert_eq!(error_of(good.clone()), None, "{good}");
    }
}

#[test]
fn play_on_goes_on_until_somebody_leads() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion","target":3,
        "rules":{"tie":"play_on"}}));
    scorer.take_all([points(Side::First, 3), points(Side::Second, 3)]);
    let state = scorer.state();
    assert_eq!((state.phase, state.at_table, state.inning), (Phase::Playing, Some(Side::First), 2));
    scorer.innings(&both(&[(2, 2), (1, 0)]));
    let state = scorer.state();
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)));
    assert_eq!(figures(&state), [(6, 3, 3, 2000), (5, 3, 3, 1666)]);

    // With a handicap, whoever is nearer to its target leads, here too: 4 of 10 are 2 of 5, and less than 3 of 5.
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion","target":[10, 5],
        "rules":{"tie":"play_on","innings_max":1}}));
    scorer.innings(&both(&[(4, 2)]));
    assert_eq!(scorer.state().phase, Phase::Playing);
    scorer.innings(&both(&[(0, 1)]));
    assert_eq!((scorer.state().phase, scorer.state().winner), (Phase::Finished, Some(Side::Second)));
}
