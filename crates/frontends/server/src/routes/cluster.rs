//! The members behind a store that is kept on several machines, and who leads them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use logladder_engine::{Engine, Member};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json};
use crate::app::App;
use crate::document::RefusedRequest;
use crate::request::Parameters;

/// The members as they were found just now. Each was asked by itself, so they need not agree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterBody {
    /// The number of the leader, in hexadecimal, as the member with the newest election says; absent if none of those
    /// that answered knows of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    /// How far the newest copy among them is.
    revision: u64,
    members: Vec<MemberBody>,
}

/// One member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberBody {
    /// Where this server asks it.
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<StateBody>,
    /// Why it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a member said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StateBody {
    /// Its number, in hexadecimal.
    id: String,
    /// Whether it takes itself for the leader.
    is_leader: bool,
    revision: u64,
    /// The number of elections.
    term: u64,
    disk_bytes: u64,
    version: String,
}

/// The members in short, for whoever is let in without a token: no addresses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterInShort {
    members: usize,
    /// How many of them answered.
    answering: usize,
    /// As in `/v1/cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    revision: u64,
}

impl ClusterBody {
    fn of(members: Vec<Member>) -> Self {
        let said = || members.iter().filter_map(|member| member.state.as_ref().ok());
        let leader = said().filter(|state| state.leader.is_some()).max_by_key(|state| state.term);
        let leader = leader.and_then(|state| state.leader).map(hexadecimal);
        let revision = said().map(|state| state.revision).max().unwrap_or(0);
        let members = members.into_iter().map(MemberBody::of).collect();
        Self { leader, revision, members }
    }

    fn in_short(self) -> ClusterInShort {
        ClusterInShort {
            members: self.members.len(),
            answering: self.members.iter().filter(|member| member.said.is_some()).count(),
            leader: self.leader,
            revision: self.revision,
        }
    }
}

impl MemberBody {
    fn of(member: Member) -> Self {
        let (said, error) = match member.state {
            Ok(state) => {
                let said = StateBody {
                    id: hexadecimal(state.id),
                    is_leader: state.is_leader(),
                    revision: state.revision,
                    term: state.term,
                    disk_bytes: state.disk_bytes,
                    version: state.version,
                };
                (Some(said), None)
            }
            Err(why) => (None, Some(why)),
        };
        Self { endpoint: member.endpoint, said, error }
    }
}

/// As the tools of etcd print the numbers of members.
fn hexadecimal(id: u64) -> String {
    format!("{id:x}")
}

/// The members of the engine's store in short, if there are several.
pub(crate) fn in_short(engine: &dyn Engine) -> Result<Option<ClusterInShort>, Refusal> {
    let Some(cluster) = engine.as_cluster() else { return Ok(None) };
    Ok(Some(ClusterBody::of(cluster.members()?).in_short()))
}

/// The members that keep the store, who leads them, and how far each is.
#[utoipa::path(get, path = "/v1/cluster", operation_id = "cluster", tag = "store",
    responses((status = 200, description = "the members, those that do not answer as well", body = ClusterBody),
        (status = 501, description = "the store is kept by this process alone", body = Problem),
        RefusedRequest))]
pub(crate) async fn cluster(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let shown = app.run(|engine| {
        let Some(cluster) = engine.as_cluster() else {
            let why = format!("a store of the stage {} is kept by this process alone", engine.name());
            let mut refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, why);
            refusal.problem.stages = Some(vec!["etcd"]);
            return Err(refusal);
        };
        Ok(ClusterBody::of(cluster.members()?))
    });
    Ok(json(StatusCode::OK, &shown.await?))
}
