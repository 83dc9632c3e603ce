//! [`Store`]: what every call needs, in one place that the runtime's thread can hold as well.

use std::sync::Arc;
use std::time::Instant;

use etcd_client::{GetOptions, GetResponse, Txn, TxnResponse};

use crate::fault::Fault;
use crate::layout::Layout;
use crate::members::{Kind, Member, Members};
use crate::{Options, Reads};

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) members: Arc<Members>,
    pub(crate) layout: Layout,
    pub(crate) options: Options,
}

impl Store {
    /// Reads a key or a range. What nothing depends on may be read as the user likes.
    pub(crate) async fn get(
        &self,
        start: Vec<u8>,
        options: GetOptions,
        reads: Reads,
    ) -> Result<GetResponse, Fault> {
        let options = match reads {
            Reads::Linearizable => options,
            Reads::Serializable => options.with_serializable(),
        };
        let ask = |member: Member| {
            let (start, options) = (start.clone(), options.clone());
            async move { member.kv_to_read(reads).get(start, Some(options)).await }
        };
        self.members.ask(Kind::Read, ask).await
    }

    /// Does a transaction that writes. Where an answer is lost, that is told, and it is not tried again.
    pub(crate) async fn write(&self, txn: Txn) -> Result<TxnResponse, Fault> {
        self.write_until(txn, Instant::now() + self.options.timeout).await
    }

    /// The same with a deadline of its own.
    pub(crate) async fn write_until(&self, txn: Txn, deadline: Instant) -> Result<TxnResponse, Fault> {
        let ask = |mut member: Member| {
            let txn = txn.clone();
            async move { member.kv.txn(txn).await }
        };
        self.members.ask_until(deadline.into(), Kind::Write, ask).await
    }
}
