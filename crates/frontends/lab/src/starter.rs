//! [`Starter`]: one source from which both the unfinished crate of a learner and its solution are made.
//!
//! The source is a working engine, compiled and tested with this crate. Lines that begin with `//~` mark the parts that a
//! learner is to write, and say what each must do:
//!
//! ```text
//! //~ step 3 append: set        the third step is called `append`; with it, an engine can be asked to set
//! //~ checks model crash        more than cases become possible with it
//! //~ do What it must do.       each `do` is a paragraph of the comment; `+` continues the line above
//! //~ hint The first hint.      three of them, each deeper than the one before
//! …                             the solution
//! //~ end
//! ```

use std::path::Path;
use std::sync::Arc;

use logladder_contract::Allowed;
use logladder_disk::Disk;
use logladder_engine::{Engine, Field, Result, SyncPolicy};

use crate::call::Call;
use crate::plan::Extra;

/// What a line of the source begins with that is not Rust's.
const MARK: &str = "//~";

/// The hints of each step, each deeper than the one before.
pub const HINTS: usize = 3;

/// How an engine is opened: the disk, the folder, and when it syncs.
pub type OpenEngine = fn(Arc<dyn Disk>, &Path, SyncPolicy) -> Result<Box<dyn Engine>>;

/// How the bytes of a file are named: the file, and what is in it.
pub type Describe = fn(&str, &[u8]) -> Vec<Field>;

/// Where a learner's engine may begin.
#[derive(Debug)]
pub struct Starter {
    /// The stage that it is a small one of.
    pub stage: u8,
    /// That stage's name.
    pub name: &'static str,
    /// What is to be built, in a few words.
    pub summary: &'static str,
    /// How a store of the solution is opened.
    pub open: OpenEngine,
    /// How the bytes of the solution's files are named.
    pub describe: Describe,
    /// What its format cannot prevent, and why.
    pub allows: &'static [(Allowed, &'static str)],
    /// Whether it does the same to the disk each time, as no engine does that has a thread of its own.
    pub is_repeatable: bool,
    pub(crate) source: &'static str,
}

/// A part of the engine that the learner writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its place in the order, from 1.
    pub number: usize,
    /// Its name, as its `todo!()` says it.
    pub name: String,
    /// What can be asked of the engine when it is written.
    pub calls: Vec<Call>,
    /// What is checked with it beside cases.
    pub(crate) extras: Vec<Extra>,
    /// What it must do, a paragraph each.
    pub task: Vec<String>,
    /// What helps, each deeper than the one before.
    pub hints: Vec<String>,
}

/// A line of the source, as far as it matters here.
enum Line<'s> {
    Rust(&'s str),
    Step(Step),
    End,
}

impl Starter {
    /// Its steps in their order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self
            .lines()
            .into_iter()
            .filter_map(|line| match line {
                Line::Step(step) => Some(step),
                Line::Rust(_) | Line::End => None,
            })
            .collect();
        steps.sort_by_key(|step| step.number);
        steps
    }

    /// The finished engine, under the name `name`.
    #[must_use]
    pub fn solution(&self, name: &str) -> String {
        let lines = self.lines().into_iter().filter_map(|line| match line {
            Line::Rust(text) => Some(format!("{text}\n")),
            Line::Step(_) | Line::End => None,
        });
        named(&lines.collect::<String>(), name)
    }

    /// The unfinished one, of which the first `done` steps are written. `unlocks` says of a step which checks become
    /// possible with it.
    #[must_use]
    pub fn unfinished(&self, name: &str, done: usize, unlocks: impl Fn(&Step) -> String) -> String {
        let count = self.steps().len();
        let mut text = String::new();
        let mut inside = false;
        let mut indent = "";
        let lines = self.lines();
        for (place, line) in lines.iter().enumerate() {
            match line {
                Line::Rust(_) if inside => {}
                Line::Rust(rust) => {
                    // A step stands as deep as the brace before it opens.
                    indent = &rust[..rust.len() - rust.trim_start().len()];
                    text.push_str(rust);
                    text.push('\n');
                }
                Line::Step(step) if step.number <= done => {}
                Line::Step(step) => {
                    inside = true;
                    let opens = text.trim_end().ends_with('{');
                    let margin = format!("{indent}{}", if opens { "    " } else { "" });
                    let mut comment = vec![format!("STEP {} of {count}: {}", step.number, step.name)];
                    comment.extend(step.task.iter().flat_map(|paragraph| wrapped(paragraph)));
                    comment.extend(wrapped(&unlocks(step)));
                    let comment = comment.into_iter().map(|line| format!("{margin}// {line}\n"));
                    text.extend(comment);
                    text.extend([margin.as_str(), "todo!(\"", step.name.as_str(), "\")"]);
                }
                Line::End if inside => {
                    inside = false;
                    let is_last =
                        |next: &Line| matches!(next, Line::Rust(rust) if rust.trim_start().starts_with('}'));
                    text.push_str(if lines.get(place + 1).is_some_and(is_last) { "\n" } else { ";\n" });
                }
                Line::End => {}
            }
        }
        let quiet = "// What is not written yet uses little of this. Take this line away when the last `todo!()` is gone.\n\
                     #![allow(unused)]\n";
        let head = text.lines().take_while(|line| line.starts_with("//!")).count();
        let (doc, rest) = text.split_at(text.split_inclusive('\n').take(head).map(str::len).sum());
        named(&format!("{doc}\n{quiet}{rest}"), name)
    }

    /// The finished engine, in which each step is a `todo!()` as long as `done`, an expression, says that fewer are written:
    /// for tests of their order.
    #[doc(hidden)]
    #[must_use]
    pub fn switched(&self, name: &str, done: &str) -> String {
        let lines = self.lines().into_iter().filter_map(|line| match line {
            Line::Rust(text) => Some(format!("{text}\n")),
            Line::Step(step) => Some(format!("if {done} < {} {{ todo!(\"{}\") }}\n", step.number, step.name)),
            Line::End => None,
        });
        named(&lines.collect::<String>(), name)
    }

    fn lines(&self) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for line in self.source.lines() {
            let Some(told) = line.trim_start().strip_prefix(MARK) else {
                lines.push(Line::Rust(line));
                continue;
            };
            let told = told.strip_prefix(' ').unwrap_or(told);
            let (word, rest) = told.split_once(' ').unwrap_or((told, ""));
            match (word, lines.last_mut()) {
                ("step", _) => lines.push(Line::Step(Step::titled(rest))),
                ("end", _) => lines.push(Line::End),
                (word, Some(Line::Step(step))) => step.add(word, rest),
                (word, _) => debug_assert!(false, "`{word}` stands outside a step"),
            }
        }
        lines
    }
}

impl Step {
    /// What it must do, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let task =
            self.task.first().map_or("", String::as_str).split_whitespace().collect::<Vec<_>>().join(" ");
        let end = [". ", ": "].iter().filter_map(|end| task.find(end)).min();
        task[..end.unwrap_or(task.trim_end_matches('.').len())].to_owned()
    }

    /// Of `3 append: set`.
    fn titled(title: &str) -> Self {
        let (title, calls) = title.split_once(':').unwrap_or((title, ""));
        let (number, name) = title.split_once(' ').unwrap_or(("0", title));
        Self {
            number: number.parse().unwrap_or(0),
            name: name.to_owned(),
            calls: calls.split_whitespace().filter_map(Call::named).collect(),
            extras: Vec::new(),
            task: Vec::new(),
            hints: Vec::new(),
        }
    }

    fn add(&mut self, word: &str, text: &str) {
        match word {
            "checks" => self.extras.extend(text.split_whitespace().filter_map(Extra::named)),
            "do" => self.task.push(text.to_owned()),
            "hint" => self.hints.push(text.to_owned()),
            // A line of code keeps its place; the first one has none to keep.
            "+" => {
                let before = if self.hints.is_empty() { self.task.last_mut() } else { self.hints.last_mut() };
                if let Some(before) = before {
                    before.push_str(if before.is_empty() { "" } else { "\n" });
                    before.push_str(text);
                }
            }
            _ => debug_assert!(false, "`{word}` means nothing here"),
        }
    }
}

fn named(source: &str, name: &str) -> String {
    source.replace("const NAME: &str = \"mine\";", &format!("const NAME: &str = \"{name}\";"))
}

/// Lines of prose that are not too long to read.
pub(crate) fn wrapped(paragraph: &str) -> Vec<String> {
    const WIDTH: usize = 96;
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::starters::STARTERS;

    use super::*;

    #[test]
    fn every_step_of_every_starter_has_a_task_and_three_hints_and_its_place_in_one_order() {
        for starter in STARTERS {
            let steps = starter.steps();
            let numbers: Vec<usize> = steps.iter().map(|step| step.number).collect();
            assert_eq!(numbers, (1..=steps.len()).collect::<Vec<_>>(), "{}", starter.name);
            for step in &steps {
                assert!(!step.task.is_empty(), "{}: {} has no task", starter.name, step.name);
                assert_eq!(step.hints.len(), HINTS, "{}: hints of {}", starter.name, step.name);
                assert!(step.hints.iter().all(|hint| !hint.trim().is_empty()), "{}", step.name);
            }
        }
    }

    #[test]
    fn a_starter_has_a_todo_for_each_step_and_the_solution_has_none_of_its_marks() {
        for starter in STARTERS {
            let unfinished = starter.unfinished("mine", 0, |_| "Unlocks something.".to_owned());
            let solution = starter.solution("mine");
            for step in starter.steps() {
                let todo = format!("todo!(\"{}\")", step.name);
                assert_eq!(unfinished.matches(&todo).count(), 1, "{}: {todo}", starter.name);
            }
            assert_eq!(unfinished.matches("todo!(\"").count(), starter.steps().len());
            for text in [&unfinished, &solution] {
                assert!(!text.contains(MARK), "{}: a mark is left", starter.name);
            }
            assert!(!solution.contains("todo!"), "{}", starter.name);
        }
    }

    #[test]
    fn the_name_stands_in_what_is_made() {
        let starter = &STARTERS[0];
        assert!(starter.solution("zoe").contains("const NAME: &str = \"zoe\";"));
        assert!(starter.unfinished("zoe", 0, |_| String::new()).contains("const NAME: &str = \"zoe\";"));
    }
}
