//! Which pages of other origins may read the edge's answers (Fetch, HTTP-CORS protocol).
//!
//! Those that the operator lists in `cors_origins`, each by its exact origin, with cookies; there is no wildcard. A token
//! in the path is all that a player needs, from whichever site: what has one in its path is for everybody, without cookies.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use railbird_core::web;

use crate::http::{Request, Response};
use crate::live::CHOICE;
use crate::settings::Settings;

/// For how long a browser need not ask again, in seconds.
const MAX_AGE_S: &str = "600";

/// Reads the setting: origins as browsers send them, with spaces or commas between. `None` where one is not an origin.
pub(crate) fn read(text: &str) -> Option<Vec<String>> {
    let origins = text.split([' ', ',']).filter(|origin| !origin.is_empty());
    let origins = origins.map(|origin| web::is_origin(origin).then(|| origin.to_string()));
    origins.collect::<Option<Vec<String>>>().filter(|origins| origins.len() <= web::ORIGINS_MAX)
}

/// The origin of a request, if the operator lists it.
pub(crate) fn allowed<'a>(settings: &'a Settings, request: &Request) -> Option<&'a str> {
    let origin = request.header("origin")?;
    settings.cors_origins.iter().find(|allowed| *allowed == origin).map(|allowed| &**allowed)
}

/// Whether a page of another origin may ask for this at all, where its origin is listed.
fn is_shared(path: &str) -> bool {
    ["/api/", "/live/", "/replay/", "/key/", "/steer/"].iter().any(|start| path.starts_with(start))
}

/// The answer to a browser that asks whether it may ask; `None` where it does not, or may not.
pub(crate) fn preflight(settings: &Settings, request: &Request) -> Option<Response> {
    let asks = request.method == "OPTIONS" && request.header("access-control-request-method").is_some();
    if !asks || !is_shared(&request.path) {
        return None;
    }
    allowed(settings, request)?;
    let response = Response::new(204)
        .with("access-control-allow-methods", "GET, HEAD, POST")
        .with("access-control-allow-headers", "content-type")
        .with("access-control-max-age", MAX_AGE_S);
    Some(response)
}

/// Adds to an answer who may read it.
pub(crate) fn share(settings: &Settings, request: &Request, response: Response) -> Response {
    if request.path.starts_with("/t/") {
        return exposed(response.with("access-control-allow-origin", "*"));
    }
    if settings.cors_origins.is_empty() || !is_shared(&request.path) {
        return response;
    }
    let response = response.with("vary", "origin");
    match allowed(settings, request) {
        Some(origin) => exposed(response)
            .with("access-control-allow-origin", origin)
            .with("access-control-allow-credentials", "true"),
        None => response,
    }
}

/// Whoever may read an answer may read what a playlist says of what there is to choose from.
fn exposed(response: Response) -> Response {
    match response.headers.iter().any(|(name, _)| name == CHOICE) {
        true => response.with("access-control-expose-headers", CHOICE),
        false => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let two = read("https://www.railbird.test http://127.0.0.1:8080").unwrap();
        assert_eq!(two, ["https://www.railbird.test", "http://127.0.0.1:8080"]);
        assert_eq!(read("https://a.test,https://b.test, http://[::1]:81").unwrap().len(), 3);
        assert_eq!(read(" ").unwrap().len(), 0);
        for bad in [
            "*",
            "null",
            "www.railbird.test",
            "https://",
            "https://*.railbird.test",
            "https://www.railbird.test/",
            "https://WWW.railbird.test",
            "https://www.railbird.test:443",
            "http://www.railbird.test:80",
            "https://user@railbird.test",
            "ftp://railbird.test",
            "https://a.test\nhttps://b.test",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&"https://a.test ".repeat(17)), None);
    }
}
