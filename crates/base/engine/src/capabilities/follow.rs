//! [`Follow`]: a copy of another store, and how far behind it is.

use std::time::Duration;

use crate::Position;

/// A store that is a copy of another one, its leader, and follows what is written there.
pub trait Follow {
    /// How far the copy is.
    fn lag(&self) -> Lag;
}

/// How far a copy is behind its leader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// Where the leader is.
    pub leader: String,
    /// What the copy is doing.
    pub state: FollowState,
    /// The place in the leader's log up to which the copy has everything; `None` until its first copy is whole.
    pub position: Option<Position>,
    /// How many changes the leader had more when it was last asked; `None` if it has not been asked yet.
    pub changes: Option<u64>,
    /// Everything that the leader had acknowledged so long ago is in the copy; `None` until that was so once since the
    /// copy was opened.
    pub time: Option<Duration>,
}

impl Lag {
    /// A copy that has not begun yet.
    #[must_use]
    pub fn new(leader: impl Into<String>) -> Self {
        let state = FollowState::Away { why: "it has not been reached yet".to_owned() };
        Self { leader: leader.into(), state, position: None, changes: None, time: None }
    }

    /// Whether the copy is a state that the leader once had. It is not while the first copy is made, and while it is
    /// made anew.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.position.is_some() && !matches!(self.state, FollowState::Copying { .. })
    }
}

/// What a copy is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FollowState {
    /// It takes everything over from the leader: reads see some of it.
    Copying {
        /// How many keys it has so far.
        keys: u64,
    },
    /// It takes each change as it is made.
    Following,
    /// The leader cannot be reached, or refuses: the copy grows old, and is tried on.
    Away {
        /// What went wrong.
        why: String,
    },
    /// The copy cannot be written: it grows old until it is opened again.
    Failed {
        /// What went wrong.
        why: String,
    },
}
