//! [`Promise`]: what each key may hold after a crash.

use crate::Violation;
use crate::show::{show, show_value};

/// A set or a delete, and when it happened, counted in operations of the disk.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: Vec<u8>,
    /// `None` is a delete.
    pub(crate) value: Option<Vec<u8>>,
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
/// write of it that was submitted later.
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

    /// What `key` may hold, the floor first.
    fn allowed(&self, key: &[u8]) -> Vec<Option<&'w [u8]>> {
        let mut allowed = vec![None];
        for (number, write) in self.writes.iter().enumerate().filter(|(_, write)| write.key == key) {
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
            let allowed = self.allowed(key);
            if !allowed.contains(&value.as_deref()) {
                let choices: Vec<String> = allowed.into_iter().map(show_value).collect();
                return Err(Violation::new(
                    format!("key {} holds {}", show(key), choices.join(", or ")),
                    format!("it holds {}", show_value(value.as_deref())),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: Option<&str>, begun: usize, acknowledged: Option<usize>) -> Write {
        let value = value.map(|value| value.as_bytes().to_vec());
        Write { key: b"k".to_vec(), value, begun, acknowledged }
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
}
