use serde_json::{Value, json};

use crate::Pad;

fn ask(pad: &mut Pad, question: &Value) -> Value {
    serde_json::from_slice(&pad.answer(question.to_string().as_bytes())).unwrap()
}

fn start() -> Value {
    json!({"type":"start","title":"Final","discipline":"three-cushion","target":3,"breaks":0,
        "sides":[{"name":"A","country":"SE"},{"name":"B"}]})
}

fn points(side: u8, points: i32) -> Value {
    json!({"type":"points","side":side,"points":points})
}

fn miss(side: u8) -> Value {
    json!({"type":"end_inning","side":side})
}

/// Enters these one after another; gives what is to be sent.
fn enter(pad: &mut Pad, epoch: u64, actions: &[Value]) -> Vec<Value> {
    let mut entered = Vec::new();
    for action in actions {
        let answer = ask(pad, &json!({"do":"enter","epoch":epoch,"occurred":1000,"action":action}));
        entered.extend(answer["entered"].as_array().unwrap_or_else(|| panic!("{answer}")).clone());
    }
    entered
}

fn view(pad: &mut Pad) -> Value {
    ask(pad, &json!({"do":"add","events":[]}))["view"].take()
}

fn place(item: &Value) -> (u64, u64) {
    (item["epoch"].as_u64().unwrap(), item["seq"].as_u64().unwrap())
}

#[test]
fn what_is_entered_is_numbered_and_claims_the_score_it_leads_to() {
    let mut pad = Pad::default();
    let entered = enter(&mut pad, 1, &[start(), points(0, 2)]);
    assert_eq!(entered.iter().map(place).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    assert_eq!(entered[1]["event"]["state"]["sides"][0]["points"], 2);
    let view = view(&mut pad);
    assert_eq!(view["state"], entered[1]["event"]["state"]);
    assert_eq!((&view["rules"]["target"], &view["start"]["title"]), (&json!(3), &json!("Final")));
    // Another pad reads the same from what was sent.
    let mut other = Pad::default();
    let loaded = ask(&mut other, &json!({"do":"load","events":entered}));
    assert_eq!(loaded["view"], view);
}

#[test]
fn what_can_t_be_entered_is_told_and_changes_nothing() {
    let mut pad = Pad::default();
    enter(&mut pad, 1, &[start(), points(0, 2)]);
    let before = view(&mut pad);
    let actions = json!([points(0, 1), points(1, 1), points(0, 2), {"type":"dance"}]);
    let check = ask(&mut pad, &json!({"do":"check","epoch":1,"occurred":1000,"actions":actions}));
    let refusals = check["refusals"].as_array().unwrap();
    assert_eq!(refusals[0], Value::Null);
    for (refusal, word) in refusals[1..].iter().zip(["not at the table", "1 points are left", "dance"]) {
        assert!(refusal.as_str().unwrap().contains(word), "{refusal}");
    }
    let refused = ask(&mut pad, &json!({"do":"enter","epoch":1,"occurred":1000,"action":points(1, 1)}));
    assert!(refused["refused"].as_str().unwrap().contains("not at the table"), "{refused}");
    for strange in [json!({"do":"sing"}), json!([]), json!({"do":"load","events":[{"epoch":9,"seq":9}]})] {
        assert!(ask(&mut pad, &strange)["refused"].is_string(), "{strange}");
    }
    assert_eq!(view(&mut pad), before);
}

#[test]
fn an_undo_takes_back_the_newest_that_stands() {
    let mut pad = Pad::default();
    enter(&mut pad, 1, &[start(), points(0, 1), points(0, 1), miss(0)]);
    let mut seqs = Vec::new();
    for _ in 0..2 {
        let undo = view(&mut pad)["undo"].take();
        seqs.push(undo["seq"].as_u64().unwrap());
        enter(&mut pad, 1, &[json!({"type":"undo","epoch":undo["epoch"],"seq":undo["seq"]})]);
    }
    assert_eq!(seqs, [4, 3]);
    let view = view(&mut pad);
    assert_eq!((&view["state"]["sides"][0]["points"], &view["undo"]["seq"]), (&json!(1), &json!(2)));
    let history = view["history"].as_array().unwrap();
    let stands: Vec<_> = history.iter().map(|item| item["stands"].as_bool().unwrap()).collect();
    assert_eq!(stands, [true, true, false, false, true, true]);
}

#[test]
fn what_waits_goes_on_behind_another_scorer_s_events() {
    let mut pad = Pad::default();
    let acknowledged = enter(&mut pad, 1, &[start(), points(0, 1)]);
    let waiting = enter(
        &mut pad,
        1,
        &[
            points(0, 1),
            json!({"type":"correct","epoch":1,"seq":2,"action":points(0, 0)}),
            json!({"type":"undo","seq":3}),
            miss(0),
        ],
    );
    let mine = view(&mut pad);
    ask(&mut pad, &json!({"do":"load","events":acknowledged}));
    let moved = ask(&mut pad, &json!({"do":"requeue","epoch":2,"events":waiting}));
    assert_eq!(moved["refused"], json!([]));
    let entered = moved["entered"].as_array().unwrap();
    assert_eq!(entered.iter().map(place).collect::<Vec<_>>(), [(2, 1), (2, 2), (2, 3), (2, 4)]);
    let action = |n: usize| &entered[n]["event"]["action"];
    assert_eq!(
        (&action(1)["epoch"], &action(1)["seq"]),
        (&json!(1), &json!(2)),
        "it names what was sent before"
    );
    assert_eq!(
        (&action(2)["epoch"], &action(2)["seq"]),
        (&json!(2), &json!(1)),
        "it names what moved with it"
    );
    assert_eq!(moved["view"]["state"], mine["state"]);
}

#[test]
fn what_is_dropped_takes_along_what_names_it_and_what_rests_on_it_is_told() {
    let mut pad = Pad::default();
    let acknowledged = enter(&mut pad, 1, &[start()]);
    let waiting = enter(&mut pad, 1, &[points(0, 1), miss(0), points(1, 2), json!({"type":"undo","seq":2})]);
    let requeue = |without: Value| {
        let mut pad = Pad::default();
        ask(&mut pad, &json!({"do":"load","events":acknowledged}));
        ask(&mut pad, &json!({"do":"requeue","epoch":1,"events":waiting,"without":without}))
    };
    let without_points = requeue(json!([{"epoch":1,"seq":2}]));
    assert_eq!(without_points["refused"], json!([]));
    let left = without_points["entered"].as_array().unwrap();
    assert_eq!(left.iter().map(place).collect::<Vec<_>>(), [(1, 2), (1, 3)], "the undo went with the points");
    let without_miss = requeue(json!([{"epoch":1,"seq":3}]));
    let refused = &without_miss["refused"][0];
    assert_eq!((place(refused), without_miss["entered"].as_array().unwrap().len()), ((1, 4), 2));
    assert!(refused["why"].as_str().unwrap().contains("not at the table"), "{refused}");
}

#[test]
fn every_discipline_is_offered_with_its_rules() {
    let mut pad = Pad::default();
    let answer = ask(&mut pad, &json!({"do":"disciplines"}));
    let disciplines = answer["disciplines"].as_array().unwrap();
    assert_eq!(disciplines.len(), 13);
    assert_eq!(disciplines[0]["id"], "three-cushion");
    assert_eq!(disciplines[0]["rules"]["target"], 40);
    assert_eq!(disciplines[11]["rules"]["length"], json!({"best_of":7}));
}
