//! `railbird pass …` as an operator types it, at an edge that runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::demo::{client, finish, outcome, railbird};
use crate::origin::{ANY, Plan, SECRET, configuration, target};
use crate::viewers::{EMAIL, Edge, On};

/// An operator with a configuration that names these edges.
struct Operator {
    dir: TempDir,
}

impl Operator {
    fn of(edges: &[String]) -> anyhow::Result<Operator> {
        let dir = tempfile::tempdir()?;
        for (name, text) in [("secret", SECRET), ("primary", "primary-key"), ("backup", "backup-key")] {
            fs::write(dir.path().join(name), text)?;
        }
        let nowhere = "http://127.0.0.1:9";
        let targets = [target("a", nowhere, nowhere, "")];
        let plan = Plan { id: "north", title: "T", targets: &targets, edges, more: "", files: &[] };
        fs::write(dir.path().join("railbird.toml"), configuration(&plan, "", &targets, ANY))?;
        Ok(Operator { dir })
    }

    fn file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn pass(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = railbird()?;
        command.arg("pass").args(arguments).arg("--config").arg(self.dir.path().join("railbird.toml"));
        command.current_dir(self.dir.path()).env_remove("RAILBIRD_PASSWORD");
        Ok(command)
    }

    /// What a command prints when it does what it was told.
    async fn does(&self, arguments: &[&str]) -> anyhow::Result<String> {
        finish(self.pass(arguments)?).await
    }

    /// What it prints when it does not.
    async fn refuses(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (ok, text) = outcome(self.pass(arguments)?).await?;
        ensure!(!ok, "{arguments:?} did it:\n{text}");
        Ok(text)
    }
}

/// Logs in: the status, and the token where there is one.
async fn login(edge: &Edge, said: Value) -> anyhow::Result<(u16, Option<String>)> {
    let answer = client()?.post(format!("{}/api/login", edge.url)).json(&said).send().await?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await?;
    Ok((status, body["token"].as_str().map(str::to_string)))
}

async fn status(edge: &Edge, email: &str, password: &str) -> anyhow::Result<u16> {
    Ok(login(edge, json!({"email": email, "password": password})).await?.0)
}

/// The status of what only a session may see.
async fn steering(edge: &Edge, token: &str) -> anyhow::Result<u16> {
    let answer = client()?.get(format!("{}/t/{token}/steer/t", edge.url)).send().await?;
    Ok(answer.status().as_u16())
}

/// Everything that an operator does with passes in the life of an event.
async fn passes_live(host: On) -> anyhow::Result<()> {
    let edge = Edge::start_on(host, &[]).await?;
    let operator = Operator::of(std::slice::from_ref(&edge.url))?;

    // One at a time, its password from the environment, and from a file.
    let mut issue = operator.pass(&["issue", "--email", "Ann@Example.org", "--note", "order 7"])?;
    issue.env("RAILBIRD_PASSWORD", "the password of ann");
    let said = finish(issue).await?;
    ensure!(said == format!("{}: 1 issued\n", edge.url), "{said}");
    ensure!(status(&edge, "ann@example.org", "the password of ann").await? == 200);
    let file = operator.file("password", "another one\n")?;
    operator
        .does(&["issue", "--email", "ann@example.org", "--password-file", &file.to_string_lossy()])
        .await?;
    ensure!(status(&edge, "ann@example.org", "the password of ann").await? == 401, "it was replaced");
    let (code, token) = login(&edge, json!({"email": "ann@example.org", "password": "another one"})).await?;
    let ann = token.context("no token")?;
    // The session is good; the channel has no state yet.
    ensure!(code == 200 && steering(&edge, &ann).await? == 404);

    // Tickets for the door: the codes, one a line, and nothing else where they are piped to.
    let output = operator.pass(&["issue", "--code", "--count", "3", "--days", "1"])?.output().await?;
    let codes = String::from_utf8(output.stdout)?;
    let codes: Vec<&str> = codes.lines().collect();
    ensure!(output.status.success() && codes.len() == 3, "{codes:?}");
    for code in &codes {
        ensure!(login(&edge, json!({"code": code})).await?.0 == 200, "{code}");
    }

    // A table with mistakes: each is named, and nothing is sent.
    let header = "email,password,code,channels,days,note\n";
    let bad = format!(
        "{header}ben@example.org,the password of ben,,t,3,\nnobody,x,,,3,\ncy@example.org,secret,,,0,\n"
    );
    let bad = operator.file("bad.csv", &bad)?;
    let said = operator.refuses(&["import", &bad.to_string_lossy()]).await?;
    ensure!(said.contains("nothing was sent"), "{said}");
    ensure!(said.contains("line 3") && said.contains("line 4") && !said.contains("line 2"), "{said}");
    ensure!(
        !said.contains("secret") && !said.contains("the password of"),
        "no password in a message: {said}"
    );
    ensure!(status(&edge, "ben@example.org", "the password of ben").await? == 401);
    // And one without.
    let good = format!(
        "{header}ben@example.org,the password of ben,,t,3,=1+1\ncy@example.org,the password of cy,,,1,\n"
    );
    let good = operator.file("good.csv", &good)?;
    let said = operator.does(&["import", "--dry-run", &good.to_string_lossy()]).await?;
    ensure!(said.contains("2 passes, all good; nothing was sent"), "{said}");
    let said = operator.does(&["import", &good.to_string_lossy()]).await?;
    ensure!(said == format!("{}: 2 issued\n", edge.url), "{said}");
    ensure!(status(&edge, "ben@example.org", "the password of ben").await? == 200);

    // Who has one.
    let said = operator.does(&["list"]).await?;
    ensure!(said.starts_with(&format!("{}: 7 passes\n", edge.url)), "{said}");
    for who in [EMAIL, "ann@example.org", "ben@example.org", "cy@example.org"] {
        ensure!(said.lines().any(|line| line.starts_with(&format!("  {who}  "))), "{who}: {said}");
    }
    ensure!(said.lines().filter(|line| line.starts_with("  code ")).count() == 3, "{said}");
    let said = operator.does(&["list", "--email", "BEN@example.org", "--json"]).await?;
    let listed: Value = serde_json::from_str(&said)?;
    let listed = listed[&edge.url].as_array().context("no list")?;
    ensure!(listed.len() == 1 && listed[0]["pass"]["channels"] == json!(["t"]), "{said}");
    ensure!(!said.contains("argon2"), "a list has no hashes: {said}");

    // A pass that goes takes its sessions along.
    let said = operator.does(&["revoke", "--email", "ann@example.org"]).await?;
    ensure!(said.contains("taken back"), "{said}");
    ensure!(steering(&edge, &ann).await? == 401);
    ensure!(status(&edge, "ann@example.org", "another one").await? == 403);
    let said = operator.refuses(&["revoke", "--email", "nobody@example.org"]).await?;
    ensure!(said.contains("no edge has such a pass"), "{said}");

    // All of them at another edge, which knows nobody: by their hashes, so that each password is what it was.
    operator.does(&["export", "--hashes", "--out", "all.csv"]).await?;
    let table = operator.dir.path().join("all.csv");
    ensure!(fs::metadata(&table)?.permissions().mode() & 0o777 == 0o600, "hashes are for the operator alone");
    ensure!(
        operator.refuses(&["export", "--out", "all.csv"]).await?.contains("all.csv"),
        "never over a file"
    );
    let other = Edge::start().await?;
    let elsewhere = Operator::of(std::slice::from_ref(&other.url))?;
    elsewhere.does(&["import", &table.to_string_lossy()]).await?;
    ensure!(status(&other, "ben@example.org", "the password of ben").await? == 200);
    ensure!(login(&other, json!({"code": codes[0]})).await?.0 == 200);
    ensure!(status(&other, "ann@example.org", "another one").await? == 403, "what was taken back stays so");
    let without = operator.does(&["export"]).await?;
    ensure!(without.lines().count() == 8 && !without.contains("argon2"), "{without}");
    ensure!(without.contains("'=1+1"), "no spreadsheet computes a note: {without}");

    // An edge that is away is named, and the others have it.
    let gone = "http://127.0.0.1:9".to_string();
    let both = Operator::of(&[edge.url.clone(), gone.clone()])?;
    let mut issue = both.pass(&["issue", "--email", "dan@example.org"])?;
    issue.env("RAILBIRD_PASSWORD", "the password of dan");
    let (ok, said) = outcome(issue).await?;
    ensure!(!ok && said.contains(&format!("{}: 1 issued", edge.url)) && said.contains(&gone), "{said}");
    ensure!(said.contains("1 of 2 edges did not take everything: run this again"), "{said}");
    ensure!(status(&edge, "dan@example.org", "the password of dan").await? == 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_issues_lists_moves_and_takes_back_passes() -> anyhow::Result<()> {
    passes_live(On::Wasmtime).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_an_operator_issues_lists_moves_and_takes_back_passes() -> anyhow::Result<()> {
    passes_live(On::Workerd).await
}
