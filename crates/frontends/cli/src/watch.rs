//! `watch`: the changes of a store, as they are made.
//!
//! The store is open only while it is looked at, so that other processes can write to it in between, and it is looked
//! at only if one of its files has changed, or some seconds have passed. A process that keeps it open, such as a server,
//! shows its changes itself. One in a cluster stays open: others write to it all the same.

mod remote;

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use clap::Args;
use logladder::{Engine, Error, json};
use logladder_engine::Position;
use serde_json::value::RawValue;

use self::remote::Remote;
use crate::arguments::StoreArguments;
use crate::bytes::{as_json, shown};
use crate::outcome::Answer;
use crate::{capability, remark};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// So long a write that came between a look and the list of files can stay unseen.
const LONGEST: Duration = Duration::from_secs(5);

/// What `logladder watch` takes.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Follow the store that a server has open, such as http://127.0.0.1:8080, rather than the one in the folder
    #[arg(long, value_name = "URL", conflicts_with = "no_follow")]
    url: Option<String>,
    /// What the server asks for (with --url)
    #[arg(long, value_name = "TOKEN", env = "LOGLADDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Begin behind this position, as it was printed before [default: the changes to come]
    #[arg(long, value_name = "POSITION", conflicts_with = "all")]
    since: Option<Position>,
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
        let mut printer =
            Printer { left: self.count.unwrap_or(u64::MAX), as_lines_of_json: arguments.json, out };
        if let Some(url) = &self.url {
            let since =
                self.since.map(|position| position.to_string()).or(self.all.then(|| "start".to_owned()));
            return Remote::new(url, self.token.as_deref(), since)?.follow(&mut printer);
        }
        let mut engine = arguments.open().map_err(with_the_way_to_a_server)?;
        let mut position = self.begin(&*engine)?;
        if arguments.is_in_a_cluster() {
            return self.follow(&*engine, position, &mut printer);
        }
        loop {
            position = printer.show(&*engine, position)?;
            engine.close()?;
            printer.out.flush()?;
            if printer.has_enough() || self.no_follow {
                return Ok(Answer::Yes);
            }
            engine = open_when_changed(arguments)?;
        }
    }

    /// Follows a store that others can write to while it is open here.
    fn follow(&self, engine: &dyn Engine, from: Position, printer: &mut Printer<'_>) -> Result<Answer> {
        let mut position = from;
        loop {
            position = printer.show(engine, position)?;
            printer.out.flush()?;
            if printer.has_enough() || self.no_follow {
                return Ok(Answer::Yes);
            }
            thread::sleep(INTERVAL);
        }
    }

    fn begin(&self, engine: &dyn Engine) -> Result<Position> {
        let changes = capability::changes(engine)?;
        Ok(match self.since {
            Some(position) => position,
            None if self.all => changes.earliest_position()?,
            None => changes.position()?,
        })
    }
}

/// Where changes are printed, and how many more.
pub(crate) struct Printer<'o> {
    left: u64,
    as_lines_of_json: bool,
    out: &'o mut dyn Write,
}

impl Printer<'_> {
    fn has_enough(&self) -> bool {
        self.left == 0
    }

    /// Prints what is behind `position` in a store, and gives the place behind that.
    fn show(&mut self, engine: &dyn Engine, position: Position) -> Result<Position> {
        if self.has_enough() {
            return Ok(position);
        }
        let mut written = Ok(());
        let next = capability::changes(engine)?.changes(position, &mut |change| {
            written = self.print(change.key, change.value, &change.next.to_string());
            if written.is_ok() && !self.has_enough() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        written?;
        Ok(next)
    }

    fn print(&mut self, key: &[u8], value: Option<&[u8]>, next: &str) -> io::Result<()> {
        self.left -= 1;
        match value {
            _ if self.as_lines_of_json => {
                let value = value.map_or_else(|| "null".to_owned(), as_json);
                writeln!(self.out, r#"{{"position":"{next}","key":{},"value":{value}}}"#, as_json(key))
            }
            Some(value) => writeln!(self.out, "{next}\tset\t{}\t{}", shown(key), shown(value)),
            None => writeln!(self.out, "{next}\tdel\t{}", shown(key)),
        }
    }

    /// The same for a change that came as JSON. It is seen at once.
    fn print_text(&mut self, key: &RawValue, value: Option<&RawValue>, next: &str) -> Result<()> {
        let value = value.map(json::decode_raw).transpose()?;
        self.print(&json::decode_raw(key)?, value.as_deref(), next)?;
        Ok(self.out.flush()?)
    }
}

/// A store that is in use may be in use by a server.
fn with_the_way_to_a_server(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Error::Locked { .. }) => error.context(
            "a server shows the changes of its store: `logladder watch --url http://127.0.0.1:8080`",
        ),
        _ => error,
    }
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
                    remark(
                        "the store is open in another process: its changes are shown when it is closed; a server shows \
                         them at once (--url)",
                    );
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
