//! [`Cluster`]: the machines behind a store that is kept on several.

use crate::Result;

/// A store that is kept by several members, each on a machine of its own.
pub trait Cluster {
    /// What each of the members that were named at opening says of itself, in that order. One that does not answer is in
    /// the list with the reason; so this succeeds as well where nothing else does. Each is asked by itself, so they need
    /// not agree.
    ///
    /// # Errors
    ///
    /// None of the members can be asked, such as when a thread has panicked.
    fn members(&self) -> Result<Vec<Member>>;
}

/// One member, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Where it was asked.
    pub endpoint: String,
    /// What it said, or why it said nothing.
    pub state: std::result::Result<MemberState, String>,
}

impl Member {
    /// The member at `endpoint` and what became of asking it.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, state: std::result::Result<MemberState, String>) -> Self {
        Self { endpoint: endpoint.into(), state }
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemberState {
    /// Its number in the cluster.
    pub id: u64,
    /// The number of the member that it takes for the leader; `None` while it knows of none.
    pub leader: Option<u64>,
    /// How far its copy of the store is: it goes up with each write to the cluster.
    pub revision: u64,
    /// The number of elections that it knows of.
    pub term: u64,
    /// The bytes of its files.
    pub disk_bytes: u64,
    /// The version of its program.
    pub version: String,
}

impl MemberState {
    /// Whether it takes itself for the leader.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader == Some(self.id)
    }
}
