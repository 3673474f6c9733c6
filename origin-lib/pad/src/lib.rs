//! The scorer's pad: what its page asks of the rules.
//!
//! The page (beside this crate, in `page/`) holds events, sends them and shows the score; it knows no rule. Every figure that it
//! shows, and every reason why something can't be entered, comes from [`railbird_core::score`], which runs in the page as
//! Wasm. One question is one JSON object, `do` says which, and so is its answer:
//!
//! | question | answer |
//! | --- | --- |
//! | `{"do":"disciplines"}` | `{"disciplines":[{"id":"three-cushion", …its rules},…]}` |
//! | `{"do":"load","events":[{"epoch","seq","event"},…]}` | the view; what was there is gone |
//! | `{"do":"add","events":[…]}` | the view, with these behind |
//! | `{"do":"enter","epoch":1,"occurred":0,"action":{…}}` | `{"entered":[{"epoch","seq","event"}],"view":{…}}`: the event to send, with its claim |
//! | `{"do":"check","epoch":1,"occurred":0,"actions":[…]}` | `{"refusals":[null,"why not",…]}`, one for each |
//! | `{"do":"requeue","epoch":2,"events":[…],"without":[{"epoch","seq"},…]}` | `{"entered":[…],"refused":[{"epoch","seq","event","why"},…],"view":{…}}`: the events, which the log does not have, as its next ones |
//!
//! The view is `{"view":{"last","start","rules","state","undo","history"}}`. What can't be done is `{"refused":"why not"}`, and
//! leaves everything as it was.

#[cfg(target_arch = "wasm32")]
pub mod abi;
mod pad;
mod view;

pub use pad::Pad;

#[cfg(test)]
mod tests;
