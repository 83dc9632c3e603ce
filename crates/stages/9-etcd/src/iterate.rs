//! [`Iterate`], [`Ordered`] and [`Compact`].

use std::ops::{Bound, ControlFlow};
use std::sync::PoisonError;

use logladder_engine::{Compact, Compacted, Direction, Error, Iterate, KeyRange, Ordered, Result, Visit};

use crate::count::Count;
use crate::fault::Fault;
use crate::layout::{Range, value_of};
use crate::members::{Kind, Member};
use crate::pages::Pages;
use crate::{Etcd, Reads};

impl Iterate for Etcd {
    /// In the order of the keys' bytes, a page at a time.
    ///
    /// # Errors
    ///
    /// Also [`Error::Cluster`] if another client compacts the revision that is shown before all of it was.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.scan((Bound::Unbounded, Bound::Unbounded), Direction::Forward, visit)
    }

    /// etcd keeps older revisions, and all pages are of one.
    fn is_consistent(&self) -> bool {
        true
    }
}

impl Ordered for Etcd {
    /// A page at a time. Backwards, the members read and sort the whole range for each page.
    ///
    /// # Errors
    ///
    /// As [`for_each`](Iterate::for_each).
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.show(self.store.layout.data_within(range), direction, visit)
    }
}

impl Compact for Etcd {
    /// Compacts the history **of the whole cluster** up to now, or up to what a visit of this engine still reads: etcd has
    /// one history for everyone. Then [`versions`](logladder_engine::History::versions) shows what each key was last, and
    /// [`changes`](logladder_engine::Changes::changes) goes back to now. Members may do the same by themselves
    /// (`--auto-compaction-retention`).
    ///
    /// The space is free for new keys when the members have rewritten their files, soon after; it goes back to the system
    /// by `etcdctl defrag` alone. So nothing is said to be reclaimed.
    fn compact(&self) -> Result<Compacted> {
        let now = self.run(|store| async move { Count::read(&store, None).await })?.revision;
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner).keys().next().copied();
        let revision = pinned.map_or(now, |pinned| now.min(pinned));
        let compacted = self.run(|store| async move {
            // Done twice, it is done once: so it may be asked for like a read.
            let ask = |mut member: Member| async move { member.kv.compact(revision, None).await };
            store.members.ask(Kind::Read, ask).await
        });
        self.drop_tails();
        match compacted {
            Ok(_) | Err(Fault::Compacted) => Ok(Compacted::default()),
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Etcd {
    /// Shows the keys of a range that have a value, and those values.
    pub(crate) fn show(&self, range: Range, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        let mut pages = Pages::new(self, range, self.store.options.reads).towards(direction);
        loop {
            let page = pages.next()?;
            if page.is_empty() {
                return Ok(());
            }
            for pair in page {
                let Some(key) = self.store.layout.key_of(pair.key()) else { continue };
                if let Some(value) = value_of(key, pair.value())?
                    && visit(key, value) == ControlFlow::Break(())
                {
                    return Ok(());
                }
            }
        }
    }

    /// The revision up to which the history has been compacted; 0 if it never was.
    ///
    /// # Errors
    ///
    /// As [`get`](logladder_engine::Engine::get).
    pub(crate) fn compacted_revision(&self) -> Result<i64> {
        let first = self.run(|store| async move { Count::read(&store, Some(1)).await });
        match first {
            Ok(_) => return Ok(0),
            Err(Fault::Compacted) => {}
            Err(fault) => return Err(fault.into()),
        }
        let found = self.run(|store| async move { crate::tail::compacted_revision(&store).await })?;
        found.ok_or_else(|| Error::Cluster { why: "a member does not say what it has compacted".to_owned() })
    }

    /// How a read that something depends on is done, whatever the options say.
    pub(crate) const fn sure() -> Reads {
        Reads::Linearizable
    }
}
