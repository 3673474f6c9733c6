//! The `railbird` binary: the origin, and the tools of the crew around it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use railbird_origin::config::Config;
use railbird_origin::crew::{self, Ask, NewTarget};
use railbird_origin::ingest::certificate::Certificate;
use railbird_origin::{
    calibrate, clip, clock, demo, evidence, export, keys, lint, pass, publisher, scorer, serve, telemetry,
    thumbnails, verify,
};

/// Live sport from a venue table to the people who hold a pass.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the origin.
    Serve {
        /// The configuration; infra/railbird.example.toml shows every key.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
    },
    /// Check a configuration and say what is wrong, by key and line.
    CheckConfig {
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
    },
    /// Publish an FLV file by RTMP, over and over, at real speed.
    Publish {
        /// An FLV file with H.264 and AAC, or `clip` for the bundled clip.
        file: PathBuf,
        /// Where to, with the stream key: rtmp://host/live/KEY.
        url: String,
    },
    /// Run everything on this machine: two nodes, an edge, a feed and a match.
    Demo(demo::Options),
    /// Turn a node of a running demo down or up.
    DemoControl {
        /// The file that the demo wrote (its own --ready-file).
        #[arg(long, value_name = "FILE")]
        ready_file: PathBuf,
        #[command(subcommand)]
        what: DemoControl,
    },
    /// Targets of a running origin: where it writes.
    Target {
        /// The origin's configuration: it names the API's address and the secret.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml", global = true)]
        config: PathBuf,
        #[command(subcommand)]
        what: Target,
    },
    /// A channel of a running origin.
    Channel {
        /// The origin's configuration: it names the API's address and the secret.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml", global = true)]
        config: PathBuf,
        #[command(subcommand)]
        what: Channel,
    },
    /// Have a running origin read its configuration again: targets and weights. SIGHUP does the same.
    Reload {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
    },
    /// Passes: the right to watch.
    Pass {
        /// The origin's configuration: it names the edges and the admin secret.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml", global = true)]
        config: PathBuf,
        #[command(subcommand)]
        what: pass::command::Command,
    },
    /// The secrets of edges.
    Keys {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml", global = true)]
        config: PathBuf,
        #[command(subcommand)]
        what: keys::Command,
    },
    /// Score a match from a terminal: lines of plain input, kept on the disk until the origin has them.
    Score(scorer::command::Options),
    /// Write a report of what happened to targets, nodes, pushes and edges, for a provider's support: a self-contained
    /// HTML page, and a CSV of everything.
    Evidence {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: evidence::command::Options,
    },
    /// Check every object of the recordings against its hash, on the disk and at every target that acknowledged it.
    Verify {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: verify::command::Options,
    },
    /// Follow a presentation, of ours or not, and say where its playlists and segments are not as RFC 8216bis wants them.
    Lint(lint::command::Options),
    /// Measure how late a table's picture is: its camera films the code of the page http://ORIGIN:8080/calibrate.
    Calibrate {
        /// The origin's configuration: it names the data, the API's address and the secrets.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: calibrate::command::Options,
    },
    /// Write a recording, or a part of it, as one MP4 without re-encoding.
    Export {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: export::command::Options,
    },
    /// Write a cut of a recording, which may still be made, as one MP4 without re-encoding, and print the link to it: between
    /// two times, between two events of the score, or an inning.
    Clip {
        /// The origin's configuration: it names the data, the secrets and the edges.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: clip::command::Options,
    },
    /// Write sheets of small pictures of a recording, and a WebVTT index of them, for the seek bar of a page that shows its
    /// exported file.
    Thumbnails {
        /// The origin's configuration.
        #[arg(long, value_name = "FILE", default_value = "railbird.toml")]
        config: PathBuf,
        #[command(flatten)]
        options: thumbnails::command::Options,
    },
}

#[derive(Subcommand)]
enum DemoControl {
    /// A node: where viewers read.
    Node {
        /// Its name: a or b.
        node: String,
        /// What it shall be.
        state: Switch,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    /// It refuses every connection.
    Down,
    /// It works.
    Up,
}

#[derive(Subcommand)]
enum Target {
    /// List them, and how they are doing.
    List,
    /// Add one, while feeds run.
    Add {
        /// A file with the inside of one `[[target]]` of railbird.toml. Its secrets must be files, or variables of the running
        /// origin's environment.
        file: PathBuf,
        /// With everything that is still on the disk, not only what is made from now on.
        #[arg(long)]
        backfill: bool,
    },
    /// Give it nothing new, and lead viewers away from its node.
    Drain {
        /// Its id.
        id: String,
    },
    /// Remove it: playlists no longer name its node.
    Remove {
        /// Its id.
        id: String,
    },
}

#[derive(Subcommand)]
enum Channel {
    /// End it: what was recorded is a replay, and the next feed begins another recording.
    End {
        /// Its id.
        channel: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(cli.command)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::last_words(format!("railbird: {error:#}"));
            lint::command::exit_code(&error).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { config } => {
            let config = Config::load(&config)?;
            let _logs = telemetry::init_logs()?;
            serve::run(config).await
        }
        Command::CheckConfig { config } => {
            let loaded = Config::load(&config)?;
            if let Some(rtmps) = &loaded.rtmps {
                Certificate::read("rtmps", &rtmps.certificate, &rtmps.key)?;
            }
            if let Some((certificate, key)) = loaded.whip.as_ref().and_then(|whip| whip.certificate.as_ref())
            {
                Certificate::read("whip", certificate, key)?;
            }
            let (channels, targets) = (loaded.channels.len(), loaded.targets.len());
            println!("{}: good: {channels} channel(s), {targets} target(s)", config.display());
            Ok(())
        }
        Command::Publish { file, url } => {
            let _logs = telemetry::init_logs()?;
            publisher::run(&file, &url).await
        }
        Command::Demo(options) => {
            let _logs = telemetry::init_logs()?;
            demo::run(options).await
        }
        Command::DemoControl { ready_file, what: DemoControl::Node { node, state } } => {
            demo::control::command(&ready_file, &node, matches!(state, Switch::Up)).await
        }
        Command::Target { config, what } => {
            let ask = match what {
                Target::List => Ask::Targets,
                Target::Add { file, backfill } => {
                    let text = std::fs::read_to_string(&file);
                    let text = text.with_context(|| format!("{} can't be read", file.display()))?;
                    Ask::Add(NewTarget { text, backfill })
                }
                Target::Drain { id } => Ask::Drain(id),
                Target::Remove { id } => Ask::Remove(id),
            };
            crew::ask(&Config::load(&config)?, ask).await
        }
        Command::Channel { config, what: Channel::End { channel } } => {
            crew::ask(&Config::load(&config)?, Ask::End(channel)).await
        }
        Command::Reload { config } => crew::ask(&Config::load(&config)?, Ask::Reload).await,
        Command::Keys { config, what } => keys::run(&Config::load(&config)?, &what),
        Command::Pass { config, what } => pass::command::run(&Config::load(&config)?, what).await,
        Command::Score(options) => scorer::command::run(options).await,
        Command::Evidence { config, options } => {
            evidence::command::run(&Config::load(&config)?, &options, clock::now())
        }
        Command::Verify { config, options } => verify::command::run(&Config::load(&config)?, &options).await,
        Command::Lint(options) => lint::command::run(&options).await,
        Command::Calibrate { config, options } => {
            calibrate::command::run(&Config::load(&config)?, &options, clock::now()).await
        }
        Command::Export { config, options } => {
            export::command::run(&Config::load(&config)?, &options, clock::now())
        }
        Command::Clip { config, options } => {
            clip::command::run(&Config::load(&config)?, &options, clock::now()).await
        }
        Command::Thumbnails { config, options } => {
            thumbnails::command::run(&Config::load(&config)?, &options, clock::now()).await
        }
    }
}
