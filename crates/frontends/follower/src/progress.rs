//! [`Progress`]: how far the copy is, as the threads that follow tell it to those that ask.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use logladder_engine::{FollowState, Lag, Position};

/// How far the copy is.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Known>);

#[derive(Debug)]
struct Known {
    leader: String,
    state: FollowState,
    applied: Option<Position>,
    /// From which sequence on the copy is a state that the leader had.
    whole_from: u64,
    /// How many changes the leader had when it was last asked.
    leader_has: Option<u64>,
    /// The earliest look at the leader that the copy has not caught up with: how many changes there were, and when.
    pending: Option<(u64, Instant)>,
    /// The latest look at the leader that it has caught up with.
    fresh: Option<Instant>,
}

impl Progress {
    pub(crate) fn of(leader: String, place: Option<(Position, u64)>) -> Self {
        let Lag { leader, state, .. } = Lag::new(leader);
        let (applied, whole_from) = match place {
            Some((position, whole_from)) => (Some(position), whole_from),
            None => (None, 0),
        };
        let (leader_has, pending, fresh) = (None, None, None);
        Self(Mutex::new(Known { leader, state, applied, whole_from, leader_has, pending, fresh }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // It holds no two things that a panic could leave at odds.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self, state: FollowState) {
        let mut known = self.known();
        if matches!(state, FollowState::Copying { keys: 0 }) {
            (known.applied, known.pending) = (None, None);
        }
        known.state = state;
    }

    pub(crate) fn copied(&self, keys: u64) {
        self.known().state = FollowState::Copying { keys };
    }

    /// Everything up to `position` is here. It is a state that the leader had from `whole_from` on.
    pub(crate) fn applied(&self, position: Position, whole_from: u64) {
        let mut known = self.known();
        (known.applied, known.whole_from) = (Some(position), whole_from);
        known.catch_up();
    }

    /// The leader was asked at `when`, and had so many changes.
    pub(crate) fn leader_has(&self, changes: u64, when: Instant) {
        let mut known = self.known();
        known.leader_has = Some(changes);
        known.pending.get_or_insert((changes, when));
        known.catch_up();
    }

    pub(crate) fn lag(&self) -> Lag {
        let known = self.known();
        let mut lag = Lag::new(known.leader.clone());
        lag.state = known.state.clone();
        lag.position = known.whole();
        let applied = lag.position.map(|position| position.sequence);
        lag.changes = known.leader_has.zip(applied).map(|(theirs, ours)| theirs.saturating_sub(ours));
        lag.time = known.fresh.filter(|_| applied.is_some()).map(|fresh| fresh.elapsed());
        lag
    }
}

impl Known {
    /// The place of the copy, if it is a state that the leader had.
    fn whole(&self) -> Option<Position> {
        self.applied.filter(|applied| applied.sequence >= self.whole_from)
    }

    fn catch_up(&mut self) {
        if let (Some(position), Some((changes, when))) = (self.whole(), self.pending)
            && position.sequence >= changes
        {
            (self.fresh, self.pending) = (Some(when), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> Position {
        Position { sequence, segment: 1, offset: 0 }
    }

    #[test]
    fn a_copy_is_as_fresh_as_the_last_look_that_it_has_caught_up_with() {
        let progress = Progress::of("leader".into(), None);
        let (first, second) = (Instant::now(), Instant::now());
        progress.leader_has(10, first);
        assert_eq!((progress.lag().changes, progress.lag().time), (None, None));
        progress.applied(at(8), 9);
        assert_eq!(progress.lag().position, None, "it is the state of no moment yet");
        progress.applied(at(9), 9);
        assert_eq!((progress.lag().changes, progress.lag().time), (Some(1), None));
        progress.leader_has(12, second);
        progress.applied(at(10), 9);
        assert_eq!(progress.lag().changes, Some(2));
        assert_eq!(progress.known().fresh, Some(first));
        progress.leader_has(12, second);
        progress.applied(at(12), 9);
        assert_eq!((progress.lag().changes, progress.known().fresh), (Some(0), Some(second)));
    }

    #[test]
    fn a_copy_that_is_made_anew_has_no_place() {
        let progress = Progress::of("leader".into(), Some((at(5), 3)));
        assert_eq!(progress.lag().position, Some(at(5)));
        progress.state(FollowState::Copying { keys: 0 });
        assert_eq!(progress.lag().position, None);
        assert!(!progress.lag().is_whole());
    }
}
