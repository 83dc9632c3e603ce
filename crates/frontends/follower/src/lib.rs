//! [`Follower`]: a copy of the store that a server has, on another machine or in another process. It takes over everything
//! once, follows each change from then on, and answers reads by itself.
//!
//! ```text
//!   the leader: `logladder serve`, of any stage that keeps a log of changes
//!        │
//!        │ GET /v1/changes?snapshot=true          GET /v1/changes?since=PLACE
//!        │ position, every key, its end, changes  changes behind the place
//!        ▼
//!   subscription (subscription.rs) ── a WebSocket: read by a thread that waits for nothing else
//!        │ at most so many changes ahead
//!        ▼
//!   session (session.rs) ──────────── as many changes as there are, in their order
//!        │ one batch: the changes, and the place behind them
//!        ▼
//!   local copy (local.rs) ─────────── a hash-log store: reads come from here
//! ```
//!
//! # Crash contract
//!
//! The place in the leader's log stands in the copy itself, under a key that reads do not show, and is written in one batch with
//! the changes before it. Whatever part of the copy a crash takes, the place goes with it: the copy goes on where it is,
//! without a gap and without a repetition, whichever side was restarted. Where values end by themselves
//! ([`Expire`](logladder_engine::Expire)), up to one message's worth of them may be taken again, which changes nothing.
//!
//! What the leader acknowledged and then lost, because it does not sync each write and its machine lost power, the copy may
//! have seen. Who must not see such changes syncs each write there.
//!
//! # What a copy shows
//!
//! The state that the leader had a moment ago, in its order: never one without what came before it. A batch of the
//! leader may be seen in part for that moment. While everything is copied, which is at the beginning, and when the leader has
//! compacted what the copy has not seen yet, reads see some of it: [`Engine::trouble`](logladder_engine::Engine::trouble) says so, and
//! a server answers `/readyz` with no.
//!
//! How far behind it is, [`Lag`](logladder_engine::Lag) says: in changes, and as a time before which nothing is missing.
//!
//! A value of the copy that is damaged on the disk is an error and never another value, as in every hash-log. From the
//! first such read on, the copy says that it is not ready: the leader has what is lost here.
//!
//! # A store of its own
//!
//! Whoever knows that the leader is gone for good can go on with the copy: [`promote`] takes the place out of it, and what is
//! left is a hash-log like any other.
//!
//! # What it does not do
//!
//! It takes no writes, since there is one order of writes and the leader makes it; a server over a copy can send them on. It
//! counts no versions and keeps no log of changes of its own: both are the leader's. It does not replace a leader that is gone: nobody
//! here knows whether that is dead or only slow. That takes a majority, which is what stage 9 has.

mod engine;
mod leader;
mod local;
mod progress;
mod promote;
mod session;
mod subscription;
mod watch_leader;

pub use engine::{Follower, Options};
pub use leader::{BadLeader, Leader};
pub use promote::{Promoted, is_place, promote};
pub use subscription::{Ended, Message, Refused, Since, Subscription};
