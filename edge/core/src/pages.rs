//! Pages for people: shells whose behaviour is in `/assets/app.js`, which the platform serves.

use alloc::format;
use alloc::string::String;

use railbird_core::id::{ChannelId, RecordingId};

use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::port::{Courier, Store};
use crate::router::{self, Page, Route};
use crate::{channels, replay, reset, session, stretch};

/// No inline script or style; media and data may come from any node.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self' blob:; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' http: https: ws: wss:; \
    media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// A page, or the page that says why not.
pub(crate) async fn page<S: Store + Courier>(call: &Call<'_, S>, page: &Page) -> Response {
    let answer = match page {
        Page::Login => login(call).await,
        // For whoever comes, with a session or without.
        Page::Forgot => match reset::sends_links(call) {
            true => Ok(shell(200, "Forgotten password", "data-page=\"forgot\"", "")),
            false => Err(reset::NO_WEBHOOK),
        },
        Page::Reset => Ok(shell(200, "New password", "data-page=\"reset\"", "")),
        Page::Home => home(call).await,
        Page::Watch(channel) => watch(call, channel, None).await,
        Page::Replay(channel, recording) => watch(call, channel, Some(recording)).await,
    };
    answer.unwrap_or_else(|problem| explain(&problem))
}

async fn login<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    match session::of(call, None).await {
        Ok(_) => Ok(redirect("/")),
        Err(problem) if problem.status == 401 => {
            // Where to go afterwards: one of our own pages, or nowhere.
            let next = router::query(&call.request.query, "next").and_then(back);
            let next = next.map(|next| format!(" data-next=\"{}\"", escape(&next))).unwrap_or_default();
            let links = links(call);
            Ok(shell(200, "Log in", &format!("data-page=\"login\"{next}{links}"), ""))
        }
        Err(problem) => Err(problem),
    }
}

/// One of our own pages, with its clip where it has one, as the query of a login says it: `?`, `&` and nothing else are escaped.
fn back(next: &str) -> Option<String> {
    let (path, query) = next.split_once("%3F").unwrap_or((next, ""));
    let Some(Route::Page(page @ (Page::Home | Page::Watch(_) | Page::Replay(..)))) = router::parse(path)
    else {
        return None;
    };
    let clip = match page {
        Page::Replay(..) => stretch::read(&query.replace("%26", "&")).ok()?.query(),
        _ if query.is_empty() => String::new(),
        _ => return None,
    };
    Some(format!("{path}{clip}"))
}

async fn home<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    match session::of(call, None).await {
        Ok(_) => Ok(shell(200, "Channels", "data-page=\"home\"", "")),
        Err(problem) if problem.status == 401 => Ok(redirect("/login")),
        Err(problem) => Err(problem),
    }
}

async fn watch<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    recording: Option<&RecordingId>,
) -> Result<Response, Problem> {
    match session::covering(call, None, channel).await {
        Ok(_) => {
            let channel_title = channels::title(call, channel).await?;
            let links = links(call);
            let attributes = format!("data-page=\"watch\" data-channel=\"{channel}\"{links}");
            let Some(recording) = recording else {
                return Ok(shell(200, &channel_title, &attributes, ""));
            };
            let title = replay::title(call, channel, recording).await?;
            Ok(shell(200, &title, &format!("{attributes} data-replay=\"{recording}\""), ""))
        }
        Err(problem) if problem.status == 401 => {
            let replay = recording.map(|recording| format!("/{recording}")).unwrap_or_default();
            // What is no clip is left behind: the page itself says what is wrong with it.
            let clip =
                recording.and_then(|_| stretch::read(&call.request.query).ok()).unwrap_or_default().query();
            let clip = clip.replace('?', "%3F").replace('&', "%26");
            Ok(redirect(&format!("/login?next=/watch/{channel}{replay}{clip}")))
        }
        Err(problem) => Err(problem),
    }
}

/// Tells a page with a login whether a forgotten password can be replaced by a link.
fn links<S>(call: &Call<'_, S>) -> &'static str {
    if reset::sends_links(call) { " data-links" } else { "" }
}

fn redirect(to: &str) -> Response {
    secure(Response::new(303).with("location", to))
}

/// A problem as a page.
fn explain(problem: &Problem) -> Response {
    let text = format!(
        "<main class=\"problem\"><h1>Sorry</h1><p>{}</p><p><a href=\"/\">All channels</a></p></main>",
        escape(&sentence(&problem.message))
    );
    problem.head(shell(problem.status, "Sorry", "data-page=\"problem\"", &text))
}

/// What is wrong, as a sentence.
fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", first.to_uppercase())
}

/// A page of this title. `attributes` and `content` are HTML.
fn shell(status: u16, title: &str, attributes: &str, content: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1, viewport-fit=cover\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · Railbird</title>\n\
         <link rel=\"icon\" href=\"/assets/favicon.svg\">\n\
         <link rel=\"stylesheet\" href=\"/assets/app.css\">\n\
         <script type=\"module\" src=\"/assets/app.js\"></script>\n\
         </head>\n\
         <body {attributes}>\n\
         {content}<noscript>Railbird needs JavaScript to play.</noscript>\n\
         </body>\n\
         </html>\n"
    );
    secure(Response::new(status).body("text/html; charset=utf-8", html))
}

fn secure(response: Response) -> Response {
    response
        .with("content-security-policy", CONTENT_SECURITY_POLICY)
        .with("cache-control", "private, no-store")
}

fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
