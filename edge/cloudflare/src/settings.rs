//! Settings from the Worker's variables and secrets.

use std::cell::OnceCell;

use railbird_edge::Settings;
use railbird_edge::settings::SettingsError;
use worker::Env;

/// The settings. Where they are right they are read once in an isolate's life, which saves a call to the host for each: other
/// ones come with isolates of their own. Where they are wrong, each request looks again.
pub(crate) fn settings(env: &Env) -> Result<Settings, SettingsError> {
    thread_local! {
        static READ: OnceCell<Settings> = const { OnceCell::new() };
    }
    READ.with(|known| {
        if let Some(settings) = known.get() {
            return Ok(settings.clone());
        }
        let settings = Settings::read(|name| read(env, name))?;
        Ok(known.get_or_init(|| settings).clone())
    })
}

/// The value of a setting: the variable or secret of its name in upper case. What is needed is the edge's to say.
fn read(env: &Env, name: &str) -> Option<String> {
    env.secret(&name.to_ascii_uppercase()).ok().map(|value| value.to_string())
}
