//! How it all stops.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Running;
use crate::driver::Message;

/// How long objects may still go out after a stop was asked for.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// How long targets may take of that: the rest is for telling the edges what has come there, and what has ended.
const TARGETS_DEADLINE: Duration = Duration::from_secs(8);

/// How long pushes may take to say good-bye.
const PUSHES_DEADLINE: Duration = Duration::from_secs(2);

impl Running {
    /// Ends the feeds in order, lets what they made go out, all within ten seconds, and stops.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        tracing::info!(
            "stopping: no new feeds, and up to {} s for what is on its way",
            DRAIN_DEADLINE.as_secs()
        );
        self.feeds.stop();
        self.listener.stop().await;
        if let Some(listener) = &mut self.http_listener {
            listener.stop().await;
        }
        if let Some(listener) = &self.srt_listener {
            listener.stop().await;
        }
        if let Some(listener) = &mut self.whip_listener {
            listener.stop().await;
        }
        self.calls.stop().await;
        self.feeds.give_up_waiting();
        self.ladders.flush().await;
        if tokio::time::timeout(PUSHES_DEADLINE, self.pushes.stop()).await.is_err() {
            tracing::warn!("not every push could be ended in order");
        }
        let drained = tokio::time::timeout(DRAIN_DEADLINE, self.drained()).await;
        let left = self.targets.pending();
        if drained.is_err() || left > 0 {
            tracing::warn!(
                left,
                "stopped before every target and edge had the last objects: they get them at the next start"
            );
        }
        drop(self.keeper);
        self.http.stop().await;
        if let Some(embedded) = self.embedded {
            embedded.shutdown().await;
        }
        self.tasks.shutdown().await;
        Ok(())
    }

    /// Disk, desk, targets, their acknowledgements, and the edges, in the order in which the last segment passes them.
    async fn drained(&self) {
        self.spool.settled().await;
        self.settled().await;
        self.targets.drained(TARGETS_DEADLINE).await;
        self.settled().await;
        // The desk may be gone already.
        let _ = self.desk.send(Message::Stopping).await;
        self.settled().await;
        // The lines of the acknowledgements.
        self.spool.settled().await;
        self.push.settled().await;
    }

    async fn settled(&self) {
        let (answer, settled) = oneshot::channel();
        if self.desk.send(Message::Settled(answer)).await.is_ok() {
            // The desk's end answers as well.
            let _ = settled.await;
        }
    }
}

/// Resolves at the first SIGTERM or Ctrl-C. From the call on, neither ends the process by itself.
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without handlers, the signals end the process.
            _ => std::future::pending().await,
        }
    }
}
