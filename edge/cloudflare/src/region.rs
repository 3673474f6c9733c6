//! Where on the earth a request came in, as far as the runtime says it.

use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;

/// Where objects for its readers should live: one of Cloudflare's location hints; `None` where the runtime says nothing
/// of the place.
pub(crate) fn hint(request: &worker::Request) -> Option<&'static str> {
    let cf = field(request.inner().as_ref(), "cf")?;
    let continent = continent(request)?;
    // Degrees, as text.
    let longitude = field(&cf, "longitude").and_then(|value| value.as_string()?.parse::<f64>().ok());
    hint_of(&continent, longitude.unwrap_or_default())
}

/// The two letters of the continent.
pub(crate) fn continent(request: &worker::Request) -> Option<String> {
    let cf = field(request.inner().as_ref(), "cf")?;
    field(&cf, "continent")?.as_string()
}

/// The hint of this name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    ["afr", "me", "apac", "weur", "eeur", "wnam", "enam", "oc", "sam"].into_iter().find(|hint| *hint == name)
}

/// A field of an object that may not be there; the SDK's own getters unwind in that case.
fn field(of: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(of, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// The hint for the place on a continent, given by its two letters in either case.
pub(crate) fn hint_of(continent: &str, longitude: f64) -> Option<&'static str> {
    Some(match &*continent.to_ascii_uppercase() {
        "AF" => "afr",
        "AS" if longitude < 60.0 => "me",
        "AS" => "apac",
        "EU" if longitude < 15.0 => "weur",
        "EU" => "eeur",
        "NA" if longitude < -100.0 => "wnam",
        "NA" => "enam",
        "OC" => "oc",
        "SA" => "sam",
        _ => return None,
    })
}
