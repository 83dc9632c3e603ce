//! What a single copy of one key would do, and [`History`]: what clients of the cluster were told instead.
//!
//! A history is linearizable if each operation can be given one moment between its call and its answer, so that a single
//! copy that does one after the other in that order would have answered the same (Herlihy and Wing, "Linearizability: A
//! Correctness Condition for Concurrent Objects", TOPLAS 1990). Keys can be judged one by one: a history is linearizable
//! if that of each key is. The judge is `todc-utils`: the search of Wing and Gong with the memory of Lowe, which etcd's own
//! tests use as well (in Porcupine).
//!
//! An operation of which nobody knows whether it was done has no answer: its moment may come at any time after its call,
//! or never, which is no different from a moment after everything else. So it stays open until the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use todc_utils::linearizability::WGLChecker;
use todc_utils::{Action, History as Actions, Specification};

/// A value with its version.
pub(crate) type Found = (u32, u64);

/// What was done with a key, and what the answer said, as far as there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Get {
        found: Option<Found>,
    },
    Set {
        value: u32,
        /// The version that it got.
        version: Option<u64>,
    },
    Delete,
    CompareAndSet {
        /// The version that should be there; `None` for no value.
        expected: Option<u64>,
        value: u32,
        /// Whether it was.
        was_equal: Option<bool>,
        version: Option<u64>,
    },
}

/// One copy of one key, which does one thing after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Copy {
    value: Option<u32>,
    /// How often it was written. Deletes count.
    version: u64,
}

impl Copy {
    fn found(self) -> Option<Found> {
        self.value.map(|value| (value, self.version))
    }

    fn written(self, value: Option<u32>) -> Self {
        Self { value, version: self.version + 1 }
    }
}

/// The rule by which a history is judged.
#[derive(Debug)]
struct SingleCopy;

impl Specification for SingleCopy {
    type State = Copy;
    type Operation = Operation;

    fn init() -> Copy {
        Copy::default()
    }

    /// Whether the copy could have answered this, and what it is then.
    fn apply(operation: &Operation, copy: &Copy) -> (bool, Copy) {
        let is_told = |told: Option<u64>, after: Copy| told.is_none_or(|told| told == after.version);
        match *operation {
            Operation::Get { found } => (found == copy.found(), *copy),
            Operation::Set { value, version } => {
                let after = copy.written(Some(value));
                (is_told(version, after), after)
            }
            // What is not there is not deleted again.
            Operation::Delete if copy.value.is_none() => (true, *copy),
            Operation::Delete => (true, copy.written(None)),
            Operation::CompareAndSet { expected, value, was_equal, version } => {
                let is_equal = expected == copy.found().map(|(_, version)| version);
                let after = if is_equal { copy.written(Some(value)) } else { *copy };
                (was_equal.is_none_or(|was| was == is_equal) && is_told(version, after), after)
            }
        }
    }
}

/// A call or an answer, by the number of the operation.
#[derive(Debug, Clone, Copy)]
enum Event {
    Call(usize),
    Answer(usize),
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered(Operation),
    /// It was done, or not, or will be.
    Unknown(Operation),
    /// It was not done, and that was said. Or it was to find something out, and did not.
    NotDone,
}

/// Calls and answers in their order.
#[derive(Debug, Default)]
pub(crate) struct History {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    /// The key of each operation, and what became of it.
    operations: Vec<(String, Outcome)>,
}

impl History {
    /// Does something, and notes when it began and ended.
    pub(crate) fn record(&self, key: &str, operation: impl FnOnce() -> Outcome) -> Outcome {
        let number = self.with(|inner| {
            inner.events.push(Event::Call(inner.operations.len()));
            inner.operations.push((key.to_owned(), Outcome::NotDone));
            inner.operations.len() - 1
        });
        let outcome = operation();
        self.with(|inner| {
            inner.events.push(Event::Answer(number));
            inner.operations[number].1 = outcome;
        });
        outcome
    }

    /// How many operations there are of which this is true.
    pub(crate) fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.with(|inner| inner.operations.iter().filter(|(_, outcome)| is_counted(outcome)).count())
    }

    /// Judges it.
    ///
    /// # Errors
    ///
    /// The history of a key that no single copy can have had.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut by_key: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for event in &inner.events {
            let (Event::Call(number) | Event::Answer(number)) = *event;
            let (key, outcome) = &inner.operations[number];
            if *outcome != Outcome::NotDone {
                by_key.entry(key).or_default().push(*event);
            }
        }
        for (key, events) in by_key {
            let mut actions = Vec::with_capacity(events.len());
            let mut open = Vec::new();
            for event in &events {
                let (Event::Call(number) | Event::Answer(number)) = *event;
                // Each is a process of its own: one that waits for no answer goes on with something else.
                match (event, inner.operations[number].1) {
                    (Event::Call(_), Outcome::Answered(operation) | Outcome::Unknown(operation)) => {
                        actions.push((number, Action::Call(operation)));
                    }
                    (Event::Answer(_), Outcome::Answered(operation)) => {
                        actions.push((number, Action::Response(operation)));
                    }
                    (Event::Answer(_), Outcome::Unknown(operation)) => {
                        open.push((number, Action::Response(operation)));
                    }
                    (_, Outcome::NotDone) => {}
                }
            }
            actions.extend(open);
            if !WGLChecker::<SingleCopy>::is_linearizable(Actions::from_actions(actions)) {
                let mut text = format!("no single copy of `{key}` can have answered like this:\n");
                for event in events {
                    let (Event::Call(number) | Event::Answer(number)) = event;
                    let what = if matches!(event, Event::Call(_)) { "call  " } else { "answer" };
                    let _ = writeln!(text, "  {what} {number:>4}  {:?}", inner.operations[number].1);
                }
                return Err(text);
            }
        }
        Ok(())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
