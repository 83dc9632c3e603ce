//! [`Promise`]: what each key may hold after a crash.

use crate::Violation;
use crate::show::{show, show_value};

/// A set or a delete, and when it happened, counted in operations of the disk. One of a batch, of which only the
/// last write of each key is of any account.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: Vec<u8>,
    /// `None` is a delete.
    pub(crate) value: Option<Vec<u8>>,
    /// The number of the call that made it: all writes of a batch have one.
    pub(crate) call: usize,
    /// How many operations had been done when the engine was called.
    pub(crate) begun: usize,
    /// How many when it said yes. `None` if it said no.
    pub(crate) acknowledged: Option<usize>,
}

/// A successful sync or close.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sync {
    /// How many writes it covers.
    pub(crate) covers: usize,
    /// How many operations had been done when it said yes.
    pub(crate) acknowledged: usize,
}

/// What each key may hold after a crash: its *floor*, the last write of it that must have survived, or any
/// write of it that was submitted later. And of a batch all keys show it, or all keys show what there was without
/// it; one that was written again since shows neither.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise<'w> {
    writes: &'w [Write],
    /// So many writes are covered by a sync.
    covered: usize,
    /// Writes acknowledged by this operation must have survived as well. `None`: only synced ones.
    floor: Option<usize>,
    /// Writes begun before this operation may have.
    begun: usize,
}

impl<'w> Promise<'w> {
    pub(crate) fn new(writes: &'w [Write], covered: usize, floor: Option<usize>, begun: usize) -> Self {
        Self { writes, covered, floor, begun }
    }

    /// What `key` may hold, the floor first; `without` a call, as if that had never been made.
    fn allowed(&self, key: &[u8], without: Option<usize>) -> Vec<Option<&'w [u8]>> {
        let mut allowed = vec![None];
        let counts = |write: &Write| write.key == key && Some(write.call) != without;
        for (number, write) in self.writes.iter().enumerate().filter(|(_, write)| counts(write)) {
            let survives =
                |acknowledged| number < self.covered || self.floor.is_some_and(|floor| acknowledged <= floor);
            if write.acknowledged.is_some_and(survives) {
                allowed = vec![write.value.as_deref()];
            } else if write.begun < self.begun {
                allowed.push(write.value.as_deref());
            }
        }
        allowed
    }

    /// Whether a write had begun that no sync covers.
    pub(crate) fn has_unsynced_writes(&self) -> bool {
        self.writes.iter().skip(self.covered).any(|write| write.begun < self.begun)
    }

    /// Whether `values`, one for each of `keys`, are allowed.
    pub(crate) fn check(&self, keys: &[Vec<u8>], values: &[Option<Vec<u8>>]) -> Result<(), Violation> {
        for (key, value) in keys.iter().zip(values) {
            let allowed = self.allowed(key, None);
            if !allowed.contains(&value.as_deref()) {
                let choices: Vec<String> = allowed.into_iter().map(show_value).collect();
                return Err(Violation::new(
                    format!("key {} holds {}", show(key), choices.join(", or ")),
                    format!("it holds {}", show_value(value.as_deref())),
                ));
            }
        }
        let value_of = |key: &[u8]| {
            let at = keys.iter().position(|other| other == key)?;
            values[at].as_deref()
        };
        let batches = self.writes.chunk_by(|one, next| one.call == next.call);
        for batch in batches.filter(|batch| batch.len() > 1 && batch[0].begun < self.begun) {
            self.check_batch(batch, value_of)?;
        }
        Ok(())
    }

    /// Whether the batch is there whole or not at all, given that each value is allowed.
    fn check_batch<'v>(
        &self,
        batch: &[Write],
        value_of: impl Fn(&[u8]) -> Option<&'v [u8]>,
    ) -> Result<(), Violation> {
        let is_later = |write: &&Write| write.call > batch[0].call && write.begun < self.begun;
        let shows_it = |write: &Write| {
            let value = value_of(&write.key);
            let mut later = self.writes.iter().filter(is_later).filter(|later| later.key == write.key);
            write.value.as_deref() == value || later.any(|later| later.value.as_deref() == value)
        };
        let lacks_it =
            |write: &Write| self.allowed(&write.key, Some(write.call)).contains(&value_of(&write.key));
        if batch.iter().all(shows_it) || batch.iter().all(lacks_it) {
            return Ok(());
        }
        let tell = |write: &Write| {
            let (key, value) = (show(&write.key), show_value(value_of(&write.key)));
            format!("{key} holds {value}, and {} in the batch", show_value(write.value.as_deref()))
        };
        let found: Vec<String> = batch.iter().map(tell).collect();
        Err(Violation::new("a batch is there whole or not at all", found.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: Option<&str>, begun: usize, acknowledged: Option<usize>) -> Write {
        let value = value.map(|value| value.as_bytes().to_vec());
        Write { key: b"k".to_vec(), value, call: begun, begun, acknowledged }
    }

    fn allows(promise: &Promise<'_>, value: Option<&str>) -> bool {
        promise.check(&[b"k".to_vec()], &[value.map(|value| value.as_bytes().to_vec())]).is_ok()
    }

    #[test]
    fn an_acknowledged_write_is_the_floor_and_one_under_way_may_be_there() {
        let writes = [write(Some("1"), 0, Some(2)), write(Some("2"), 2, Some(4)), write(None, 4, Some(6))];
        let promise = Promise::new(&writes, 0, Some(3), 3);
        assert!(allows(&promise, Some("1")));
        assert!(allows(&promise, Some("2")), "its first operation was done");
        assert!(!allows(&promise, None), "neither lost nor deleted yet");
        let promise = Promise::new(&writes, 0, Some(6), 6);
        assert!(allows(&promise, None));
        assert!(!allows(&promise, Some("2")), "a durable delete stays deleted");
    }

    #[test]
    fn without_a_sync_anything_submitted_may_be_there_and_with_one_nothing_older() {
        let writes = [write(Some("1"), 0, Some(2)), write(Some("2"), 2, Some(4))];
        let promise = Promise::new(&writes, 0, None, 4);
        assert!(allows(&promise, None) && allows(&promise, Some("1")) && allows(&promise, Some("2")));
        let promise = Promise::new(&writes, 1, None, 4);
        assert!(!allows(&promise, None));
        assert!(allows(&promise, Some("1")) && allows(&promise, Some("2")));
        assert!(!allows(&promise, Some("3")), "a value that was never written");
    }

    #[test]
    fn a_refused_write_is_no_floor() {
        let writes = [write(Some("1"), 0, Some(2)), write(Some("2"), 2, None)];
        let promise = Promise::new(&writes, 2, Some(9), 9);
        assert!(allows(&promise, Some("1")) && allows(&promise, Some("2")));
        assert!(!allows(&promise, None));
    }
    fn of_call(call: usize, key: &str, value: &str, acknowledged: Option<usize>) -> Write {
        let (key, value) = (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
        Write { key, value, call, begun: 10 * call, acknowledged }
    }

    /// Whether `a` and `b` may hold these.
    fn allows_both(promise: &Promise<'_>, a: &str, b: &str) -> bool {
        let values = [a, b].map(|value| Some(value.as_bytes().to_vec()));
        promise.check(&[b"a".to_vec(), b"b".to_vec()], &values).is_ok()
    }

    #[test]
    fn a_batch_under_way_is_whole_or_absent() {
        let mut writes = vec![of_call(0, "a", "0", Some(1)), of_call(1, "b", "0", Some(11))];
        writes.extend([of_call(2, "a", "2", Some(29)), of_call(2, "b", "2", Some(29))]);
        let promise = Promise::new(&writes, 0, Some(25), 25);
        assert!(allows_both(&promise, "0", "0") && allows_both(&promise, "2", "2"));
        assert!(!allows_both(&promise, "0", "2") && !allows_both(&promise, "2", "0"));
        let promise = Promise::new(&writes, 0, Some(29), 29);
        assert!(allows_both(&promise, "2", "2"));
        assert!(!allows_both(&promise, "0", "0") && !allows_both(&promise, "0", "2"));
    }

    #[test]
    fn a_key_that_was_written_again_says_nothing_of_its_batch() {
        let mut writes = vec![of_call(0, "a", "0", Some(1)), of_call(1, "b", "0", Some(11))];
        writes.extend([of_call(2, "a", "2", Some(29)), of_call(2, "b", "2", Some(29))]);
        writes.push(of_call(3, "a", "3", Some(39)));
        // Nothing was synced, and anything may be lost.
        let promise = Promise::new(&writes, 2, None, 39);
        for (a, b) in [("3", "0"), ("3", "2"), ("0", "0"), ("2", "2")] {
            assert!(allows_both(&promise, a, b), "{a} {b}");
        }
        assert!(!allows_both(&promise, "2", "0") && !allows_both(&promise, "0", "2"));
    }

    #[test]
    fn two_batches_of_one_key_are_judged_each() {
        let mut writes = vec![of_call(0, "a", "0", Some(1)), of_call(0, "b", "0", Some(1))];
        writes.extend([of_call(1, "a", "1", Some(19)), of_call(1, "b", "1", Some(19))]);
        writes.extend([of_call(2, "a", "2", Some(29)), of_call(2, "b", "2", Some(29))]);
        let promise = Promise::new(&writes, 2, None, 29);
        for round in ["0", "1", "2"] {
            assert!(allows_both(&promise, round, round));
        }
        for (a, b) in [("0", "1"), ("1", "0"), ("1", "2"), ("2", "1"), ("0", "2"), ("2", "0")] {
            assert!(!allows_both(&promise, a, b), "{a} {b}");
        }
    }
}
