//! `GET /v1/changes`: what is written, pushed to whoever follows it, over a WebSocket or as server-sent events.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::header::{CACHE_CONTROL, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, unfold};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json, with_type};
use crate::app::App;
use crate::document::{FromSnapshot, LastEventId, RefusedRequest, Since};
use crate::feed::{ChangeBody, Feed, Told};
use crate::request::Parameters;
use crate::snapshot::{self, Snapshot};

/// How long a message of a watcher may be: it has nothing to say but pings and its goodbye.
const MOST_HEARD: usize = 4096;

/// Every set and delete behind a position, in order and without gaps, as long as the client listens. It goes on where it
/// ended with the `next` of the last change that was seen.
#[utoipa::path(get, path = "/v1/changes", operation_id = "follow_changes", tag = "changes", 
    params(Since, FromSnapshot, LastEventId),
    responses((status = 101, description = "a WebSocket, a change a message"),
        (status = 200, description = "server-sent events, a change each", content_type = "text/event-stream",
            body = ChangeBody),
        (status = 410, description = "changes behind the position are no longer in the log", body = Problem),
        (status = 426, description = "the WebSocket is of an unknown version", body = Problem),
        (status = 501, description = "the stage keeps no log of changes", body = Problem), RefusedRequest))]
pub(crate) async fn changes(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["since", "snapshot"])?;
    let with_snapshot = parameters.flag("snapshot")?;
    // A browser that lost the connection says so by itself.
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = last_event.or(parameters.text("since")?).map(str::to_owned);
    if with_snapshot && (since.is_some() || !headers.contains_key(UPGRADE)) {
        let why = "a snapshot comes over a WebSocket, and begins with everything: it goes with no `since`";
        return Err(Refusal::bad(why));
    }
    if !headers.contains_key(UPGRADE) {
        return Ok(events(Feed::begin(&app, since).await?));
    }
    let socket = socket.map_err(|why| Refusal::new(why.status(), why.body_text()))?;
    let feed = Feed::begin(&app, since).await?;
    // Behind the place from which the changes follow: whatever is written meanwhile is among them.
    let snapshot = if with_snapshot { Some(Snapshot::begin(&app)?) } else { None };
    let socket = socket.max_message_size(MOST_HEARD).max_frame_size(MOST_HEARD);
    Ok(socket.on_upgrade(|socket| follow(socket, feed, snapshot)).into_response())
}

/// Server-sent events. Who takes too few of them is cut off by the connection's own timer.
fn events(feed: Feed) -> Response {
    let mut first = format!("event: position\nid: {0}\ndata: {0}\n\n", feed.position());
    // How long a browser waits before it comes back.
    first.push_str("retry: 1000\n\n");
    let begin = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(first))]);
    let rest = unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        let (text, more) = match feed.next().await {
            Ok(Told::Changes(events)) => {
                let mut text = String::new();
                for event in events {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "id: {}\ndata: {}\n\n", event.next, event.json);
                }
                (text, Some(feed))
            }
            Ok(Told::Quiet) => (": nothing new\n\n".to_owned(), Some(feed)),
            Ok(Told::Over) => return None,
            Err(refusal) => (format!("event: error\ndata: {}\n\n", ending(&refusal)), None),
        };
        Some((Ok(Bytes::from(text)), more))
    });
    let mut response = with_type(StatusCode::OK, "text/event-stream", Body::from_stream(begin.chain(rest)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a refusal says at the end of a stream, where there is no status to say it with any more.
#[derive(Serialize)]
struct Ending<'p> {
    status: u16,
    #[serde(flatten)]
    problem: &'p Problem,
}

fn ending(refusal: &Refusal) -> String {
    let ending = Ending { status: refusal.status.as_u16(), problem: &refusal.problem };
    serde_json::to_string(&ending).unwrap_or_else(|error| error.to_string())
}

async fn follow(socket: WebSocket, mut feed: Feed, snapshot: Option<Snapshot>) {
    let (mut out, mut heard) = socket.split();
    let hello = format!("{{\"position\":\"{}\"}}", feed.position());
    if !send(&mut out, Message::text(hello), &feed).await {
        return;
    }
    if let Some(snapshot) = snapshot
        && !show(snapshot, &mut out, &feed).await
    {
        return;
    }
    let end = loop {
        tokio::select! {
            // Pings are answered below us; all that is left to hear is that the client goes.
            message = heard.next() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    // The next look sends the answer to it (RFC 6455, section 5.5.1).
                    let _ = timeout(feed.app().options.write_timeout, heard.next()).await;
                    return;
                }
                _ => break None,
            },
            told = feed.next() => match told {
                Ok(Told::Changes(events)) => {
                    for event in events {
                        if !send(&mut out, Message::text(event.json), &feed).await {
                            return;
                        }
                    }
                }
                Ok(Told::Quiet) => if !send(&mut out, Message::Ping(Bytes::new()), &feed).await { return },
                Ok(Told::Over) => break Some((close_code::AWAY, "the server shuts down".to_owned())),
                Err(refusal) => {
                    // In a message of its own, since a close frame is too small for it.
                    if !send(&mut out, Message::text(ending(&refusal)), &feed).await {
                        return;
                    }
                    break Some((close_code::POLICY, refusal.problem.error.clone()));
                }
            },
        }
    };
    let frame = end.map(|(code, why)| {
        // A close frame has room for 123 bytes.
        let why: String = why
            .chars()
            .scan(0, |len, letter| {
                *len += letter.len_utf8();
                (*len <= 123).then_some(letter)
            })
            .collect();
        CloseFrame { code, reason: why.into() }
    });
    send(&mut out, Message::Close(frame), &feed).await;
}

/// Sends every key. Whether the watcher took them all.
async fn show(mut snapshot: Snapshot, out: &mut SplitSink<WebSocket, Message>, feed: &Feed) -> bool {
    while let Some(piece) = snapshot.next().await {
        let (messages, is_over) = match piece {
            Ok(messages) => (messages, false),
            Err(refusal) => (vec![ending(&refusal)], true),
        };
        for message in messages {
            if !send(out, Message::text(message), feed).await {
                return false;
            }
        }
        if is_over {
            return false;
        }
    }
    true
}

/// A place in the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PositionBody {
    /// What to send as `since` to follow what comes after it.
    position: String,
    /// How many changes the store has seen.
    sequence: u64,
}

/// The place behind the newest change.
#[utoipa::path(get, path = "/v1/position", operation_id = "position", tag = "changes",
    responses((status = 200, description = "the place", body = PositionBody),
        (status = 501, description = "the stage keeps no log of changes", body = Problem), RefusedRequest))]
pub(crate) async fn position(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let position = app.run(snapshot::position).await?;
    Ok(json(StatusCode::OK, &PositionBody { position: position.to_string(), sequence: position.sequence }))
}

/// Whether the watcher took the message in time. One that does not is dropped: it knows from where to go on.
async fn send(out: &mut SplitSink<WebSocket, Message>, message: Message, feed: &Feed) -> bool {
    matches!(timeout(feed.app().options.write_timeout, out.send(message)).await, Ok(Ok(())))
}
