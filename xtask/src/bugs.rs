//! `cargo xtask bugs`: the bug museum. One exhibit, or the table of all; and whether the contract notices every one.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use logladder_museum::{
    Bug, Catches, Check, Exhibit, NOT_SHOWN, Tone, avoided, catches_of, describe, exhibit, exhibit_lines,
    exhibits, patch, trace,
};
use serde_json::{Value, json};

use crate::style::{BAD, DEED, GOOD, HEADING, QUIET};

/// What `cargo xtask bugs` takes.
#[derive(Debug, Args)]
pub(crate) struct Bugs {
    /// The exhibit, by its number or by its name; the table of all if none is named
    #[arg(value_name = "BUG", conflicts_with_all = ["check", "with"])]
    which: Option<String>,
    /// Run the whole contract on the engine that is right and on each that is not, and say which check noticed which bug;
    /// takes many minutes, and says on standard error which engine begins and which is done
    #[arg(long, conflicts_with = "with")]
    check: bool,
    /// Run the tests of this crate that are made by `against_every_bug!`, and say which bugs they notice
    #[arg(long, value_name = "FOLDER", conflicts_with = "json")]
    with: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Bugs {
    /// Shows them. That an engine of the museum fails is what it is for; that the contract does not notice is a failure.
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(folder) = &self.with {
            return run_tests_of(folder);
        }
        if self.check {
            return self.check_all();
        }
        let Some(which) = &self.which else { return self.list() };
        let number = which.parse::<u32>();
        if let Some((_, wrong, why)) = NOT_SHOWN.iter().find(|(other, ..)| number == Ok(*other)) {
            bail!("the museum does not show {which} ({wrong}), because {why}");
        }
        let exhibit =
            exhibit(which).with_context(|| format!("there is no bug `{which}`: see `cargo xtask bugs`"))?;
        if self.json {
            let shown = json_of(exhibit);
            show(&(serde_json::to_string_pretty(&shown)? + "\n"))?;
            return noticed(exhibit, !shown["trace"].is_null());
        }
        let lines = exhibit_lines(exhibit);
        for (tone, line) in lines.iter().flatten() {
            let style = match tone {
                Tone::Heading => HEADING,
                Tone::Plain => anstyle::Style::new(),
                Tone::Right => GOOD,
                Tone::Wrong => BAD,
                Tone::Deed => DEED,
                Tone::Quiet => QUIET,
            };
            show(&format!("{style}{line}{style:#}\n"))?;
        }
        noticed(exhibit, lines.is_some())?;
        show(&format!(
            "\n{GOOD}The engine failed, as is expected of it: the contract noticed the bug.{GOOD:#}\n"
        ))?;
        let mut following = exhibits().skip_while(|other| other.bug != exhibit.bug).skip(1);
        match following.next() {
            Some(next) => show(&format!("Next: cargo xtask bugs {}\n", called(next))),
            None => show("Next: cargo xtask bugs --check\n"),
        }
    }

    fn list(&self) -> Result<()> {
        if self.json {
            let all: Vec<Value> = exhibits().map(summary_of).collect();
            return show(&(serde_json::to_string_pretty(&all)? + "\n"));
        }
        let header = format!("{:>3}  {:<25} {:<19} what goes wrong", "", "name", "shown by");
        show(&format!("{HEADING}{header}{HEADING:#}\n"))?;
        for exhibit in exhibits() {
            let number = exhibit.number.map_or("–".to_owned(), |number| number.to_string());
            let (name, check) = (exhibit.name, exhibit.shown_by.check());
            show(&format!("{number:>3}  {DEED}{name:<25}{DEED:#} {check:<19} {}\n", exhibit.wrong))?;
        }
        for (number, wrong, why) in NOT_SHOWN {
            show(&format!("{number:>3}  {QUIET}{:<25} {:<19} {wrong} ({why}){QUIET:#}\n", "not shown", ""))?;
        }
        show(
            "\nThe numbers are those of the failure modes in the stages' own tests. One of them: cargo xtask bugs 1\n",
        )
    }

    fn check_all(&self) -> Result<()> {
        let start = Instant::now();
        let _ = writeln!(
            anstream::stderr(),
            "{QUIET}The whole contract on each engine: this takes many minutes. Each is named when it begins and when it is \
             done.{QUIET:#}"
        );
        let catches = all_catches();
        if self.json {
            let rows: Vec<Value> = catches.iter().map(json_of_catches).collect();
            show(&(serde_json::to_string_pretty(&rows)? + "\n"))?;
        } else {
            show_catches(&catches)?;
        }
        let (right, wrong): (Vec<_>, Vec<_>) = catches.iter().partition(|catches| catches.exhibit.is_none());
        let missed: Vec<&str> = wrong
            .iter()
            .filter(|catches| catches.count() == 0)
            .filter_map(|catches| catches.exhibit.map(|exhibit| exhibit.name))
            .collect();
        if right.iter().any(|catches| catches.count() > 0) {
            bail!("the contract finds something in the engine that is right");
        }
        if !missed.is_empty() {
            bail!("the contract does not notice {}", missed.join(", "));
        }
        if !self.json {
            show(&format!(
                "\n{GOOD}The contract noticed {n} of {n} bugs, and nothing in the engine that is right{GOOD:#} \
                 {QUIET}({:.0} s){QUIET:#}\n",
                start.elapsed().as_secs_f64(),
                n = wrong.len()
            ))?;
        }
        Ok(())
    }
}

/// Every check on every engine, on as many threads as there are processors.
fn all_catches() -> Vec<Catches> {
    let all: Vec<Option<&Exhibit>> = std::iter::once(None).chain(exhibits().map(Some)).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, exhibit)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|number| Some((number, *all.get(number)?)))
                {
                    tell_begin(exhibit, number + 1, all.len());
                    let catches = catches_of(exhibit);
                    if let Ok(mut done) = done.lock() {
                        tell_progress(&catches, done.len() + 1, all.len());
                        done.push((number, catches));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, catches)| catches).collect()
}

/// What an engine is called while the contract is run on it.
fn title(exhibit: Option<&Exhibit>) -> String {
    match exhibit {
        None => "the engine that is right".to_owned(),
        Some(exhibit) => match exhibit.number {
            Some(number) => format!("bug {number}, {}", exhibit.name),
            None => format!("bug {}", exhibit.name),
        },
    }
}

/// Says that an engine begins: the first to end may take minutes. In most of the wrong ones a check ends with what it finds.
fn tell_begin(exhibit: Option<&Exhibit>, number: usize, of: usize) {
    let slow = if exhibit.is_none() { ", on which no check ends early" } else { "" };
    let _ =
        writeln!(anstream::stderr(), "{QUIET}    begins {number} of {of}: {}{slow}{QUIET:#}", title(exhibit));
}

/// Says that an engine is done, on standard error: what is asked for is on the other one, and may be JSON.
fn tell_progress(catches: &Catches, done: usize, of: usize) {
    let bug = title(catches.exhibit);
    let by: Vec<String> = Check::ALL
        .into_iter()
        .zip(&catches.by)
        .filter_map(|(check, found)| {
            let found = found.as_ref()?;
            // What the cases find is the name of one.
            Some(if check == Check::Cases { format!("the case {found}") } else { check.name().to_owned() })
        })
        .collect();
    let outcome =
        if by.is_empty() { "nothing noticed".to_owned() } else { format!("noticed by {}", by.join(", ")) };
    let seconds = catches.took.as_secs_f64();
    // Who does not listen any more does not keep the others from the table.
    let _ = writeln!(
        anstream::stderr(),
        "{QUIET}{done:>3} of {of}{QUIET:#}  {bug}: {outcome} {QUIET}({seconds:.1} s){QUIET:#}"
    );
}

fn show_catches(catches: &[Catches]) -> Result<()> {
    let names = columns(Check::ALL.map(Check::name));
    show(&format!("{HEADING}{:>3}  {:<26}{names}{:>9}{HEADING:#}\n", "", "bug", "seconds"))?;
    for row in catches {
        let number =
            row.exhibit.and_then(|exhibit| exhibit.number).map_or("–".to_owned(), |n| n.to_string());
        let name = row.exhibit.map_or("none: it is right", |exhibit| exhibit.name);
        show(&format!("{number:>3}  {name:<26}"))?;
        for found in &row.by {
            match found {
                Some(_) => show(&format!("{GOOD}{:>9}{GOOD:#}", "noticed"))?,
                None => show(&format!("{QUIET}{:>9}{QUIET:#}", "·"))?,
            }
        }
        show(&format!("{:>9.1}\n", row.took.as_secs_f64()))?;
    }
    let wrong: Vec<&Catches> = catches.iter().filter(|row| row.exhibit.is_some()).collect();
    let by = |check: usize| wrong.iter().filter(|row| row.by.get(check).is_some_and(Option::is_some)).count();
    let counts = columns((0..Check::ALL.len()).map(|check| by(check).to_string()));
    show(&format!("{HEADING}{:>3}  {:<26}{counts}{HEADING:#}\n", "", format!("of {}", wrong.len())))
}

/// The cells of a line, each as wide as the others.
fn columns(cells: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    cells.into_iter().fold(String::new(), |line, cell| format!("{line}{cell:>9}"))
}

/// The bug that was to be noticed, and was or was not.
fn noticed(exhibit: &Exhibit, was: bool) -> Result<()> {
    if was { Ok(()) } else { bail!("the contract does not notice {}", exhibit.name) }
}

fn called(exhibit: &Exhibit) -> String {
    exhibit.number.map_or(exhibit.name.to_owned(), |number| number.to_string())
}

fn summary_of(exhibit: &Exhibit) -> Value {
    json!({
        "number": exhibit.number,
        "name": exhibit.name,
        "wrong": exhibit.wrong,
        "story": exhibit.story,
        "remedy": exhibit.remedy,
        "shown_by": exhibit.shown_by.check(),
    })
}

/// The exhibit with its patch, its trace (null if the contract does not notice it) and its files.
fn json_of(exhibit: &Exhibit) -> Value {
    let mut value = summary_of(exhibit);
    value["patch"] = patch(exhibit.bug, exhibit.name).map_or(
        Value::Null,
        |patch| json!({ "file": patch.file, "line": patch.line, "right": patch.right, "wrong": patch.wrong }),
    );
    value["trace"] = trace(exhibit).map_or(Value::Null, |trace| {
        json!({
            "steps": trace.steps,
            "moment": trace.moment,
            "expected": trace.expected,
            "found": trace.found,
            "files": trace.files.iter().map(|(name, bytes)| json_of_file(exhibit.bug, name, bytes)).collect::<Vec<_>>(),
        })
    });
    let avoided = exhibit.number.map(avoided).unwrap_or_default();
    value["avoided"] =
        avoided.iter().map(|avoided| json!({ "stage": avoided.stage, "tests": avoided.tests })).collect();
    value
}

fn json_of_file(bug: Bug, name: &str, bytes: &[u8]) -> Value {
    let fields = describe(bug, name, bytes);
    let field = |field: &logladder::Field| json!({ "offset": field.bytes.start, "len": field.bytes.len(), "name": field.name, "meaning": field.meaning });
    json!({ "name": name, "len": bytes.len(), "fields": fields.iter().map(field).collect::<Vec<_>>() })
}

fn json_of_catches(row: &Catches) -> Value {
    let by: serde_json::Map<String, Value> = Check::ALL
        .iter()
        .zip(&row.by)
        .map(|(check, found)| (check.name().to_owned(), json!(found)))
        .collect();
    json!({
        "number": row.exhibit.and_then(|exhibit| exhibit.number),
        "name": row.exhibit.map(|exhibit| exhibit.name),
        "noticed_by": by,
        "seconds": row.took.as_secs_f64(),
    })
}

/// Runs the learner's own tests, by the cargo of their crate.
fn run_tests_of(folder: &std::path::Path) -> Result<()> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        bail!(
            "{} is not there: name the folder of a crate whose tests call `against_every_bug!`",
            manifest.display()
        );
    }
    let manifest = manifest.display().to_string();
    let tests = ["--", "against_every_bug", "--nocapture"];
    crate::checks::cargo(&[&["test", "--manifest-path", &manifest], &tests[..]].concat(), &[])
}

/// Prints it. Who reads no further than the first lines has seen enough.
fn show(text: &str) -> Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
