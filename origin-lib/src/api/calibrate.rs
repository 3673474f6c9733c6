//! How late a table's picture is: the page whose code a camera films, and what is used of what was measured.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /calibrate` | the page, and beside it its two files: it shows the origin's time as [`railbird_core::calibration::code`] has it |
//! | `GET /calibrate/time` | `{"now":…}`: the origin's clock in UTC milliseconds, by which the page sets its own |
//! | `GET /v1/channels/{channel}/delay` | [`TableDelay`]: the delay in use, what was measured last, and what that leaves |
//! | `PUT /v1/channels/{channel}/delay` | the same, after what was [`Told`] is used. Signed, as what the crew changes is |
//!
//! The page has no secret, and neither has the time: both are for whoever comes.

use axum::extract::{FromRef, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use railbird_core::id::ChannelId;
use serde_json::json;

use super::ApiError;
use super::crew::{Crew, Signed};
use crate::clock;
use crate::score::{Scores, TableDelay, TellError, Told};

const PAGE: &str = include_str!("calibrate/page.html");
const SCRIPT: &str = include_str!("calibrate/code.js");
const STYLE: &str = include_str!("calibrate/page.css");

/// The page runs its own script and asks this origin for the time: nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[derive(Clone)]
struct Tables {
    crew: Crew,
    scores: Scores,
}

impl FromRef<Tables> for Crew {
    fn from_ref(tables: &Tables) -> Crew {
        tables.crew.clone()
    }
}

/// The router of these requests.
pub fn router(crew: Crew, scores: Scores) -> Router {
    Router::new()
        .route("/calibrate", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/calibrate/code.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/calibrate/page.css", get(async || file("text/css; charset=utf-8", STYLE)))
        .route("/calibrate/time", get(time))
        .route("/v1/channels/{channel}/delay", get(show).put(tell))
        .with_state(Tables { crew, scores })
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content)
}

async fn time() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "now": clock::now() })))
}

async fn show(
    State(tables): State<Tables>,
    Path(channel): Path<String>,
) -> Result<Json<TableDelay>, ApiError> {
    let standing = tables.scores.delay(&parsed(&channel)?, clock::now());
    standing.map(Json).ok_or_else(|| refused(&TellError::NoChannel))
}

async fn tell(
    State(tables): State<Tables>,
    Path(channel): Path<String>,
    Signed(body): Signed,
) -> Result<Json<TableDelay>, ApiError> {
    let told: Told = serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "bad-json", error.to_string()))?;
    let standing = tables.scores.tell_delay(&parsed(&channel)?, told, clock::now()).await;
    standing.map(Json).map_err(|error| refused(&error))
}

fn parsed(channel: &str) -> Result<ChannelId, ApiError> {
    channel.parse().map_err(|_| refused(&TellError::NoChannel))
}

fn refused(error: &TellError) -> ApiError {
    let (status, code) = match error {
        TellError::NoChannel => (StatusCode::NOT_FOUND, "no-such-channel"),
        TellError::Bounds => (StatusCode::BAD_REQUEST, "out-of-bounds"),
        TellError::NotStored(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-stored"),
    };
    ApiError::new(status, code, error.to_string())
}
