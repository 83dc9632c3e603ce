//! A primary, two replicas and a failover process, simulated: what they do when the primary is paused and not dead.
//!
//! ```text
//!   client ──set, delete──► 5000, the primary ──WebSocket: key, value, version──► 5001, 5002: replicas
//!      ▲                        │    ▲                                                 ▲
//!      └──answer, at once───────┘    │ ping, each second                               │ "you are the primary"
//!                                failover ─────────────────────────────────────────────┘ if no answer came
//! ```
//!
//! That is how many programs replicate a map in memory, and it works when it is shown: the primary is ended, a replica takes
//! over. What it lacks is shown by ending the primary in another way, by letting it sleep for a while. A virtual machine that
//! is moved does that to a process, a laptop that is closed, a collector of garbage, a full disk, Ctrl-Z.
//!
//! # How it is simulated
//!
//! Nothing runs and nothing waits. The time is a number, and a queue holds what will happen, sorted by it; to go on is to take
//! the next event out. A message is an event at the receiver, some thousandths of a second later. A paused process keeps the
//! events that are for it, as a socket keeps the bytes, and has them all at once when it goes on. So a [`Scenario`], which is
//! the list of what the clients and the world do and a seed of the delays, gives the same [`Trace`] every time.
//!
//! The protocol is as good as its short description allows. Messages between two processes stay in order. A replica that is
//! promoted leaves the old primary, the other one is sent to the new one and is given all that it holds, and a replica
//! takes no writes. [`Protocol`] can mend two things more.
//!
//! | module | what it holds |
//! |---|---|
//! | [`script`] | what is done: the scenarios by name, and those that a seed makes up |
//! | [`server`] and [`failover`] | the protocol: what each process does with a message |
//! | [`world`] | the queue, the time, pausing and killing |
//! | [`history`] | what clients saw, which is all that is judged |
//! | [`mod@check`] | the judge: four invariants, for any protocol |
//! | [`trace`] | the steps as lines of text |
//! | [`survey`] | many made-up scenarios, counted |
//!
//! The judge knows no protocol, so that it can judge others: stage 9 replays the same scenarios on a real cluster.
//!
//! The ways to fail are those that Jepsen's reports describe (Kingsbury, since 2013), and that Kleppmann tells of in "Designing
//! Data-Intensive Applications" (2017), chapters 5 and 8. A simulation where a seed decides everything is how FoundationDB is
//! tested (Zhou and others, 2021).
//!
//! # Examples
//!
//! ```
//! use logladder_two_primaries::{Protocol, run, scenario};
//!
//! let trace = run(&scenario("two-primaries").expect("its name"), Protocol::default());
//! let verdict = trace.verdict();
//! assert_eq!(verdict[0].to_string(), "two primaries from 6.000 s to 8.000 s: 5000 and 5001");
//! ```

pub mod check;
pub mod failover;
pub mod history;
pub mod script;
pub mod server;
pub mod survey;
pub mod trace;
pub mod world;

pub use check::{Finding, check};
pub use history::{Claim, Found, History, Outcome, Write};
pub use script::{Action, Scenario, Step, To, made_up, scenario, scenarios};
pub use trace::{Kind, Row, Trace};
pub use world::run;

/// How many servers there are.
pub const SERVERS: usize = 3;

/// Thousandths of a second since the beginning.
pub type Millis = u64;

/// What a server is called: its port.
#[must_use]
pub fn name_of(server: usize) -> String {
    format!("{}", 5000 + server)
}

/// A time as text: `2.006`, in seconds.
#[must_use]
pub fn seconds(at: Millis) -> String {
    format!("{}.{:03}", at / 1000, at % 1000)
}

/// What is mended in the protocol. The default is as it is described, where a message to a replica is a key, its value
/// and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Protocol {
    /// Replicas hear of deletes, and a deleted key goes on counting its versions.
    pub pushes_deletes: bool,
    /// A primary that was deposed is told so as soon as it answers a ping again, and follows the new one.
    pub tells_the_deposed: bool,
}
