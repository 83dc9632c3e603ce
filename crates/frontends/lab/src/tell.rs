//! Says what a check found: as text for whoever writes the engine, or as JSON for a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::check::{Broken, End, Report};
use crate::dump;
use crate::headline::headline;
use crate::learner::Learner;
use crate::starter::{HINTS, Step, wrapped};

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DEED: Style = AnsiColor::Cyan.on_default();
const QUIET: Style = Style::new().dimmed();

/// Calls that are shown; more are counted.
const CALLS: usize = 24;
/// Bytes of one file in the JSON.
const BYTES: usize = 4096;

/// What is to be said about.
#[derive(Debug)]
pub(crate) struct Telling<'a> {
    pub(crate) learner: &'a Learner,
    pub(crate) report: &'a Report,
    /// How many hints were asked for.
    pub(crate) hints: usize,
}

impl Telling<'_> {
    /// The step that comes next, if anything is left to do.
    fn next_step(&self) -> Option<&Step> {
        match &self.report.end {
            End::AllKept => None,
            End::NotWritten { step, .. } => step.as_ref(),
            End::Broken(broken) => Some(&broken.step),
        }
    }

    /// Where that is, as a link that terminals understand.
    fn place(&self, step: &Step) -> String {
        match self.learner.place_of(&step.name) {
            Some((path, line)) => format!("{}:{line}", path.display()),
            None => self.source().display().to_string(),
        }
    }

    fn source(&self) -> PathBuf {
        PathBuf::from(format!("lab/{}/src/lib.rs", self.learner.name))
    }

    /// The one thing to do now.
    fn next(&self) -> String {
        let name = &self.learner.name;
        let again = format!("cargo xtask check {name}");
        match (&self.report.end, self.next_step()) {
            (End::AllKept, _) => format!("cargo xtask climb --with {name}"),
            (End::NotWritten { .. }, Some(step)) => {
                format!("write `{}` in {}, then {again}", step.name, self.place(step))
            }
            (End::NotWritten { place, .. }, None) => {
                format!("write what is left to do at {place}, then {again}")
            }
            (End::Broken(_), Some(step)) => {
                let (name, place) = (&step.name, self.place(step));
                format!("mend it, in `{name}` ({place}) or in a step before, then {again}")
            }
            (End::Broken(_), None) => again,
        }
    }

    /// How the next hint is asked for, if there is one.
    fn next_hint(&self) -> Option<String> {
        self.next_step()?;
        let more = "--hint ".repeat(self.hints + 1);
        (self.hints < HINTS).then(|| format!("cargo xtask check {} {}", self.learner.name, more.trim_end()))
    }

    pub(crate) fn print(&self) {
        let starter = self.learner.starter;
        anstream::println!(
            "{HEADING}{}{HEADING:#} {QUIET}(begun from stage {}, {}){QUIET:#}\n",
            self.report.name,
            starter.stage,
            starter.name
        );
        self.print_progress();
        match &self.report.end {
            End::AllKept => {
                anstream::println!("\n{GOOD}Every promise is kept.{GOOD:#}");
                for (check, said) in &self.report.figures {
                    println!("  {check:<7} {}", said.replace('\n', "\n          "));
                }
            }
            End::NotWritten { step, place, check } => {
                self.print_not_written(step.as_ref(), place, check);
            }
            End::Broken(broken) => self.print_broken(broken),
        }
        if let Some(step) = self.next_step() {
            self.print_hints(step);
        }
        anstream::println!("\n{HEADING}Next:{HEADING:#} {}", self.next());
        if let Some(hint) = self.next_hint() {
            let what = if self.hints == 0 { "A hint" } else { "A deeper hint" };
            anstream::println!("{QUIET}{what}: {hint}{QUIET:#}");
        }
    }

    fn print_progress(&self) {
        let next = self.next_step().map(|step| step.number);
        for progress in &self.report.steps {
            let step = &progress.step;
            let (style, sign) = match (next, &self.report.end) {
                (Some(next), End::Broken(_)) if step.number == next => (BAD, "✗"),
                (Some(next), _) if step.number == next => (DEED, "▸"),
                (Some(next), _) if step.number > next || progress.kept < progress.total => (QUIET, "·"),
                _ => (GOOD, "✓"),
            };
            let count = match progress.total {
                0 => String::new(),
                total => format!("{} of {total}", progress.kept),
            };
            let line = format!("{:>2} {:<10} {count:>10}", step.number, step.name);
            anstream::println!("  {style}{sign} {}{style:#}", line.trim_end());
        }
        let (kept, total) = self.report.kept();
        anstream::println!("\n  {kept} of {total} checks kept");
    }

    fn print_not_written(&self, step: Option<&Step>, place: &str, check: &str) {
        match step {
            Some(step) => {
                let count = self.report.steps.len();
                anstream::println!(
                    "\n{DEED}Not written yet:{DEED:#} {HEADING}{}{HEADING:#}, step {} of {count} {QUIET}({check} asked for it){QUIET:#}",
                    step.name,
                    step.number
                );
                for line in step.task.iter().flat_map(|paragraph| wrapped(paragraph)) {
                    println!("  {line}");
                }
            }
            None => {
                anstream::println!(
                    "\n{DEED}Not written yet:{DEED:#} a todo!() at {place} {QUIET}({check} asked for it){QUIET:#}"
                );
            }
        }
    }

    fn print_broken(&self, broken: &Broken) {
        let what = headline(&broken.found, &broken.expected);
        anstream::println!("\n{BAD}A promise is broken:{BAD:#} {HEADING}{what}{HEADING:#}");
        anstream::println!("  {}", broken.invariant);
        anstream::println!("  {QUIET}{}{QUIET:#}", broken.check);
        if !broken.calls.is_empty() {
            let title = match (broken.is_shortest, broken.earlier_calls) {
                (true, _) => "The shortest way to see it".to_owned(),
                (false, 0) => "All that was done".to_owned(),
                (false, earlier) => format!("What was done last, after {earlier} calls"),
            };
            anstream::println!("\n{HEADING}{title}{HEADING:#}");
            for call in broken.calls.iter().take(CALLS) {
                anstream::println!("  {DEED}{call}{DEED:#}");
            }
            if broken.calls.len() > CALLS {
                anstream::println!("  {QUIET}… and {} more{QUIET:#}", broken.calls.len() - CALLS);
            }
        }
        println!();
        for (title, text) in
            [("then", &broken.moment), ("found", &broken.found), ("expected", &broken.expected)]
        {
            if !text.is_empty() {
                let text = text.trim_end().replace('\n', "\n            ");
                anstream::println!("  {HEADING}{title:>8}{HEADING:#}  {text}");
            }
        }
        self.print_files(broken);
    }

    fn print_files(&self, broken: &Broken) {
        if broken.files.is_empty() {
            return;
        }
        anstream::println!("\n{HEADING}The bytes on the disk{HEADING:#}");
        let marked = dump::marked_in(&broken.moment);
        let (first, left_out, last) = dump::of_many(&broken.files);
        for file in first {
            self.print_file(file, marked.as_ref());
        }
        if left_out > 0 {
            anstream::println!("  {QUIET}… and {left_out} files more{QUIET:#}");
        }
        for file in last {
            self.print_file(file, marked.as_ref());
        }
    }

    fn print_file(&self, (file, bytes): &(String, Vec<u8>), marked: Option<&(String, usize)>) {
        anstream::println!("  {HEADING}{file}{HEADING:#}  {QUIET}{} bytes{QUIET:#}", bytes.len());
        let marked = marked.filter(|(name, _)| name == file).map(|(_, byte)| *byte);
        for line in dump::lines(self.learner.describe, file, bytes, marked) {
            let (style, sign) = if line.is_marked { (BAD, " ◂ flipped") } else { (Style::new(), "") };
            let text = format!("{:<47}  {:<14} {}{sign}", line.hex, line.name, line.meaning);
            anstream::println!("    {QUIET}{:>6}{QUIET:#}  {style}{}{style:#}", line.offset, text.trim_end());
        }
    }

    fn print_hints(&self, step: &Step) {
        for (number, hint) in step.hints.iter().take(self.hints).enumerate() {
            anstream::println!("\n{HEADING}Hint {} of {HINTS}{HEADING:#} for `{}`", number + 1, step.name);
            // The last one is code.
            let is_code = number + 1 == HINTS;
            let lines = if is_code { hint.lines().map(str::to_owned).collect() } else { wrapped(hint) };
            for line in lines {
                println!("  {line}");
            }
        }
    }

    /// The same for a program.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let (kept, total) = self.report.kept();
        let steps = self.report.steps.iter().map(|progress| JsonStep {
            number: progress.step.number,
            name: progress.step.name.clone(),
            kept: progress.kept,
            total: progress.total,
        });
        let step = self.next_step();
        let outcome = match &self.report.end {
            End::AllKept => "kept",
            End::NotWritten { .. } => "not-written",
            End::Broken(_) => "broken",
        };
        let json = Json {
            engine: self.report.name.clone(),
            stage: self.learner.starter.stage,
            outcome,
            kept,
            total,
            steps: steps.collect(),
            figures: self.report.figures.iter().cloned().collect(),
            step: step.map(|step| step.name.clone()),
            task: step.map(|step| step.task.join("\n")),
            hints: step.map_or_else(Vec::new, |step| step.hints.iter().take(self.hints).cloned().collect()),
            broken: match &self.report.end {
                End::Broken(broken) => Some(JsonBroken::of(broken)),
                _ => None,
            },
            next: self.next(),
        };
        serde_json::to_string_pretty(&json)
    }
}

#[derive(Debug, Serialize)]
struct Json {
    engine: String,
    stage: u8,
    outcome: &'static str,
    kept: usize,
    total: usize,
    steps: Vec<JsonStep>,
    figures: BTreeMap<String, String>,
    step: Option<String>,
    task: Option<String>,
    hints: Vec<String>,
    broken: Option<JsonBroken>,
    next: String,
}

#[derive(Debug, Serialize)]
struct JsonStep {
    number: usize,
    name: String,
    kept: usize,
    total: usize,
}

#[derive(Debug, Serialize)]
struct JsonBroken {
    check: String,
    invariant: String,
    moment: String,
    found: String,
    expected: String,
    calls: Vec<String>,
    is_shortest: bool,
    earlier_calls: usize,
    files: Vec<JsonFile>,
}

/// A file: its whole length, and its last bytes in hexadecimal, from the byte `from` on. In a log the newest ones are the last.
#[derive(Debug, Serialize)]
struct JsonFile {
    name: String,
    len: usize,
    from: usize,
    hex: String,
}

impl JsonBroken {
    fn of(broken: &Broken) -> Self {
        let files = broken.files.iter().map(|(name, bytes)| {
            let from = bytes.len().saturating_sub(BYTES);
            JsonFile { name: name.clone(), len: bytes.len(), from, hex: dump::hex(&bytes[from..]) }
        });
        Self {
            check: broken.check.clone(),
            invariant: broken.invariant.clone(),
            moment: broken.moment.clone(),
            found: broken.found.clone(),
            expected: broken.expected.clone(),
            calls: broken.calls.clone(),
            is_shortest: broken.is_shortest,
            earlier_calls: broken.earlier_calls,
            files: files.collect(),
        }
    }
}
