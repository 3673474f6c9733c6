//! What WHIP exchanges (RFC 9725): offers (RFC 8866, RFC 9429) and the fragments of trickle ICE (RFC 8840), as far as it must be
//! known before anything is agreed on.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::media::Kind;

/// The longest description that is read, in bytes. Those of browsers have some 8 KiB.
pub const SDP_LEN_MAX: usize = 64 << 10;

/// The longest fragment that is read, in bytes.
pub const FRAGMENT_LEN_MAX: usize = 16 << 10;

/// So many names of codecs are told in a refusal.
const NAMES_MAX: usize = 8;

/// The longest name of a codec that is told.
const NAME_LEN_MAX: usize = 32;

/// So many parameter sets of an offer are read.
const SETS_MAX: usize = 16;

/// How long user name fragments and passwords may be (RFC 8839, 5.4).
const FRAGMENT_NAME_LEN: core::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD_LEN: core::ops::RangeInclusive<usize> = 22..=256;

/// Why an offer is not taken; the text is shown to whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no offer.
    #[error("this is no SDP offer: {0}")]
    Malformed(&'static str),
    /// It is one, and nothing can come of it.
    #[error("the encoder offers {sent}: set {set}")]
    Unsupported {
        /// What it offers.
        sent: String,
        /// What to set instead.
        set: &'static str,
    },
}

/// What ICE lets a peer in by (RFC 8839, 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name fragment.
    pub fragment: String,
    /// The password.
    pub password: String,
}

/// An offer that something can come of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    lines: Vec<String>,
    /// By what its peer is let in.
    pub credentials: Credentials,
    /// It has pictures.
    pub has_video: bool,
    /// It has sound.
    pub has_audio: bool,
    /// What is missing of its pictures may be asked for (RFC 4585, 6.2.1).
    pub sends_again: bool,
    /// The parameter sets of H.264 that it brings, which the pictures need not repeat (RFC 6184, 8.1): NAL units.
    pub parameter_sets: Vec<Bytes>,
    /// Of each section, whether something is sent in it.
    sending: Vec<bool>,
}

/// A section of an offer, as far as it was read.
struct Section {
    kind: Kind,
    codecs: Vec<String>,
    /// Whether its direction is one in which something is sent, and it has a port to send it from (RFC 9143, 6, for those that have none).
    sends: bool,
    has_port: bool,
    is_bundle_only: bool,
    has_nack: bool,
    parameter_sets: Vec<Bytes>,
}

impl Offer {
    /// Reads an offer: at most one section in which pictures are sent and one with sound, each with a codec that can be used. Others may
    /// be there, with nothing in them.
    pub fn read(text: &str) -> Result<Offer, Refusal> {
        const MALFORMED: fn(&'static str) -> Refusal = Refusal::Malformed;
        if text.len() > SDP_LEN_MAX {
            return Err(MALFORMED("it has more than 64 KiB"));
        }
        let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if all.first() != Some(&"v=0") {
            return Err(MALFORMED("it does not begin with v=0"));
        }
        let typed = |line: &&&str| line.as_bytes().get(1) == Some(&b'=');
        if all.iter().any(|line| !typed(&line)) {
            return Err(MALFORMED("it has a line that is no letter, = and a value"));
        }
        let sections = sections(&all)?;
        let all = without_unused_types(all, &sections);
        if !are_types_unique(&all) {
            return Err(MALFORMED("one payload type stands for two codecs"));
        }
        let sending: Vec<bool> = sections.iter().map(Section::is_used).collect();
        let of = |kind| sections.iter().filter(move |section| section.kind == kind && section.is_used());
        for (kind, sent) in [(Kind::Video, "several pictures"), (Kind::Audio, "several sounds")] {
            if of(kind).count() > 1 {
                return Err(unsupported(sent, "one video and one audio track"));
            }
        }
        if sections.is_empty() {
            return Err(unsupported("neither pictures nor sound", "a video track in H.264 or AV1"));
        }
        if !sending.contains(&true) {
            return Err(unsupported("tracks that it does not send", "sendonly tracks"));
        }
        for section in sections.iter().filter(|section| section.is_used()) {
            section.check()?;
        }
        let credentials = credentials(&all).ok_or(MALFORMED("it has no a=ice-ufrag and a=ice-pwd"))?;
        if !all.iter().any(|line| line.starts_with("a=fingerprint:")) {
            return Err(MALFORMED("it has no a=fingerprint"));
        }
        let mut have_way = sections.iter().map(Section::has_way);
        let mut kept = |line: &str| match line {
            // We have nothing to send into a section in which they would receive.
            "a=recvonly" => "a=inactive".to_string(),
            _ if line.starts_with("m=") && have_way.next() == Some(false) => {
                // What each of its types is has been left out: one that needs no telling takes their place (RFC 3551, 6).
                let words: Vec<&str> = line.split(' ').take(3).chain(["0"]).collect();
                words.join(" ")
            }
            _ => line.to_string(),
        };
        let lines = all.iter().filter(|line| !is_left_out(line)).map(|line| kept(line)).collect();
        let (has_video, has_audio) = (of(Kind::Video).next().is_some(), of(Kind::Audio).next().is_some());
        let sends_again = of(Kind::Video).any(|section| section.has_nack);
        let parameter_sets = of(Kind::Video).flat_map(|section| section.parameter_sets.clone()).collect();
        Ok(Offer { lines, credentials, has_video, has_audio, sends_again, parameter_sets, sending })
    }

    /// Its peer is let in by these from now on: ICE is restarted.
    pub fn restart(&mut self, credentials: Credentials) {
        for line in &mut self.lines {
            if line.starts_with("a=ice-ufrag:") {
                *line = ["a=ice-ufrag:", &credentials.fragment].concat();
            } else if line.starts_with("a=ice-pwd:") {
                *line = ["a=ice-pwd:", &credentials.password].concat();
            }
        }
        self.credentials = credentials;
    }

    /// Whether this answer refuses a section in which something is sent.
    pub fn is_refused_by(&self, answer: &str) -> bool {
        let sections = answer.lines().filter(|line| line.starts_with("m="));
        let refused = sections.map(|line| line.split(' ').nth(1) == Some("0"));
        self.sending.iter().zip(refused).any(|(sends, refused)| *sends && refused)
    }

    /// What of it is to be answered: one layer of each track; no candidates, since whoever offers finds us; no SSRCs, since those that
    /// come count ([`Sources`](super::Sources)); and no codecs of sections without a port.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.lines.iter().map(|line| line.len() + 2).sum());
        for line in &self.lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text
    }
}

fn is_left_out(line: &str) -> bool {
    const NAMES: [&str; 7] = [
        "a=candidate:",
        "a=end-of-candidates",
        "a=remote-candidates:",
        "a=simulcast:",
        "a=rid:",
        "a=ssrc:",
        "a=ssrc-group:",
    ];
    NAMES.iter().any(|name| line.starts_with(name))
}

fn unsupported(sent: &str, set: &'static str) -> Refusal {
    Refusal::Unsupported { sent: sent.to_string(), set }
}

/// The lines without what payload types stand for in sections that are not used, nor in the bundle: there they may stand for something else.
fn without_unused_types<'a>(mut lines: Vec<&'a str>, sections: &[Section]) -> Vec<&'a str> {
    const NAMES: [&str; 3] = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"];
    let mut begun = 0_usize;
    lines.retain(|line| {
        begun += usize::from(line.starts_with("m="));
        let section = sections.get(begun.wrapping_sub(1));
        section.is_none_or(Section::has_way) || !NAMES.iter().any(|name| line.starts_with(name))
    });
    lines
}

/// Whether a payload type is the same codec wherever it stands, as sections that share one way must have it (RFC 9143, 7.1.3).
fn are_types_unique(lines: &[&str]) -> bool {
    const TYPES: usize = 128;
    let mut codecs: [Option<&str>; TYPES] = [None; TYPES];
    lines.iter().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' ')).all(|(number, codec)| {
        let slot = number.parse().ok().and_then(|number: usize| codecs.get_mut(number));
        slot.is_none_or(|slot| slot.get_or_insert(codec).eq_ignore_ascii_case(codec))
    })
}

fn sections(lines: &[&str]) -> Result<Vec<Section>, Refusal> {
    let mut sections: Vec<Section> = Vec::new();
    for line in lines {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Kind::Audio,
                Some("video") => Kind::Video,
                Some("application") => {
                    return Err(unsupported("a data channel", "no data channel: pictures and sound only"));
                }
                _ => return Err(Refusal::Malformed("it has an m= line that is neither audio nor video")),
            };
            let has_port = words.next() != Some("0");
            if !words.next().is_some_and(|proto| proto.contains("TLS/RTP/SAVP")) {
                return Err(unsupported("media without DTLS-SRTP", "WebRTC as browsers have it"));
            }
            let static_names = words.filter_map(|number| match number {
                "0" => Some("PCMU".to_string()),
                "8" => Some("PCMA".to_string()),
                "9" => Some("G722".to_string()),
                _ => None,
            });
            let codecs = if kind == Kind::Audio { static_names.collect() } else { Vec::new() };
            sections.push(Section {
                kind,
                codecs,
                sends: true,
                has_port,
                is_bundle_only: false,
                has_nack: false,
                parameter_sets: Vec::new(),
            });
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(map) = line.strip_prefix("a=rtpmap:") {
            let name = map.split(' ').nth(1).and_then(|codec| codec.split('/').next()).unwrap_or_default();
            let name: String = name.chars().filter(char::is_ascii_graphic).take(NAME_LEN_MAX).collect();
            if !section.codecs.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                section.codecs.push(name);
            }
        } else if let Some(feedback) = line.strip_prefix("a=rtcp-fb:") {
            section.has_nack |= feedback.split_once(' ').is_some_and(|(_, kind)| kind == "nack");
        } else if let Some(format) = line.strip_prefix("a=fmtp:") {
            // Of several forms of one codec, each may have its own, which are the same stream's.
            if section.parameter_sets.is_empty() {
                section.parameter_sets = parameter_sets(format);
            }
        } else {
            section.sends &= !matches!(*line, "a=recvonly" | "a=inactive");
            section.is_bundle_only |= *line == "a=bundle-only";
        }
    }
    Ok(sections)
}

impl Section {
    /// Whether it has a port, or shares another's (RFC 9143, 6).
    fn has_way(&self) -> bool {
        self.has_port || self.is_bundle_only
    }

    fn is_used(&self) -> bool {
        self.sends && self.has_way()
    }

    fn check(&self) -> Result<(), Refusal> {
        let (usable, set): (&[&str], _) = match self.kind {
            Kind::Video => (&["H264", "AV1"], "H.264 or AV1"),
            Kind::Audio => (&["opus"], "Opus"),
        };
        let has = |wanted: &&str| self.codecs.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        if usable.iter().any(has) {
            return Ok(());
        }
        // Those that only carry others, again or beside them.
        const AIDS: [&str; 6] = ["rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "CN"];
        let is_aid = |name: &String| AIDS.iter().any(|aid| aid.eq_ignore_ascii_case(name));
        let names = self.codecs.iter().filter(|name| !is_aid(name)).take(NAMES_MAX);
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        let sent = match (names.is_empty(), self.kind) {
            (false, _) => [&names, " only"].concat(),
            (true, Kind::Video) => "pictures without a codec".to_string(),
            (true, Kind::Audio) => "sound without a codec".to_string(),
        };
        Err(Refusal::Unsupported { sent, set })
    }
}

/// The parameter sets in a format's parameters; none where one is not what it should be.
fn parameter_sets(format: &str) -> Vec<Bytes> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let parameters = format.split_once(' ').map_or("", |(_, parameters)| parameters).split(';');
    let mut sets = parameters.filter_map(|one| one.trim().strip_prefix("sprop-parameter-sets="));
    let sets = sets.next().unwrap_or_default().split(',').filter(|set| !set.is_empty()).take(SETS_MAX);
    let sets: Option<Vec<Bytes>> = sets.map(|set| engine.decode(set).ok().map(Bytes::from)).collect();
    sets.unwrap_or_default()
}

/// The first of each that the lines have.
fn credentials(lines: &[&str]) -> Option<Credentials> {
    let value = |name| lines.iter().find_map(|line| line.strip_prefix(name));
    let (fragment, password) = (value("a=ice-ufrag:")?, value("a=ice-pwd:")?);
    // RFC 8839, 5.4: ice-char.
    let is_ice = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    let fits = FRAGMENT_NAME_LEN.contains(&fragment.len()) && PASSWORD_LEN.contains(&password.len());
    let (fragment, password) = (fragment.to_string(), password.to_string());
    (fits && is_ice(&fragment) && is_ice(&password)).then_some(Credentials { fragment, password })
}

/// The credentials of a fragment that a client sends (RFC 9725, 4.3): those that it has, or new ones. What candidates come with it is not
/// needed: whoever has them finds us.
pub fn fragment(text: &str) -> Result<Credentials, Refusal> {
    if text.len() > FRAGMENT_LEN_MAX {
        return Err(Refusal::Malformed("it has more than 16 KiB"));
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    credentials(&lines).ok_or(Refusal::Malformed("the fragment has no a=ice-ufrag and a=ice-pwd"))
}

/// What of an answer a client must know after it restarted ICE: our credentials and candidates.
pub fn restarted(answer: &str) -> String {
    const SESSION: [&str; 3] = ["a=ice-lite", "a=ice-options:", "a=group:"];
    const MEDIA: [&str; 5] = ["a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"];
    let (mut out, mut sections) = (String::new(), 0);
    for line in answer.lines() {
        sections += usize::from(line.starts_with("m="));
        // With BUNDLE, one section tells it for all.
        let told = match sections {
            0 => SESSION.iter().any(|name| line.starts_with(name)),
            1 => line.starts_with("m=") || MEDIA.iter().any(|name| line.starts_with(name)),
            _ => false,
        };
        if told {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out
}

/// An answer that asks for sound as it is to be played: in stereo, where there is any, at 128 kb/s (RFC 7587, 6.1). Browsers send speech
/// otherwise.
pub fn in_good_sound(answer: &str) -> String {
    const WANTED: &str = "stereo=1;sprop-stereo=1;maxaveragebitrate=128000";
    let opus = answer.lines().find_map(|line| {
        let (number, codec) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        codec.get(..5).filter(|name| name.eq_ignore_ascii_case("opus/")).map(|_| number)
    });
    let Some(opus) = opus else { return answer.to_string() };
    let format = ["a=fmtp:", opus, " "].concat();
    let mut out = String::with_capacity(answer.len() + WANTED.len());
    for line in answer.lines() {
        out.push_str(line);
        if line.starts_with(&format) {
            out.push(';');
            out.push_str(WANTED);
        }
        out.push_str("\r\n");
    }
    out
}
