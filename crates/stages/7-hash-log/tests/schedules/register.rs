//! [`Register`]: a key that one thread writes and others read, and what they may read at any moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use logladder_engine::Engine;
use logladder_hash_log::HashLog;

/// What a key is set to by its writer, one value after the other; `None` is a delete.
///
/// A read must see a value that the key had at some moment while it ran: none older than what had been acknowledged
/// before it, and none whose write had not begun. And who has seen a value never sees an older one.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) key: &'static str,
    plan: &'static [Option<&'static str>],
    /// How many writes have begun, and how many of them were acknowledged. Of the standard library: looking at them is
    /// no event that another thread could come between.
    begun: AtomicUsize,
    acknowledged: AtomicUsize,
}

/// One reader of a register.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'r> {
    register: &'r Register,
    /// It has seen what the key was after so many writes.
    seen: usize,
}

impl Register {
    pub(crate) const fn new(key: &'static str, plan: &'static [Option<&'static str>]) -> Self {
        Self { key, plan, begun: AtomicUsize::new(0), acknowledged: AtomicUsize::new(0) }
    }

    /// Has `write` do one write of the plan after the other.
    pub(crate) fn write_by(&self, mut write: impl FnMut(Option<&str>)) {
        for (number, value) in (1..).zip(self.plan) {
            self.begun.store(number, Ordering::SeqCst);
            write(*value);
            self.acknowledged.store(number, Ordering::SeqCst);
        }
    }

    /// Sets and deletes the key, as the plan has it.
    pub(crate) fn write_to(&self, store: &HashLog) {
        self.write_by(|value| write(store, self.key, value));
    }

    /// Whether every write of the plan has been acknowledged.
    pub(crate) fn is_finished(&self) -> bool {
        self.acknowledged.load(Ordering::SeqCst) == self.plan.len()
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { register: self, seen: 0 }
    }

    /// What the key is in the end.
    pub(crate) fn last(&self) -> Option<&'static str> {
        self.after(self.plan.len())
    }

    /// What the key is after so many writes.
    fn after(&self, writes: usize) -> Option<&'static str> {
        writes.checked_sub(1).and_then(|last| self.plan[last])
    }
}

impl Reader<'_> {
    /// That what `read` finds is right.
    #[track_caller]
    pub(crate) fn check(&mut self, read: impl FnOnce() -> Option<String>) {
        let register = self.register;
        let from = self.seen.max(register.acknowledged.load(Ordering::SeqCst));
        let value = read();
        let to = register.begun.load(Ordering::SeqCst);
        match (from..=to).find(|&writes| register.after(writes) == value.as_deref()) {
            Some(writes) => self.seen = writes,
            None => panic!("{} was {value:?}, which is none of its values {from} to {to}", register.key),
        }
    }

    /// That `get` finds what is right.
    #[track_caller]
    pub(crate) fn get(&mut self, store: &HashLog) {
        self.check(|| get(store, self.register.key));
    }
}

pub(crate) fn get(store: &HashLog, key: &str) -> Option<String> {
    store.get(key.as_bytes()).unwrap().map(|value| String::from_utf8(value).unwrap())
}

/// Sets the key, or deletes it.
pub(crate) fn write(store: &HashLog, key: &str, value: Option<&str>) {
    match value {
        Some(value) => store.set(key.as_bytes(), value.as_bytes()).unwrap(),
        None => store.delete(key.as_bytes()).unwrap(),
    }
}
