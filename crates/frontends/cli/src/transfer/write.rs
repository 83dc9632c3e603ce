//! `export`: the store into a file or a pipe.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use logladder::disk::{File, RealDisk, TEMPORARY_SUFFIX};
use logladder::{Engine, json, replay_log};
use logladder_engine::Expiry;

use super::{Format, PIPE};
use crate::arguments::StoreArguments;
use crate::bytes::{as_json, counted, shown};
use crate::keys::{Listing, entry_as_json, for_each_entry};
use crate::outcome::{Answer, Refusal, is_broken_pipe};
use crate::remark;

/// What is gathered before it is written.
const BUFFER: usize = 1 << 20;

/// What `logladder export` takes.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file, which must not be there yet; `-` is standard output
    file: PathBuf,
    /// Its format, if its name does not tell: jsonl, csv, tsv, database.json, store.json or aof
    #[arg(long)]
    format: Option<Format>,
    #[command(flatten)]
    listing: Listing,
}

impl Export {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let format = Format::of(self.format, &self.file)?;
        let engine = arguments.open()?;
        let done = if self.file.as_os_str() == PIPE {
            let piped = write_all(&*engine, format, &self.listing, out).and_then(|done| {
                out.flush()?;
                Ok(done)
            });
            // Of a listing a part may be all that was wanted. What was exported is meant to be whole.
            piped.map_err(|error| if is_broken_pipe(&error) { cut_off() } else { error })?
        } else {
            self.write_file(&*engine, format, &arguments.dir)?
        };
        engine.close()?;
        remark(&format!("{} exported", counted(done.records, "record")));
        if done.ending > 0 {
            remark(&format!(
                "{} of these values will end by themselves; no format says when, so where they are imported they stay",
                done.ending
            ));
        }
        Ok(Answer::Yes)
    }

    /// Writes another file beside the one that is asked for, and gives it its name once it is whole.
    fn write_file(&self, engine: &dyn Engine, format: Format, store: &Path) -> Result<Done> {
        let disk = RealDisk::shared();
        let path = disk.absolute(&self.file)?;
        if disk.entry(&path)?.is_some() {
            let what =
                format!("{} is there already: move it away, or name another file", self.file.display());
            return Err(Refusal::Store(what).into());
        }
        if disk.resolved(&path)?.starts_with(disk.resolved(store)?) {
            let what = format!(
                "{} lies in the folder of the store, which has no room for other files: name a file elsewhere",
                self.file.display()
            );
            return Err(Refusal::Store(what).into());
        }
        let mut temporary = path.clone().into_os_string();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        if disk.entry(&temporary)?.is_some() {
            let what = format!(
                "{} is there: an export that was interrupted has left it, or one still goes on; remove it if none does",
                temporary.display()
            );
            return Err(Refusal::Store(what).into());
        }
        let file = disk.create(&temporary)?;
        let outcome = fill(&*file, engine, format, &self.listing);
        if outcome.is_err() {
            // The error that is reported says more than that of the removal.
            let _ = disk.remove(&temporary);
            return outcome;
        }
        disk.rename(&temporary, &path)?;
        disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        outcome
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    records: u64,
    /// Those among them whose values end by themselves.
    ending: u64,
}

fn cut_off() -> anyhow::Error {
    let what = "whoever read the export has gone before its end: what there is of it is not whole";
    Refusal::Store(what.to_owned()).into()
}

fn fill(file: &dyn File, engine: &dyn Engine, format: Format, listing: &Listing) -> Result<Done> {
    let mut out = BufWriter::with_capacity(BUFFER, Appending(file));
    let done = write_all(engine, format, listing, &mut out)?;
    out.flush()?;
    drop(out);
    file.sync()?;
    Ok(done)
}

/// A file of the disk as something to write to.
struct Appending<'f>(&'f dyn File);

impl Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(engine: &dyn Engine, format: Format, listing: &Listing, out: &mut dyn Write) -> Result<Done> {
    let bar = ProgressBar::new_spinner();
    let (mut done, mut line) = (Done::default(), Vec::new());
    let expire = engine.as_expire();
    match format {
        Format::Csv => csv_row(out, b"key", b"value")?,
        Format::Database => out.write_all(b"{")?,
        _ => {}
    }
    for_each_entry(engine, listing, &mut |key, value| {
        let (json_key, json_value) = (as_json(key), as_json(value));
        match format {
            Format::JsonLines => writeln!(out, "{}", entry_as_json(key, value))?,
            Format::Tsv => writeln!(out, "{}\t{}", shown(key), shown(value))?,
            Format::Store => writeln!(out, "[{json_key},{json_value},false]")?,
            Format::Aof => {
                line.clear();
                replay_log::write_set(key, value, &mut line);
                out.write_all(&line)?;
            }
            Format::Csv => csv_row(out, key, value)?,
            Format::Database => {
                let mut name = Vec::new();
                json::encode_name(key, &mut name);
                out.write_all(if done.records == 0 { b"" } else { b"," })?;
                out.write_all(&name)?;
                write!(out, ":{json_value}")?;
            }
        }
        done.records += 1;
        if let Some(expire) = expire {
            done.ending += u64::from(matches!(expire.expiry(key)?, Expiry::At(_)));
        }
        bar.set_position(done.records);
        Ok(())
    })?;
    if format == Format::Database {
        out.write_all(b"}")?;
    }
    bar.finish_and_clear();
    Ok(done)
}

fn csv_row(out: &mut dyn Write, key: &[u8], value: &[u8]) -> Result<()> {
    let mut row = csv::WriterBuilder::new().from_writer(out);
    row.write_record([key, value])?;
    row.flush()?;
    Ok(())
}
