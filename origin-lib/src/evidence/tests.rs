use super::*;
use crate::store::Trace;
use std::time::Duration;

const AT: UtcMs = UtcMs(1_795_171_920_040);

pub(super) fn entry(at: UtcMs, what: What) -> Entry {
    Entry { at, subject: Subject::Target("a".parse().unwrap()), what, object: None, len: 0, trace: None }
}

/// A put as there are thousands of.
pub(super) fn done(at: UtcMs) -> Entry {
    Entry {
        object: Some("table-1/source/897585960-1040.m4s".into()),
        len: 1_512_345,
        trace: Some(Trace {
            peer: Some("203.0.113.9:443".parse().unwrap()),
            first_byte: Some(Duration::from_micros(41_250)),
            total: Duration::from_micros(48_120),
            status: Some(200),
            request_id: Some("0A49CE4060975EAC".into()),
            ..Trace::default()
        }),
        ..entry(at, What::Done)
    }
}

pub(super) fn failed(at: UtcMs, text: &str) -> Entry {
    Entry {
        object: Some("t/s/1-0.m4s".into()),
        len: 5,
        trace: Some(Trace {
            peer: Some("203.0.113.9:443".parse().unwrap()),
            connect: Some(Duration::from_millis(12)),
            total: Duration::from_micros(30_500),
            status: Some(503),
            request_id: Some("REQ1".into()),
            ..Trace::default()
        }),
        ..entry(at, What::Failed { class: "retry".into(), text: text.into() })
    }
}

#[test]
fn an_entry_is_a_line_that_can_be_read_back() {
    let whole = Trace {
        dns: Some(Duration::from_millis(1)),
        tls: Some(Duration::from_micros(7)),
        ..failed(AT, "").trace.unwrap()
    };
    for entry in [
        done(AT),
        failed(AT, "it broke"),
        entry(AT, What::Up),
        Entry {
            subject: Subject::Edge("live.example.org".into()),
            ..entry(AT, What::Down { reason: "r".into() })
        },
        Entry { subject: Subject::Node("n".parse().unwrap()), trace: Some(whole), ..entry(AT, What::Slow) },
        Entry {
            subject: Subject::Push("p".parse().unwrap()),
            ..entry(AT, What::Changed { text: "t".into() })
        },
    ] {
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
    }
}

#[test]
fn a_good_put_is_a_short_line() {
    let line = serde_json::to_string(&done(AT)).unwrap();
    assert!(line.len() < 220, "{} bytes: {line}", line.len());
}

/// Two hours of a target that breaks twice, written as the origin would: a put every second, its failures, its outages.
fn evening(dir: &Path) {
    let mut lines = String::new();
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut push = |entry: &Entry| {
        lines.push_str(&serde_json::to_string(entry).unwrap());
        lines.push('\n');
    };
    push(&entry(AT, What::Up));
    for s in 0..7200 {
        let at = AT.plus_ms(s * 1000 + random(300));
        let (dead, sick) =
            ((3000..3720).contains(&s) || (5400..5445).contains(&s), (2900..3000).contains(&s));
        match s {
            3003 | 5402 => push(&entry(
                at,
                What::Down { reason: "3 puts in a row failed: the connection was reset".into() },
            )),
            3720 | 5445 => push(&entry(at, What::Up)),
            4000 => push(&entry(
                at,
                What::Changed { text: "<script>alert(1)</script> drained by the operator".into() },
            )),
            _ => {}
        }
        let object = Some(format!("table-1/source/{}-40.m4s", 897_585_960 + s));
        let peer = format!("203.0.113.{}:443", 9 + random(3)).parse().ok();
        let failure = match (dead, random(if sick { 3 } else { 400 })) {
            (true, _) if s % 5 > 0 => continue,
            (true, 0..200) => Some(("unreachable", "connecting took longer than 5 s", None)),
            (true, _) => Some((
                "retry",
                "connection reset by peer while the body was sent to https://u:hunter2@cdn.example/x?sig=1",
                None,
            )),
            (false, 0) => Some((
                "slow-down",
                "503 Slow Down: \"Reduce your request rate.\" & <b>hunter2</b>",
                Some(503),
            )),
            (false, _) => None,
        };
        let slower = if sick { 900_000 } else { 1 };
        let total =
            Duration::from_micros(38_000 + random(30_000) + random(60) * random(60) * 30 + random(slower));
        let id = Some(format!("{:016X}-hunter2", random(u64::MAX)));
        match failure {
            Some((class, text, status)) => push(&Entry {
                at,
                object,
                trace: Some(Trace {
                    peer,
                    dns: Some(Duration::from_micros(900)),
                    connect: (class == "retry").then_some(Duration::from_micros(11_300)),
                    total: if class == "unreachable" { Duration::from_secs(5) } else { total },
                    request_id: id.filter(|_| status.is_some()),
                    status,
                    ..Trace::default()
                }),
                ..entry(at, What::Failed { class: class.into(), text: text.into() })
            }),
            None => {
                let slow = total > Duration::from_millis(500);
                let trace = Trace {
                    peer,
                    total,
                    first_byte: Some(total * 9 / 10),
                    status: Some(200),
                    request_id: id,
                    ..Trace::default()
                };
                let what = if slow { What::Slow } else { What::Done };
                push(&Entry { object, len: 1_500_000, trace: Some(trace), ..entry(at, what) });
            }
        }
    }
    let other = entry(AT.plus_ms(60_000), What::Down { reason: "nobody answers".into() });
    push(&Entry { subject: Subject::Edge("live.example.org".into()), ..other });
    lines.push_str("{\"at\":17951719");
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("2026-11-20.jsonl"), lines).unwrap();
}

/// A configuration with its data in `dir`.
fn config(dir: &Path) -> crate::config::Config {
    let replaced = [
        ("data_dir = \"data\"", "id = \"north\"\ndata_dir = \".\""),
        ("title = \"Cup\"", "title = \"Night of <Champions>\""),
        ("endpoint = \"http://127.0.0.1:9001\"", "endpoint = \"https://s3.cdn.example\""),
    ];
    crate::config::tests::small(dir, &replaced)
}

#[test]
fn an_evening_becomes_a_report_and_a_table() {
    let dir = tempfile::tempdir().unwrap();
    evening(&dir.path().join("evidence"));
    // RAILBIRD_EVIDENCE_OUT names a directory where a person wants to look at the result.
    let out = std::env::var_os("RAILBIRD_EVIDENCE_OUT").map_or(dir.path().to_path_buf(), Into::into);
    let mut config = config(dir.path());
    config.known_secrets.push(crate::config::Secret::new("hunter2"));
    let options = command::Options {
        from: "2026-11-20T10:52".into(),
        to: "2026-11-20T12:52".into(),
        out: Some(out.join("evidence.html")),
        csv: Some(out.join("evidence.csv")),
        ..command::Options::default()
    };
    command::run(&config, &options, AT.plus_ms(8_000_000)).unwrap();
    let page = fs::read_to_string(out.join("evidence.html")).unwrap();
    let table = fs::read_to_string(out.join("evidence.csv")).unwrap();

    for found in [
        "What we saw of targets, nodes, pushes and edges",
        "Railbird origin “north”, event “Night of &lt;Champions&gt;”",
        "<h2>Target a</h2>",
        "bucket &quot;live&quot; at https://s3.cdn.example",
        "It was unavailable twice, for 12 min 3",
        "1 line of the origin’s log could not be read",
        "&lt;script&gt;alert(1)&lt;/script&gt; drained by the operator",
        "while the body was sent to https://cdn.example/x?[removed]",
        "<h2>Edge live.example.org</h2>",
        "The origin made no request to edge live.example.org in this period. It was unavailable once",
        "not over at the end of this period",
    ] {
        assert!(page.contains(found), "{found}");
    }
    for absent in ["hunter2", "sig=1", "<script", "<b>hunter", "src=", "http-equiv=\"refresh"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(!table.contains("hunter2"));
    let rows = fs::read_to_string(dir.path().join("evidence/2026-11-20.jsonl")).unwrap().lines().count() - 1;
    assert_eq!(table.lines().count(), 1 + rows);
    assert!(page.len() < 1 << 20, "{}", page.len());
}

#[test]
fn a_report_can_be_of_one_subject_and_what_makes_none_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let out = dir.path().join("out.html");
    let run = |options: command::Options| {
        let options =
            command::Options { out: Some(out.clone()), from: "10m".into(), to: "0s".into(), ..options };
        command::run(&config, &options, AT.plus_ms(600_000)).map_err(|error| format!("{error:#}"))
    };
    assert!(run(command::Options::default()).unwrap_err().contains("there is no evidence yet"));
    evening(&dir.path().join("evidence"));
    run(command::Options { target: Some("a".parse().unwrap()), ..command::Options::default() }).unwrap();
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("<title>What we saw of target a</title>") && !page.contains("live.example.org"));
    run(command::Options { target: Some("b".parse().unwrap()), ..command::Options::default() }).unwrap();
    assert!(fs::read_to_string(&out).unwrap().contains("Nothing was recorded in this period."));

    for (from, to, says) in [
        ("1h", "2h", "must lie before --to"),
        ("40d", "0s", "at most 31 days"),
        ("yesterday", "0s", "\"yesterday\" is not a time"),
    ] {
        let options = command::Options { from: from.into(), to: to.into(), ..command::Options::default() };
        let error = command::run(&config, &options, AT).map_err(|error| format!("{error:#}"));
        assert!(error.as_ref().is_err_and(|error| error.contains(says)), "{error:?}");
    }
}

#[test]
fn an_outage_that_began_the_day_before_counts_from_the_period_s_begin() {
    let period = summary::Period::new(AT, AT.plus_ms(100_000));
    let mut summary = summary::Summary::new(period);
    summary.add(failed(UtcMs(AT.0 - 50_001), "reset"));
    summary.add(entry(UtcMs(AT.0 - 50_000), What::Down { reason: "reset".into() }));
    summary.add(entry(AT.plus_ms(40_000), What::Up));
    summary.add(entry(AT.plus_ms(90_000), What::Down { reason: "again".into() }));
    let summary = summary.finish();
    let story = summary.stories.values().next().unwrap();
    assert_eq!(story.downtime_ms, 50_000);
    let longest = story.longest(&period);
    assert_eq!(longest[0].reason, "reset");
    assert_eq!(longest[0].addresses, ["203.0.113.9".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!((longest[1].end, longest[1].ms_in(&period)), (None, 10_000));
    assert_eq!((story.done, story.failed), (0, 0));
}

#[test]
fn how_many_were_dropped_is_a_figure() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = Evidence::start(&dir.path().join("evidence")).unwrap();
    let mut registry = Registry::with_prefix("railbird");
    evidence.register(&mut registry);
    assert_eq!(evidence.dropped(), 0);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("\nrailbird_evidence_dropped_total 0\n"), "{text}");
}
