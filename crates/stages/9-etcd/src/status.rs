//! [`Cluster`]: what each member says of itself.

use logladder_engine::{Cluster, Member, MemberState, Result};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Etcd;
use crate::fault::Fault;

impl Cluster for Etcd {
    /// All are asked at once, each for as long as a read waits for one
    /// ([`Options::patience`](crate::Options::patience)). A member without a leader says just that.
    fn members(&self) -> Result<Vec<Member>> {
        let store = std::sync::Arc::clone(&self.store);
        self.runtime.wait(async move {
            let mut asked = JoinSet::new();
            for (number, member) in store.members.all().iter().enumerate() {
                let (mut member, patience) = (member.clone(), store.options.patience);
                asked.spawn(async move {
                    let state = match timeout(patience, member.client.status()).await {
                        Ok(Ok(status)) => Ok(state_of(&status)),
                        Ok(Err(error)) => Err(Fault::of(&error).why()),
                        Err(_) => Err("no answer in time".to_owned()),
                    };
                    (number, Member::new(member.endpoint, state))
                });
            }
            let mut members: Vec<(usize, Member)> = asked.join_all().await;
            members.sort_by_key(|(number, _)| *number);
            members.into_iter().map(|(_, member)| member).collect()
        })
    }
}

fn state_of(status: &etcd_client::StatusResponse) -> MemberState {
    let mut state = MemberState::default();
    let header = status.header();
    state.id = header.map_or(0, etcd_client::ResponseHeader::member_id);
    state.revision = header.and_then(|header| u64::try_from(header.revision()).ok()).unwrap_or(0);
    state.leader = Some(status.leader()).filter(|id| *id != 0);
    state.term = status.raft_term();
    state.disk_bytes = u64::try_from(status.db_size()).unwrap_or(0);
    status.version().clone_into(&mut state.version);
    state
}
