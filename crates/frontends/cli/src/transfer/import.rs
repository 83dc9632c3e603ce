//! `import`: a file or a pipe into the store.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use logladder::{Engine, Error, SyncPolicy};
use logladder_engine::{Batch, limits};

use super::lines::Record;
use super::read::{self, Broken};
use super::{Format, PIPE};
use crate::arguments::StoreArguments;
use crate::bytes::counted;
use crate::outcome::{Answer, Refusal};
use crate::remark;

/// Writes that are done as one, where the stage can.
const BATCH_WRITES: usize = 1000;
/// Their bytes, from which on they are done.
const BATCH_BYTES: usize = 1 << 20;
/// How many lines that were left out are named.
const NAMED: u64 = 20;

/// What `logladder import` takes.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Its format, if its name does not tell: jsonl, csv, tsv, database.json, store.json or aof
    #[arg(long)]
    format: Option<Format>,
    /// Leave out bad lines and say which; otherwise the first one is an error
    #[arg(long)]
    skip_bad_lines: bool,
}

impl Import {
    pub(crate) fn run(&self, arguments: &StoreArguments) -> Result<Answer> {
        let format = Format::of(self.format, &self.file)?;
        // Before the store is opened, so that a wrong name makes no store.
        let input = self.open()?;
        // One sync at the end costs less than one for each record, and the file is still there to begin again.
        let engine = arguments.open_with(arguments.sync.unwrap_or(SyncPolicy::Never))?;
        let mut importer =
            Importer { engine: &*engine, waiting: Batch::new(), bytes: 0, done: 0, left_out: 0 };
        let read = read::read(format, BufReader::new(input), &mut |line, record| match record
            .map(|record| importer.take(&record))
        {
            Ok(Err(error)) if !is_of_the_record(&error) => Err(error.into()),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => self.bad_line(&mut importer, line, &error.to_string()),
            Err(what) => self.bad_line(&mut importer, line, &what),
        });
        // What came before a bad line is kept, and said.
        let flushed = importer.flush();
        let (done, left_out) = (importer.done, importer.left_out);
        let closed = engine.close();
        let mut said = format!("{} imported", counted(done, "record"));
        if left_out > 0 {
            said = format!("{said}, {} left out", counted(left_out, "line"));
        }
        remark(&said);
        read.map_err(|error| self.named(error))?;
        flushed?;
        closed?;
        Ok(Answer::Yes)
    }

    fn open(&self) -> Result<Box<dyn Read>> {
        if self.file.as_os_str() == PIPE {
            return Ok(Box::new(std::io::stdin()));
        }
        let name = self.file.display();
        let file = File::open(&self.file).map_err(|error| {
            Refusal::Input(format!(
                "cannot open {name}: {error}; the path is as seen from the working folder"
            ))
        })?;
        let data = file.metadata().with_context(|| format!("cannot look at {name}"))?;
        if data.is_dir() {
            let what = format!("{name} is a folder: name a file in it");
            return Err(Refusal::Input(what).into());
        }
        // Draws nothing if standard error is not a terminal.
        let bar = ProgressBar::new(data.len())
            .with_style(ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {eta} left")?);
        Ok(Box::new(bar.wrap_read(file)))
    }

    /// Says in which file the text is broken. Nothing can be left out there, since nobody knows how much it would be.
    fn named(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Broken>() {
            Ok(broken) => Refusal::Input(format!(
                "{}:{}: {broken}; what follows cannot be read: correct it; records before it are in the store",
                self.file.display(),
                broken.line
            ))
            .into(),
            Err(other) => other,
        }
    }

    fn bad_line(&self, importer: &mut Importer<'_>, line: u64, what: &str) -> Result<()> {
        let said = format!("{}:{line}: {what}", self.file.display());
        if !self.skip_bad_lines {
            let remedy = "correct it, or leave such lines out with --skip-bad-lines; records before it are in the store";
            return Err(Refusal::Input(format!("{said}; {remedy}")).into());
        }
        importer.left_out += 1;
        if importer.left_out <= NAMED {
            remark(&format!("left out {said}"));
        }
        Ok(())
    }
}

/// Whether the store is well, and only this record cannot be in it.
fn is_of_the_record(error: &Error) -> bool {
    matches!(
        error,
        Error::TooLarge { .. }
            | Error::InvalidKey { .. }
            | Error::EmptyKey
            | Error::NoCollection { .. }
            | Error::NoMember { .. }
    )
}

/// Puts records into an engine, several as one if it can.
struct Importer<'e> {
    engine: &'e dyn Engine,
    waiting: Batch,
    bytes: usize,
    done: u64,
    left_out: u64,
}

impl Importer<'_> {
    fn take(&mut self, record: &Record<'_>) -> logladder::Result<()> {
        let value = record.value.as_deref();
        limits::check_entry(&record.key, value.unwrap_or_default())?;
        if self.engine.as_atomic().is_none() {
            match value {
                Some(value) => self.engine.set(&record.key, value)?,
                None => self.engine.delete(&record.key)?,
            }
            self.done += 1;
            return Ok(());
        }
        match value {
            Some(value) => self.waiting.set(&record.key, value),
            None => self.waiting.delete(&record.key),
        };
        self.bytes += record.key.len() + value.map_or(0, <[u8]>::len);
        if self.waiting.len() >= BATCH_WRITES || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Does the writes that wait.
    fn flush(&mut self) -> logladder::Result<()> {
        if let Some(atomic) = self.engine.as_atomic()
            && !self.waiting.is_empty()
        {
            atomic.write(&self.waiting)?;
            self.done += self.waiting.len() as u64;
        }
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }
}
