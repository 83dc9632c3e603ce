//! [`History`]: the states that a store has been in, one after the other, so that a page can walk through them and back.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use super::layout::Layout;

/// So many steps are kept, and so many bytes of them as JSON; the oldest go first.
const MOST_STEPS: usize = 200;
const MOST_BYTES: usize = 8 << 20;

/// A step as it is sent.
#[derive(Debug, Serialize)]
struct StepBody<'l> {
    /// From 1; it goes up by one with each.
    number: u64,
    /// What was done, in words.
    what: &'l str,
    /// Whether there is a process that has the store open.
    is_open: bool,
    /// What the disk was asked to do meanwhile, where that is known.
    disk: &'l [String],
    layout: &'l Layout,
}

/// A step that is kept.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) number: u64,
    pub(super) json: Bytes,
}

/// The last steps.
#[derive(Debug)]
pub(super) struct History {
    kept: Mutex<Kept>,
    /// The number of the newest step.
    pub(super) news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    steps: VecDeque<Step>,
    bytes: usize,
    newest: Layout,
}

impl History {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(0) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What is held is whole between any two statements.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a step.
    pub(super) fn push(&self, what: &str, is_open: bool, disk: &[String], layout: Layout) {
        let number = {
            let mut kept = self.kept();
            let number = kept.steps.back().map_or(1, |step| step.number + 1);
            let body = StepBody { number, what, is_open, disk, layout: &layout };
            // Structures of strings and numbers: this cannot fail, and would be no reason to stop.
            let json = serde_json::to_vec(&body).unwrap_or_default();
            kept.bytes += json.len();
            kept.steps.push_back(Step { number, json: json.into() });
            while kept.steps.len() > 1 && (kept.steps.len() > MOST_STEPS || kept.bytes > MOST_BYTES) {
                let gone = kept.steps.pop_front().map_or(0, |step| step.json.len());
                kept.bytes -= gone;
            }
            kept.newest = layout;
            number
        };
        self.news.send_replace(number);
    }

    /// The layout of the newest step, if there is one and this is another.
    pub(super) fn differs(&self, layout: &Layout) -> Option<Layout> {
        let kept = self.kept();
        (kept.steps.is_empty() || kept.newest != *layout).then(|| kept.newest.clone())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept().steps.is_empty()
    }

    pub(super) fn newest(&self) -> Option<Step> {
        self.kept().steps.back().cloned()
    }

    /// Those behind the step of this number which are still kept.
    pub(super) fn behind(&self, number: u64) -> Vec<Step> {
        self.kept().steps.iter().filter(|step| step.number > number).cloned().collect()
    }
}
