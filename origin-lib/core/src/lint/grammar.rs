//! Every tag and attribute that RFC 8216bis knows, as data: where it may stand, how often, and of which type it is.

/// In which playlists a tag may stand (RFC 8216bis, 4.4.1 to 4.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Media,
    Multivariant,
}

/// What stands behind a tag's colon.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Nothing,
    /// Whoever reads the tag looks at it.
    Text,
    Integer,
    OneOf(&'static [&'static str]),
    /// ISO 8601.
    Date,
    List(&'static [Attribute]),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    pub(super) kind: Kind,
    pub(super) once: bool,
    pub(super) value: Value,
}

/// The type of an attribute's value (RFC 8216bis, 4.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Integer,
    Hex,
    Decimal,
    Signed,
    Quoted,
    /// May be empty.
    QuotedOrEmpty,
    /// Quoted, of at least one of these characters: letters, digits, and those.
    Name(&'static str),
    OneOf(&'static [&'static str]),
    /// Quoted, with commas between.
    SomeOf(&'static [&'static str]),
    Resolution,
    /// Quoted: `n[@o]`.
    Range,
    /// Quoted ISO 8601.
    Date,
    /// Quoted, or `NONE`.
    QuotedOrNone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) required: bool,
}

const fn may(name: &'static str, of: Type) -> Attribute {
    Attribute { name, of, required: false }
}

const fn must(name: &'static str, of: Type) -> Attribute {
    Attribute { name, of, required: true }
}

const fn tag(name: &'static str, section: &'static str, kind: Kind, once: bool, value: Value) -> Tag {
    Tag { name, section, kind, once, value }
}

const YES: Type = Type::OneOf(&["YES"]);
const YES_NO: Type = Type::OneOf(&["YES", "NO"]);
const VARIABLE: Type = Type::Name("-_");
/// Of STABLE-VARIANT-ID and STABLE-RENDITION-ID.
const STABLE: Type = Type::Name("+/=.-_");

const KEY: &[Attribute] = &[
    must("METHOD", Type::OneOf(&["NONE", "AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR", "AES-256-GCM"])),
    may("URI", Type::Quoted),
    may("IV", Type::Hex),
    may("KEYFORMAT", Type::Quoted),
    may("KEYFORMATVERSIONS", Type::Quoted),
];

const STREAM: &[Attribute] = &[
    must("BANDWIDTH", Type::Integer),
    may("AVERAGE-BANDWIDTH", Type::Integer),
    may("SCORE", Type::Decimal),
    may("CODECS", Type::Quoted),
    may("SUPPLEMENTAL-CODECS", Type::Quoted),
    may("RESOLUTION", Type::Resolution),
    may("FRAME-RATE", Type::Decimal),
    may("HDCP-LEVEL", Type::OneOf(&["TYPE-0", "TYPE-1", "NONE"])),
    may("ALLOWED-CPC", Type::Quoted),
    may("VIDEO-RANGE", Type::OneOf(&["SDR", "HLG", "PQ"])),
    may("REQ-VIDEO-LAYOUT", Type::Quoted),
    may("STABLE-VARIANT-ID", STABLE),
    may("AUDIO", Type::Quoted),
    may("VIDEO", Type::Quoted),
    may("SUBTITLES", Type::Quoted),
    may("CLOSED-CAPTIONS", Type::QuotedOrNone),
    may("PATHWAY-ID", Type::Quoted),
];

const FRAME_STREAM: &[Attribute] = &[
    must("URI", Type::Quoted),
    must("BANDWIDTH", Type::Integer),
    may("AVERAGE-BANDWIDTH", Type::Integer),
    may("SCORE", Type::Decimal),
    may("CODECS", Type::Quoted),
    may("SUPPLEMENTAL-CODECS", Type::Quoted),
    may("RESOLUTION", Type::Resolution),
    may("HDCP-LEVEL", Type::OneOf(&["TYPE-0", "TYPE-1", "NONE"])),
    may("ALLOWED-CPC", Type::Quoted),
    may("VIDEO-RANGE", Type::OneOf(&["SDR", "HLG", "PQ"])),
    may("REQ-VIDEO-LAYOUT", Type::Quoted),
    may("STABLE-VARIANT-ID", STABLE),
    may("VIDEO", Type::Quoted),
    may("PATHWAY-ID", Type::Quoted),
];

const MEDIA: &[Attribute] = &[
    must("TYPE", Type::OneOf(&["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"])),
    may("URI", Type::Quoted),
    must("GROUP-ID", Type::Quoted),
    may("LANGUAGE", Type::Quoted),
    may("ASSOC-LANGUAGE", Type::Quoted),
    must("NAME", Type::Quoted),
    may("STABLE-RENDITION-ID", STABLE),
    may("DEFAULT", YES_NO),
    may("AUTOSELECT", YES_NO),
    may("FORCED", YES_NO),
    may("INSTREAM-ID", Type::Name(".")),
    may("BIT-DEPTH", Type::Integer),
    may("SAMPLE-RATE", Type::Integer),
    may("CHARACTERISTICS", Type::Quoted),
    may("CHANNELS", Type::Quoted),
];

/// Of EXT-X-DATERANGE, beside those that begin with `X-`.
const RANGE: &[Attribute] = &[
    must("ID", Type::Quoted),
    may("CLASS", Type::Quoted),
    may("START-DATE", Type::Date),
    may("CUE", Type::SomeOf(&["PRE", "POST", "ONCE"])),
    may("END-DATE", Type::Date),
    may("DURATION", Type::Decimal),
    may("PLANNED-DURATION", Type::Decimal),
    may("SCTE35-CMD", Type::Hex),
    may("SCTE35-OUT", Type::Hex),
    may("SCTE35-IN", Type::Hex),
    may("END-ON-NEXT", YES),
];

/// Every tag.
pub(super) const TAGS: &[Tag] = &[
    tag("EXTM3U", "4.4.1.1", Kind::Any, true, Value::Nothing),
    tag("EXT-X-VERSION", "4.4.1.2", Kind::Any, true, Value::Integer),
    tag("EXT-X-INDEPENDENT-SEGMENTS", "4.4.2.1", Kind::Any, true, Value::Nothing),
    tag(
        "EXT-X-START",
        "4.4.2.2",
        Kind::Any,
        true,
        Value::List(&[must("TIME-OFFSET", Type::Signed), may("PRECISE", YES_NO)]),
    ),
    tag(
        "EXT-X-DEFINE",
        "4.4.2.3",
        Kind::Any,
        false,
        Value::List(&[
            may("NAME", VARIABLE),
            may("VALUE", Type::QuotedOrEmpty),
            may("IMPORT", VARIABLE),
            may("QUERYPARAM", VARIABLE),
        ]),
    ),
    tag("EXT-X-TARGETDURATION", "4.4.3.1", Kind::Media, true, Value::Integer),
    tag("EXT-X-MEDIA-SEQUENCE", "4.4.3.2", Kind::Media, true, Value::Integer),
    tag("EXT-X-DISCONTINUITY-SEQUENCE", "4.4.3.3", Kind::Media, true, Value::Integer),
    tag("EXT-X-ENDLIST", "4.4.3.4", Kind::Media, true, Value::Nothing),
    tag("EXT-X-PLAYLIST-TYPE", "4.4.3.5", Kind::Media, true, Value::OneOf(&["EVENT", "VOD"])),
    tag("EXT-X-I-FRAMES-ONLY", "4.4.3.6", Kind::Media, true, Value::Nothing),
    tag("EXT-X-PART-INF", "4.4.3.7", Kind::Media, true, Value::List(&[must("PART-TARGET", Type::Decimal)])),
    tag(
        "EXT-X-SERVER-CONTROL",
        "4.4.3.8",
        Kind::Media,
        true,
        Value::List(&[
            may("CAN-SKIP-UNTIL", Type::Decimal),
            may("CAN-SKIP-DATERANGES", YES),
            may("HOLD-BACK", Type::Decimal),
            may("PART-HOLD-BACK", Type::Decimal),
            may("CAN-BLOCK-RELOAD", YES),
        ]),
    ),
    tag("EXTINF", "4.4.4.1", Kind::Media, false, Value::Text),
    tag("EXT-X-BYTERANGE", "4.4.4.2", Kind::Media, false, Value::Text),
    tag("EXT-X-DISCONTINUITY", "4.4.4.3", Kind::Media, false, Value::Nothing),
    tag("EXT-X-KEY", "4.4.4.4", Kind::Media, false, Value::List(KEY)),
    tag(
        "EXT-X-MAP",
        "4.4.4.5",
        Kind::Media,
        false,
        Value::List(&[must("URI", Type::Quoted), may("BYTERANGE", Type::Range)]),
    ),
    tag("EXT-X-PROGRAM-DATE-TIME", "4.4.4.6", Kind::Media, false, Value::Date),
    tag("EXT-X-GAP", "4.4.4.7", Kind::Media, false, Value::Nothing),
    tag("EXT-X-BITRATE", "4.4.4.8", Kind::Media, false, Value::Integer),
    tag(
        "EXT-X-PART",
        "4.4.4.9",
        Kind::Media,
        false,
        Value::List(&[
            must("URI", Type::Quoted),
            must("DURATION", Type::Decimal),
            may("INDEPENDENT", YES),
            may("BYTERANGE", Type::Range),
            may("GAP", YES),
        ]),
    ),
    tag("EXT-X-DATERANGE", "4.4.5.1", Kind::Media, false, Value::List(RANGE)),
    tag(
        "EXT-X-SKIP",
        "4.4.5.2",
        Kind::Media,
        true,
        Value::List(&[
            must("SKIPPED-SEGMENTS", Type::Integer),
            may("RECENTLY-REMOVED-DATERANGES", Type::QuotedOrEmpty),
        ]),
    ),
    tag(
        "EXT-X-PRELOAD-HINT",
        "4.4.5.3",
        Kind::Media,
        false,
        Value::List(&[
            must("TYPE", Type::OneOf(&["PART", "MAP"])),
            must("URI", Type::Quoted),
            may("BYTERANGE-START", Type::Integer),
            may("BYTERANGE-LENGTH", Type::Integer),
        ]),
    ),
    // LAST-MSN may be left out where it is what this playlist has (4.4.5.4).
    tag(
        "EXT-X-RENDITION-REPORT",
        "4.4.5.4",
        Kind::Media,
        false,
        Value::List(&[
            must("URI", Type::Quoted),
            may("LAST-MSN", Type::Integer),
            may("LAST-PART", Type::Integer),
        ]),
    ),
    tag("EXT-X-MEDIA", "4.4.6.1", Kind::Multivariant, false, Value::List(MEDIA)),
    tag("EXT-X-STREAM-INF", "4.4.6.2", Kind::Multivariant, false, Value::List(STREAM)),
    tag("EXT-X-I-FRAME-STREAM-INF", "4.4.6.3", Kind::Multivariant, false, Value::List(FRAME_STREAM)),
    tag(
        "EXT-X-SESSION-DATA",
        "4.4.6.4",
        Kind::Multivariant,
        false,
        Value::List(&[
            must("DATA-ID", Type::Quoted),
            may("VALUE", Type::Quoted),
            may("URI", Type::Quoted),
            may("FORMAT", Type::OneOf(&["JSON", "RAW"])),
            may("LANGUAGE", Type::Quoted),
        ]),
    ),
    tag("EXT-X-SESSION-KEY", "4.4.6.5", Kind::Multivariant, false, Value::List(KEY)),
    tag(
        "EXT-X-CONTENT-STEERING",
        "4.4.6.6",
        Kind::Multivariant,
        true,
        Value::List(&[must("SERVER-URI", Type::Quoted), may("PATHWAY-ID", Type::Quoted)]),
    ),
];
