//! [`History`]: what clients saw of a cluster, and nothing of how it is made.
//!
//! The judge is given this alone, so that a simulation and a real cluster can be judged alike.

use serde::Serialize;

use crate::Millis;

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct History {
    /// Every write that a client asked for.
    pub writes: Vec<Write>,
    /// Who took itself for the primary, and when.
    pub claims: Vec<Claim>,
    /// What each server that runs at the end answers, for each key that was written.
    pub found: Vec<Found>,
}

/// A set or a delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Which key.
    pub key: String,
    /// Its new value; `None` deletes it.
    pub value: Option<String>,
    /// The server that was asked.
    pub server: usize,
    /// When the client asked.
    pub asked: Millis,
    /// What it was told, and when.
    pub outcome: Outcome,
}

/// What a client was told of its write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It is done.
    Acknowledged {
        /// When the client knew.
        at: Millis,
        /// The version that it gave the key, where the server said one.
        version: Option<u64>,
    },
    /// It is not done and will not be.
    Refused,
    /// Nothing. It may have been done, or be done at any time after.
    Unknown,
}

/// A server was the primary, in its own eyes, while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Which server.
    pub server: usize,
    /// By which election, where there are elections and they are numbered. Nobody obeys a primary of an election that is
    /// not the last, so it can acknowledge nothing, whatever it takes itself for.
    pub election: u64,
    /// From when.
    pub from: Millis,
    /// Until when; this moment is not part of it.
    pub until: Millis,
}

/// What a server answered at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Which server.
    pub server: usize,
    /// The key it was asked for.
    pub key: String,
    /// The value; `None` if it said that there is none.
    pub value: Option<String>,
}

impl Write {
    /// When the client was told that it is done.
    #[must_use]
    pub fn acknowledged_at(&self) -> Option<Millis> {
        match self.outcome {
            Outcome::Acknowledged { at, .. } => Some(at),
            Outcome::Refused | Outcome::Unknown => None,
        }
    }
}
