//! The score after an event, and what a scorer's own program says that it is.

use alloc::string::String;

use serde::{Deserialize, Deserializer, Serialize};

use super::side::Side;
use crate::time::UtcMs;

/// Where a match stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is played.
    Playing,
    /// A set, rack or frame is over, its score in sight. The next one begins by itself when play goes on.
    Between,
    /// A tie, which further innings decide. Their points are counted apart.
    Extension,
    /// A tie, which a shootout decides.
    Shootout,
    /// It is over.
    Finished,
}

/// The ball that a side plays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ball {
    /// The white one.
    White,
    /// The yellow one.
    Yellow,
}

/// A shot clock, without ticks: whoever shows it counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShotClock {
    /// Whether it runs.
    pub running: bool,
    /// When it is down to zero, by the scorer's clock, in UTC milliseconds; `null` while it stands.
    pub deadline: Option<UtcMs>,
    /// What was left of it when the last event that stands occurred, in milliseconds; in an entry of the document, at the
    /// entry's `at`.
    pub remaining_ms: u64,
}

/// Play rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Since when, by the scorer's clock, in UTC milliseconds.
    pub since: UtcMs,
    /// Until when, where that is known: the end of a time-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMs>,
    /// Whose time-out it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The scorer's own code for why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A state, and the claim of any part of it, from one list: so no figure is without its claim.
///
/// A figure is read with `figure` where a claimed `null` claims nothing, with `stated` where it claims that there is none.
macro_rules! claimable {
    (
        $(#[$whole_meta:meta])* $whole:ident, $(#[$claim_meta:meta])* $claim:ident {
            $($(#[$meta:meta])* $field:ident: $kind:ty as $read:literal,)*
        }
        $(parts { $($(#[$part_meta:meta])* $part:ident: $part_kind:ty as $part_claim:ty,)* })?
    ) => {
        $(#[$whole_meta])*
        pub struct $whole {
            $($(#[$meta])* pub $field: $kind,)*
            $($($(#[$part_meta])* pub $part: $part_kind,)*)?
        }

        $(#[$claim_meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $claim {
            $(
                #[doc = concat!("See [`", stringify!($whole), "::", stringify!($field), "`].")]
                #[serde(deserialize_with = $read, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$kind>,
            )*
            $($(
                #[doc = concat!("See [`", stringify!($whole), "::", stringify!($part), "`].")]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $part: Option<$part_claim>,
            )*)?
        }

        impl $claim {
            /// Whether everything that is claimed is so.
            pub fn agrees(&self, with: &$whole) -> bool {
                $(self.$field.as_ref().is_none_or(|claimed| *claimed == with.$field))&&*
                $($(&& self.$part.iter().flatten().zip(&with.$part).all(|(claimed, is)| claimed.agrees(is)))*)?
            }
        }
    };
}

fn figure<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(json)
}

fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(json).map(Some)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

claimable! {
    /// The score after an event. What a game does not have is left out of its JSON.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    State,
    /// What a scorer's own program shows: a [`State`], or any part of one. A stated `null` claims that there is none, an
    /// absent field claims nothing.
    Claim {
        /// Where the match stands.
        phase: Phase as "figure",
        /// The inning that is played, or was played last, of the present set or frame; the first is 1. 0 where turns
        /// are not counted.
        inning: u32 as "figure",
        /// Who plays now, or next; in a shootout only where it follows from the turns, and where turns are not counted
        /// only where the scorer says so.
        at_table: Option<Side> as "stated",
        /// Who won, once the match is finished.
        winner: Option<Side> as "stated",
        /// The number of the set, rack or frame that is played, or was played last; the first is 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<u32> as "stated",
        /// Who began that set, rack or frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        breaks: Option<Side> as "stated",
        /// The number of the rack within a match to points (14.1); the first is 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rack: Option<u32> as "stated",
        /// A side has passed half of its target, and the inning is over: the break at half is due. Play that goes on
        /// takes it away.
        #[serde(default, skip_serializing_if = "is_false")]
        break_due: bool as "figure",
        /// Play rests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paused: Option<Pause> as "stated",
        /// The shot clock, in games that have one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shot_clock: Option<ShotClock> as "stated",
    }
    parts {
        /// Each side's figures.
        sides: [SideState; 2] as [ClaimSide; 2],
    }
}

claimable! {
    /// One side's figures. Points, run and innings are of the present set, rack or frame; high run and average of the
    /// whole match.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    SideState,
    /// A [`SideState`], or any part of one.
    #[derive(Copy)]
    ClaimSide {
        /// Points; below zero only where the rules allow it.
        points: i32 as "figure",
        /// Points of the present inning, or of the last one where the other side is at the table.
        run: u32 as "figure",
        /// The best run, the present one included.
        high_run: u32 as "figure",
        /// Innings begun, the present one included.
        innings: u32 as "figure",
        /// Points per inning × 1000, cut as result lists do: 2 points in 3 innings are 666.
        average_milli: i32 as "figure",
        /// Points of the shootout, once this side had a turn.
        shootout: Option<u32> as "stated",
        /// Points of the extension, once there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extension: Option<u32> as "stated",
        /// Sets, racks or frames won.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        won: Option<u32> as "stated",
        /// Points of all sets or frames.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total_points: Option<i32> as "stated",
        /// Innings of all sets or frames.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total_innings: Option<u32> as "stated",
        /// The ball it plays with, where the start says who has the white one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ball: Option<Ball> as "stated",
        /// Fouls of the present set, rack or frame.
        #[serde(default, skip_serializing_if = "is_zero")]
        fouls: u32 as "figure",
        /// Fouls since this side's last good shot, as far as the scorer enters them.
        #[serde(default, skip_serializing_if = "is_zero")]
        fouls_in_row: u32 as "figure",
        /// Extensions of the shot clock that are left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extensions_left: Option<u32> as "stated",
        /// Time-outs that are left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_outs_left: Option<u32> as "stated",
    }
}

/// How a set, rack or frame ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitResult {
    /// Who won it; `null` where it was drawn.
    pub winner: Option<Side>,
    /// Points of each side.
    pub points: [i32; 2],
    /// Innings of each side; 0 where turns are not counted.
    pub innings: [u32; 2],
}
