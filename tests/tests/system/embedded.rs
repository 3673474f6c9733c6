//! The edge inside `railbird serve`, by what its operator writes into `railbird.toml`.

use anyhow::{Context, ensure};
use reqwest::Method;

use crate::demo::{assets, client, component, finish, railbird};
use crate::origin::{ANY, Origin, Plan, Store, configuration, target, until};
use crate::viewers::{duration, issue_at, token_at};

/// The session secret that the operator begins with.
const SESSION: &str = "the first session secret of a test";

/// A configuration with an edge. `edge` are further keys of it, `session` those of its secrets that sign sessions.
fn with_edge(targets: &[String], edge: &str, session: &str) -> anyhow::Result<String> {
    let more = format!(
        "[embedded_edge]\nlisten = \"127.0.0.1:0\"\ncomponent = {:?}\nassets = {:?}\n{edge}\n",
        component()?,
        assets()?
    );
    let plan = Plan { id: "south", title: "T", targets, edges: &[], more: &more, files: &[] };
    Ok(configuration(&plan, "", targets, ANY) + session)
}

/// A target that nobody writes to.
fn nowhere() -> [String; 1] {
    [target("a", "http://127.0.0.1:9", "http://127.0.0.1:9", "")]
}

/// The secret that the operator begins with, in the configuration.
const FIRST: &str = "session = { file = \"session\" }\n";

/// Whether the edge takes a session.
async fn takes(origin: &Origin, token: &str) -> anyhow::Result<bool> {
    let answer = client()?.get(format!("{}/t/{token}/live/t/score.json", origin.edge()?)).send().await?;
    // There is no score yet.
    match answer.status().as_u16() {
        404 => Ok(true),
        401 => Ok(false),
        other => anyhow::bail!("{other}: {}", answer.text().await?),
    }
}

/// What `railbird keys rotate` says below one of its headings about the embedded edge: lines for `[secrets]`.
fn said_of(steps: &str, heading: &str) -> anyhow::Result<String> {
    let paragraph = steps.split("\n\n").find(|text| text.starts_with(heading)).context("no such step")?;
    let (_, own) = paragraph.split_once("The embedded edge").context("nothing of the embedded edge")?;
    let keys = own.lines().filter_map(|line| {
        let line = line.trim();
        let end = line.starts_with("session").then(|| line.find('}'))??;
        line.get(..=end)
    });
    Ok(keys.map(|line| format!("{line}\n")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_secret_is_replaced_while_people_watch() -> anyhow::Result<()> {
    let targets = nowhere();
    let by = |session: &str| with_edge(&targets, "", session);
    let origin = Origin::start_by(&by(FIRST)?, &[("session", SESSION)]).await?;
    issue_at(&origin.edge()?).await?;
    let first = token_at(&origin.edge()?).await?;

    let rotate = async |origin: &Origin, out: &str| {
        let mut command = railbird()?;
        command.args(["keys", "rotate", "--config"]).arg(origin.file("railbird.toml"));
        finish({
            command.arg("--out").arg(origin.file(out));
            command
        })
        .await
    };
    let steps = rotate(&origin, "second").await?;
    ensure!(!steps.contains(SESSION), "the secret is shown:\n{steps}");
    // An edge that lets the new secret in signs with the old one.
    let lets_in = FIRST.to_string() + &said_of(&steps, "1. ")?;
    let origin = origin.restart_by(&by(&lets_in)?).await?;
    ensure!(takes(&origin, &first).await?, "nobody has to log in again");
    let between = token_at(&origin.edge()?).await?;

    let signs = said_of(&steps, "2. ")?;
    ensure!(signs.lines().count() == 2, "{signs}");
    let origin = origin.restart_by(&by(&signs)?).await?;
    for old in [&first, &between] {
        ensure!(takes(&origin, old).await?, "nobody has to log in again");
    }
    let second = token_at(&origin.edge()?).await?;
    // One that is a step behind takes what the others sign already.
    let origin = origin.restart_by(&by(&lets_in)?).await?;
    ensure!(takes(&origin, &second).await?, "it was let in before");

    let only_new = signs.lines().next().context("nothing to sign with")?.to_string() + "\n";
    let origin = origin.restart_by(&by(&only_new)?).await?;
    for old in [&first, &between] {
        ensure!(!takes(&origin, old).await?, "the old secret is forgotten");
    }
    ensure!(takes(&origin, &second).await?);

    // The new one leaks: what is said then lets none of its sessions in.
    let steps = rotate(&origin, "third").await?;
    let leaked = said_of(&steps, "If the secret in use leaked")?;
    ensure!(leaked.lines().count() == 1, "{leaked}");
    let origin = origin.restart_by(&by(&leaked)?).await?;
    ensure!(!takes(&origin, &second).await?, "whoever has it could make sessions");
    ensure!(takes(&origin, &token_at(&origin.edge()?).await?).await?);

    let mut help = railbird()?;
    help.args(["keys", "rotate", "--help"]);
    let help = finish(help).await?;
    ensure!(help.contains("leaked") && help.contains("logs in again"), "{help}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_sites_that_are_listed_may_ask_the_embedded_edge() -> anyhow::Result<()> {
    let listed = "https://www.example.org";
    let text = with_edge(&nowhere(), &format!("cors_origins = [\"{listed}\"]"), FIRST)?;
    let origin = Origin::start_by(&text, &[("session", SESSION)]).await?;
    issue_at(&origin.edge()?).await?;
    let token = token_at(&origin.edge()?).await?;
    for (site, may) in [(listed, true), ("https://www.example.com", false)] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = client()?.request(method.clone(), format!("{}/live/t/score.json", origin.edge()?));
            let request = request.header("origin", site).header("access-control-request-method", "GET");
            let answer = request.header("cookie", format!("__Host-railbird={token}")).send().await?;
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            let shared = header("access-control-allow-origin") == Some(site)
                && header("access-control-allow-credentials") == Some("true");
            ensure!(shared == may, "{method} from {site}: {:?}", answer.headers());
            ensure!(method == Method::GET || (answer.status() == 204) == may, "{}", answer.status());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_edge_asks_the_origins_that_are_listed_for_what_it_does_not_hear() -> anyhow::Result<()>
{
    let store = Store::start().await?;
    let targets = [store.target("a")];
    let unheard = ["http://127.0.0.1:9".to_string()];
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &unheard, more: "", files: &[] };
    let north = Origin::start(&plan).await?;
    let _encoder = railbird()?.args(["publish", "clip", &north.primary()]).spawn().context("an encoder")?;

    // No feed comes to this one, and nobody tells its edge of the other one.
    let text = with_edge(&nowhere(), &format!("origin_urls = [\"{}\"]", north.api), FIRST)?;
    let south = Origin::start_by(&text, &[("session", SESSION)]).await?;
    issue_at(&south.edge()?).await?;
    let url = format!("{}/t/{}/live/t/a/source.m3u8", south.edge()?, token_at(&south.edge()?).await?);
    let listed = until("the edge has the other origin's playlist", async || {
        let text = client()?.get(&url).send().await?.text().await?;
        Ok((duration(&text) >= 4.0).then_some(text))
    });
    let text = listed.await.with_context(|| south.log())?;
    ensure!(text.contains(&store.url()), "{text}");
    Ok(())
}
