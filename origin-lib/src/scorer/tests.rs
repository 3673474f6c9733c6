//! The terminal scorer against a real score API, through a network that can be cut.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser};
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Discipline, Log};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::command::{self, Options};
use super::import;
use super::origin::Key;
use crate::api::score::{Keys, router};
use crate::score::Scores;

const KEY: &str = "a-score-key-of-table-1";

/// An origin's score API, and the network before it.
struct Venue {
    scores: Scores,
    api: SocketAddr,
    address: SocketAddr,
    network: JoinSet<()>,
    dir: TempDir,
}

impl Venue {
    async fn open() -> Venue {
        let dir = TempDir::new().unwrap();
        let scores = Scores::open(&dir.path().join("score"), [(channel(), 0)]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap();
        let router = router(scores.clone(), Keys::new([(channel(), KEY.into())]));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut venue = Venue { scores, api, address, network: JoinSet::new(), dir };
        venue.relay(listener);
        venue
    }

    fn relay(&mut self, listener: TcpListener) {
        let api = self.api;
        self.network.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(api).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
    }

    async fn cut(&mut self) {
        self.network.shutdown().await;
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.relay(listener);
    }

    async fn log(&self) -> (MatchId, Arc<Log>) {
        let (newest, _) = self.scores.matches(&channel(), 1).remove(0);
        let log = self.scores.log(&channel(), &newest).await.unwrap().unwrap();
        (newest, log)
    }

    fn outbox(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

fn channel() -> ChannelId {
    "table-1".parse().unwrap()
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// A scorer at a terminal.
struct Terminal {
    keys: mpsc::Sender<String>,
    screen: mpsc::UnboundedReceiver<String>,
    done: tokio::task::JoinHandle<anyhow::Result<()>>,
}

struct Screen(mpsc::UnboundedSender<String>);

impl Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(text).into_owned();
        self.0.send(line).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Terminal {
    fn open(venue: &Venue, outbox: &str, more: &[&str]) -> Terminal {
        let (url, outbox) = (format!("http://{}", venue.address), venue.outbox(outbox));
        let head = ["score", "--channel", "table-1", "--origin", &url, "--outbox", &outbox];
        let options = Cli::parse_from(head.iter().chain(more)).options;
        let (keys, mut lines) = mpsc::channel(100);
        let (shown, screen) = mpsc::unbounded_channel();
        let done = tokio::spawn(async move {
            command::score(&options, Key(KEY.into()), &mut lines, io::LineWriter::new(Screen(shown))).await
        });
        Terminal { keys, screen, done }
    }

    async fn types(&self, lines: &[&str]) {
        for line in lines {
            self.keys.send((*line).to_owned()).await.unwrap();
        }
    }

    /// Waits until a line with this is on the screen.
    async fn sees(&mut self, what: &str) -> String {
        let mut seen = String::new();
        while let Some(text) = self.screen.recv().await {
            seen += &text;
            if text.contains(what) {
                return text;
            }
        }
        panic!("{what:?} was never shown, but:\n{seen}");
    }

    async fn ends(self) -> anyhow::Result<()> {
        drop(self.keys);
        self.done.await.unwrap()
    }
}

const PLAYERS: [&str; 6] = ["--new", "--player", "Nelin:SE", "--player", "Cho:KR", "--target=40"];

#[tokio::test]
async fn what_is_typed_without_a_network_or_before_a_crash_reaches_the_origin_in_order() {
    let mut venue = Venue::open().await;
    let mut terminal = Terminal::open(&venue, "mine", &PLAYERS);
    terminal.types(&["3", "m"]).await;
    terminal.sees("Nelin 3 - 0* Cho").await;
    venue.cut().await;
    terminal.types(&["2", "m", "1", "u", "correct 2 5"]).await;
    terminal.sees("does not answer").await;
    terminal.types(&["score"]).await;
    terminal.sees("Nelin 5* - 2 Cho").await;
    // The terminal goes as well, in the middle of everything.
    terminal.done.abort();
    assert!(terminal.done.await.unwrap_err().is_cancelled());
    let mut terminal = Terminal::open(&venue, "mine", &[]);
    terminal.sees("Nelin 5* - 2 Cho").await;
    terminal.types(&["4"]).await;
    terminal.sees("does not answer").await;
    venue.mend().await;
    terminal.sees("the origin has everything").await;
    terminal.ends().await.unwrap();
    let (_, log) = venue.log().await;
    assert_eq!(log.state().unwrap().sides.map(|side| side.points), [9, 2]);
    assert_eq!(log.events().len(), 9, "each of them once");
}

#[tokio::test]
async fn another_scorer_takes_over_after_asking_and_the_first_is_told() {
    let venue = Venue::open().await;
    let mut first = Terminal::open(&venue, "mine", &PLAYERS);
    first.types(&["3"]).await;
    first.sees("Nelin 3* (3)").await;
    first.ends().await.unwrap();
    let mut second = Terminal::open(&venue, "theirs", &[]);
    second.sees("take it over? [y/n]").await;
    second.types(&["y", "1", "m"]).await;
    second.sees("you score now, with epoch 2").await;
    second.sees("Nelin 4 - 0* Cho").await;
    second.ends().await.unwrap();
    // It is typed before the origin has said a word.
    let mut first = Terminal::open(&venue, "mine", &[]);
    first.types(&["1"]).await;
    first.sees("Nelin 3* (3)").await;
    first.sees("another scorer has taken over").await;
    first.types(&["take"]).await;
    first.sees("would go along").await;
    first.types(&["yes", "2"]).await;
    first.sees("Nelin 4 - 2* (2) Cho").await;
    first.ends().await.unwrap();
    let (_, log) = venue.log().await;
    assert_eq!((log.last().unwrap().epoch, log.state().unwrap().sides[1].points), (3, 2));
}

#[tokio::test]
async fn a_second_terminal_for_the_same_channel_says_what_to_do() {
    let venue = Venue::open().await;
    let mut first = Terminal::open(&venue, "mine", &PLAYERS);
    first.sees("Nelin 0*").await;
    let second = Terminal::open(&venue, "mine", &[]);
    assert!(second.ends().await.unwrap_err().to_string().contains("another terminal scores this channel"));
    first.ends().await.unwrap();
}

#[test]
fn an_import_needs_nothing_that_only_a_terminal_does() {
    let line = ["score", "import", "m.csv", "--channel", "table-1", "--match", "m", "--key-file", "k"];
    let options = Cli::try_parse_from(line).unwrap().options;
    let Some(command::What::Import(import)) = options.what else { panic!("it is an import") };
    assert_eq!((import.channel, options.table.key_file.as_deref()), (channel(), Some(Path::new("k"))));
    assert!(Cli::try_parse_from(["score"]).is_err(), "a terminal scores a channel");
}

#[tokio::test]
async fn the_rules_of_a_match_are_flags_and_its_events_are_signed() {
    let venue = Venue::open().await;
    let flags = [
        ["--discipline", "three-cushion"],
        ["--target", "15,12"],
        ["--best-of", "3"],
        ["--last-target", "11"],
        ["--equalising-inning", "false"],
        ["--begins", "loser"],
        ["--level", "draw"],
        ["--innings-max", "30"],
        ["--tie", "extension:2"],
        ["--head-start", "0,5"],
        ["--white", "b"],
        ["--swap-balls", "half"],
        ["--shot-clock", "40"],
        ["--extensions", "2"],
        ["--time-outs", "1"],
        ["--variant", "club"],
        ["--breaks", "b"],
        ["--scorer", "ann"],
    ];
    let players = ["--new", "--break-at-half", "--player", "Nelin:se", "--player", "Cho"];
    let flags: Vec<_> = players.into_iter().chain(flags.into_iter().flatten()).collect();
    let mut terminal = Terminal::open(&venue, "mine", &flags);
    terminal.types(&["2"]).await;
    terminal.sees("7* (2) Cho").await;
    terminal.ends().await.unwrap();
    let (_, log) = venue.log().await;
    let start = serde_json::to_value(log.start()).unwrap();
    let own = serde_json::json!({"unit":"set","length":{"best_of":3},"begins":"loser","level":"draw","last_target":11,
        "innings_max":30,"tie":{"extension":{"innings":2}},"head_start":[0,5],"swap_balls":"half","break_at_half":true,
        "shot_clock":{"seconds":40,"extensions":2,"extension_seconds":40,"per":"unit"},
        "time_outs":{"count":1,"seconds":120,"per":"unit"}});
    assert_eq!(
        start,
        serde_json::json!({"title":"Nelin - Cho","discipline":"three-cushion","variant":"club","target":[15,12],
            "equalising_inning":false,"sides":[{"name":"Nelin","country":"SE"},{"name":"Cho"}],"breaks":1,"white":1,"rules":own})
    );
    assert!(log.events().iter().all(|(_, event)| event.scorer.as_deref() == Some("ann")));
}

#[tokio::test]
async fn rules_that_can_t_be_played_are_refused_before_anything_is_kept() {
    let venue = Venue::open().await;
    let refused = async |flags: &[&str]| {
        let flags: Vec<_> = PLAYERS.iter().chain(flags).copied().collect();
        format!("{:#}", Terminal::open(&venue, "mine", &flags).ends().await.unwrap_err())
    };
    let error = refused(&["--last-target", "11"]).await;
    assert!(
        error.contains("the match can't begin: these rules can't be played: last_target needs"),
        "{error}"
    );
    let error = refused(&["--figure", "A01:4", "--figure", "A01:5"]).await;
    assert!(error.contains("figures are at most 100, each with its own code"), "{error}");
    for (flag, value, said) in [
        ("--white", "c", "a side is a or b"),
        ("--tie", "extension:few", "five innings"),
        ("--tie", "toss", "unknown variant"),
        ("--discipline", "chess", "unknown variant"),
        ("--figure", "A01", "a code and its points"),
        ("--race-to", "7,x", "one for each side"),
        ("--scorer", "an n", "printable ASCII"),
        ("--extensions", "2", "--shot-clock"),
    ] {
        let error = Cli::try_parse_from(["score", "--channel", "t", flag, value]).err().unwrap().to_string();
        assert!(error.contains(said), "{flag}: {error}");
    }
}

#[test]
fn the_help_names_every_discipline_and_says_what_is_a_rule() {
    let help = Cli::command().render_long_help().to_string();
    for discipline in Discipline::ALL {
        let name = serde_json::to_value(discipline).unwrap();
        assert!(help.contains(name.as_str().unwrap()), "{name}");
    }
    let (before, rules) = help.split_once("Rules of the match").unwrap();
    assert!(before.contains("--scorer <NAME>") && rules.contains("--shot-clock <SECONDS>"), "{help}");
}

fn file(path: &Path, text: &str) -> import::Options {
    std::fs::write(path, text).unwrap();
    import::Options { file: path.into(), channel: channel(), r#match: "kept".parse().unwrap() }
}

#[tokio::test]
async fn a_file_is_imported_whole_and_again_without_a_change() {
    let venue = Venue::open().await;
    let path = venue.dir.path().join("match.csv");
    let url = format!("http://{}", venue.address);
    let key = || Key(KEY.into());
    let begun = "occurred,action,side,points,start,title,discipline,breaks
1000,start,,,\"{\"\"sides\"\":[{\"\"name\"\":\"\"A\"\"},{\"\"name\"\":\"\"B\"\"}]}\",Final,three-cushion,a
2000,points,a,2,,,,\n";
    let wrong = format!("{begun}3000,points,b,1,,,,\n");
    let error = import::run(&file(&path, &wrong), &url, key()).await.unwrap_err();
    assert!(format!("{error:#}").contains("line 4: side 1 is not at the table"), "{error:#}");
    assert!(venue.scores.matches(&channel(), 1).is_empty(), "nothing goes before everything is good");
    import::run(&file(&path, begun), &url, key()).await.unwrap();
    let more = format!("{begun}3000,end_inning,a,,,,,\n");
    import::run(&file(&path, &more), &url, key()).await.unwrap();
    import::run(&file(&path, &more), &url, key()).await.unwrap();
    let (_, log) = venue.log().await;
    assert_eq!((log.events().len(), log.state().unwrap().sides[0].points), (3, 2));
    let other = more.replace("2000,points,a,2", "2000,points,a,1");
    let error = import::run(&file(&path, &other), &url, key()).await.unwrap_err();
    assert!(error.to_string().contains("another event 1/2"), "{error:#}");
    let error = import::run(&file(&path, &more), &url, Key("wrong".into())).await.unwrap_err();
    assert!(error.to_string().contains("send the channel's score key"), "{error:#}");
}
