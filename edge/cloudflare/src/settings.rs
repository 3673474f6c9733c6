//! Settings from the Worker's variables and secrets.

use worker::Env;

/// The value of a setting: the variable or secret of its name in upper case. What is needed is the edge's to say.
pub(crate) fn read(env: &Env, name: &str) -> Option<String> {
    env.secret(&name.to_ascii_uppercase()).ok().map(|value| value.to_string())
}
