//! Requests and answers, with messages that say what was asked.

use std::time::{SystemTime, UNIX_EPOCH};

use railbird_core::lint::{self, ours};
use railbird_core::sign;
use railbird_core::time::UtcMs;
use railbird_edge::passes::{Coverage, PassId};
use railbird_edge::token::{self, Claims};
use railbird_edge::{Request, Response};
use serde_json::Value;

use super::{Door, VARIABLES};

/// The wall clock.
pub(crate) fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UtcMs(u64::try_from(since.as_millis()).unwrap())
}

/// An edge behind a door.
pub(crate) struct Edge<'a, D> {
    door: &'a D,
}

/// What was asked and what came back.
pub(crate) struct Answer {
    asked: String,
    pub(crate) response: Response,
}

impl Answer {
    /// Every playlist that an edge gives is as RFC 8216bis wants it.
    fn linted(&self) {
        let Response { status, body, .. } = &self.response;
        if *status == 200 && body.starts_with(b"#EXTM3U") {
            let mut left = ours::unexpected(lint::read(body, &lint::Place::default()).findings);
            // Where a target is shorter than the segments, a wait for nothing is short.
            let is_hasty = String::from_utf8_lossy(body).contains("#EXT-X-TARGETDURATION:1\n");
            left.retain(|finding| !is_hasty || finding.rule.id != "segment-over-target");
            assert!(left.is_empty(), "{}: {left:#?}", self.asked);
        }
    }
}

/// A session's token.
pub(crate) struct Session {
    pub(crate) token: String,
}

impl Session {
    /// As the headers of a browser.
    pub(crate) fn cookie(&self) -> (String, String) {
        ("cookie".to_string(), format!("theme=dark; __Host-railbird={}; x=y", self.token))
    }

    /// As the prefix of a path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("/t/{}{path}", self.token)
    }
}

/// The value of one of [`VARIABLES`].
pub(crate) fn variable(name: &str) -> &'static str {
    VARIABLES.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A token under the edges' own secret, of a pass that plays nothing else.
pub(crate) fn mint(channels: &[&str], issued_s: u64, expires_s: u64) -> Session {
    let mut nobody = [0; 8];
    getrandom::fill(&mut nobody).unwrap();
    mint_for(&format!("{}@railbird.test", u64::from_ne_bytes(nobody)), channels, issued_s, expires_s)
}

fn mint_for(email: &str, channels: &[&str], issued_s: u64, expires_s: u64) -> Session {
    let key = token::Key::derive(variable("session_secret").as_bytes());
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    let channels = channels.iter().map(ToString::to_string).collect::<Vec<_>>();
    let claims = Claims {
        pass: PassId::of_email(email).unwrap(),
        channels: Coverage::try_from(channels).unwrap(),
        issued_s,
        expires_s,
        id,
    };
    Session { token: token::mint(&key, &claims) }
}

/// A token that is valid for an hour from now.
pub(crate) fn session(channels: &[&str]) -> Session {
    let now = now().seconds();
    mint(channels, now, now + 3600)
}

/// The same, of the pass with this address.
pub(crate) fn session_of(email: &str, channels: &[&str]) -> Session {
    let now = now().seconds();
    mint_for(email, channels, now, now + 3600)
}

impl<'a, D: Door> Edge<'a, D> {
    pub(crate) fn new(door: &'a D) -> Edge<'a, D> {
        Edge { door }
    }

    /// Asks anything. `path` may have a query.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(String, String)>,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let asked = format!("{method} {path}");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_string(),
            path: path.to_string(),
            query: query.to_string(),
            headers,
            body: body.into(),
            ..Request::default()
        };
        let response = match self.door.call(request).await {
            Ok(response) => response,
            Err(error) => panic!("{asked}: no answer: {error:#}"),
        };
        let answer = Answer { asked, response };
        // True of every answer there is.
        answer.header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer");
        answer.linted();
        answer
    }

    /// Gets as a viewer whose browser has the cookie.
    pub(crate) async fn get(&self, path: &str, session: &Session) -> Answer {
        self.ask("GET", path, vec![session.cookie()], "").await
    }

    /// Gets as a stranger, or with the token in the path.
    pub(crate) async fn get_plain(&self, path: &str) -> Answer {
        self.ask("GET", path, Vec::new(), "").await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, vec![json_type()], body).await
    }

    /// Pushes as the origin.
    pub(crate) async fn push(&self, path: &str, body: &Value) -> Answer {
        self.push_as("origin_secret", path, body).await
    }

    /// Pushes with another secret.
    pub(crate) async fn push_as(&self, secret: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let header = signature(secret, "PUT", path, &body, now().0);
        self.ask("PUT", path, vec![json_type(), header], body).await
    }
}

/// The header of a signed request. `secret` is the name of a variable.
pub(crate) fn signature(secret: &str, method: &str, path: &str, body: &str, at_ms: u64) -> (String, String) {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).unwrap();
    let at = UtcMs(at_ms);
    let value = sign::sign(variable(secret).as_bytes(), method, path, body.as_bytes(), at, nonce);
    (sign::HEADER.to_string(), value)
}

/// The header that says JSON.
pub(crate) fn json_type() -> (String, String) {
    ("content-type".to_string(), "application/json".to_string())
}

impl Answer {
    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    /// Its body as JSON.
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.response.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: not JSON ({error}): {}", self.asked, self.text()),
        }
    }

    /// The values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.response.headers.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// It has this header once, with this value.
    pub(crate) fn header(&self, name: &str, value: &str) -> &Answer {
        assert_eq!(self.headers(name), [value], "{}: header {name}", self.asked);
        self
    }

    /// The value that it sets a cookie to, after the cookie's name and `=`.
    pub(crate) fn cookie(&self, name: &str) -> String {
        let set =
            self.headers("set-cookie").into_iter().find_map(|set| set.strip_prefix(name)?.strip_prefix('='));
        let set = set.unwrap_or_else(|| panic!("{}: sets no cookie {name}", self.asked));
        set.split(';').next().unwrap_or_default().to_string()
    }

    /// It has this status.
    pub(crate) fn status(&self, status: u16) -> &Answer {
        assert_eq!(self.response.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// It is this error, as JSON with a text for people.
    pub(crate) fn error(&self, status: u16, code: &str) -> &Answer {
        self.status(status).header("content-type", "application/json").header("cache-control", "no-store");
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{}: {}", self.asked, self.text());
        assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{}: {error}", self.asked);
        self
    }

    /// What was asked, for messages.
    pub(crate) fn asked(&self) -> &str {
        &self.asked
    }
}
