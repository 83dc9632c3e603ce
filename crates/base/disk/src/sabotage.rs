//! Switching off a rule of an engine, to see the tests go red. Only with the feature `sabotage`, which no
//! crate enables outside its tests.
//!
//! An engine asks [`skips`] beside each rule of [`Rule`]. Without the feature the answer is a constant `false`
//! and the question costs nothing. The switch belongs to the thread, so that tests can run side by side.

use std::cell::Cell;

pub use crate::rules::Rule;

thread_local! {
    static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// Whether this thread's engines leave `rule` out.
#[must_use]
pub fn skips(rule: Rule) -> bool {
    BROKEN.get() == Some(rule)
}

/// Leaves `rule` out on this thread until the returned guard is dropped.
#[must_use]
pub fn break_rule(rule: Rule) -> Broken {
    BROKEN.set(Some(rule));
    Broken(())
}

/// Restores the rules when it is dropped.
#[derive(Debug)]
pub struct Broken(());

impl Drop for Broken {
    fn drop(&mut self) {
        BROKEN.set(None);
    }
}
