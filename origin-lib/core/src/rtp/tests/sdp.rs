use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::rtp::sdp::{self, Credentials, Offer, Refusal};

/// What a browser offers, shortened.
pub(super) fn offer(video: &[&str], audio: &[&str]) -> String {
    let mut text = String::from(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n",
    );
    for (mid, (kind, codecs)) in [("audio", audio), ("video", video)].into_iter().enumerate() {
        if codecs.is_empty() {
            continue;
        }
        text += &format!("m={kind} 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n");
        text +=
            "a=ice-pwd:0123456789abcdefghijkl\r\na=ice-options:trickle\r\na=fingerprint:sha-256 AA:BB\r\n";
        text += "a=candidate:1 1 udp 2113937151 5ff8.local 50000 typ host\r\n";
        text += &format!("a=setup:actpass\r\na=mid:{mid}\r\na=sendonly\r\na=rtcp-mux\r\n");
        for (number, codec) in codecs.iter().enumerate() {
            text += &format!("a=rtpmap:{} {codec}\r\n", 96 + 10 * mid + number);
        }
    }
    text
}

#[test]
fn an_offer_is_answered_without_candidates_and_layers() {
    let text = offer(&["VP8/90000", "rtx/90000", "H264/90000"], &["opus/48000/2"])
        + "a=rid:hi send\r\na=rid:lo send\r\na=simulcast:send hi;lo\r\na=end-of-candidates\r\n"
        + "a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\n";
    let read = Offer::read(&text).unwrap();
    assert!(read.has_video && read.has_audio);
    assert_eq!(read.credentials.fragment, "abcd");
    let left = read.text();
    for name in ["a=candidate", "a=end-of", "a=simulcast", "a=rid", "a=ssrc"] {
        assert!(text.contains(name) && !left.contains(name), "{name}");
    }
    assert_eq!(left.lines().count(), text.lines().count() - 9);
    // Lines may end without a carriage return, too.
    assert_eq!(Offer::read(&text.replace("\r\n", "\n")).unwrap(), read);
}

#[test]
fn parameter_sets_are_read_from_the_section_that_is_used() {
    let sets = |fmtp: &str| {
        let offer = offer(&["H264/90000"], &["opus/48000/2"]) + fmtp + "\r\n";
        Offer::read(&offer)
            .unwrap()
            .parameter_sets
            .iter()
            .map(|set| crate::hex::encode(set))
            .collect::<Vec<_>>()
    };
    let of = "a=fmtp:106 packetization-mode=1; sprop-parameter-sets=Z2QADKzZQUGfnwEQAAADABAAAAMDIPFCmWA=,aOvjyyLA;profile-level-id=64000c";
    let expected = ["6764000cacd941419f9f011000000300100000030320f1429960", "68ebe3cb22c0"];
    assert_eq!(sets(of), expected);
    assert_eq!(sets(&of.replace("WA=,", "WA,")), expected, "without padding");
    for none in [
        "a=fmtp:106 packetization-mode=1",
        "a=fmtp:106",
        "a=fmtp:106 sprop-parameter-sets=",
        "a=fmtp:106 sprop-parameter-sets=%",
    ] {
        assert_eq!(sets(none), [""; 0], "{none}");
    }
}

#[test]
fn sections_in_which_nothing_is_sent_are_no_tracks_and_stay_in_their_places() {
    let (h264, opus) = (&["H264/90000"][..], &["opus/48000/2"][..]);
    let whole = offer(h264, opus);
    let part = |text: &str, kind: &str| {
        let from = text.find(&format!("m={kind}")).unwrap();
        let len = text[from + 1..].find("m=").map_or(text.len() - from, |len| len + 1);
        text[from..from + len].to_string()
    };
    let (video, audio) = (part(&whole, "video"), part(&whole, "audio"));
    let silent = |section: &str, direction: &str| section.replace("sendonly", direction);
    for (of, tracks) in [
        // What only receives, and a second picture that is not used, of a codec that could not be.
        (whole.replacen("sendonly", "recvonly", 1), (true, false)),
        (whole.replacen("sendonly", "inactive", 1), (true, false)),
        (whole.replace(&video, &silent(&video, "inactive")), (false, true)),
        (
            format!(
                "{whole}{}",
                silent(&part(&offer(&["VP8/90000"], &[]), "video"), "inactive").replace("106", "108")
            ),
            (true, true),
        ),
        (format!("{whole}{}", audio.replace("audio 9", "audio 0")), (true, true)),
        (offer(h264, &[]), (true, false)),
        (offer(&[], opus), (false, true)),
        (whole.replace("video 9", "video 0") + "a=bundle-only\r\n", (true, true)),
    ] {
        let read = Offer::read(&of).unwrap();
        assert_eq!((read.has_video, read.has_audio), tracks, "{of}");
        let sections = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
        assert_eq!(sections(&read.text()), sections(&of));
        assert!(!read.text().contains("recvonly"));
        assert_eq!(Offer::read(&read.text()).unwrap(), read);
    }
}

#[test]
fn a_section_without_a_port_may_use_a_payload_type_for_another_codec() {
    let whole = offer(&["H264/90000"], &["opus/48000/2"]);
    let other = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=mid:2\r\na=sendonly\r\n\
        a=rtpmap:106 VP8/90000\r\na=rtcp-fb:106 nack\r\na=fmtp:106 x=1\r\n";
    let with = |port: &str, more: &str| {
        Offer::read(&format!("{whole}m=video {port} UDP/TLS/RTP/SAVPF 106\r\n{other}a=inactive\r\n{more}"))
    };
    let read = with("0", "").unwrap();
    assert!(read.has_video && read.has_audio && !read.sends_again);
    let text = read.text();
    assert!(text.contains("a=rtpmap:106 H264/90000") && text.contains("SAVPF 0\r\n"), "{text}");
    for left in ["VP8", "a=rtcp-fb:106", "a=fmtp:106"] {
        assert!(!text.contains(left), "{left}: {text}");
    }
    assert_eq!(Offer::read(&text).unwrap(), read);
    // One that is in the bundle may not, whether something is sent in it or not.
    for (port, more) in [("9", ""), ("0", "a=bundle-only\r\n")] {
        let refusal = with(port, more).unwrap_err().to_string();
        assert_eq!(refusal, "this is no SDP offer: one payload type stands for two codecs", "{port}");
    }
}

#[test]
fn an_answer_refuses_where_a_section_with_something_in_it_has_no_port() {
    let whole = offer(&["H264/90000"], &["opus/48000/2"]);
    let read = Offer::read(&whole.replacen("sendonly", "inactive", 1)).unwrap();
    for (answer, refused) in [
        ("m=audio 9 X 96\r\nm=video 9 X 96\r\n", false),
        ("m=audio 0 X 0\r\nm=video 9 X 96\r\n", false),
        ("m=audio 9 X 96\r\nm=video 0 X 0\r\n", true),
    ] {
        assert_eq!(read.is_refused_by(answer), refused, "{answer}");
    }
}

#[test]
fn what_is_missing_is_asked_for_where_the_offer_says_so() {
    let text = offer(&["H264/90000"], &["opus/48000/2"]);
    for (feedback, expected) in [
        ("", false),
        ("a=rtcp-fb:96 nack pli\r\n", false),
        ("a=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 nack\r\n", true),
        ("a=rtcp-fb:* nack\r\n", true),
    ] {
        assert_eq!(Offer::read(&(text.clone() + feedback)).unwrap().sends_again, expected, "{feedback}");
    }
}

#[test]
fn what_nothing_can_come_of_is_named() {
    let h264 = &["H264/90000"][..];
    let opus = &["opus/48000/2"][..];
    let whole = offer(h264, opus);
    let of_video = offer(h264, &[]);
    for (text, expected) in [
        (
            offer(&["VP8/90000", "rtx/90000", "VP9/90000"], opus),
            "the encoder offers VP8, VP9 only: set H.264 or AV1",
        ),
        (offer(h264, &["PCMU/8000", "telephone-event/8000"]), "the encoder offers PCMU only: set Opus"),
        (
            whole.replace("sendonly", "recvonly"),
            "the encoder offers tracks that it does not send: set sendonly tracks",
        ),
        (
            format!("{whole}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
            "the encoder offers a data channel: set no data channel: pictures and sound only",
        ),
        (
            format!("{whole}{}", &of_video[of_video.find("m=").unwrap()..]),
            "the encoder offers several pictures: set one video and one audio track",
        ),
        (offer(&[], &[]), "the encoder offers neither pictures nor sound: set a video track in H.264 or AV1"),
        (
            whole.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
            "the encoder offers media without DTLS-SRTP: set WebRTC as browsers have it",
        ),
        ("{\"sdp\":\"v=0\"}".to_string(), "this is no SDP offer: it does not begin with v=0"),
        (
            format!("{whole}garbage\r\n"),
            "this is no SDP offer: it has a line that is no letter, = and a value",
        ),
        (
            whole.replace("a=ice-pwd", "a=ice-pass"),
            "this is no SDP offer: it has no a=ice-ufrag and a=ice-pwd",
        ),
        (
            whole.replace("a=ice-ufrag:abcd", "a=ice-ufrag:a b"),
            "this is no SDP offer: it has no a=ice-ufrag and a=ice-pwd",
        ),
        (
            whole.replace("rtpmap:106", "rtpmap:96"),
            "this is no SDP offer: one payload type stands for two codecs",
        ),
        (whole.replace("a=fingerprint", "a=finger"), "this is no SDP offer: it has no a=fingerprint"),
        (format!("{whole}a={}", "x".repeat(70_000)), "this is no SDP offer: it has more than 64 KiB"),
    ] {
        assert_eq!(Offer::read(&text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_restart_changes_the_credentials_and_nothing_else() {
    let text = offer(&["AV1/90000"], &["opus/48000/2"]);
    let mut read = Offer::read(&text).unwrap();
    let before = read.text();
    let new = Credentials { fragment: "wxyz".into(), password: "zyxwvutsrqponmlkjihgfe".into() };
    let told =
        sdp::fragment("a=ice-ufrag:wxyz\r\na=ice-pwd:zyxwvutsrqponmlkjihgfe\r\nm=audio 9 X 0\r\na=mid:0\r\n");
    assert_eq!(told, Ok(new.clone()));
    read.restart(new);
    let expected = before.replace("a=ice-ufrag:abcd", "a=ice-ufrag:wxyz");
    assert_eq!(read.text(), expected.replace("0123456789abcdefghijkl", "zyxwvutsrqponmlkjihgfe"));
    assert!(matches!(sdp::fragment("a=candidate:1"), Err(Refusal::Malformed(_))));
    assert!(matches!(sdp::fragment(&"a=candidate:1\r\n".repeat(2000)), Err(Refusal::Malformed(_))));
}

#[test]
fn a_restart_is_answered_by_credentials_and_candidates() {
    let answer = "v=0\r\ns=-\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\na=fingerprint:sha-256 AA\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:q\r\na=ice-pwd:p\r\na=rtcp-mux\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 8892 typ host\r\na=end-of-candidates\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:1\r\na=ice-ufrag:q\r\n";
    let expected = "a=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
        a=ice-ufrag:q\r\na=ice-pwd:p\r\na=candidate:1 1 udp 1 192.0.2.1 8892 typ host\r\na=end-of-candidates\r\n";
    assert_eq!(sdp::restarted(answer), expected);
}

proptest! {
    #[test]
    fn no_text_can_trip_it(
        lines in prop::collection::vec(prop::sample::select(&[
            "v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96", "m=audio", "m=", "a=rtpmap:96 H264/90000", "a=rtpmap:", "a=rtpmap: /",
            "a=ice-ufrag:abcd", "a=ice-pwd:0123456789abcdefghijkl", "a=fingerprint:x", "a=rid:é", "a=recvonly", "m=audio 0 UDP/TLS/RTP/SAVPF 96",
            "a=bundle-only", "a=rtcp-fb:", "a=rtcp-fb:96 nack", "", "\u{1F4F7}",
        ][..]), 0..20),
    ) {
        let text = format!("v=0\n{}", lines.join("\n"));
        if let Ok(offer) = Offer::read(&text) {
            prop_assert!(offer.has_video || offer.has_audio);
            prop_assert_eq!(Offer::read(&offer.text()), Ok(offer.clone()));
        }
        let _ = sdp::fragment(&text);
        let _ = sdp::restarted(&text);
    }
}

#[test]
fn sound_is_asked_for_in_stereo() {
    let answer = "v=0\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 x=1\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n";
    let expected = "minptime=10;stereo=1;sprop-stereo=1;maxaveragebitrate=128000\r\n";
    assert_eq!(sdp::in_good_sound(answer), answer.replace("minptime=10\r\n", expected));
    let silent = "v=0\r\na=rtpmap:96 H264/90000\r\n";
    assert_eq!(sdp::in_good_sound(silent), silent);
}
