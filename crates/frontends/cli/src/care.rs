//! `compact`, `check`, `backup` and `restore`: looking after a store.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use logladder::disk::RealDisk;
use logladder::{
    CheckReport, Engine, Error, Problem, Progress, STAGES, Salvaged, Severity, Stage, SyncPolicy,
};
use logladder_engine::Compacted;

use crate::arguments::StoreArguments;
use crate::bytes::{as_json_text, count};
use crate::keys::{Listing, for_each_entry};
use crate::outcome::{Answer, Refusal};
use crate::{capability, remark, store};

/// What `logladder compact` takes.
#[derive(Debug, Args)]
pub(crate) struct Compact {}

impl Compact {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let Self {} = self;
        let engine = arguments.open_to_change()?;
        let gained = capability::compact(&*engine)?.compact()?;
        engine.close()?;
        let (removed, written) = (gained.files_removed, gained.files_written);
        if arguments.json {
            writeln!(
                out,
                r#"{{"files_removed":{removed},"files_written":{written},"bytes_reclaimed":{}}}"#,
                gained.bytes_reclaimed
            )?;
        } else {
            writeln!(out, "{}", in_words(&gained))?;
        }
        Ok(Answer::Yes)
    }
}

/// What a compaction has gained.
pub(crate) fn in_words(gained: &Compacted) -> String {
    let bytes = count(gained.bytes_reclaimed);
    format!(
        "{bytes} bytes given back: {} files removed, {} written",
        gained.files_removed, gained.files_written
    )
}

/// What `logladder check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Make a new store in this folder, which must be empty, from everything that is whole (hash-log, sorted-log); the exit
    /// code says, as without it, whether there was damage
    #[arg(long, value_name = "FOLDER")]
    repair: Option<PathBuf>,
}

impl Check {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        arguments.must_be_there()?;
        let stage = arguments.stage()?;
        match &self.repair {
            Some(_) if !stage.has_care() => {
                let others = STAGES.iter().filter(|stage| stage.has_care()).map(|stage| stage.name);
                let others = others.collect::<Vec<_>>().join(" or ");
                let what = format!(
                    "a store of stage {} cannot be repaired; one of {others} can: restore it from a copy",
                    stage.name
                );
                Err(Refusal::Lacks(what).into())
            }
            Some(into) => {
                let what = "a store is made anew in a folder that is not there yet or is empty";
                must_be_empty(into, &format!("{what}: name another, or move this one away"))?;
                salvage(stage, arguments, into, out)
            }
            None if stage.has_care() => check_files(stage, arguments, out),
            None => read_everything(stage, arguments, out),
        }
    }
}

/// Reads every byte, without opening the store.
fn check_files(stage: &Stage, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
    let bar = ProgressBar::new(0);
    let report = arguments.wait_for_store(|| {
        let mut tell = |progress: Progress<'_>| show(&bar, &progress);
        stage
            .check(RealDisk::shared(), &arguments.dir, &mut tell)
            .unwrap_or_else(|| Ok(CheckReport::default()))
    })?;
    bar.finish_and_clear();
    print_problems(&report.problems, arguments, out)?;
    if arguments.json {
        let CheckReport { files, bytes, records, keys, .. } = report;
        let is_healthy = report.worst() < Some(Severity::Unfinished);
        writeln!(
            out,
            r#"{{"healthy":{is_healthy},"files":{files},"bytes":{bytes},"records":{records},"keys":{keys}}}"#
        )?;
        return Ok(if is_healthy { Answer::Yes } else { Answer::No });
    }
    let (files, bytes) = (count(report.files), count(report.bytes));
    let (records, keys) = (count(report.records), count(report.keys));
    writeln!(out, "{files} files, {bytes} bytes, {records} records, {keys} keys")?;
    match report.worst() {
        Some(Severity::Damage) => {
            remark("damaged: `check --repair FOLDER` makes a new store from everything that is whole");
        }
        Some(Severity::Unfinished) => {
            remark("a write was not finished: opening the store cuts it off and keeps it beside the file");
        }
        // A cache that is out of date costs the next open some time, and nothing else.
        _ => {
            writeln!(out, "healthy")?;
            return Ok(Answer::Yes);
        }
    }
    Ok(Answer::No)
}

fn salvage(stage: &Stage, arguments: &StoreArguments, into: &Path, out: &mut dyn Write) -> Result<Answer> {
    let bar = ProgressBar::new(0);
    let salvaged = arguments.wait_for_store(|| {
        let mut tell = |progress: Progress<'_>| show(&bar, &progress);
        store::salvage(stage, arguments.versions, &arguments.dir, into, &mut tell)
    });
    let salvaged = salvaged.map_err(|error| not_made("the repair", into, error))?;
    bar.finish_and_clear();
    let Salvaged { records, keys, problems, .. } = salvaged;
    print_problems(&problems, arguments, out)?;
    // As a check says it.
    let was_healthy = problems.iter().all(|problem| problem.severity < Severity::Unfinished);
    let damaged = problems.iter().filter(|problem| problem.severity == Severity::Damage).count();
    if arguments.json {
        writeln!(
            out,
            r#"{{"healthy":{was_healthy},"damaged":{damaged},"records":{records},"keys":{keys}}}"#
        )?;
    } else {
        let missing = match damaged {
            0 => String::new(),
            places => format!("; missing is what stood only in damaged places ({places}, named above)"),
        };
        let (records, keys) = (count(records), count(keys));
        writeln!(out, "{records} records done again, {keys} keys in {}{missing}", into.display())?;
        if damaged > 0 {
            remark(OLDER);
        }
    }
    Ok(if was_healthy { Answer::Yes } else { Answer::No })
}

/// What it may mean for a key that something is damaged.
const OLDER: &str = "a key whose newest record stood only in what is damaged may have an older value, or be back though it was deleted";

/// A line each.
fn print_problems(problems: &[Problem], arguments: &StoreArguments, out: &mut dyn Write) -> Result<()> {
    for problem in problems {
        if arguments.json {
            let Problem { severity, path, offset, what, .. } = problem;
            let [severity, file, what] = [severity.to_string(), path.display().to_string(), what.clone()]
                .map(|text| as_json_text(&text));
            writeln!(out, r#"{{"severity":{severity},"file":{file},"offset":{offset},"problem":{what}}}"#)?;
        } else {
            writeln!(out, "{problem}")?;
        }
    }
    Ok(())
}

fn show(bar: &ProgressBar, progress: &Progress<'_>) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

/// Opens the store, and reads each key and its value.
fn read_everything(stage: &Stage, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
    let read = || -> Result<u64> {
        let engine = arguments.open()?;
        let keys = for_each_entry(&*engine, &Listing::default(), &mut |_, _| Ok(()))?;
        engine.close()?;
        Ok(keys)
    };
    match read() {
        Ok(keys) if arguments.json => {
            writeln!(out, r#"{{"healthy":true,"keys":{keys}}}"#)?;
            Ok(Answer::Yes)
        }
        Ok(keys) => {
            writeln!(out, "{} keys read by opening the store of stage {}", count(keys), stage.name)?;
            writeln!(out, "healthy")?;
            Ok(Answer::Yes)
        }
        Err(error) if matches!(error.downcast_ref(), Some(Error::Corrupt { .. })) => {
            if arguments.json {
                let what = as_json_text(&error.to_string());
                writeln!(out, r#"{{"healthy":false,"problem":{what}}}"#)?;
            } else {
                writeln!(out, "{error}")?;
            }
            Ok(Answer::No)
        }
        Err(error) => Err(error),
    }
}

/// What `logladder backup` takes.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder of the copy, which must be empty or not there
    into: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self, arguments: &StoreArguments) -> Result<Answer> {
        let what = "a copy is made in a folder that is not there yet or is empty";
        must_be_empty(&self.into, &format!("{what}: name another, or move this one away"))?;
        let engine = arguments.open()?;
        copy(&*engine, &self.into)?;
        engine.close()?;
        remark(&format!("backed up into {}", self.into.display()));
        Ok(Answer::Yes)
    }
}

/// What `logladder restore` takes.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The folder of the backup, which stays as it is
    from: PathBuf,
}

impl Restore {
    /// A backup is a store, and restoring it is a backup of that into the folder of the store.
    pub(crate) fn run(&self, arguments: &StoreArguments) -> Result<Answer> {
        let backup =
            StoreArguments { dir: self.from.clone(), sync: Some(SyncPolicy::Never), ..arguments.clone() };
        let what = "a store is restored into a folder that is not there yet or is empty";
        must_be_empty(&arguments.dir, &format!("{what}: name another with --dir, or move this one away"))?;
        let engine = backup.open()?;
        // Opening need not read all of it, and nobody keeps a backup any longer once it is restored.
        if let Some(iterate) = engine.as_iterate() {
            iterate.for_each(&mut |_, _| ControlFlow::Continue(()))?;
        }
        copy(&*engine, &arguments.dir)?;
        engine.close()?;
        remark(&format!("restored into {}", arguments.dir.display()));
        Ok(Answer::Yes)
    }
}

/// Copies the store into the folder.
///
/// # Errors
///
/// The stage has no backups, or the folder cannot be used.
fn copy(engine: &dyn Engine, into: &Path) -> Result<()> {
    capability::backup(engine)?.backup(into).map_err(|error| not_made("the copy", into, error.into()))
}

/// The error of what should have been made in the folder, which was empty before. What a stage that can do it refuses is the
/// folder itself, which lies in that of the store: not what exit code 5 is for.
fn not_made(what: &str, into: &Path, error: anyhow::Error) -> anyhow::Error {
    if must_be_empty(into, "").is_err() {
        remark(&format!("{what} was not finished: remove {} and begin it again", into.display()));
    }
    match error.downcast_ref() {
        Some(Error::Unsupported { what }) => Refusal::Store(what.clone()).into(),
        _ => error,
    }
}

/// # Errors
///
/// Something is in the folder, and `remedy` says what to do; or the system does not let us look.
fn must_be_empty(dir: &Path, remedy: &str) -> Result<()> {
    let name = dir.display();
    let found = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().transpose(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    match found.with_context(|| format!("cannot look into {name}"))? {
        None => Ok(()),
        Some(_) => Err(Refusal::Store(format!("{name} is not empty; {remedy}; nothing was changed")).into()),
    }
}
