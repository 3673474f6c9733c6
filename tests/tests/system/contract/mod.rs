//! The edge's contract: what its public HTTP surface answers, on whichever host it runs.
//!
//! A host is started with [`VARIABLES`] and an empty store, is reached through a [`Door`], and must pass [`run`]. Only
//! requests and responses count: pushes are signed as the origin and the operator sign them, tokens are minted with
//! the known secret, and nothing looks into a store. The clock is the wall clock on both sides.

pub(crate) mod ask;
pub(crate) mod fixture;
mod hints;
mod hostile;
mod live;
mod login;
pub(crate) mod low_latency;
mod memory;
mod nodes;
mod origins;
mod pages;
mod passes;
mod pushes;
mod replays;
mod scores;
mod screens;
pub(crate) mod sessions;
mod sites;

use railbird_edge::{Request, Response};

/// The settings with which every host is started.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("master_secret", "contract master secret"),
    ("session_secret", "contract session secret"),
    ("origin_secret", "contract origin secret"),
    ("admin_secret", "contract admin secret"),
    ("session_ttl_s", "3600"),
    ("cors_origins", "https://www.railbird.test, http://127.0.0.1:8080"),
];

/// A way to a running edge.
pub(crate) trait Door {
    /// Sends a request as it is, redirects not followed, and returns the response, header names in lower case. An
    /// error is a failure of the way, not an answer of the edge.
    async fn call(&self, request: Request) -> anyhow::Result<Response>;
}

/// Runs every case, in order, and panics with a readable message at the first difference.
pub(crate) async fn run(door: &impl Door) {
    let edge = ask::Edge::new(door);
    pages::health(&edge).await;
    pushes::before_the_first(&edge).await;
    pushes::signatures(&edge).await;
    pushes::refused_bodies(&edge).await;
    pushes::taken_once(&edge).await;
    login::refused(&edge).await;
    let session = login::granted(&edge).await;
    login::narrow(&edge).await;
    passes::refused(&edge, &session).await;
    passes::listed(&edge).await;
    passes::taken_back(&edge).await;
    passes::codes(&edge).await;
    passes::renewed(&edge).await;
    passes::passwords(&edge).await;
    passes::locked(&edge).await;
    sessions::cookie_or_path(&edge, &session).await;
    sessions::refused(&edge).await;
    live::channels(&edge, &session).await;
    live::playlists(&edge, &session).await;
    live::keys(&edge, &session).await;
    live::score(&edge, &session).await;
    nodes::listed(&edge, &session).await;
    nodes::beacons(&edge, &session).await;
    nodes::votes_count(&edge, &session).await;
    live::a_node_goes_down(&edge, &session).await;
    live::not_started(&edge, &session).await;
    origins::one_takes_over_from_the_other(&edge, &session).await;
    origins::a_drained_node_comes_last(&edge, &session).await;
    low_latency::blocking_reload(&edge, &session).await;
    low_latency::delta_updates(&edge, &session).await;
    hints::lead_to_parts(&edge, &session).await;
    low_latency::waits_are_bounded(&edge, 12).await;
    replays::refused(&edge, &session).await;
    replays::one_that_is_over(&edge, &session).await;
    replays::start_over(&edge, &session).await;
    replays::twelve_hours(&edge, &session).await;
    scores::events(&edge).await;
    scores::live(&edge, &session).await;
    scores::of_a_recording(&edge, &session).await;
    screens::as_many_as_may(&edge).await;
    screens::without_cookies(&edge).await;
    screens::end_with_their_session(&edge).await;
    screens::malformed(&edge).await;
    screens::keys_have_a_pace(&edge).await;
    pages::shells(&edge, &session).await;
    pages::redirects(&edge).await;
    hostile::paths(&edge, &session).await;
    hostile::made_up_channels(&edge, &session).await;
    hostile::methods(&edge, &session).await;
    hostile::garbage(&edge, &session).await;
    hostile::doubled_headers(&edge, &session).await;
    hostile::replayed_pushes(&edge).await;
    sites::may_not_act_for_a_viewer(&edge).await;
    sites::that_are_listed_may_ask(&edge, &session).await;
    scores::without_spoilers(&edge, &session).await;
    sessions::logout(&edge, &session).await;
}
