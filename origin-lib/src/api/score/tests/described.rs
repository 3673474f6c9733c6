//! That the OpenAPI description is true: every request and answer of the tests around it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::{DESCRIPTION, EVENT, EVENTS, MATCH, MATCHES, OPENAPI, SCORER, STREAM, SYSTEM};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).unwrap());

static SCHEMAS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let components = &DOCUMENT["components"];
    let schemas = components["schemas"].as_object().unwrap();
    let validator = |name: &String| {
        let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": components});
        (name.clone(), jsonschema::draft202012::new(&schema).unwrap())
    };
    schemas.keys().map(validator).collect()
});

/// Whether a value is what the content's schema says.
fn is(content: &Value, value: &Value) -> Result<(), String> {
    let name = content["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    let name = name.rsplit('/').next().unwrap();
    SCHEMAS[name].validate(value).map_err(|error| format!("no {name}: {error} at {}", error.instance_path()))
}

/// The description of the path that a request was for.
fn described(path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(of, is)| of.starts_with('{') || of == is)
    };
    DOCUMENT["paths"].as_object().unwrap().iter().find_map(|(template, of)| fits(template).then_some(of))
}

/// Checks one exchange.
pub(in crate::api::score) fn check(
    method: &Method,
    path: &str,
    sent: Option<&[u8]>,
    (status, body): (u16, &Value),
) {
    let operation = &described(path).unwrap_or_else(|| panic!("{path} is not described"))
        [method.as_str().to_ascii_lowercase()];
    let response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {path}: {status} is not described");
    if let Err(error) = is(response, body) {
        panic!("{method} {path} {status}: {error}: {body}");
    }
    let wanted = &operation["requestBody"];
    if let (true, Some(sent)) = (wanted.is_object() && status == 200, sent) {
        let sent: Value = serde_json::from_slice(sent).unwrap();
        if let Err(error) = is(wanted, &sent) {
            panic!("{method} {path} took what is not described: {error}: {sent}");
        }
    }
}

#[test]
fn every_route_is_described() {
    let described: BTreeSet<&str> =
        DOCUMENT["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, BTreeSet::from([MATCHES, MATCH, EVENTS, EVENT, STREAM, SCORER, SYSTEM]));
    assert!(!DESCRIPTION.is_empty() && DOCUMENT["openapi"] == "3.1.0");
}

#[test]
fn the_description_takes_what_the_origin_takes_and_nothing_else() {
    let event = |action: Value| json!({"occurred": 1000, "action": action});
    let body = &DOCUMENT["paths"][EVENT]["put"]["requestBody"];
    let start = |more: Value| {
        let mut start = json!({"type":"start","title":"F","discipline":"three-cushion","breaks":0,
            "sides":[{"name":"A","country":"SE"},{"name":"B"}]});
        start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        start
    };
    let good = [
        start(json!({})),
        start(json!({"target":[40,30],"variant":"47/2","equalising_inning":false,"white":1})),
        start(json!({"discipline":"artistique","figures":[{"code":"B07","points":7}]})),
        start(json!({"discipline":"nine-ball","rules":{"length":{"race_to":[9,7]},"begins":"loser"}})),
        start(json!({"rules":{"tie":{"extension":{"innings":3}},"shot_clock":
            {"seconds":40,"extensions":2,"extension_seconds":40,"per":"match"},
            "time_outs":{"count":1,"seconds":300,"per":"match"},"swap_balls":"half","break_at_half":true}})),
        start(json!({"discipline":"three-cushion-sets","rules":{"length":{"best_of":5},"level":"draw"}})),
        json!({"type":"points","side":1,"points":-3,"code":"x"}),
        json!({"type":"end_inning","side":0}),
        json!({"type":"foul","side":0,"points":4,"code":"white"}),
        json!({"type":"foul","side":0}),
        json!({"type":"turn","side":1}),
        json!({"type":"begin_unit","breaks":1}),
        json!({"type":"end_unit","winner":1,"code":"conceded"}),
        json!({"type":"end_unit"}),
        json!({"type":"rerack"}),
        json!({"type":"shootout","side":0,"points":5}),
        json!({"type":"pause","code":"half"}),
        json!({"type":"pause"}),
        json!({"type":"resume"}),
        json!({"type":"time_out","side":0}),
        json!({"type":"shot_clock","do":"extend","side":1}),
        json!({"type":"shot_clock","do":"start"}),
        json!({"type":"end","winner":null,"code":"time"}),
        json!({"type":"undo","seq":4}),
        json!({"type":"undo","epoch":1,"seq":4}),
        json!({"type":"correct","seq":4,"action":{"type":"points","side":0,"points":2}}),
    ];
    let bad = [
        json!({"type":"points","side":2,"points":1}),
        json!({"type":"points","side":0}),
        json!({"type":"points","side":0,"points":1001}),
        json!({"type":"points","side":0,"points":1,"by":"me"}),
        json!({"type":"points","side":0,"points":1,"code":"a b"}),
        json!({"type":"serve","side":0}),
        json!({"type":"shot_clock","do":"tick"}),
        json!({"type":"undo"}),
        json!({"type":"correct","seq":4,"action":{"type":"undo","seq":3}}),
        start(json!({"discipline":"darts"})),
        start(json!({"rules":{"unit":"leg"}})),
        start(json!({"rules":{"length":{"race_to":9,"best_of":9}}})),
        start(json!({"sides":[{"name":"A"}]})),
        start(json!({"sides":[{"name":"A","country":"se"},{"name":"B"}]})),
        start(json!({"title":""})),
    ];
    let read = |action: &Value| {
        railbird_core::score::Event::from_json(event(action.clone()).to_string().as_bytes()).map(drop)
    };
    for action in &good {
        assert_eq!(is(body, &event(action.clone())), Ok(()), "{action}");
        assert_eq!(read(action).map_err(|error| error.to_string()), Ok(()), "{action}");
    }
    for action in &bad {
        assert!(is(body, &event(action.clone())).is_err(), "described as good: {action}");
        assert!(read(action).is_err(), "taken: {action}");
    }
}
