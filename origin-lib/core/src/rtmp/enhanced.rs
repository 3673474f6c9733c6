//! What Enhanced RTMP adds to the connection (Veovera, Enhanced RTMP v2: Enhancing NetConnection connect Command, Reconnect
//! Request).

use alloc::string::String;
use alloc::vec::Vec;

use super::amf0::Value;
use super::chunk::Writer;
use super::command::{self, Command};

/// `FourCcInfoMask`: what is taken is passed on.
const CAN_FORWARD: f64 = 4.0;

/// `CapsExMask`: it may be asked to reconnect; several tracks; modifiers; nanoseconds.
const RECONNECT: u32 = 1;
const CAPABILITIES: u32 = RECONNECT | 2 | 4 | 8;

/// The codecs that have no number of FLV's own, and those that have.
const VIDEO: [&str; 3] = ["avc1", "hvc1", "av01"];
const AUDIO: [&str; 2] = ["mp4a", "Opus"];

/// By which properties of `connect` a publisher says that it knows Enhanced RTMP.
const KNOWN_BY: [&str; 4] = ["capsEx", "fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"];

/// Whether the publisher of a `connect` knows Enhanced RTMP.
pub(super) fn is_known(connect: &Command) -> bool {
    KNOWN_BY.iter().any(|name| connect.value(name).is_some())
}

/// Whether the publisher of a `connect` may be asked to reconnect.
pub(super) fn reconnects(connect: &Command) -> bool {
    let capabilities = connect.value("capsEx").and_then(Value::as_number);
    // What is no such number has no bits.
    capabilities.is_some_and(|number| number as u32 & RECONNECT != 0)
}

/// What we can do, for the answer to `connect`.
pub(super) fn capabilities() -> [(String, Value); 4] {
    let map = |codecs: &[&str]| {
        Value::Object(codecs.iter().map(|codec| ((*codec).into(), CAN_FORWARD.into())).collect())
    };
    [
        ("capsEx".into(), f64::from(CAPABILITIES).into()),
        ("fourCcList".into(), four_cc_list()),
        ("videoFourCcInfoMap".into(), map(&VIDEO)),
        ("audioFourCcInfoMap".into(), map(&AUDIO)),
    ]
}

/// The codecs that a publisher may send.
pub(super) fn four_cc_list() -> Value {
    Value::List(VIDEO.into_iter().chain(AUDIO).map(Value::from).collect())
}

/// Appends the request to reconnect.
pub(super) fn write_reconnect_request(writer: &Writer, out: &mut Vec<u8>, description: &str) {
    let code = "NetConnection.Connect.ReconnectRequest";
    command::write_status(writer, out, 0, "status", code, description);
}
