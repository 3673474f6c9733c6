//! What is agreed on with whoever offers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use railbird_core::rtp::sdp::{self, Offer};
use str0m::change::SdpOffer;
use str0m::config::CryptoProvider;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};

/// How often figures of a session are told.
const FIGURES_EVERY: Duration = Duration::from_secs(1);

/// Why nothing can come of an offer that is one; the text is shown to whoever made it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It is no offer, or nothing can come of it.
    #[error(transparent)]
    Offer(#[from] sdp::Refusal),
    /// It does not hold together.
    #[error("the offer does not hold together: {0}")]
    Inconsistent(String),
    /// A track's codec is one that we know in a form that we don't.
    #[error(
        "the encoder offers H.264, AV1 or Opus in a form that can't be taken: set H.264 Baseline, Main or High, AV1 Main, Opus in stereo"
    )]
    Form,
}

/// A session before anything has come.
pub(super) struct Agreed {
    pub(super) rtc: Rtc,
    pub(super) offer: Offer,
    pub(super) answer: String,
    /// Our user name fragment.
    pub(super) fragment: String,
}

/// Answers an offer: media comes to these addresses.
pub(super) fn agree(offer: &str, addresses: &[SocketAddr]) -> Result<Agreed, Unfit> {
    let offer = Offer::read(offer)?;
    let mut rtc = build();
    for address in addresses {
        // Their form was checked with the configuration.
        if let Ok(candidate) = Candidate::host(*address, "udp") {
            rtc.add_local_candidate(candidate);
        }
    }
    let answer = accept(&mut rtc, &offer)?;
    if offer.is_refused_by(&answer) {
        return Err(Unfit::Form);
    }
    let fragment = fragment(&mut rtc);
    Ok(Agreed { rtc, offer, answer, fragment })
}

/// Answers an offer of a session that is there.
pub(super) fn accept(rtc: &mut Rtc, offer: &Offer) -> Result<String, Unfit> {
    let told = |error: &dyn std::fmt::Display| Unfit::Inconsistent(error.to_string());
    // Whoever would take something as well is answered as one who only sends.
    let text = offer.text().replace("\r\na=sendrecv\r\n", "\r\na=sendonly\r\n");
    let offer = SdpOffer::from_sdp_string(&text).map_err(|error| told(&error))?;
    let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| told(&error))?;
    Ok(sdp::in_good_sound(&answer.to_sdp_string()))
}

/// Our user name fragment, by which datagrams find the session.
pub(super) fn fragment(rtc: &mut Rtc) -> String {
    rtc.direct_api().local_ice_credentials().ufrag
}

fn build() -> Rtc {
    // The sender turns pictures itself where nobody agrees on telling how they are turned, and so on: only what is needed to see what is
    // lost, and how much the way can carry. Which track a packet is of, `Tracks` says.
    let mut extensions = ExtensionMap::empty();
    extensions.set(2, Extension::AbsoluteSendTime);
    extensions.set(3, Extension::TransportSequenceNumber);
    let provider: Arc<CryptoProvider> = Arc::new(str0m::crypto::from_feature_flags());
    RtcConfig::new()
        .set_crypto_provider(provider)
        .set_ice_lite(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_h264(true)
        .enable_av1(true)
        .set_extension_map(extensions)
        // What is held of H.264 is told from them: see `Session::packet`.
        .enable_raw_packets(true)
        .set_stats_interval(Some(FIGURES_EVERY))
        .build(Instant::now())
}
