//! What Railbird's origin and edge agree on, and all media logic: no sockets, no files, no clock.
//!
//! Every state machine here is driven in one shape: `handle(input, now)`, then `poll()` until it returns
//! `None`. Time and randomness are arguments. The crate is `no_std` + `alloc`, so the compiler keeps it so.
//!
//! Rooms, in the order in which a feed's bytes walk through them:
//!
//! | room | decides |
//! | --- | --- |
//! | [`rtmp`], [`flv`], [`srt`], [`ts`] | how a venue encoder's bytes become frames |
//! | [`codec`] | what the codec parameters say |
//! | [`captions`] | which closed captions come with the pictures |
//! | [`timeline`] | where a feed's timestamps lie in epoch media time |
//! | [`programme`] | which of a channel's feeds is used |
//! | [`segment`] | where to cut |
//! | [`fmp4`] | the boxes of an init segment and of a segment |
//! | [`object`], [`keys`] | what an object is called and with which key it is encrypted |
//! | [`package`] | the walk through the rooms above, from samples to objects |
//! | [`sound`] | which sound tracks are renditions, and in which languages |
//! | [`recording`] | what a recording's journal says: every object, its hash, who has it |
//! | [`publish`] | what may be listed |
//! | [`state`], [`playlist`] | the snapshot that the edge gets, and the text made from it |
//! | [`lint`] | whether a playlist, ours or not, is as RFC 8216bis wants it |
//! | [`score`] | the score log and what is shown of it |
//! | [`calibration`] | how late a picture is, by a code of the time that it shows |
//! | [`pass`] | what a pass says, and how its password and its code are told |
//! | [`session`] | where a request carries its session's token |
//! | [`sign`] | how the origin and the operator prove who they are to the edge |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod calibration;
pub mod captions;
pub mod cmaf;
pub mod codec;
pub mod companion;
pub mod flv;
pub mod fmp4;
pub mod hash;
pub mod hex;
pub mod id;
pub mod keys;
pub mod ladder;
pub mod lint;
pub mod media;
pub mod object;
pub mod package;
pub mod pass;
pub mod playlist;
pub mod programme;
pub mod publish;
pub mod recording;
pub mod rtmp;
pub mod rtp;
pub mod score;
pub mod scte35;
pub mod segment;
pub mod session;
pub mod sign;
pub mod silence;
pub mod sound;
pub mod srt;
pub mod state;
pub mod time;
pub mod timeline;
pub mod ts;
pub mod web;
