//! Stage 9: the same trait over a replicated cluster, etcd.
//!
//! Every stage below ends with its machine. This one keeps each write on a majority of several: the others go on when
//! one is lost, and nothing that was acknowledged is. How machines agree is a hard problem with well-known solutions, and not
//! one to solve again at home: this stage stands on [etcd](https://etcd.io), which solves it by Raft (Ongaro and Ousterhout, "In
//! Search of an Understandable Consensus Algorithm", USENIX ATC 2014), and is only what it takes for a program not to
//! notice.
//!
//! ```text
//!   set("name", "anna")                        get("name")
//!         │ one transaction                         ▲
//!         ▼                                         │ of any member, which asks the leader how far the log goes
//!   ┌─ Etcd: a member that answers ─────────────────┴──┐      ┌ member 1 ┐    ┌ member 2 ┐    ┌ member 3 ┐
//!   │ endpoints, deadlines; nothing is written twice   ├────► │  leader  ├──► │ log, keys│    │ log, keys│
//!   └──────────────────────────────────────────────────┘      └────┬─────┘    └──────────┘    └────▲─────┘
//!                                                                  └───────────────────────────────┘
//!   What lies where in etcd, behind the prefix of the store:
//!
//!     logladder:v            "1"        the version of this layout
//!     logladder:dname        "=anna"    a value
//!     logladder:dcity        "-"        a key that was deleted; it still counts its versions
//!     logladder:e‹4›name‹0›  "=al"      a write that a later one of the same batch replaced; ‹4› is a number, as bytes
//!     logladder:ca           ""         put with every change: etcd counts how often
//!
//!   and of each of them, what it was at every revision since the last compaction
//! ```
//!
//! # Versions
//!
//! etcd counts the writes of a key, and starts again when the key is deleted. The numbers of [`History`] must not. So no key is
//! deleted in etcd: a delete puts the mark `-`, and is counted by etcd like any other write. No write has to read a number
//! first. Keys that are deleted go on to take the space of their name, and of a few bytes; what they were goes with
//! compaction.
//!
//! Positions in the log of changes are counted in the same way, by a key that each write puts as well.
//!
//! # Writers at once
//!
//! A set is one transaction. Sets of several threads that come while one is under way go together into the next: *group
//! commit*. A single writer waits for nobody.
//!
//! # Crash contract
//!
//! [`Durability::PowerLoss`], and more: a write is acknowledged when a majority of the members has it on its disks. It
//! survives the loss of power everywhere, and the loss of fewer than half of the machines for ever. A batch is one
//! transaction, whole or absent. There is one order of all writes, and with [`Reads::Linearizable`], the default, a read sees
//! everything that was acknowledged before it began, through whichever member or process.
//!
//! While fewer than a majority run and reach each other, writes and reads are refused. They are never done by a part.
//!
//! What can go wrong on the way is told apart, because it asks for different things:
//!
//! | error | what it means | what to do |
//! |---|---|---|
//! | [`Error::NoQuorum`] | no majority could be reached in time; nothing was changed | try again |
//! | [`Error::OutcomeUnknown`] | a write was sent, and its answer never came: it was done, or not, or will be in a moment | read, then decide |
//! | [`Error::TooLarge`] | longer than a request may be, 1.5 MiB; nothing was sent | make it smaller |
//! | [`Error::Compacted`] | changes that were asked for are compacted | read all, follow from there |
//! | [`Error::Contended`] | `delete_all` only: others write that collection all the time | try again |
//! | [`Error::Full`] | the members' quota is used up (`mvcc: database space exceeded`) | make room, or allow more |
//! | [`Error::NotLetIn`] | the members ask for a name and a password | as it says |
//! | [`Error::OtherCluster`] | another cluster answers, or this one was restored from a copy | open again, read anew |
//! | [`Error::Cluster`] | etcd refused for another reason | as it says |
//!
//! Nothing that is not idempotent is sent twice. A write goes to another member only if the first one cannot have done it:
//! nobody listened there, or it said that it has no leader. Reads go round until the deadline.
//!
//! # Limits
//!
//! Keys of 65,535 bytes. A request is 1.5 MiB at most, unless the members were told otherwise: a value is a little shorter,
//! and so is a batch with all its keys and values. etcd is made for some gigabytes of data: its quota is 2 GiB until it is
//! raised, and 8 GiB is what it recommends at most. One history belongs to everyone in the cluster, and
//! [`Compact`](logladder_engine::Compact) compacts that of everyone.
//!
//! # What this stage does not do
//!
//! It is the last. It has no [`Expire`](logladder_engine::Expire): etcd's leases end when nobody renews them, by the clock of
//! whoever is the leader, which is another promise than that of the trait. It has no [`Backup`](logladder_engine::Backup):
//! `etcdctl snapshot save` is one of the whole cluster. It offers no locks: a lease ends while its owner still believes in
//! it, so a lock in etcd does not keep two owners apart. It speaks to etcd without TLS and without names and passwords. All
//! members hold all data, so it grows no larger than one machine; past that the keys have to be divided among clusters.
//!
//! # Examples
//!
//! ```no_run
//! use logladder_engine::{Atomic, Engine};
//! use logladder_etcd::{Etcd, Options};
//!
//! let store = Etcd::connect(Options::default().with_endpoints([
//!     "http://10.0.0.1:2379",
//!     "http://10.0.0.2:2379",
//!     "http://10.0.0.3:2379",
//! ]))?;
//! store.set(b"name", b"anna")?;
//! assert!(store.compare_and_set(b"name", Some(b"anna"), Some(b"bob"))?);
//! assert_eq!(store.get(b"name")?.as_deref(), Some(&b"bob"[..]));
//! # Ok::<(), logladder_engine::Error>(())
//! ```
//!
//! [`Durability::PowerLoss`]: logladder_engine::Durability::PowerLoss
//! [`History`]: logladder_engine::History
//! [`Error::NoQuorum`]: logladder_engine::Error::NoQuorum
//! [`Error::OutcomeUnknown`]: logladder_engine::Error::OutcomeUnknown
//! [`Error::TooLarge`]: logladder_engine::Error::TooLarge
//! [`Error::Compacted`]: logladder_engine::Error::Compacted
//! [`Error::Contended`]: logladder_engine::Error::Contended
//! [`Error::Full`]: logladder_engine::Error::Full
//! [`Error::NotLetIn`]: logladder_engine::Error::NotLetIn
//! [`Error::OtherCluster`]: logladder_engine::Error::OtherCluster
//! [`Error::Cluster`]: logladder_engine::Error::Cluster

mod atomic;
mod collections;
mod commit;
mod count;
mod endpoint;
mod engine;
mod fault;
mod follow;
mod history;
mod iterate;
mod layout;
mod members;
mod options;
mod pages;
mod runtime;
mod status;
mod store;
mod tail;
mod transaction;

pub use engine::Etcd;
pub use options::{Options, Reads};
