//! All channels of an origin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use railbird_core::id::ChannelId;
use railbird_core::programme::{Programme, Resume};

use super::{Channel, Output, SILENT, Scored, Tap};
use crate::config;

/// How long the end of a channel waits for the disk.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// The channels that feeds are published for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Channels(Arc<BTreeMap<ChannelId, Arc<Channel>>>);

impl Channels {
    /// The configured channels. `resume` tells what is known of each from before a restart, `taps` who else wants its
    /// samples, `scored` which score it carries inside of its segments.
    pub fn new(
        channels: &[config::Channel],
        output: &Output,
        mut resume: impl FnMut(&ChannelId) -> Resume,
        mut taps: impl FnMut(&ChannelId) -> Vec<Tap>,
        mut scored: impl FnMut(&config::Channel) -> Option<Scored>,
    ) -> Channels {
        let channels = channels.iter().map(|channel| {
            let id = channel.id.clone();
            let made = Channel::new(channel, output.clone(), resume(&id), taps(&id), scored(channel));
            (id, Arc::new(made))
        });
        Channels(Arc::new(channels.collect()))
    }

    /// The origin is about to stop. In a pair the other one goes on: what is open here of a feed that comes is its to make, and
    /// nothing more is made. An origin alone does nothing: it goes on until its feeds have ended.
    pub fn stop(&self) {
        self.0.values().filter(|channel| channel.output.pair.is_some()).for_each(|channel| {
            let live = channel.with(|programme| {
                let live = programme.is_live();
                programme.stop();
                live
            });
            if live {
                tracing::info!(channel = %channel.id, "the segment that is open is left to the other origin");
            }
        });
    }

    /// The origin stops, and its feeds have ended: what waits for one that was lost comes out now.
    pub fn give_up_waiting(&self) {
        for channel in self.0.values() {
            channel.with(Programme::give_up_waiting);
            channel.companions.iter().for_each(|companion| companion.give_up());
        }
    }

    /// What waits for a feed that was lost is waited for no longer: it is on the disk, and the desk knows it, once this
    /// resolves. For a channel that is about to end.
    pub async fn settle(&self, id: &ChannelId) {
        let Some(channel) = self.get(id) else { return };
        channel.with(|programme| {
            if !programme.is_live() && programme.deadline().is_some() {
                programme.give_up_waiting();
            }
        });
        if let Some(ladder) = &channel.ladder {
            ladder.flush().await;
        }
        channel.companions.iter().for_each(|companion| companion.give_up());
        // Also what a feed has just ended with. A disk that takes nothing is told of elsewhere, and ends nothing.
        let _ = tokio::time::timeout(SETTLE_MAX, channel.output.spool.settled()).await;
    }

    /// The feeds of whose encoder nothing can be used, or which was refused lately and has not come back as it should: the channel, and a
    /// sentence. For ways on which it can't be told itself, as SRT. And the channels that had sound, and whose feed has none now.
    pub fn unwell(&self) -> Vec<(&'static str, String, String)> {
        let of = |channel: &Arc<Channel>| {
            let refused = channel.refused.lately().into_iter();
            let refused = refused.map(|(role, text)| format!("its {} feed {text}", role.as_str()));
            let silent = channel.silent.load(Ordering::Relaxed).then(|| SILENT.to_string());
            let complaints = channel.companions.iter().flat_map(|companion| companion.complaints());
            let told = refused.chain(silent).map(|text| ("feed", text));
            let told = told.chain(complaints.map(|text| ("rendition", text)));
            told.map(|(part, text)| (part, channel.id.to_string(), text)).collect::<Vec<_>>()
        };
        self.0.values().flat_map(of).collect()
    }

    /// The channel of this name.
    pub fn get(&self, id: &ChannelId) -> Option<Arc<Channel>> {
        self.0.get(id).cloned()
    }
}
