//! What a person's browser gets.

use super::Door;
use super::ask::{Answer, Edge, Session, session};
use serde_json::json;

const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self' blob:; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self' http: https: ws: wss:; media-src 'self' blob:; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The edge says that it is well.
pub(crate) async fn health<D: Door>(edge: &Edge<'_, D>) {
    let answer = edge.get_plain("/healthz").await;
    assert_eq!(answer.status(200).json(), json!({"status": "ok"}));
    edge.ask("HEAD", "/healthz", Vec::new(), "").await.status(200);
}

fn page(answer: &Answer, status: u16) -> String {
    answer.status(status).header("content-type", "text/html; charset=utf-8");
    answer.header("content-security-policy", POLICY);
    let html = answer.text();
    assert!(html.starts_with("<!doctype html>"), "{html}");
    assert!(html.contains("src=\"/assets/app.js\"") && html.contains("href=\"/assets/app.css\""), "{html}");
    for inline in ["<style", "style=", "<script>", "onclick", "javascript:"] {
        assert!(!html.contains(inline), "{inline} would need a weaker policy: {html}");
    }
    html
}

/// Each page names itself to the script.
pub(crate) async fn shells<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let html = page(&edge.get_plain("/login").await, 200);
    assert!(html.contains("<body data-page=\"login\">"), "{html}");
    let html = page(&edge.get("/", session).await, 200);
    assert!(html.contains("<body data-page=\"home\">"), "{html}");
    let html = page(&edge.get("/watch/table-1", session).await, 200);
    assert!(html.contains("<body data-page=\"watch\" data-channel=\"table-1\">"), "{html}");
    assert!(html.contains("<title>Table 1 · Railbird</title>"), "{html}");
    // Titles are texts.
    let html = page(&edge.get("/watch/table-2", session).await, 200);
    assert!(html.contains("<title>Table &quot;2&quot; &amp; &lt;more&gt; · Railbird</title>"), "{html}");
    assert!(!html.contains(&session.token), "no token in a page");
    page(&edge.get("/watch/table-3", session).await, 200);
    // This edge has no webhook: no login offers a link, and whoever asks for one is told where to turn.
    let html = page(&edge.get_plain("/forgot").await, 404);
    let told = "<p>No links are sent from here: ask whoever sold the pass for another password.</p>";
    assert!(html.contains(told), "{html}");
    page(&edge.get_plain("/reset").await, 200);
    page(&edge.get("/watch/table-9", session).await, 404);
    // Of the recordings' own cases.
    let html = page(&edge.get("/watch/table-1/r-2026", session).await, 200);
    assert!(
        html.contains("<body data-page=\"watch\" data-channel=\"table-1\" data-replay=\"r-2026\">"),
        "{html}"
    );
    assert!(html.contains("<title>Final &lt;r-2026&gt; · Railbird</title>"), "{html}");
    page(&edge.get("/watch/table-1/r-9", session).await, 404);
    page(&edge.get("/watch/table-1", &super::ask::session(&["table-2"])).await, 403);
}

/// Without a session, pages lead to the login and back.
pub(crate) async fn redirects<D: Door>(edge: &Edge<'_, D>) {
    edge.get_plain("/").await.status(303).header("location", "/login");
    let to = "/login?next=/watch/table-1";
    edge.get_plain("/watch/table-1").await.status(303).header("location", to);
    let to_replay = "/login?next=/watch/table-1/r-2026";
    edge.get_plain("/watch/table-1/r-2026").await.status(303).header("location", to_replay);
    let to_clip = "/login?next=/watch/table-1/r-2026%3Ffrom=10%26to=20";
    edge.get_plain("/watch/table-1/r-2026?from=10&to=20").await.status(303).header("location", to_clip);
    let html = page(&edge.get_plain(to_clip).await, 200);
    assert!(html.contains("data-next=\"/watch/table-1/r-2026?from=10&amp;to=20\""), "{html}");
    // A stranger does not learn which channels there are.
    edge.get_plain("/watch/table-9").await.status(303).header("location", "/login?next=/watch/table-9");
    let session = session(&["*"]);
    edge.get("/login", &session).await.status(303).header("location", "/");
    edge.get("/login?next=//elsewhere.test", &session).await.status(303).header("location", "/");
    let html = page(&edge.get_plain(to).await, 200);
    assert!(html.contains("<body data-page=\"login\" data-next=\"/watch/table-1\">"), "{html}");
    for next in [
        "",
        "//elsewhere.test",
        "https://elsewhere.test",
        "/watch/../..",
        "/watch/%22x",
        "/api/logout",
        "/login",
    ] {
        let html = page(&edge.get_plain(&format!("/login?next={next}")).await, 200);
        assert!(html.contains("<body data-page=\"login\">"), "{next}: {html}");
    }
}
