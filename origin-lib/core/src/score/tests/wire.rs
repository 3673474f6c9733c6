//! Events and claims as they travel.

use super::*;

#[test]
fn bodies_are_read_strictly() {
    let start = json!({"type":"start","title":"Final","discipline":"three-cushion","target":40,
        "equalising_inning":true,"breaks":1,"sides":[{"name":"A","country":"SE"},{"name":"B"}]});
    let with = |key: &str, value: serde_json::Value| {
        let mut action = start.clone();
        action[key] = value;
        json!({"occurred":1, "action":action})
    };
    let action = |action: serde_json::Value| json!({"occurred":1, "action":action});
    for good in [
        action(start.clone()),
        json!({"occurred":1,"entered":2,"action":{"type":"end_inning","side":0}}),
        action(json!({"type":"points","side":1,"points":-2,"code":"ref"})),
        action(json!({"type":"shootout","side":1,"points":5})),
        action(json!({"type":"end","winner":null,"code":"time"})),
        action(json!({"type":"foul","side":0,"points":4,"code":"in-off"})),
        action(json!({"type":"turn","side":1})),
        action(json!({"type":"begin_unit","breaks":1})),
        action(json!({"type":"end_unit"})),
        action(json!({"type":"end_unit","winner":0,"code":"conceded"})),
        action(json!({"type":"rerack"})),
        action(json!({"type":"pause","code":"half"})),
        action(json!({"type":"pause"})),
        action(json!({"type":"resume"})),
        action(json!({"type":"time_out","side":1})),
        action(json!({"type":"shot_clock","do":"start"})),
        action(json!({"type":"shot_clock","do":"stop"})),
        action(json!({"type":"shot_clock","do":"resume"})),
        action(json!({"type":"shot_clock","do":"extend","side":1})),
        action(json!({"type":"correct","seq":4,"action":{"type":"points","side":0,"points":1}})),
        action(json!({"type":"correct","epoch":1,"seq":1,"action":start})),
        json!({"occurred":1,"action":{"type":"resume"},"state":{"unit":2,"breaks":0,"rack":null,"break_due":true,
            "paused":{"since":1,"until":2,"side":0,"code":"x"},
            "shot_clock":{"running":true,"deadline":5,"remaining_ms":4},
            "sides":[{"won":1,"total_points":-4,"total_innings":3,"extension":null,"ball":"white","fouls":2,
                "fouls_in_row":1,"extensions_left":1,"time_outs_left":0},{"points":-3,"average_milli":-1000}]}}),
        with("target", json!([40, 30])),
        with("variant", json!("47/2")),
        with("white", json!(1)),
        with("figures", json!([{"code":"B07","points":8}])),
        with(
            "rules",
            json!({"tie":{"extension":{"innings":2}},"swap_balls":"half","break_at_half":true,
            "shot_clock":{"seconds":40,"extensions":2,"extension_seconds":40,"per":"match"},
            "time_outs":{"count":1,"seconds":300,"per":"match"}}),
        ),
        action(json!({"type":"undo","seq":4})),
        action(json!({"type":"undo","epoch":1,"seq":4})),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},
            "state":{"phase":"playing","inning":5,"at_table":null,"winner":null,"sides":[{"points":9,"run":3,
            "high_run":6,"innings":5,"average_milli":1800,"shootout":null},{"points":1}]}}),
        with("title", json!("é".repeat(100))),
    ] {
        let event = Event::from_json(good.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), good, "what is written is what was read");
    }
    for bad in [
        json!({}),
        json!([]),
        json!({"occurred":1}),
        json!({"occurred":-1,"action":{"type":"end_inning","side":0}}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"more":1}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"state":{"score":1}}),
        json!({"occurred":1,"action":{"type":"end_inning","side":0},"state":{"sides":[{"pts":1},{}]}}),
        action(json!({"type":"end_inning"})),
        action(json!({"type":"end_inning","side":2})),
        action(json!({"type":"end_inning","side":-1})),
        action(json!({"type":"end_inning","side":0,"more":1})),
        action(json!({"type":"foul","side":0,"points":-1})),
        action(json!({"type":"foul","side":0,"points":1001})),
        action(json!({"type":"foul","side":0,"code":"a b"})),
        action(json!({"type":"turn"})),
        action(json!({"type":"rerack","side":0})),
        action(json!({"type":"resume","code":"x"})),
        action(json!({"type":"pause","code":""})),
        action(json!({"type":"end_unit","winner":2})),
        action(json!({"type":"time_out"})),
        action(json!({"type":"shot_clock","do":"tick"})),
        action(json!({"type":"shot_clock"})),
        action(json!({"type":"correct","seq":4})),
        action(json!({"type":"correct","seq":4,"action":{"type":"undo","seq":3}})),
        action(json!({"type":"correct","seq":4,"action":{"type":"points","side":0,"points":1001}})),
        action(json!({"type":"correct","seq":4,"action":
            {"type":"correct","seq":3,"action":{"type":"points","side":0,"points":1}}})),
        json!({"occurred":1,"action":{"type":"resume"},"state":{"paused":{"since":1,"code":"a b"}}}),
        action(json!({"type":"points","side":0,"points":1001})),
        action(json!({"type":"points","side":0,"points":-2147483648_i64})),
        action(json!({"type":"points","side":0,"points":1.5})),
        action(json!({"type":"points","side":0,"points":1,"code":""})),
        action(json!({"type":"points","side":0,"points":1,"code":"a b"})),
        action(json!({"type":"end","winner":0,"code":"x".repeat(33)})),
        action(json!({"type":"shootout","side":0,"points":-1})),
        action(json!({"type":"shootout","side":0,"points":1001})),
        with("title", json!("é".repeat(101))),
        with("title", json!("")),
        with("title", json!("a\nb")),
        with("title", json!("a\u{202e}b")),
        with("target", json!(0)),
        with("target", json!(1001)),
        with("discipline", json!("darts")),
        with("referee", json!("x")),
        with("sides", json!([{"name":"A"}])),
        with("sides", json!([{"name":"A"},{"name":"B"},{"name":"C"}])),
        with("sides", json!([{"name":"A","country":"se"},{"name":"B"}])),
        with("sides", json!([{"name":"A","country":"SWE"},{"name":"B"}])),
        with("sides", json!([{"name":"A","club":"x"},{"name":"B"}])),
        with("sides", json!([{"name":"\u{7f}"},{"name":"B"}])),
    ] {
        assert!(Event::from_json(bad.to_string().as_bytes()).is_err(), "{bad}");
    }
    // What the parser repeats of a body is bounded, and so is the body.
    let long = json!({"occurred":1, "x".repeat(7000): 1}).to_string();
    assert!(Event::from_json(long.as_bytes()).unwrap_err().to_string().len() < 300);
    assert_eq!(Event::from_json(&vec![b' '; BODY_LEN_MAX + 1]), Err(EventError::Length));
    // A correction in a correction in a correction is refused, and costs no more than its bytes.
    let deep = format!("{}{{}}{}", r#"{"type":"correct","seq":1,"action":"#.repeat(200), "}".repeat(200));
    assert!(Event::from_json(format!(r#"{{"occurred":1,"action":{deep}}}"#).as_bytes()).is_err());
    // A twice stated field has no meaning.
    assert!(
        Event::from_json(br#"{"occurred":1,"action":{"type":"undo","seq":1,"seq":2}}"#).is_err(),
        "doubled field"
    );
    // Whole and cut at every byte: only the whole is an event.
    let whole = action(start.clone()).to_string();
    for len in 0..whole.len() {
        assert!(Event::from_json(&whole.as_bytes()[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_claim_agrees_with_what_it_states() {
    let mut scorer = Scorer::new(40, true);
    let state = scorer.take(points(Side::First, 3));
    let claim = |json: serde_json::Value| serde_json::from_value::<Claim>(json).unwrap().agrees(&state);
    assert!(claim(serde_json::to_value(&state).unwrap()), "the whole state");
    for (json, agrees) in [
        (json!({}), true),
        (json!({"inning":1,"at_table":0,"winner":null}), true),
        (json!({"sides":[{"points":3,"shootout":null},{}]}), true),
        (json!({"phase":"shootout"}), false),
        (json!({"inning":2}), false),
        (json!({"at_table":null}), false),
        (json!({"winner":0}), false),
        (json!({"sides":[{"points":2},{}]}), false),
        (json!({"sides":[{},{"shootout":0}]}), false),
        (json!({"phase":null,"sides":[{"run":null},{}]}), true),
        (json!({"unit":null,"paused":null,"shot_clock":null,"break_due":false}), true),
        (json!({"unit":1}), false),
        (json!({"paused":{"since":1}}), false),
        (json!({"sides":[{"fouls":1},{}]}), false),
    ] {
        assert_eq!(claim(json.clone()), agrees, "{json}");
    }
    // Of a game that has everything, the whole state is claimed and agreed to.
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets","white":0,"rules":{
        "shot_clock":{"seconds":30,"extensions":1,"extension_seconds":30,"per":"unit"},
        "time_outs":{"count":1,"seconds":60,"per":"match"}}}));
    scorer.take_all([points(Side::First, 4), foul(Side::First, 0), points(Side::Second, 15)]);
    let clock = Action::ShotClock { order: ClockOrder::Start, side: None };
    let state = scorer.take_all([points(Side::Second, 1), clock, Action::TimeOut { side: Side::First }]);
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!(serde_json::from_value::<State>(json.clone()).unwrap(), state);
    assert!(serde_json::from_value::<Claim>(json.clone()).unwrap().agrees(&state));
    // Every figure counts: with any one of them changed, it is another score.
    for path in ["unit", "breaks", "inning", "phase", "at_table", "winner", "paused", "shot_clock"] {
        let mut other = json.clone();
        other[path] = match &json[path] {
            Value::Null => json!(0),
            Value::Number(number) => json!(1 - number.as_i64().unwrap().min(1)),
            Value::String(_) => json!("finished"),
            _ => Value::Null,
        };
        assert!(!serde_json::from_value::<Claim>(other).unwrap().agrees(&state), "{path}");
    }
    for (figure, is) in json["sides"][0].as_object().unwrap() {
        let mut other = json.clone();
        other["sides"][0][figure] = match is {
            Value::Null => json!(7),
            Value::String(_) => json!("yellow"),
            number => json!(number.as_i64().unwrap() + 1),
        };
        let claim = serde_json::from_value::<Claim>(other).unwrap();
        assert_eq!(claim.agrees(&state), is == "yellow", "{figure}");
    }
}

const DESCRIPTION: &str = include_str!("../../../../../infra/SCORE.md");

/// A discipline's row in the description's table.
fn row(discipline: Discipline) -> String {
    let rules = discipline.rules();
    let name = |value: Value| match value {
        Value::String(name) => format!("`{name}`"),
        other => format!("`{other}`"),
    };
    let word = |value: Result<Value, _>| name(value.unwrap());
    let unit = serde_json::to_value(rules.unit).unwrap();
    let length = match rules.length {
        _ if rules.unit == Unit::Match => "one match".into(),
        Length::BestOf(most) => format!("best of {most} {}s", unit.as_str().unwrap()),
        Length::RaceTo(units) => format!("race to {} {}s", units.of(Side::First), unit.as_str().unwrap()),
    };
    let target = rules.target.map_or("–".into(), |target| target.of(Side::First).to_string());
    let last = rules.last_target.map_or(String::new(), |last| format!(", the last {last}"));
    format!(
        "| {} | {length} | {target}{last} | {} | {} | {} | {} |",
        word(serde_json::to_value(discipline)),
        if rules.equalising_inning { "yes" } else { "no" },
        word(serde_json::to_value(rules.tie)),
        word(serde_json::to_value(rules.turns)),
        word(serde_json::to_value(rules.foul)),
    )
}

#[test]
fn the_feed_s_description_is_true() {
    for discipline in Discipline::ALL {
        let row = row(discipline);
        assert!(DESCRIPTION.lines().any(|line| line == row), "infra/SCORE.md lacks\n{row}");
    }
    let mut types = Vec::new();
    for line in DESCRIPTION.lines().filter(|line| line.starts_with('{')) {
        let json: Value = serde_json::from_str(line).unwrap();
        let event = if json["type"].is_null() { json } else { json!({"occurred":1,"action":json}) };
        let read = Event::from_json(event.to_string().as_bytes());
        assert_eq!(serde_json::to_value(read.unwrap()).unwrap(), event, "{line}");
        types.push(event["action"]["type"].as_str().unwrap().to_string());
    }
    types.sort();
    types.dedup();
    assert_eq!(types.len(), 16, "an example of each action: {types:?}");
}
