//! Completion in the REPL: the names of the commands, then keys of the store.

use std::fmt;
use std::ops::ControlFlow;

use logladder::Engine;
use logladder_engine::{Direction, range_of_prefix};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::words::NAMES;
use crate::bytes::shown;

/// So many keys are offered at most, and so many are looked at to find them.
const OFFERED: usize = 50;
const LOOKED_AT: usize = 100_000;

/// Completes from the store that is open.
pub(super) struct Completion<'e> {
    engine: &'e dyn Engine,
}

impl<'e> Completion<'e> {
    pub(super) fn new(engine: &'e dyn Engine) -> Self {
        Self { engine }
    }

    fn keys(&self, begun: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let (mut looked_at, mut end) = (0, Vec::new());
        let mut look = |key: &[u8], _: &[u8]| {
            looked_at += 1;
            let key = shown(key);
            if key.starts_with(begun) && !key.contains(char::is_whitespace) {
                keys.push(key.into_owned());
            }
            if keys.len() < OFFERED && looked_at < LOOKED_AT {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        // A failed read offers nothing; the command itself will say why.
        if let Some(ordered) = self.engine.as_ordered().filter(|_| !is_escaped(begun)) {
            let range = range_of_prefix(begun.as_bytes(), &mut end);
            let _ = ordered.scan(range, Direction::Forward, &mut look);
        } else if let Some(iterate) = self.engine.as_iterate() {
            let _ = iterate.for_each(&mut look);
        }
        keys.sort();
        keys
    }
}

/// Whether what was typed may begin the form in which other bytes than text are shown.
fn is_escaped(begun: &str) -> bool {
    begun.starts_with("b\"") || "b\"".starts_with(begun)
}

impl Completer for Completion<'_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or(line);
        let start = typed.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let begun = typed.get(start..).unwrap_or_default();
        let before = typed.get(..start).unwrap_or_default().split_whitespace().count();
        let found = match before {
            0 => NAMES.iter().filter(|name| name.starts_with(begun)).map(|name| (*name).to_owned()).collect(),
            1 => self.keys(begun),
            _ => Vec::new(),
        };
        Ok((start, found))
    }
}

impl Hinter for Completion<'_> {
    type Hint = String;
}

impl Highlighter for Completion<'_> {}
impl Validator for Completion<'_> {}
impl Helper for Completion<'_> {}

impl fmt::Debug for Completion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion").field("engine", &self.engine.name()).finish()
    }
}
