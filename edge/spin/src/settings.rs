//! Settings from the component's variables.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use railbird_edge::Settings;
use railbird_edge::settings::{NAMES, SettingsError};
use spin_sdk::variables::{self, Error};

/// The settings. Where they are right they are read once in an instance's life, which saves a host call for each; where
/// they are wrong, each request looks again.
pub(crate) async fn settings() -> Result<Settings, SettingsError> {
    static READ: OnceLock<Settings> = OnceLock::new();
    if let Some(settings) = READ.get() {
        return Ok(settings.clone());
    }
    let mut values = read(&NAMES).await;
    let settings = Settings::read(|name| values.remove(name))?;
    Ok(READ.get_or_init(|| settings).clone())
}

/// The values of the variables that are set, by name. An unset or empty variable is left out; what is needed is the
/// edge's to say.
async fn read(names: &[&'static str]) -> BTreeMap<&'static str, String> {
    let mut values = BTreeMap::new();
    for &name in names {
        match variables::get(name).await {
            Ok(value) if !value.is_empty() => _ = values.insert(name, value),
            Ok(_) | Err(Error::Undefined(_)) => {}
            Err(error) => eprintln!("the variable {name} can't be read: {error}"),
        }
    }
    values
}
