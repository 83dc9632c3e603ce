//! HTTP, WebSockets and server-sent events over any stage of the ladder; and, beside it, the protocol of Redis.
//!
//! ```text
//!   curl, a browser, a program
//!        │ HTTP/1.1
//!        ▼
//!   accept loop ── a place each, or 503      (door.rs)
//!        │
//!   watchdog ───── head, idle, unread answer (watchdog.rs, connection.rs, linger.rs)
//!        │
//!   guard ──────── Host, Origin, token       (guard.rs, cors.rs)
//!        │
//!   routes ─────── body limit, parameters    (routes/, request.rs)
//!        │
//!   app ────────── off the network's threads (app.rs)
//!        ▼
//!   dyn Engine
//! ```
//!
//! The protocol of Redis has a way of its own through the same server: see `redis/mod.rs`.
//!
//! A page that shows the files of the store while it is in use is in `view/mod.rs`.
//!
//! [`Server`] takes an engine of any stage. What a stage cannot do is answered with 501 and the stages that can. The
//! routes are listed in the book, and by the server itself at `/openapi.json`.
//!
//! An answer means what the engine's [`Durability`](logladder_engine::Durability) says, or with `?sync=true` that the write
//! is on the disk. A write that failed is never answered with success. On the way out no request that began is dropped, and
//! a failed sync is an error.

mod access;
mod answer;
mod app;
mod capability;
mod connection;
mod cors;
mod document;
mod door;
mod entry;
mod feed;
mod forward;
mod guard;
mod json;
mod linger;
mod listen;
mod logs;
mod metrics;
mod options;
mod redis;
mod request;
mod routes;
mod server;
mod snapshot;
mod stop;
mod together;
mod view;
mod watchdog;

pub use listen::Listening;
pub use logs::{LogFormat, start_logging};
pub use options::{Options, Token};
pub use server::{ServeError, Server, SharedEngine, close};
pub use stop::stop_signal;
pub use view::{Crash, CrashableStore, View};
