//! The routes of the live view.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use logladder::SyncPolicy;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::history::Step;
use super::page::page;
use super::{Crash, CrashableStore, Source, View, layout};
use crate::answer::{Refusal, json, with_type};
use crate::app::{App, Life};
use crate::request::Parameters;

/// The routes below `/view`, if there is a live view.
pub(crate) fn router(view: Option<&View>) -> Router<Arc<App>> {
    if view.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/view", get(page))
        .route("/view/{file}", get(page))
        .route("/view/about", get(about))
        .route("/view/layout", get(newest))
        .route("/view/states", get(states))
        .route("/view/crash", post(crash))
        .route("/view/reopen", post(reopen))
}

fn view(app: &App) -> Result<&View, Refusal> {
    app.options.view.as_ref().ok_or_else(|| Refusal::not_found("this server has no live view"))
}

/// What does not change while the page is open.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
struct AboutBody {
    stage: &'static str,
    number: u8,
    summary: &'static str,
    hurts: &'static str,
    /// Whether records are shown one by one.
    has_a_log: bool,
    can_compact: bool,
    can_follow: bool,
    /// Whether it is a store on a disk in memory, which can crash.
    is_temporary: bool,
    /// When a write is on the disk.
    syncs: String,
    /// What an acknowledged write survives.
    durability: String,
    /// A key in the form that the stage takes; `NAME` stands for its name.
    key_form: String,
}

async fn about(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let view = view(&app)?;
    let (stage, engine) = (view.stage(), app.engine());
    let store = view.crashable();
    let body = AboutBody {
        stage: stage.name,
        number: stage.number,
        summary: stage.summary,
        hurts: stage.hurts,
        has_a_log: layout::has_a_log(stage),
        can_compact: engine.as_compact().is_some(),
        can_follow: engine.as_changes().is_some(),
        is_temporary: store.is_some(),
        syncs: store
            .map_or_else(|| "as the store was opened".to_owned(), |store| policy(store.sync_policy())),
        durability: engine.durability().to_string(),
        key_form: match stage.name {
            "write-behind" => r#"["things","NAME"]"#.to_owned(),
            _ => "NAME".to_owned(),
        },
    };
    Ok(json(StatusCode::OK, &body))
}

fn policy(sync: SyncPolicy) -> String {
    match sync {
        SyncPolicy::Always => "before each write is acknowledged".to_owned(),
        SyncPolicy::Never => "only when you press Sync".to_owned(),
        SyncPolicy::Every(time) => format!("every {time:?}"),
        _ => "now and then".to_owned(),
    }
}

/// Brings the history up to date.
async fn look(app: &Arc<App>, view: &View) -> Result<(), Refusal> {
    let Source::Folder(folder) = &view.source else { return Ok(()) };
    let folder = Arc::clone(folder);
    app.run(move |engine| {
        folder.look(engine);
        Ok(())
    })
    .await
}

async fn newest(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let view = view(&app)?;
    look(&app, view).await?;
    let step = view.history().newest().ok_or_else(|| Refusal::not_found("nothing has been looked at yet"))?;
    Ok(with_type(StatusCode::OK, "application/json", step.json))
}

/// Follows the history for one viewer.
struct Follower {
    app: Arc<App>,
    view: View,
    /// The number of the last step that was sent.
    sent: u64,
    news: watch::Receiver<u64>,
    written: watch::Receiver<()>,
    life: watch::Receiver<Life>,
    _place: OwnedSemaphorePermit,
}

/// Every step that is kept behind `since`, and each one that comes, as server-sent events.
async fn states(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    let since = Parameters::read(&uri, &["since"])?.number("since")?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let view = view(&app)?.clone();
    let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many watchers: try again later");
    let place = Arc::clone(&app.watchers).try_acquire_owned().map_err(full)?;
    look(&app, &view).await?;
    let follower = Follower {
        sent: last.or(since).unwrap_or(0),
        news: view.history().news.subscribe(),
        written: app.written.subscribe(),
        life: app.life.subscribe(),
        app,
        view,
        _place: place,
    };
    let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"retry: 1000\n\n"))]);
    let rest = unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        match follower.next().await {
            Ok(Some(text)) => Some((Ok(Bytes::from(text)), Some(follower))),
            Ok(None) => None,
            Err(refusal) => {
                let text = format!("event: error\ndata: {}\n\n", refusal.problem.error.replace('\n', " "));
                Some((Ok(Bytes::from(text)), None))
            }
        }
    });
    let mut response = with_type(StatusCode::OK, "text/event-stream", Body::from_stream(first.chain(rest)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Follower {
    /// The next events as text; none when the server shuts down.
    async fn next(&mut self) -> Result<Option<String>, Refusal> {
        let quiet = Instant::now() + self.app.options.keep_alive;
        loop {
            if *self.life.borrow_and_update() > Life::Running {
                return Ok(None);
            }
            // Before the look, so that what happens after it is heard.
            self.news.borrow_and_update();
            self.written.borrow_and_update();
            look(&self.app, &self.view).await?;
            let steps = self.view.history().behind(self.sent);
            if let Some(last) = steps.last() {
                self.sent = last.number;
                return Ok(Some(events(&steps)));
            }
            let poll = Instant::now() + self.app.options.poll_interval;
            tokio::select! {
                _ = self.news.changed() => {}
                _ = self.written.changed() => {}
                _ = self.life.changed() => {}
                () = tokio::time::sleep_until(poll.min(quiet)) => {}
            }
            if Instant::now() >= quiet {
                return Ok(Some(": nothing new\n\n".to_owned()));
            }
        }
    }
}

fn events(steps: &[Step]) -> String {
    let mut text = String::new();
    for Step { number, json } in steps {
        // Writing to a string cannot fail. JSON of ours has no line feed in it.
        let _ = write!(text, "id: {number}\ndata: {}\n\n", String::from_utf8_lossy(json));
    }
    text
}

/// The store, if it can crash.
fn crashable(app: &App) -> Result<CrashableStore, Refusal> {
    let why = "a real store is not made to crash: `cargo xtask view N` shows a temporary one, which is";
    view(app)?.crashable().cloned().ok_or_else(|| Refusal::new(StatusCode::FORBIDDEN, why))
}

async fn crash(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let how = Parameters::read(&uri, &["how"])?;
    let crash = match how.text("how")? {
        Some("kill") => Crash::Kill,
        Some("power") => Crash::PowerLoss,
        _ => return Err(Refusal::bad("how: say kill or power")),
    };
    let store = crashable(&app)?;
    app.run(move |_| Ok(store.crash(crash)?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn reopen(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let store = crashable(&app)?;
    app.run(move |_| Ok(store.reopen()?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
