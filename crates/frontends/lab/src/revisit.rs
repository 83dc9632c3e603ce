//! Repeats a visit: every key is shown to a visitor that does what the one did whose visit was remembered.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;

use logladder_engine::{Engine, Iterate};

use crate::deed::{Visited, VisitorEnd, show, show_pairs, show_value};
use crate::replay::{Map, Model, Step, refused, wrong};

/// What a visitor panics with that is to panic. No hook hears of it.
struct OnPurpose;

/// Visits every key, and judges what is shown.
pub(crate) fn revisit(
    model: &mut Model,
    engine: &dyn Engine,
    iterate: &dyn Iterate,
    visited: &Visited,
) -> Step {
    let mut visit = Visit {
        start: model.map.clone(),
        is_consistent: iterate.is_consistent(),
        visited,
        shown: Vec::new(),
        has_stopped: false,
        trouble: None,
    };
    let walk = || iterate.for_each(&mut |key, value| visit.shows(model, engine, key, value));
    let outcome = match catch_unwind(AssertUnwindSafe(walk)) {
        Ok(outcome) => outcome,
        Err(panic) if panic.is::<OnPurpose>() => Ok(()),
        Err(panic) => resume_unwind(panic),
    };
    match (visit.trouble.take(), outcome) {
        (Some(step), _) => step,
        (None, Err(error)) => refused(&error),
        (None, Ok(())) => visit.is_complete(&model.map),
    }
}

/// A visit that is repeated.
struct Visit<'v> {
    /// What the store held when it began.
    start: Map,
    is_consistent: bool,
    visited: &'v Visited,
    shown: Vec<(Vec<u8>, Vec<u8>)>,
    has_stopped: bool,
    /// The first thing that was not right.
    trouble: Option<Step>,
}

impl Visit<'_> {
    /// Whether only what all of it shows is looked at, which says more of what is wrong.
    fn is_judged_as_a_whole(&self) -> bool {
        self.visited.end == VisitorEnd::Through && self.visited.calls.iter().all(Vec::is_empty)
    }

    /// Judges what the visitor is shown, and then does what it did.
    fn shows(&mut self, model: &mut Model, engine: &dyn Engine, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        model.pulse.fetch_add(1, Ordering::SeqCst);
        if self.trouble.is_some() {
            return ControlFlow::Break(());
        }
        self.trouble = self.wrongly_shown(&model.map, key, value);
        let number = self.shown.len();
        self.shown.push((key.to_vec(), value.to_vec()));
        for deed in self.visited.calls.get(number).into_iter().flatten() {
            if self.trouble.is_none() {
                self.trouble = Some(model.call(engine, deed)).filter(|step| !matches!(step, Step::Right));
            }
        }
        if self.trouble.is_some() {
            return ControlFlow::Break(());
        }
        let is_last = number + 1 == self.visited.calls.len();
        match self.visited.end {
            VisitorEnd::Stops if is_last => {
                self.has_stopped = true;
                ControlFlow::Break(())
            }
            VisitorEnd::Panics if is_last => {
                self.has_stopped = true;
                resume_unwind(Box::new(OnPurpose))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn wrongly_shown(&self, now: &Map, key: &[u8], value: &[u8]) -> Option<Step> {
        let pair = || format!("{} = {}", show(key), show(value));
        if self.has_stopped {
            return Some(wrong(pair(), "nothing more, since the visitor stopped".to_owned()));
        }
        if self.shown.iter().any(|(shown, _)| shown == key) {
            return Some(wrong(format!("{} once more", pair()), "each key once".to_owned()));
        }
        if !self.start.contains_key(key) && now.contains_key(key) {
            return Some(wrong(pair(), "no key that was added meanwhile".to_owned()));
        }
        let expected = if self.is_consistent { &self.start } else { now }.get(key);
        let is_right = expected.is_some_and(|expected| expected == value);
        (!is_right && !self.is_judged_as_a_whole()).then(|| {
            let expected = show_value(expected.map(Vec::as_slice));
            wrong(pair(), format!("{} = {expected}", show(key)))
        })
    }

    /// Whether nothing was left out.
    fn is_complete(&self, now: &Map) -> Step {
        if self.has_stopped {
            return Step::Right;
        }
        let mut shown = self.shown.clone();
        shown.sort();
        let pairs = || shown.iter().map(|(key, value)| (key, value));
        if self.is_judged_as_a_whole() {
            if pairs().eq(&self.start) {
                return Step::Right;
            }
            return wrong(listed(pairs()), listed(self.start.iter()));
        }
        // One that was deleted meanwhile may be left out, even if it was set again.
        let deleted = self.visited.deleted();
        let may_be_missing = |key: &Vec<u8>| {
            !self.is_consistent && (!now.contains_key(key) || deleted.contains(&key.as_slice()))
        };
        let keys: BTreeSet<&Vec<u8>> = shown.iter().map(|(key, _)| key).collect();
        let missing = self.start.keys().find(|key| !keys.contains(*key) && !may_be_missing(key));
        missing.map_or(Step::Right, |key| wrong(listed(pairs()), format!("{} as well", show(key))))
    }
}

fn listed<'p>(pairs: impl Iterator<Item = (&'p Vec<u8>, &'p Vec<u8>)>) -> String {
    show_pairs(&pairs.collect::<Vec<_>>())
}
