//! `GET /v1/follower`: how far a copy is behind the store that it follows.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use logladder_engine::{Engine, FollowState, Lag};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json};
use crate::app::App;
use crate::document::RefusedRequest;
use crate::request::Parameters;

/// How far the copy is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FollowerBody {
    /// Where the server is that is followed.
    leader: String,
    #[serde(flatten)]
    lag: LagBody,
    /// The place in its log up to which everything is here; absent until there is a whole copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    /// Why it is not followed at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The same in short, for whoever is let in without a token: no addresses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LagBody {
    /// `copying`, `following`, `away` if the leader cannot be reached, or `failed` if the copy cannot be written.
    state: &'static str,
    /// How many keys are copied so far, while everything is copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    /// How many changes the leader had more when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes_behind: Option<u64>,
    /// What was acknowledged so many milliseconds ago is here. It is asked for ten times a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_ms: Option<u64>,
}

impl LagBody {
    fn of(lag: &Lag) -> Self {
        let (state, keys) = match &lag.state {
            FollowState::Copying { keys } => ("copying", Some(*keys)),
            FollowState::Following => ("following", None),
            FollowState::Failed { .. } => ("failed", None),
            _ => ("away", None),
        };
        let behind_ms = lag.time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Self { state, keys, changes_behind: lag.changes, behind_ms }
    }
}

/// How far the engine's store is behind its leader, in short, if it has one.
pub(crate) fn lag_in_short(engine: &dyn Engine) -> Option<LagBody> {
    engine.as_follow().map(|follow| LagBody::of(&follow.lag()))
}

/// How far this copy is behind the store that it follows.
#[utoipa::path(get, path = "/v1/follower", operation_id = "follower", tag = "store",
    responses((status = 200, description = "how far it is", body = FollowerBody),
        (status = 501, description = "the store follows no other", body = Problem), RefusedRequest))]
pub(crate) async fn follower(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let Some(follow) = app.engine().as_follow() else {
        let why = "this store follows no other: `logladder serve --follow URL` serves a copy that does";
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, why));
    };
    let lag = follow.lag();
    let short = LagBody::of(&lag);
    let error = match lag.state {
        FollowState::Away { why } | FollowState::Failed { why } => Some(why),
        _ => None,
    };
    let position = lag.position.map(|position| position.to_string());
    Ok(json(StatusCode::OK, &FollowerBody { leader: lag.leader, lag: short, position, error }))
}
