use std::format;
use std::string::ToString;
use std::vec;

use proptest::prelude::*;

use super::*;

fn nodes() -> Vec<Node> {
    let node = |(id, url): (&str, &str)| Node::new(id.parse().unwrap(), url.to_string(), true);
    [("a", "https://a.test"), ("b", "https://b.test/bucket"), ("c", "https://b.test")].map(node).to_vec()
}

/// What a body says: each node with `+` where it served and `-` where it failed.
fn said(body: &str) -> String {
    let (nodes, channel) = (nodes(), "table-1".parse().unwrap());
    let votes = votes(&read(body.as_bytes()), &channel, &nodes, 2000);
    let word = |vote: &Vote| {
        let node = nodes.iter().find(|node| Place::of(node) == vote.place).unwrap();
        format!("{}{}", node.id, if vote.failed { '-' } else { '+' })
    };
    votes.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A report about an object of the channel at `a`.
fn at_a(keys: &str) -> String {
    format!("e=rr,{keys},url=\"https://a.test/table-1/source/1.m4s\"\n")
}

#[test]
fn a_line_as_hls_js_sends_it() {
    let line = "br=(5000),cid=\"table-1\",d=2000,e=rr,ot=av,rc=200,sf=h,sid=\"5f2b, \\\"x\\\"\",sn=7,st=l,su,\
        ts=1795171920040,ttfb=41,ttlb=183,url=\"https://a.test/table-1/source/1.m4s\",v=2";
    let expected = Report {
        url: "https://a.test/table-1/source/1.m4s".into(),
        error: false,
        status: Some(200),
        ttfb_ms: Some(41),
        ttlb_ms: Some(183),
        starved: false,
        at_ms: Some(1_795_171_920_040),
    };
    assert_eq!(read(line.as_bytes()), [expected]);
}

#[test]
fn what_counts_as_a_failure() {
    for (keys, expected) in [
        ("rc=200", "a+"),
        ("rc=206,ttfb=2000,ttlb=4000", "a+"),
        ("rc=304", "a+"),
        ("rc=0", "a-"),
        ("rc=403", "a-"),
        ("rc=404", "a-"),
        ("rc=503", "a-"),
        ("rc=200,ttfb=2001", "a-"),
        ("rc=200,ttlb=4001", "a-"),
        ("rc=200,ttlb=3000", "a+"),
        ("bs,rc=200,ttlb=3000", "a-"),
        ("bs=?0,rc=200,ttlb=3000", "a+"),
        ("bs,rc=200,ttlb=300", "a+"),
        // Without a status nothing is known.
        ("ttfb=20", ""),
    ] {
        assert_eq!(said(&at_a(keys)), expected, "{keys}");
    }
    assert_eq!(said("e=e,ec=(\"fragLoadError\"),url=\"https://a.test/table-1/x\""), "a-");
    assert_eq!(said("e=ps,sta=p,rc=0,url=\"https://a.test/table-1/x\""), "");
    let fine = at_a("rc=200,ttfb=10");
    assert_eq!(said(&format!("{fine}{}{fine}", at_a("rc=0"))), "a-", "one failure is one");
}

#[test]
fn only_objects_of_the_channel_at_its_nodes_count() {
    for (url, expected) in [
        ("https://a.test/table-1/x", "a+"),
        ("https://b.test/table-1/x", "c+"),
        ("https://b.test/bucket/table-1/x", "b+"),
        ("https://a.test.evil/table-1/x", ""),
        ("https://a.test@evil/table-1/x", ""),
        ("https://a.test", ""),
        ("https://a.test/", ""),
        ("https://a.test/table-2/x", ""),
        ("https://a.test/table-11/x", ""),
        ("https://a.test//table-1/x", ""),
        ("http://a.test/table-1/x", ""),
        ("https://A.test/table-1/x", ""),
        (" https://a.test/table-1/x", ""),
        ("/live/table-1/a/source.m3u8", ""),
        ("", ""),
    ] {
        assert_eq!(said(&format!("e=rr,rc=200,url=\"{url}\"")), expected, "{url:?}");
    }
}

#[test]
fn who_fails_everywhere_has_a_bad_line() {
    let at = |node: &str, status: u32| format!("e=rr,rc={status},url=\"https://{node}.test/table-1/x\"\n");
    assert_eq!(said(&at("a", 0)), "a-");
    assert_eq!(said(&format!("{}{}", at("a", 0), at("b", 0))), "");
    assert_eq!(said(&format!("{}{}", at("a", 0), at("b", 200))), "a- c+");
}

#[test]
fn a_line_that_cannot_be_read_costs_that_line() {
    let good = at_a("rc=200");
    for bad in [
        "",
        "=",
        ",",
        "rc=200",
        "e=rr",
        "e=rr,rc=x,url=\"https://a.test/table-1/x\"",
        "e=rr,rc=-1,url=\"https://a.test/table-1/x\"",
        "e=rr,rc=4294967296,url=\"https://a.test/table-1/x\"",
        "e=rr,rc=200,ttfb=1.5,url=\"https://a.test/table-1/x\"",
        "e=rr,rc=200,url=https://a.test/table-1/x",
        "e=rr,rc=200,url=\"https://a.test/table-1/x",
        "e=rr,rc=200,url=\"https://a.test/table-1/x\\\"",
        "e=rr,rc=200,url=\"https://a.test/table-1/x\",",
        "e=rr,rc=200,url=\"https://a.test/table-1/x\",br=(1,2",
        "e=rr,rc=200,url=\"https://a.test/table-1/x\",br=1)",
        "E=rr,rc=200,url=\"https://a.test/table-1/x\"",
        "\u{feff}e=rr,rc=200,url=\"https://a.test/table-1/x\"",
        "{\"e\":\"rr\"}",
    ] {
        assert_eq!(read(bad.as_bytes()), [], "{bad}");
        assert_eq!(said(&format!("{bad}\n{good}")), "a+", "{bad}");
    }
    let mut body = b"\xff\xfe\n".to_vec();
    body.extend(good.as_bytes());
    assert_eq!(read(&body).len(), 1);
    assert_eq!(said(&good.replace('\n', "\r\n")), "a+");
    assert_eq!(said("e=rr, rc=200 ,url=\"https://a.test/table-1/x\""), "", "a space is part of no number");
}

#[test]
fn bounds() {
    let many = at_a("rc=200").repeat(LINES_MAX) + &at_a("rc=0");
    assert_eq!((read(many.as_bytes()).len(), said(&many)), (LINES_MAX, "a+".into()));
    let keys = |n: usize| at_a(&format!("{}rc=200", "x=1,".repeat(n)));
    assert_eq!((said(&keys(KEYS_MAX - 3)), said(&keys(KEYS_MAX - 2))), ("a+".into(), String::new()));
}

#[test]
fn what_is_older_than_the_rest_of_its_body_is_over() {
    let at = |ts: u64, status: u32| at_a(&format!("ts={ts},rc={status}"));
    assert_eq!(said(&format!("{}{}", at(1000, 0), at(11_000, 200))), "a-");
    assert_eq!(said(&format!("{}{}", at(999, 0), at(11_000, 200))), "a+");
    // A clock that is wrong is no worse than another one.
    assert_eq!(said(&at(5, 0)), "a-");
    assert_eq!(said(&at(u64::MAX, 0)), "a-");
}

#[test]
fn the_median_of_what_was_served_is_told() {
    let body: String = [900, 10, 30, 20, 40].map(|ms| at_a(&format!("rc=200,ttfb={ms}"))).concat();
    let votes = votes(&read(body.as_bytes()), &"table-1".parse().unwrap(), &nodes(), 2000);
    let expected = Vote { place: Place::of(&nodes()[0]), failed: false, ttfb_ms: Some(30), doubted: false };
    assert_eq!(votes, vec![expected]);
}

#[test]
fn a_node_whose_url_is_written_in_another_way_gets_its_votes() {
    for written in ["https://a.test", "HTTPS://A.Test:443", "https://A.test", "https://a.test:443"] {
        let node = serde_json::json!({"id": "a", "url": written, "up": true});
        let node: Node = serde_json::from_value(node).unwrap();
        let votes = votes(
            &read(at_a("rc=0").as_bytes()),
            &"table-1".parse().unwrap(),
            core::slice::from_ref(&node),
            2000,
        );
        assert_eq!(votes.len(), 1, "{written}");
        assert_eq!(votes[0].place, Place::of(&nodes()[0]), "it is the same node");
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body: Vec<u8>, text in "[a-z=,;\"()\\\\?0-9 \n]{0,300}") {
        let channel = "table-1".parse().unwrap();
        for body in [&body[..], text.as_bytes()] {
            votes(&read(body), &channel, &nodes(), 2000);
        }
    }
}
