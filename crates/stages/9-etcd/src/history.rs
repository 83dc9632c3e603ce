//! [`History`]: what a key was, from etcd's older revisions.
//!
//! The number of a version goes up by one with each write, deletes included, and never starts again. etcd's own *version* of a
//! key does start again: it is 0 when the key has been deleted. So no key of the store is ever deleted in etcd. A delete is
//! a put of a mark, and etcd counts it like any other. That costs a few bytes for each key that ever was; nothing that
//! remembers a number can cost less.
//!
//! One number is missing there: a key that a batch writes several times is put once. The other writes stand under keys of
//! their own, which etcd counts as well. So the number of a version is the sum of all those versions, at that revision.

use std::ops::ControlFlow;

use etcd_client::{GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};
use logladder_engine::{History, Result, Version, VisitVersion, limits};

use crate::fault::Fault;
use crate::layout::value_of;
use crate::members::{Kind, Member};
use crate::{Etcd, Reads};

/// A key at one revision.
struct Moment {
    newest: KeyValue,
    /// The writes of the key that a later one of the same batch replaced, of this batch and others.
    replaced: Vec<KeyValue>,
}

impl Moment {
    /// The number of the newest version.
    fn number(&self) -> u64 {
        let all = std::iter::once(&self.newest).chain(&self.replaced);
        all.map(|pair| u64::try_from(pair.version()).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// What was written at the revision of the newest version, the newest first.
    fn written(&self) -> impl Iterator<Item = &KeyValue> {
        let revision = self.newest.mod_revision();
        let replaced = self.replaced.iter().rev().filter(move |pair| pair.mod_revision() == revision);
        std::iter::once(&self.newest).chain(replaced)
    }
}

impl History for Etcd {
    /// A trip for each revision that wrote the key, so as many versions as are wanted cost as many trips. Those that etcd has
    /// compacted are gone.
    fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()> {
        limits::check_key(key)?;
        let mut revision = 0;
        loop {
            let moment = match self.moment(key, revision) {
                Ok(Some(moment)) => moment,
                // It was not there yet, or nobody can say.
                Ok(None) | Err(Fault::Compacted) => return Ok(()),
                Err(fault) => return Err(fault.into()),
            };
            let mut number = moment.number();
            for pair in moment.written() {
                let value = value_of(key, pair.value())?;
                if visit(&Version::new(number, value)) == ControlFlow::Break(()) {
                    return Ok(());
                }
                number = number.saturating_sub(1);
            }
            revision = moment.newest.mod_revision() - 1;
            if number == 0 || revision <= 0 {
                return Ok(());
            }
        }
    }
}

impl Etcd {
    /// What stands in etcd for `key` at this revision; 0 is now.
    fn moment(&self, key: &[u8], revision: i64) -> std::result::Result<Option<Moment>, Fault> {
        let (place, range) = (self.store.layout.data(key), self.store.layout.all_earlier(key));
        let reads = self.store.options.reads;
        let options = match reads {
            Reads::Linearizable => GetOptions::new(),
            Reads::Serializable => GetOptions::new().with_serializable(),
        };
        let newest = TxnOp::get(place, Some(options.clone().with_revision(revision)));
        let replaced = TxnOp::get(range.start, Some(options.with_range(range.end).with_revision(revision)));
        let both = Txn::new().and_then([newest, replaced]);
        let answer = self.run(|store| async move {
            let ask = |member: Member| {
                let both = both.clone();
                async move { member.kv_to_read(reads).txn(both).await }
            };
            store.members.ask(Kind::Read, ask).await
        })?;
        let mut answers = answer.op_responses().into_iter().map(|answer| match answer {
            TxnOpResponse::Get(mut found) => found.take_kvs(),
            _ => Vec::new(),
        });
        let newest = answers.next().unwrap_or_default().into_iter().next();
        let replaced = answers.next().unwrap_or_default();
        Ok(newest.map(|newest| Moment { newest, replaced }))
    }
}
