//! The edge: finds the route, checks the session where it needs one, asks the module, adds what every answer has.

use alloc::rc::Rc;
use alloc::string::ToString;

use crate::errors::{NOT_FOUND, Problem};
use crate::http::{Request, Response};
use crate::instance::Instance;
use crate::port::{Moment, Watch};
use crate::router::{self, Route, View};
use crate::settings::{Settings, SettingsError};
use crate::{
    channels, cors, events, health, intake, keys, live, login, matches, origins, pages, parts, passes,
    replay, reset, score, screens, session, steer,
};

/// The edge over a host's store.
#[derive(Debug)]
pub struct Edge<S> {
    settings: Result<Settings, SettingsError>,
    store: S,
    instance: Rc<Instance>,
    lines: bool,
    alarms: bool,
}

/// One request and what it is answered with.
pub(crate) struct Call<'a, S> {
    pub(crate) settings: &'a Settings,
    pub(crate) store: &'a S,
    pub(crate) request: &'a Request,
    pub(crate) moment: &'a Moment,
    pub(crate) instance: &'a Instance,
    /// Whether the host holds lines.
    pub(crate) lines: bool,
    /// Whether the host looks at nodes by itself.
    pub(crate) alarms: bool,
}

impl<S> Edge<S> {
    /// An edge with these settings, as [`Settings::read`] gives them. Where they are wrong, every request is answered
    /// 503 with the name of the setting, so that a host has nothing to decide.
    pub fn new(settings: Result<Settings, SettingsError>, store: S) -> Edge<S> {
        Edge { settings, store, instance: Rc::default(), lines: false, alarms: false }
    }

    /// The same, which remembers what others of its instance do.
    #[must_use]
    pub fn of_instance(self, instance: Rc<Instance>) -> Edge<S> {
        Edge { instance, ..self }
    }

    /// The same on a host that holds lines ([`crate::line`]): `nodes.json` says so.
    #[must_use]
    pub fn with_lines(self) -> Edge<S> {
        Edge { lines: true, ..self }
    }

    /// The same on a host that calls [`Edge::probe`] by an alarm of its own: no request need do it.
    #[must_use]
    pub fn with_alarms(self) -> Edge<S> {
        Edge { alarms: true, ..self }
    }

    pub(crate) fn settings(&self) -> Result<&Settings, Problem> {
        self.settings.as_ref().map_err(|wrong| Problem::saying(503, "misconfigured", wrong))
    }

    pub(crate) fn call<'a>(
        &'a self,
        request: &'a Request,
        moment: &'a Moment,
    ) -> Result<Call<'a, S>, Problem> {
        let (settings, store, instance) = (self.settings()?, &self.store, &*self.instance);
        Ok(Call { settings, store, request, moment, instance, lines: self.lines, alarms: self.alarms })
    }

    /// An answer with what every answer has.
    pub(crate) fn finished(&self, request: &Request, response: Response) -> Response {
        let response =
            response.with("x-content-type-options", "nosniff").with("referrer-policy", "no-referrer");
        match &self.settings {
            Ok(settings) => cors::share(settings, request, response),
            Err(_) => response,
        }
    }
}

impl<S: Watch> Edge<S> {
    /// Answers one request. Never fails: what goes wrong is an answer, too.
    pub async fn handle(&self, mut request: Request, moment: &Moment) -> Response {
        if request.method == "HEAD" {
            request.method = "GET".to_string();
        }
        let response = match self.answer(&request, moment).await {
            Ok(response) => response,
            Err(problem) => problem.response(),
        };
        self.finished(&request, response)
    }

    async fn answer(&self, request: &Request, moment: &Moment) -> Result<Response, Problem> {
        let settings = self.settings()?;
        if let Some(answer) = cors::preflight(settings, request) {
            return Ok(answer);
        }
        let route = router::parse(&request.path).ok_or(NOT_FOUND)?;
        if !route.takes(&request.method) {
            let wrong =
                Problem::new(405, "wrong-method", "the allow header lists the methods of this address");
            return Err(wrong.with("allow", route.allow()));
        }
        let call = self.call(request, moment)?;
        match route {
            Route::Health => Ok(origins::clock::health(&call).await),
            Route::Page(page) => Ok(pages::page(&call, &page).await),
            Route::Login => login::login(&call).await,
            Route::Logout => login::logout(&call).await,
            Route::Renew => login::renew(&call).await,
            Route::ForgotPassword => reset::forgot(&call).await,
            Route::ResetPassword => reset::reset(&call).await,
            Route::ChangePassword => reset::change(&call).await,
            Route::Screens => screens::post(&call).await,
            Route::StopScreen => screens::post_stop(&call).await,
            Route::ReleaseScreen => screens::post_release(&call).await,
            Route::Channels => channels::list(&call).await,
            Route::View { token, channel, view } => {
                let session = session::covering(&call, token.as_deref(), &channel).await?;
                let viewer = session.claims.id;
                match view {
                    View::Multivariant => live::multivariant(&call, &channel, &viewer).await,
                    View::Media { node, rendition, lists } => {
                        live::media(&call, &channel, &node, &rendition, lists, &viewer).await
                    }
                    View::Part { node, rendition, start } => {
                        parts::part(&call, &channel, &node, &rendition, start, &viewer).await
                    }
                    View::Replay { recording } => {
                        replay::multivariant(&call, &channel, &recording, &viewer).await
                    }
                    View::ReplayMedia { recording, node, rendition, lists } => {
                        let listed = replay::Media { node: &node, rendition: &rendition, lists };
                        replay::media(&call, &channel, &recording, listed, &viewer).await
                    }
                    View::Nodes => channels::nodes(&call, &channel, &viewer).await,
                    View::Beacons => health::beacons(&call, &channel, &session.claims.pass).await,
                    View::Score => score::document(&call, &channel).await,
                    View::ScoreEvents => events::follow(&call, &channel, &viewer).await,
                    View::Subtitles => live::subtitles(&call, &channel).await,
                    View::ScoreWindow(window) => score::window(&call, &channel, window).await,
                    View::ReplayScore { recording } => matches::score(&call, &channel, &recording).await,
                    View::ReplaySubtitles { recording } => {
                        replay::subtitles(&call, &channel, &recording).await
                    }
                    View::ReplayScoreWindow { recording, window } => {
                        matches::window(&call, &channel, &recording, window).await
                    }
                    View::Key { period } => keys::key(&call, &session, &channel, period).await,
                    View::Steer => steer::manifest(&call, &channel, &viewer).await,
                }
            }
            Route::PushEvent => intake::event(&call).await,
            Route::PushState(channel) => intake::state(&call, &channel).await,
            Route::PushReplays(channel) => intake::replays(&call, &channel).await,
            Route::PushChapter { channel, recording, chapter } => {
                intake::chapter(&call, &channel, &recording, chapter).await
            }
            Route::PushScore(channel) => intake::score(&call, &channel).await,
            Route::PushMatch { channel, match_id } => intake::match_score(&call, &channel, &match_id).await,
            Route::Passes if request.method == "PUT" => passes::admin::issue(&call).await,
            Route::Passes => passes::admin::list(&call).await,
            Route::RevokePass => passes::admin::revoke(&call).await,
        }
    }
}
