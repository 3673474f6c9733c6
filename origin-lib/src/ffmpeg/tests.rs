use std::future::{pending, ready};

use super::*;

/// A shell that does this in ffmpeg's place.
fn shell(script: &str) -> (Child, ChildStdout, JoinHandle<String>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let output = child.stdout.take().unwrap();
    (child, output, tokio::spawn(async { "its last words".to_string() }))
}

/// How a run of it ends: media comes for ever, and it is never said to be no use.
async fn run(script: &str) -> Result<Over, Failure> {
    let (child, output, said) = shell(script);
    supervise((child, said), pending(), read_flv(output, |_| {}), pending()).await
}

fn is_running(pid: u32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

#[tokio::test]
async fn one_that_dies_or_writes_garbage_or_ends_early_has_failed() {
    let died = run("exit 3").await.unwrap_err();
    assert!(matches!(died, Failure::Ended(..)), "{died}");
    assert!(died.to_string().ends_with(": its last words"), "{died}");
    let garbage = run("head -c 100000 /dev/zero; exec sleep 1000").await.unwrap_err();
    assert!(matches!(garbage, Failure::Output(_)), "{garbage}");
    let early = run("exit 0").await.unwrap_err();
    assert!(matches!(early, Failure::Output(_)), "{early}");
}

#[tokio::test]
async fn one_that_stops_or_lives_on_without_its_outputs_is_made_to_end() {
    let (child, output, said) = shell("kill -STOP $$; exec sleep 1000");
    let pid = child.id().unwrap();
    let ended = supervise((child, said), pending(), read_flv(output, |_| {}), ready(Failure::Behind)).await;
    assert!(matches!(ended, Err(Failure::Behind)), "{ended:?}");
    assert!(!is_running(pid));
    // Its output is at its end, and it is not.
    let (child, output, said) = shell("exec >&-; exec sleep 1000");
    let pid = child.id().unwrap();
    let ended = supervise((child, said), pending(), read_flv(output, |_| {}), pending()).await;
    assert!(matches!(ended, Err(Failure::Ended(..))), "{ended:?}");
    assert!(!is_running(pid));
}

#[tokio::test]
async fn what_is_on_its_way_comes_out_once_nothing_more_goes_in() {
    let (mut child, mut output, said) = shell("cat");
    let mut media_pipe = child.stdin.take().unwrap();
    let feed = async {
        media_pipe.write_all(b"the last picture").await.ok()?;
        drop(media_pipe);
        Some(Over::Idle)
    };
    let mut came = String::new();
    let take = async { output.read_to_string(&mut came).await.map(|_| ()).map_err(Failure::Pipe) };
    assert_eq!(supervise((child, said), feed, take, pending()).await.unwrap(), Over::Idle);
    assert_eq!(came, "the last picture");
}

#[tokio::test]
async fn it_stands_back_where_the_processor_is_short() {
    let running = Running::start(Path::new("ffmpeg"), Further::Outputs(1), ["-f", "null", "-"]).unwrap();
    let pid = running.child.id().unwrap();
    let mut tasks = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        // proc(5): the 19th field; what stands in brackets before the third may have blanks.
        let nice = stat.rsplit(") ").next().and_then(|fields| fields.split(' ').nth(16));
        assert_eq!(nice, Some("10"), "{stat}");
        tasks += 1;
    }
    assert!(tasks > 0);
}

#[test]
fn one_that_fails_at_each_start_is_started_less_and_less_often_and_one_that_ran_well_soon() {
    let mut pause = Pause::default();
    let failed = || Err(Failure::Behind);
    let waits: Vec<u64> = (0..10)
        .map(|_| pause.after(&failed(), 10).map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap()))
        .collect();
    assert!(waits.iter().all(|ms| (1..=PAUSE_MS.1 * 2).contains(ms)), "{waits:?}");
    assert!(waits.first() < waits.last(), "{waits:?}");
    assert_eq!(pause.0, PAUSE_MS.1);
    pause.after(&failed(), GOOD_MS);
    assert_eq!(pause.0, PAUSE_MS.0 * 2);
    assert_eq!(pause.after(&Ok(Over::Changed), SHORT_MS), None);
    assert!(pause.after(&Ok(Over::Changed), SHORT_MS - 1).is_some());
    assert_eq!(pause.after(&Ok(Over::Idle), 0), None);
    assert_eq!(pause.0, PAUSE_MS.0);
}
