//! Every rule, as data.
//!
//! The table of them in `infra/LINT.md` is made of this, and a test compares the two.

use super::rule::Rule;
use super::rule::Severity::{Must, Should};

macro_rules! rules {
    ($($name:ident = $id:literal, $severity:ident, $section:literal, $says:literal, $remedy:literal;)*) => {
        $(
            #[doc = $says]
            pub static $name: Rule =
                Rule { id: $id, severity: $severity, section: $section, says: $says, remedy: $remedy };
        )*

        /// Every rule, in the order of the table.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    // Of any playlist.
    TOO_LARGE = "too-large", Must, "", "A playlist is at most 8 MiB.", "list less media, or offer delta updates";
    NOT_UTF8 = "not-utf8", Must, "4.1", "A playlist is UTF-8.", "write it in UTF-8";
    BYTE_ORDER_MARK = "byte-order-mark", Must, "4.1", "There is no byte order mark.", "leave the mark out";
    CONTROL_CHARACTER = "control-character", Must, "4.1", "There are no control characters but the ends of lines.", "leave it out";
    WHITESPACE = "whitespace", Must, "4.1", "No line begins or ends with white space, and no URI has any.", "remove it, or escape it as %20";
    EXTM3U_FIRST = "extm3u-first", Must, "4.4.1.1", "The first line is #EXTM3U.", "begin the playlist with #EXTM3U";
    MIXED_PLAYLIST = "mixed-playlist", Must, "4.1", "Tags of multivariant playlists and of media playlists are not in one playlist.", "make two playlists of it";
    NO_PLAYLIST_TAGS = "no-playlist-tags", Should, "4.1", "A playlist has tags of a multivariant or of a media playlist.", "list media, or variants";
    UNKNOWN_TAG = "unknown-tag", Should, "6.3.1", "Every tag that begins with #EXT is known.", "correct its name, or make a comment of it";
    TAG_REPEATED = "tag-repeated", Must, "4.4.3", "A tag that describes the whole playlist comes once.", "leave one of them out";
    TAG_VALUE = "tag-value", Must, "4.4", "A tag's value has the form that its section gives.", "write it as its section says";
    ATTRIBUTE_SYNTAX = "attribute-syntax", Must, "4.2", "An attribute list is NAME=value,… without white space.", "write it as NAME=value,NAME=\"value\"";
    ATTRIBUTE_REPEATED = "attribute-repeated", Must, "4.2", "An attribute comes once in a list.", "leave one of them out";
    ATTRIBUTE_TYPE = "attribute-type", Must, "4.2", "An attribute's value has the type that its section gives.", "write it in the type of its section";
    ATTRIBUTE_VALUE = "attribute-value", Must, "4.2", "An attribute's value is one that its section allows.", "use one of the values of its section";
    ATTRIBUTE_MISSING = "attribute-missing", Must, "4.2", "A required attribute is there.", "add it";
    ATTRIBUTE_UNKNOWN = "attribute-unknown", Should, "6.3.1", "Every attribute is known.", "correct its name: clients ignore it";
    VARIABLE_UNKNOWN = "variable-unknown", Must, "6.3.1", "A variable is defined before it is used.", "define it with EXT-X-DEFINE above";
    DEFINE_FORM = "define-form", Must, "4.4.2.3", "EXT-X-DEFINE has one of NAME (with VALUE), IMPORT and QUERYPARAM.", "give one of the three";
    DEFINE_REPEATED = "define-repeated", Must, "4.4.2.3", "A variable is defined once.", "leave one of the definitions out";
    DEFINE_IMPORT = "define-import", Must, "4.4.2.3", "IMPORT is in media playlists only, and names what the multivariant playlist defines; QUERYPARAM names a parameter of the playlist's URI.", "define the variable where it is looked for";
    VERSION_LOW = "version-low", Must, "8", "EXT-X-VERSION is at least what the tags and attributes in use need.", "raise EXT-X-VERSION";
    VERSION_HIGH = "version-high", Should, "6.2.1", "EXT-X-VERSION is no more than what the tags and attributes in use need.", "lower EXT-X-VERSION";
    START_BEYOND = "start-beyond", Should, "4.4.2.2", "TIME-OFFSET is within the playlist.", "give an offset within the playlist";
    START_NEAR_EDGE = "start-near-edge", Should, "4.4.2.2", "TIME-OFFSET of a live playlist is not within three target durations of its end.", "start further from the end";

    // Of a media playlist.
    TARGET_MISSING = "target-missing", Must, "4.4.3.1", "A media playlist has EXT-X-TARGETDURATION.", "add it";
    SEGMENT_OVER_TARGET = "segment-over-target", Must, "4.4.3.1", "A segment's duration, rounded to whole seconds, is at most the target duration.", "cut shorter segments, or give the playlist a longer target duration from its start";
    SEQUENCE_LATE = "sequence-late", Must, "4.4.3.2", "EXT-X-MEDIA-SEQUENCE and EXT-X-DISCONTINUITY-SEQUENCE stand before the first segment and before any EXT-X-DISCONTINUITY.", "move it up";
    SKIP_UNTIL_SHORT = "skip-until-short", Must, "4.4.3.8", "CAN-SKIP-UNTIL is at least six target durations.", "raise CAN-SKIP-UNTIL";
    SKIP_RANGES_ALONE = "skip-dateranges-alone", Must, "4.4.3.8", "CAN-SKIP-DATERANGES comes with CAN-SKIP-UNTIL.", "add CAN-SKIP-UNTIL";
    HOLD_BACK_SHORT = "hold-back-short", Must, "4.4.3.8", "HOLD-BACK is at least three target durations.", "raise HOLD-BACK, or leave it out";
    PART_HOLD_BACK_SHORT = "part-hold-back-short", Must, "4.4.3.8", "PART-HOLD-BACK is at least twice the part target duration.", "raise PART-HOLD-BACK";
    PART_HOLD_BACK_LEAN = "part-hold-back-lean", Should, "4.4.3.8", "PART-HOLD-BACK is at least three times the part target duration.", "raise PART-HOLD-BACK";
    PART_HOLD_BACK_MISSING = "part-hold-back-missing", Must, "4.4.3.8", "A playlist with EXT-X-PART-INF has PART-HOLD-BACK.", "add PART-HOLD-BACK to EXT-X-SERVER-CONTROL";
    PART_INF_MISSING = "part-inf-missing", Must, "4.4.3.7", "A playlist with parts has EXT-X-PART-INF.", "add EXT-X-PART-INF";
    PARTS_UNBLOCKED = "parts-without-blocking", Should, "B.1", "A playlist with parts is reloaded by blocking requests.", "add CAN-BLOCK-RELOAD=YES, and hold such requests";
    PARTS_UNDATED = "parts-without-date", Should, "B.1", "A playlist with parts has EXT-X-PROGRAM-DATE-TIME.", "date its segments";
    PARTS_UNHINTED = "parts-without-hint", Should, "B.1", "A live playlist with parts hints at the next one.", "add EXT-X-PRELOAD-HINT, and hold such requests";
    EXTINF_MISSING = "extinf-missing", Must, "4.4.4.1", "Every segment has an EXTINF.", "write its duration before its URI";
    SEGMENT_WITHOUT_URI = "segment-without-uri", Must, "4.4.4.1", "Every EXTINF is followed by the URI of its segment.", "write the URI behind it";
    BYTERANGE_BASE = "byterange-base", Must, "4.4.4.2", "A byte range without a start follows one of the same resource.", "give its start as @o";
    RANGE_OF_BLOCKS = "byterange-not-of-blocks", Must, "4.4.4.4", "Outside playlists of I-frames, a byte range that is encrypted by AES-128 is a whole message: its length is a multiple of 16.", "encrypt what the range is by itself, or make it an object of its own";
    KEY_NONE = "key-none-attributes", Must, "4.4.4.4", "METHOD=NONE has no other attribute.", "leave the others out";
    KEY_URI = "key-uri-missing", Must, "4.4.4.4", "A key has a URI.", "say where the key is";
    KEY_IV = "key-iv", Must, "4.4.4.4", "IV has 128 bits, and is not there where the method forbids it.", "write 0x and 32 digits, or leave it out";
    KEY_VERSIONS = "key-format-versions", Must, "4.4.4.4", "KEYFORMATVERSIONS is positive integers between slashes.", "write it as 1/2";
    MAP_IV = "map-key-iv", Must, "4.4.4.5", "A media initialization section that is encrypted by AES-128 has an IV.", "add IV to the key, or put METHOD=NONE before EXT-X-MAP";
    MAP_RANGE = "map-range", Must, "4.4.4.5", "The byte range of EXT-X-MAP has its start.", "write BYTERANGE=\"n@o\"";
    MAP_MISSING = "map-missing", Must, "3.1.2", "Every fMP4 segment has an EXT-X-MAP.", "add EXT-X-MAP before it";
    MAP_CHANGE = "map-without-discontinuity", Should, "4.4.4.3", "Other encoding parameters begin with EXT-X-DISCONTINUITY.", "write EXT-X-DISCONTINUITY where EXT-X-MAP changes";
    DATE_ZONE = "date-without-zone", Should, "4.4.4.6", "A date has its time zone and milliseconds.", "write it as 2026-11-20T10:52:00.040Z";
    DATE_OVERLAP = "date-overlap", Must, "6.2.1", "A segment's date is not a second or more before the end of the segment before it.", "date segments by one clock, without steps back";
    DATE_DRIFT = "date-drift", Should, "6.2.1", "Where there is no discontinuity, dates grow by the durations of segments.", "mark the gap in time by EXT-X-DISCONTINUITY, or mend the dates";
    DATE_MISSING = "date-missing-at-discontinuity", Should, "6.2.1", "In a playlist with dates, every discontinuity has one.", "date the segment";
    FRAMES_WITH_PARTS = "i-frames-with-parts", Should, "4.4.4.9", "A playlist of I-frames has no parts.", "leave the parts out";
    PART_LONG = "part-over-target", Must, "4.4.4.9", "A part's duration is at most the part target duration.", "cut shorter parts, or give the playlist a longer PART-TARGET from its start";
    PART_SHORT = "part-under-target", Must, "4.4.4.9", "A part has at least 85 % of the part target duration, unless it is independent, a gap, before a gap, or the last of its segment.", "cut parts of even length";
    TAGS_BEHIND_PART = "tags-behind-part", Must, "4.4.4.9", "The tags of a segment that are also of its parts stand before the first of them.", "move it before the first EXT-X-PART of the segment";
    PART_RANGE_BASE = "part-range-base", Must, "4.4.4.9", "A part's byte range without a start follows one of the same resource and segment.", "give its start as n@o";
    PARTS_SUM = "parts-over-segment", Must, "3.2", "The parts of a segment hold what it holds.", "mend the durations of the parts or of the segment";
    PART_OLD = "part-old", Should, "6.2.2", "Parts of segments that are more than three target durations from the end are left out.", "leave them out";
    PART_DEPENDENT = "part-not-independent", Should, "4.4.4.9", "The first part of an independent segment is marked as independent.", "add INDEPENDENT=YES to it";
    RANGES_UNDATED = "daterange-without-date", Must, "4.4.5.1", "A playlist with date ranges has EXT-X-PROGRAM-DATE-TIME.", "date its segments";
    RANGE_START = "daterange-start-missing", Must, "4.4.5.1", "The first EXT-X-DATERANGE of an ID has START-DATE.", "add START-DATE";
    RANGE_BACKWARDS = "daterange-backwards", Must, "4.4.5.1", "A date range does not end before it starts.", "mend END-DATE";
    RANGE_LENGTH = "daterange-length", Must, "4.4.5.1", "END-DATE is START-DATE and DURATION.", "mend one of them, or leave one out";
    RANGE_NEXT = "end-on-next", Must, "4.4.5.1", "END-ON-NEXT comes with CLASS, and without DURATION and END-DATE.", "add CLASS, and leave the end out";
    RANGE_OVERLAP = "daterange-overlap", Must, "4.4.5.1", "Ranges of a class with END-ON-NEXT do not overlap.", "use another CLASS";
    RANGE_CONFLICT = "daterange-conflict", Must, "4.4.5.1", "Tags of one ID agree in every attribute that they share.", "use a new ID for what has changed";
    RANGE_CUE = "cue-pre-and-post", Must, "4.4.5.1", "CUE is not both PRE and POST.", "leave one of them out";
    RANGE_NAME = "daterange-x-name", Should, "4.4.5.1", "An attribute of one's own is named by reverse DNS.", "name it as X-COM-EXAMPLE-NAME";
    SKIP_UNOFFERED = "skip-not-offered", Must, "6.2.5.1", "Only a playlist with CAN-SKIP-UNTIL has EXT-X-SKIP.", "add CAN-SKIP-UNTIL, or answer with the whole playlist";
    SKIP_ENDED = "skip-in-ended", Must, "6.2.5.1", "A playlist that has ended is always whole.", "answer with the whole playlist";
    SKIP_LATE = "skip-behind-segment", Must, "4.4.5.2", "EXT-X-SKIP stands for the first segments.", "move it before the first segment";
    SKIP_NEAR = "skip-too-near", Must, "6.2.5.1", "What is skipped is further from the end than the skip boundary.", "skip less";
    HINT_ENDED = "hint-in-ended", Must, "4.4.5.3", "A playlist that has ended has no hint.", "leave EXT-X-PRELOAD-HINT out";
    HINT_TWICE = "hint-repeated", Should, "6.2.6", "There is one hint of each type.", "leave one of them out";
    HINT_LISTED = "hint-listed", Should, "4.4.5.3", "What is hinted at is not listed yet.", "hint at what comes next";
    REPORT_ABSOLUTE = "report-absolute", Must, "4.4.5.4", "The URI of a rendition report is relative.", "write it relative to this playlist";

    // Of a multivariant playlist.
    VARIANT_WITHOUT_URI = "variant-without-uri", Must, "4.4.6.2", "EXT-X-STREAM-INF is followed by a URI.", "write the URI of its media playlist behind it";
    URI_WITHOUT_VARIANT = "uri-without-variant", Must, "4.4.6.2", "A URI in a multivariant playlist follows EXT-X-STREAM-INF.", "write EXT-X-STREAM-INF before it";
    AVERAGE_OVER_PEAK = "average-over-peak", Must, "4.4.6.2", "AVERAGE-BANDWIDTH is at most BANDWIDTH.", "measure both again";
    CODECS_MISSING = "codecs-missing", Should, "4.4.6.2", "A variant has CODECS.", "add CODECS";
    CODECS_FORM = "codecs-form", Must, "4.4.6.2", "CODECS is a list of formats as in RFC 6381.", "write it as avc1.64001f,mp4a.40.2";
    RESOLUTION_MISSING = "resolution-missing", Should, "4.4.6.2", "A variant with video has RESOLUTION.", "add RESOLUTION";
    FRAME_RATE_MISSING = "frame-rate-missing", Should, "4.4.6.2", "A variant with video has FRAME-RATE.", "add FRAME-RATE";
    SCORE_PARTIAL = "score-partial", Should, "4.4.6.2", "All variants have a SCORE, or none.", "give all of them a SCORE";
    GROUP_UNKNOWN = "group-unknown", Must, "4.4.6.2", "A group that a variant names has members of its type.", "add EXT-X-MEDIA with this GROUP-ID and TYPE";
    GROUP_UNUSED = "group-unused", Should, "4.4.6.2.1", "A group belongs to a variant.", "name it in EXT-X-STREAM-INF, or leave it out";
    CAPTIONS_NONE = "closed-captions-none", Must, "4.4.6.2", "CLOSED-CAPTIONS=NONE is in all variants or in none.", "write it in every EXT-X-STREAM-INF";
    MEDIA_URI = "media-uri", Must, "4.4.6.2.1", "Subtitles have a URI, and closed captions have none.", "add it, or leave it out";
    INSTREAM_ID = "instream-id", Must, "4.4.6.1", "Closed captions have an INSTREAM-ID of CC1 to CC4 or SERVICE1 to SERVICE63.", "give it one of these";
    MEDIA_OF_OTHER_TYPE = "media-attribute-of-other-type", Must, "4.4.6.1", "FORCED is of subtitles; CHANNELS, BIT-DEPTH and SAMPLE-RATE are of audio.", "leave it out";
    NAME_REPEATED = "name-repeated", Must, "4.4.6.1.1", "Members of a group have different names.", "give it another NAME";
    DEFAULT_REPEATED = "default-repeated", Must, "4.4.6.1.1", "One member of a group is the default.", "leave DEFAULT=YES to one of them";
    DEFAULT_UNSELECTED = "default-not-autoselect", Must, "4.4.6.1", "AUTOSELECT of the default is YES, where it is there.", "write AUTOSELECT=YES";
    AUTOSELECT_ALIKE = "autoselect-alike", Should, "4.4.6.1.1", "Members that are selected by themselves can be told apart.", "give them different languages or characteristics";
    GROUPS_DIFFER = "groups-differ", Must, "4.4.6.1.1", "Groups of one type have the same members with the same attributes.", "give each group the same members";
    CHANNELS_MISSING = "channels-missing", Should, "4.4.6.1", "Audio renditions have CHANNELS.", "add CHANNELS";
    SESSION_DATA_FORM = "session-data-form", Must, "4.4.6.4", "Session data has either VALUE or URI.", "give one of the two";
    SESSION_DATA_REPEATED = "session-data-repeated", Must, "4.4.6.4", "Session data of an ID and language comes once.", "leave one of them out";
    SESSION_KEY_NONE = "session-key-none", Must, "4.4.6.5", "A session key has a method.", "leave the tag out";
    SESSION_KEY_REPEATED = "session-key-repeated", Must, "4.4.6.5", "A session key comes once.", "leave one of them out";
    PATHWAY_UNKNOWN = "pathway-unknown", Must, "4.4.6.6", "The first pathway is one that has variants.", "name the pathway of a variant";
    PATHWAY_FORM = "pathway-form", Must, "7.2", "A pathway's ID is made of letters, digits, '.', '-' and '_'.", "rename the pathway";
    PATHWAYS_DIFFER = "pathways-differ", Should, "4.4.6.2", "Every pathway has the same variants.", "offer each variant on each pathway";

    // Of two loads of one media playlist.
    SEQUENCE_BACK = "sequence-back", Must, "6.2.2", "The media sequence and the discontinuity sequence never go back.", "never serve an older playlist behind a newer one";
    PLAYLIST_SHRANK = "playlist-shrank", Must, "6.2.1", "Segments are only added at the end.", "never serve an older playlist behind a newer one";
    NUMBER_OF_OTHER = "segment-changed", Must, "6.2.1", "The segment of a number stays what it is.", "never reuse a number; raise EXT-X-MEDIA-SEQUENCE by one for each segment that is removed";
    SEGMENT_MOVED = "segment-moved", Must, "6.2.1", "The URI of a segment stays what it is.", "keep the URI, or offer the other place by content steering";
    SEGMENT_DURATION = "segment-duration-changed", Must, "6.2.1", "The duration of a segment stays what it is.", "keep EXTINF";
    SEGMENT_DATE = "segment-date-changed", Must, "6.2.1", "The date of a segment stays what it is.", "keep EXT-X-PROGRAM-DATE-TIME";
    SEGMENT_KEY = "segment-key-changed", Must, "6.2.3", "The key of a segment stays what it is.", "keep EXT-X-KEY, also where the segments before are removed";
    SEGMENT_MAP = "segment-map-changed", Must, "6.2.1", "The EXT-X-MAP of a segment stays what it is.", "keep EXT-X-MAP, also where the segments before are removed";
    SEGMENT_GAP = "segment-gap-changed", Must, "6.2.1", "A segment that is a gap stays one, and no other becomes one.", "list a segment when it is known whether it is there";
    DISCONTINUITY_COUNT = "discontinuity-sequence", Must, "6.2.2", "The discontinuity sequence number of a segment stays what it is.", "raise EXT-X-DISCONTINUITY-SEQUENCE by one for each EXT-X-DISCONTINUITY that is removed";
    REMOVED_TOO_MUCH = "removed-below-three-targets", Must, "6.2.2", "Segments are not removed where less than three target durations would be left.", "keep more segments";
    TYPED_REMOVED = "typed-playlist-removed", Must, "6.2.2", "Nothing is removed from a playlist with EXT-X-PLAYLIST-TYPE.", "leave EXT-X-PLAYLIST-TYPE out, or keep all segments";
    VOD_CHANGED = "vod-changed", Must, "6.2.1", "A playlist of type VOD never changes.", "leave the type out, or make it EVENT, until the playlist has ended";
    ENDED_CHANGED = "ended-changed", Must, "4.4.3.4", "Behind EXT-X-ENDLIST nothing is added, and it is not taken back.", "write EXT-X-ENDLIST with the last segment only";
    TYPE_CHANGED = "playlist-type-changed", Must, "6.2.1", "EXT-X-PLAYLIST-TYPE stays what it is.", "keep the type";
    TARGET_CHANGED = "target-changed", Must, "6.2.1", "The target duration stays what it is.", "keep EXT-X-TARGETDURATION for the playlist's life";
    PART_TARGET_CHANGED = "part-target-changed", Must, "6.2.1", "The part target duration stays what it is.", "keep PART-TARGET for the playlist's life";
    CONTROL_CHANGED = "server-control-changed", Must, "6.2.1", "EXT-X-SERVER-CONTROL stays what it is until the playlist ends.", "keep its attributes";
    PART_CHANGED = "part-changed", Must, "6.2.1", "A part that was listed stays what it is.", "keep its URI, duration and marks";
    PART_REMOVED = "part-removed-early", Must, "6.2.2", "Parts are removed from the front, and when they are three target durations from the end.", "keep them longer";
    RANGE_CHANGED = "daterange-changed", Must, "4.4.5.1", "Attributes of a date range stay what they are; others may be added.", "use a new ID for what has changed";
    RANGE_REMOVED = "daterange-removed", Must, "6.2.1", "A date range stays while there are segments within it.", "keep it until its last segment is removed";
    UPDATE_LATE = "update-late", Must, "6.2.1", "A segment is added within one and a half target durations.", "publish in time, or list a gap";
    HINT_BROKEN = "hint-not-kept", Should, "4.4.5.3", "What is hinted at is listed next.", "hint at the URI that the part will have";
    DELTA_BEYOND = "delta-beyond", Must, "6.2.5.1", "A delta update skips only what the earlier playlist had.", "skip less";
    DELTA_DIFFERS = "delta-differs", Must, "6.2.5.1", "The earlier playlist with a delta update is the whole playlist.", "leave nothing out that was not skipped";

    // Of the playlists of one presentation.
    RENDITION_TARGET = "renditions-target", Must, "6.2.4", "All media playlists have the same target duration.", "use one target duration";
    RENDITION_TYPE = "renditions-type", Must, "6.2.4", "All media playlists have the same EXT-X-PLAYLIST-TYPE.", "give all of them the same type";
    RENDITION_CONTROL = "renditions-control", Must, "6.2.4", "All media playlists have the same EXT-X-SERVER-CONTROL.", "give all of them the same attributes";
    RENDITION_DATES = "renditions-dates", Must, "6.2.4", "All media playlists have dates, or none.", "date the segments of all";
    RENDITION_DISCONTINUITY = "renditions-discontinuity", Must, "6.2.4", "Content of one time has one discontinuity sequence number in all media playlists.", "mark the same discontinuities in all of them";
    RENDITION_RANGES = "renditions-dateranges", Must, "6.2.4", "Media playlists with date ranges have the same ones.", "list the same date ranges, or none";
    RENDITION_SEQUENCE = "renditions-sequence", Should, "4.4.5.4", "Segments of one time have one number in all media playlists of a low-latency presentation.", "number segments by their time";
    RENDITION_REPORT = "report-wrong", Must, "4.4.5.4", "A rendition report says what the rendition lists.", "make both of one state";
    RENDITION_UNREPORTED = "report-missing", Should, "B.1", "A live playlist with parts has a report of every other media playlist.", "add EXT-X-RENDITION-REPORT";
    RENDITION_KIND = "renditions-kind", Must, "4.4.6.2", "A variant's URI is that of a media playlist, and EXT-X-I-FRAME-STREAM-INF's of one of I-frames.", "lead to a media playlist of the right kind";
    TAG_IN_BOTH = "tag-in-both", Should, "4.4.2.1", "EXT-X-INDEPENDENT-SEGMENTS and EXT-X-START are in the multivariant playlist or in the media playlists.", "leave it out of the media playlists";
    SESSION_KEY_DIFFERS = "session-key-differs", Must, "4.4.6.5", "A session key agrees with the EXT-X-KEY of its URI.", "give both the same METHOD, KEYFORMAT and KEYFORMATVERSIONS";

    // Of what is fetched.
    UNAVAILABLE = "unavailable", Must, "6.2.1", "What is listed can be fetched.", "list it when it is there, or mark it by EXT-X-GAP";
    CONTENT_TYPE = "content-type", Must, "4", "A playlist's path ends with .m3u8 or .m3u, or its type is application/vnd.apple.mpegurl or audio/mpegurl.", "send the Content-Type";
    RELOAD_IGNORED = "reload-ignored", Must, "6.2.5.2", "A blocking request is answered with what it asks for.", "hold the request until the segment or part is there";
    SKIP_IGNORED = "skip-ignored", Must, "6.2.5.1", "A request for a delta update is answered with one.", "answer _HLS_skip=YES with EXT-X-SKIP, or leave CAN-SKIP-UNTIL out";
    KEY_FILE = "key-file", Must, "5.1", "A key file is the key's bytes.", "answer with the 16 bytes of the key";
    INIT_UNREADABLE = "init-unreadable", Must, "3.1.2", "A media initialization section is a movie box with its tracks.", "write ftyp and moov, with mvex";
    CODECS_DIFFER = "codecs-differ", Must, "4.4.6.2", "CODECS has the format of each track, with its profile and at least its level, and none that no track has.", "write what the sample entries say";
    RESOLUTION_DIFFERS = "resolution-differs", Should, "4.4.6.2", "RESOLUTION is the size of the picture.", "write the size that the media initialization section has";
    MEDIA_UNREADABLE = "media-unreadable", Must, "3.1.2", "An fMP4 segment is movie fragments of the tracks that EXT-X-MAP has.", "write moof and mdat with tfdt, encrypted with the key that is listed";
    MEDIA_DURATION = "media-duration", Should, "4.4.4.1", "EXTINF is how long the media is, to a frame; the last one of all, to two.", "write the media's duration";
    MEDIA_START = "media-start", Must, "4.4.4.3", "Where there is no discontinuity, a segment's media begins where the last one's ends, to a frame.", "mark the jump by EXT-X-DISCONTINUITY";
    MEDIA_DEPENDENT = "media-not-independent", Must, "4.4.2.1", "With EXT-X-INDEPENDENT-SEGMENTS, a segment's video begins with a key frame.", "cut at key frames, or leave the tag out";
    FRAME_ALONE = "i-frame-not-alone", Must, "4.4.3.6", "A segment of a playlist of I-frames is one key frame.", "list key frames only, each by itself";
    BITRATE_OFF = "bitrate-off", Must, "4.4.4.8", "EXT-X-BITRATE is within a tenth of a segment's bit rate.", "measure it again";
    OVER_BANDWIDTH = "over-bandwidth", Should, "4.4.6.2", "The bit rate of a segment that is at least half a target duration long is at most the variant's BANDWIDTH, that of its sound included.", "raise BANDWIDTH, or bound the encoder";
}
