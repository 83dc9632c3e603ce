//! `watch`: the changes of a store, as they are made.
//!
//! The store is open only while it is looked at, so that other processes can write to it in between, and it is looked
//! at only if one of its files has changed, or some seconds have passed. A process that keeps it open, such as a server, shows its changes itself.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use clap::Args;
use logladder::{Engine, Error};
use logladder_engine::{Change, Position};

use crate::arguments::StoreArguments;
use crate::bytes::{as_json, shown};
use crate::outcome::Answer;
use crate::{remark, store};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// So long a write that came between a look and the list of files can stay unseen.
const LONGEST: Duration = Duration::from_secs(5);

/// What `logladder watch` takes.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Begin behind this position, as it was printed before [default: the changes to come]
    #[arg(long, value_name = "POSITION", conflicts_with = "all")]
    since: Option<String>,
    /// Begin with the oldest change that is still in the log
    #[arg(long)]
    all: bool,
    /// End after so many changes
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End when there are no more for now
    #[arg(long)]
    no_follow: bool,
}

impl Watch {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut engine = arguments.open()?;
        let mut position = self.begin(&*engine)?;
        loop {
            position = show(&*engine, position, &mut left, arguments.json, out)?;
            engine.close()?;
            out.flush()?;
            if left == 0 || self.no_follow {
                return Ok(Answer::Yes);
            }
            engine = open_when_changed(arguments)?;
        }
    }

    fn begin(&self, engine: &dyn Engine) -> Result<Position> {
        let changes = store::changes(engine)?;
        Ok(match &self.since {
            Some(position) => position.parse()?,
            None if self.all => changes.earliest_position()?,
            None => changes.position()?,
        })
    }
}

/// Prints what is behind `position`, and gives the place behind that.
fn show(
    engine: &dyn Engine,
    position: Position,
    left: &mut u64,
    as_lines_of_json: bool,
    out: &mut dyn Write,
) -> Result<Position> {
    if *left == 0 {
        return Ok(position);
    }
    let mut written = Ok(());
    let next = store::changes(engine)?.changes(position, &mut |change| {
        written = if as_lines_of_json { print_json(change, out) } else { print(change, out) };
        *left -= 1;
        if *left > 0 && written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    Ok(next)
}

fn print(change: &Change<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    match change.value {
        Some(value) => writeln!(out, "{}\tset\t{}\t{}", change.next, shown(change.key), shown(value)),
        None => writeln!(out, "{}\tdel\t{}", change.next, shown(change.key)),
    }
}

fn print_json(change: &Change<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let value = change.value.map_or_else(|| "null".to_owned(), as_json);
    writeln!(out, r#"{{"position":"{}","key":{},"value":{value}}}"#, change.next, as_json(change.key))
}

fn open_when_changed(arguments: &StoreArguments) -> Result<Box<dyn Engine>> {
    let before = files(&arguments.dir);
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        thread::sleep(INTERVAL);
        if files(&arguments.dir) == before && begun.elapsed() < LONGEST {
            continue;
        }
        match arguments.open() {
            Err(error) if matches!(error.downcast_ref(), Some(Error::Locked { .. })) => {
                if !is_told {
                    remark("the store is open in another process: its changes are shown when it is closed");
                    is_told = true;
                }
            }
            other => return other,
        }
    }
}

/// The files of the folder with their lengths and times, sorted; what cannot be read is left out.
fn files(dir: &Path) -> Vec<(std::ffi::OsString, u64, Option<SystemTime>)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            Some((entry.file_name(), data.len(), data.modified().ok()))
        })
        .collect();
    files.sort();
    files
}
