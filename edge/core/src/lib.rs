//! Railbird's edge: everything at the edge that has an opinion, without a runtime.
//!
//! An adapter (Cloudflare Workers, Spin) turns a host request into a [`Request`], gives the [`Moment`] and a
//! [`Store`], and turns the [`Response`] back. Policy is never in an adapter.
//!
//! ```
//! use railbird_edge::memory::MemoryStore;
//! use railbird_edge::{Edge, Moment, Request, Settings};
//! use railbird_core::time::UtcMs;
//!
//! # async fn example() {
//! let settings = Settings::read(|name| name.ends_with("_secret").then(|| format!("{name} of 16 bytes")));
//! let edge = Edge::new(settings, MemoryStore::default());
//! let request = Request { method: "GET".into(), path: "/healthz".into(), ..Request::default() };
//! let moment = Moment { now: UtcMs(1_795_171_920_040), entropy: [7; 32] };
//! let response = edge.handle(request, &moment).await;
//! # }
//! ```
//!
//! A request walks through [`edge`](Edge): its path becomes a route, its session is checked, one module answers.
//!
//! | room | decides |
//! | --- | --- |
//! | `router` | what a path stands for |
//! | [`settings`] | whether the edge can work at all |
//! | [`passes`], [`login`], `device`, `limits` | who gets a session |
//! | `reset` | who gets another password |
//! | [`token`], [`session`], `holder` | whether a request has one that lives |
//! | `screens`, `lease`, `pace` | which devices play, and how fast they draw keys |
//! | `guard`, `cors` | which pages of other sites may ask |
//! | `channels`, `live`, `replay`, `keys`, `steer`, `score`, `matches`, `ranges` | what of a channel a session gets |
//! | `stretch` | how much of a recording somebody asks for |
//! | `wait`, `parts` | when a playlist or a part that is asked for ahead of time is answered, and where a part is |
//! | `events` | when news of the score is told |
//! | [`instance`] | what is remembered between requests, and how many wait |
//! | `origins` | when the origins are asked, since they are not heard |
//! | [`health`] | which nodes viewers may be sent to |
//! | [`copies`] | what a host gives that keeps copies near readers, and when it asks for newer ones |
//! | `turn` | how often something is done that anybody's request may do |
//! | [`line`](mod@line) | who is told of nodes at once, and what |
//! | [`routing`] | which node comes first |
//! | [`intake`] | what the origin and the operator may store |
//! | [`change`] | what becomes of a value when something is said of it |
//! | `pages` | what a person sees |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod cells;
pub mod change;
mod channels;
pub mod copies;
mod cors;
mod device;
mod edge;
mod errors;
mod events;
mod guard;
pub mod health;
mod holder;
pub mod http;
pub mod instance;
pub mod intake;
mod keys;
mod lease;
mod limits;
pub mod line;
mod live;
pub mod login;
mod matches;
pub mod memory;
mod origins;
mod pace;
mod pages;
mod parts;
pub mod passes;
pub mod port;
mod ranges;
mod replay;
mod reset;
mod router;
pub mod routing;
mod score;
mod screens;
mod sealed;
pub mod session;
pub mod settings;
mod steer;
mod stretch;
#[cfg(test)]
mod tests;
pub mod token;
mod turn;
mod wait;

pub use edge::Edge;
pub use http::{Request, Response};
pub use instance::Instance;
pub use port::{
    Cell, Courier, Errand, FetchBounds, FetchError, Fetched, Moment, Store, StoreError, Table, Wait, Waited,
    Watch,
};
pub use settings::{Settings, SettingsError};
