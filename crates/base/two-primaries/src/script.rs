//! [`Scenario`]: what the clients and the world do, and when. It says nothing about the protocol.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::Millis;

/// What is done, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What is done.
    pub steps: Vec<Step>,
    /// When the servers are asked what they hold, and it ends.
    pub end: Millis,
    /// How long messages are under way.
    pub delays: Delays,
}

/// How long messages are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delays {
    /// All so long.
    Fixed(Millis),
    /// Each from 1 to 20, drawn from this seed.
    Drawn(u64),
}

/// Something that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    pub at: Millis,
    /// What.
    pub action: Action,
}

/// What can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A client asks for a write: with a value a set, without one a delete.
    Write {
        /// Whom it asks.
        to: To,
        /// Which key.
        key: String,
        /// The value.
        value: Option<String>,
    },
    /// The first primary's process is stopped. Nobody is told; its connections stay.
    Pause,
    /// It goes on.
    GoOn,
    /// It is killed.
    Kill,
    /// It is killed, if it still runs, and started again as a member of what there is.
    StartAgain,
}

/// Whom a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// The first primary, whose address it was given once.
    First,
    /// Whoever is the primary now, as far as can be known.
    Current,
}

/// For how long a client waits for its answer.
pub const PATIENCE: Millis = 1000;

/// The scenarios that have names, in the order of the lesson.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    use To::{Current, First};
    vec![
        named(
            "killed",
            "the primary is ended with Ctrl-C, as in a demonstration: all goes well",
            vec![
                (1000, set(First, "name", "anna")),
                (1500, set(First, "name", "bob")),
                (2200, Action::Kill),
                (5000, set(Current, "name", "carl")),
            ],
            6000,
        ),
        named(
            "two-primaries",
            "the primary is paused for four seconds, and goes on",
            vec![
                (1000, set(First, "name", "anna")),
                (2200, Action::Pause),
                (5000, set(Current, "name", "bob")),
                (6000, Action::GoOn),
                (7000, set(First, "name", "carl")),
            ],
            8000,
        ),
        named(
            "lost-writes",
            "it is paused between its answer and its message to the replicas, goes on, and is started again later",
            vec![
                (2000, set(First, "name", "anna")),
                (2006, Action::Pause),
                (6000, Action::GoOn),
                (7000, set(First, "city", "Dhaka")),
                (8000, Action::StartAgain),
            ],
            9000,
        ),
        named(
            "deleted-key",
            "a key is deleted, and then the primary is paused",
            vec![
                (1000, set(First, "name", "anna")),
                (1500, delete(First, "name")),
                (2200, Action::Pause),
                (6000, Action::GoOn),
                (7000, Action::StartAgain),
            ],
            8000,
        ),
        named(
            "versions",
            "a key is written three times, deleted, and written again",
            vec![
                (1000, set(First, "name", "anna")),
                (1200, set(First, "name", "bob")),
                (1400, set(First, "name", "carl")),
                (1600, delete(First, "name")),
                (1800, set(First, "name", "dora")),
                (2200, Action::Pause),
                (5000, set(Current, "name", "emil")),
                (6000, Action::GoOn),
                (7000, Action::StartAgain),
            ],
            8000,
        ),
    ]
}

/// The scenario of this name.
#[must_use]
pub fn scenario(name: &str) -> Option<Scenario> {
    scenarios().into_iter().find(|scenario| scenario.name == name)
}

/// A scenario that a seed makes up: a primary that is paused and goes on, and some twenty writes of three keys, half of
/// them by clients that know the first primary's address alone. Every second one ends with that primary started again.
#[must_use]
pub fn made_up(seed: u64) -> Scenario {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let pause = random.random_range(2000..3000);
    let go_on = random.random_range(pause + 2200..8000);
    let mut steps = vec![(pause, Action::Pause), (go_on, Action::GoOn)];
    if random.random_bool(0.5) {
        steps.push((10_000, Action::StartAgain));
    }
    for number in 1..=20 {
        let to = if random.random_bool(0.5) { To::First } else { To::Current };
        let key = ["name", "city", "food"].choose(&mut random).copied().unwrap_or("name");
        let action =
            if random.random_bool(0.25) { delete(to, key) } else { set(to, key, &format!("v{number}")) };
        steps.push((random.random_range(500..9500), action));
    }
    // The order of two at the same time is that of their making: the sort is stable.
    steps.sort_by_key(|(at, _)| *at);
    let about = "made up by a seed: the primary is paused for two to six seconds";
    Scenario { delays: Delays::Drawn(seed), ..named(&format!("seed {seed}"), about, steps, 12_000) }
}

fn named(name: &str, about: &str, steps: Vec<(Millis, Action)>, end: Millis) -> Scenario {
    let steps = steps.into_iter().map(|(at, action)| Step { at, action }).collect();
    Scenario { name: name.to_owned(), about: about.to_owned(), steps, end, delays: Delays::Fixed(5) }
}

fn set(to: To, key: &str, value: &str) -> Action {
    Action::Write { to, key: key.to_owned(), value: Some(value.to_owned()) }
}

fn delete(to: To, key: &str) -> Action {
    Action::Write { to, key: key.to_owned(), value: None }
}
