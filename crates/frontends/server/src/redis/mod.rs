//! The protocol of Redis over any stage, beside HTTP: RESP2, RESP3, and lines of words.
//!
//! ```text
//!   redis-cli, redis-benchmark, any client of Redis
//!        │ a pipeline of commands
//!        ▼
//!   serve ───────── times, drain                          (serve.rs)
//!        │ bytes
//!   session ─────── one answer for all that came          (session.rs)
//!        │
//!   gauge ───────── whole? within the limits?             (gauge.rs)
//!        │ a whole frame
//!   request ─────── decoded as ranges of the input        (request.rs)
//!        │
//!   commands ────── the table: what it takes, where it runs (commands.rs)
//!        ├─ what only touches memory   on the thread of the network (threads.rs)
//!        ├─ appends, syncs             gathered from many connections: one batch (gather.rs)
//!        └─ walks, slow stages         on a thread that may wait
//!        ▼
//!   dyn Engine
//! ```
//!
//! The codec is that of the crate `redis-protocol`. The protocol is described at
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>, and the words of errors are those of Redis 7.

mod about;
mod answers;
mod client;
mod commands;
mod counters;
mod expiry;
mod gather;
mod gauge;
mod glob;
mod keys;
mod port;
mod refusal;
mod request;
mod serve;
mod session;
mod shelves;
mod strings;
mod threads;
mod turn;

pub(crate) use answers::Answers;
pub(crate) use commands::COMMANDS;
pub(crate) use port::Port;
pub(crate) use serve::{FAREWELL, serve};
pub(crate) use threads::Threads;
