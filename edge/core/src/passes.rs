//! Passes as an edge keeps them: who may watch what, and when.

pub(crate) mod admin;

use alloc::string::String;

use railbird_core::hex;
use railbird_core::pass::{self, Listed};
pub use railbird_core::pass::{CHANNELS_MAX, Coverage, CoverageError, EMAIL_LEN_MAX, PassId, PassIdError};
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::change::{Applied, Keep, json};
use crate::intake::{Verdict, unchanged};
use crate::reset;

/// A pass as the store keeps it. What earlier versions kept has neither address, screens, locale nor note.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// The holder's address; never in a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// PHC string of the password; a pass that a code opens has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_hash: Option<String>,
    /// A code opens it: its id is the code's.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) by_code: bool,
    pub(crate) channels: Coverage,
    pub(crate) valid_from: UtcMs,
    pub(crate) valid_until: UtcMs,
    /// On how many screens it plays at a time.
    #[serde(default = "pass::screens_default")]
    pub(crate) screens: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) revoked: bool,
    /// When the operator signed it: an older push, sent again, does not bring an older pass back.
    pub(crate) signed: UtcMs,
}

impl Pass {
    /// What the operator said, and when.
    fn new(said: pass::Pass, signed: UtcMs) -> Pass {
        let pass::Pass {
            email,
            password_hash,
            code_hash,
            channels,
            valid_from,
            valid_until,
            screens,
            locale,
            note,
            revoked,
        } = said;
        let by_code = code_hash.is_some();
        Pass {
            email,
            password_hash,
            by_code,
            channels,
            valid_from,
            valid_until,
            screens,
            locale,
            note,
            revoked,
            signed,
        }
    }

    /// As it is listed for the operator.
    fn listed(self, id: PassId, with_hash: bool) -> Listed {
        let pass = pass::Pass {
            email: self.email,
            password_hash: self.password_hash.filter(|_| with_hash),
            code_hash: self.by_code.then(|| id.clone()),
            channels: self.channels,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            screens: self.screens,
            locale: self.locale,
            note: self.note,
            revoked: self.revoked,
        };
        Listed { id, pass }
    }

    /// Whether it holds at this moment.
    pub(crate) fn holds(&self, now: UtcMs) -> bool {
        !self.revoked && self.valid_from <= now && now < self.valid_until
    }
}

pub(crate) fn change(kept: Option<Pass>, said: &[u8]) -> Applied {
    let Ok(pass) = serde_json::from_slice::<Pass>(said) else { return unchanged(Verdict::Unreadable) };
    match kept {
        Some(kept) if kept.signed > pass.signed => unchanged(Verdict::Kept(kept.signed.0)),
        _ => Applied::new(Keep::Value(said.to_vec(), None), &Verdict::New),
    }
}

/// When the operator signed that a pass is taken back.
#[derive(Serialize, Deserialize)]
struct Revocation {
    signed: UtcMs,
}

/// The answer is `None` where there is no such pass.
pub(crate) fn change_revoked(kept: Option<Pass>, said: &[u8]) -> Applied {
    let Ok(Revocation { signed }) = serde_json::from_slice(said) else {
        return Applied::new(Keep::AsIs, &Some(Verdict::Unreadable));
    };
    match kept {
        None => Applied::new(Keep::AsIs, &None::<Verdict>),
        // Issued again since: an old revocation, sent again, does not take that back.
        Some(kept) if kept.signed > signed => Applied::new(Keep::AsIs, &Some(Verdict::Kept(kept.signed.0))),
        Some(kept) => {
            let revoked = Pass { revoked: true, signed, ..kept };
            Applied::new(Keep::Value(json(&revoked), None), &Some(Verdict::New))
        }
    }
}

/// A password in place of another one.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewPassword {
    /// What stands for the other one's hash ([`reset::binding`]), in hexadecimal digits.
    pub(crate) was: String,
    pub(crate) password_hash: String,
    /// When: what the operator signed before does not bring the other one back.
    pub(crate) at: UtcMs,
}

/// The answer says whether the password was the one that is to be replaced, and is replaced.
pub(crate) fn change_password(kept: Option<Pass>, said: &[u8]) -> Applied {
    let nothing = Applied::new(Keep::AsIs, &false);
    let (Some(kept), Ok(NewPassword { was, password_hash, at })) = (kept, serde_json::from_slice(said))
    else {
        return nothing;
    };
    if kept.password_hash.as_deref().map(|hash| hex::encode(&reset::binding(hash))) != Some(was) {
        return nothing;
    }
    let signed = kept.signed.max(at);
    let changed = Pass { password_hash: Some(password_hash), signed, ..kept };
    Applied::new(Keep::Value(json(&changed), None), &true)
}
