//! Railbird's origin: ingest from venue encoders, packaging, score, delivery to several targets, and the embedded edge.
//!
//! What decides is in `railbird-core`, without I/O; here are the sockets, the disk and the tasks around it. Nothing
//! downstream of the local disk can slow an ingest, a score feed or a recording.

pub mod api;
mod assets;
pub mod burn;
pub mod calibrate;
pub mod clip;
pub mod clock;
pub mod config;
pub mod crew;
pub mod delivery;
pub mod demo;
pub mod driver;
pub mod edge_host;
pub mod edge_push;
pub mod evidence;
pub mod export;
mod ffmpeg;
mod http_server;
pub mod ingest;
pub mod journal;
pub mod keys;
pub mod ladder;
mod lines;
pub mod lint;
pub mod other;
pub mod pass;
pub mod publisher;
pub mod push;
pub mod recorded;
mod redact;
pub mod score;
pub mod scorer;
pub mod serve;
pub mod spool;
mod spreadsheet;
pub mod store;
pub mod systems;
pub mod targets;
pub mod telemetry;
pub mod thumbnails;
pub mod verify;
pub mod web;
pub mod when;
