//! Uncompressed pictures with times, as Matroska (RFC 9559): for ffmpeg, which reads it from a pipe.

/// Names of elements (RFC 9559, 5.1; RFC 8794, 11.2).
mod id {
    pub(super) const EBML: u32 = 0x1a45_dfa3;
    pub(super) const EBML_VERSION: u32 = 0x4286;
    pub(super) const EBML_READ_VERSION: u32 = 0x42f7;
    pub(super) const EBML_MAX_ID_LEN: u32 = 0x42f2;
    pub(super) const EBML_MAX_SIZE_LEN: u32 = 0x42f3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(super) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
    pub(super) const MUXING_APP: u32 = 0x4d80;
    pub(super) const WRITING_APP: u32 = 0x5741;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_UID: u32 = 0x73c5;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_LACING: u32 = 0x9c;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const UNCOMPRESSED_FOURCC: u32 = 0x002e_b524;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TIMESTAMP: u32 = 0xe7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
}

/// What stands before the first picture: pictures of that size, in red, green, blue and how opaque, a byte each.
pub(super) fn head((width, height): (u32, u32)) -> Vec<u8> {
    const NANOSECONDS_PER_MS: u64 = 1_000_000;
    const TYPE_VIDEO: u64 = 1;

    let ebml = [
        number(id::EBML_VERSION, 1),
        number(id::EBML_READ_VERSION, 1),
        number(id::EBML_MAX_ID_LEN, 4),
        number(id::EBML_MAX_SIZE_LEN, 8),
        element(id::DOC_TYPE, b"matroska"),
        number(id::DOC_TYPE_VERSION, 4),
        number(id::DOC_TYPE_READ_VERSION, 2),
    ];
    let info = [
        number(id::TIMESTAMP_SCALE, NANOSECONDS_PER_MS),
        element(id::MUXING_APP, b"railbird"),
        element(id::WRITING_APP, b"railbird"),
    ];
    let video = [
        number(id::PIXEL_WIDTH, width.into()),
        number(id::PIXEL_HEIGHT, height.into()),
        element(id::UNCOMPRESSED_FOURCC, b"RGBA"),
    ];
    let track = [
        number(id::TRACK_NUMBER, 1),
        number(id::TRACK_UID, 1),
        number(id::TRACK_TYPE, TYPE_VIDEO),
        number(id::FLAG_LACING, 0),
        element(id::CODEC_ID, b"V_UNCOMPRESSED"),
        element(id::VIDEO, &video.concat()),
    ];
    let mut head = element(id::EBML, &ebml.concat());
    head.extend(name(id::SEGMENT));
    // Of unknown length: it ends where the pipe does.
    head.extend([0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    head.extend(element(id::INFO, &info.concat()));
    head.extend(element(id::TRACKS, &element(id::TRACK_ENTRY, &track.concat())));
    head
}

/// What stands before the pixels of a picture that is shown from `at_ms` on: a cluster of its own.
pub(super) fn before_picture(at_ms: u64, pixels_len: usize) -> Vec<u8> {
    // Track 1, no time beyond the cluster's, a key frame.
    const BLOCK: [u8; 4] = [0x81, 0, 0, 0x80];

    let time = number(id::TIMESTAMP, at_ms);
    let block_len = BLOCK.len() + pixels_len;
    let block = [name(id::SIMPLE_BLOCK), length(block_len), BLOCK.to_vec()].concat();
    let cluster_len = time.len() + block.len() + pixels_len;
    [name(id::CLUSTER), length(cluster_len), time, block].concat()
}

/// An element's name, which holds its own length (RFC 8794, 5).
fn name(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A length in eight bytes (RFC 8794, 4).
fn length(len: usize) -> Vec<u8> {
    (0x0100_0000_0000_0000 | len as u64).to_be_bytes().to_vec()
}

fn element(id: u32, body: &[u8]) -> Vec<u8> {
    [&name(id)[..], &length(body.len()), body].concat()
}

fn number(id: u32, number: u64) -> Vec<u8> {
    element(id, &number.to_be_bytes())
}
