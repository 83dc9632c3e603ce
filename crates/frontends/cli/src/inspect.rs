//! `inspect`: the files of a store, and their bytes field by field.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use logladder::disk::RealDisk;
use logladder::{Field, hash_log, sorted_log};

use crate::arguments::StoreArguments;
use crate::bytes::{as_json, as_json_text, count, shown};
use crate::outcome::{Answer, Refusal};
use crate::store::{SORTED_STAGE, STAGE_WITHOUT_FILES};

/// Bytes on a line of the dump.
const WIDTH: usize = 16;

/// What `logladder inspect` takes.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A file of the store, by its name in the folder [default: list them all]
    file: Option<PathBuf>,
    /// Show the fields from this byte on
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: usize,
    /// At most so many fields
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl Inspect {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        arguments.must_be_there()?;
        if arguments.stage()?.name == STAGE_WITHOUT_FILES {
            let what = format!("stage {STAGE_WITHOUT_FILES} has no files to look at");
            return Err(Refusal::Lacks(what).into());
        }
        match &self.file {
            None => list(arguments, out)?,
            Some(file) => self.describe(file, arguments, out)?,
        }
        Ok(Answer::Yes)
    }

    fn describe(
        &self,
        file: &std::path::Path,
        arguments: &StoreArguments,
        out: &mut dyn Write,
    ) -> Result<()> {
        let path = arguments.dir.join(file);
        let bytes = fs::read(&path).with_context(|| {
            format!("cannot read {}; `inspect` without a name lists the files of the store", path.display())
        })?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let stage = arguments.stage()?;
        let fields = stage.describe(&name, &bytes);
        if fields.is_empty() && !bytes.is_empty() {
            let what = format!("stage {} has no fields for a file of the name {name}", stage.name);
            return Err(Refusal::Usage(what).into());
        }
        let mut shown = fields.iter().filter(|field| field.bytes.start >= self.from);
        for field in shown.by_ref().take(self.limit) {
            print_field(field, &bytes, arguments.json, out)?;
        }
        if let Some(next) = shown.next() {
            if arguments.json {
                writeln!(out, r#"{{"more_from":{}}}"#, next.bytes.start)?;
                return Ok(());
            }
            writeln!(out, "more with --from {}", next.bytes.start)?;
        }
        Ok(())
    }
}

fn list(arguments: &StoreArguments, out: &mut dyn Write) -> Result<()> {
    let (stage, is_json) = (arguments.stage()?, arguments.json);
    if is_json {
        writeln!(out, r#"{{"stage":"{}","number":{}}}"#, stage.name, stage.number)?;
    } else {
        writeln!(out, "stage {} {}", stage.number, stage.name)?;
    }
    let entries = RealDisk::shared().list(&arguments.dir)?;
    for entry in &entries {
        let name = as_json_text(&entry.name);
        match (is_json, entry.is_dir) {
            (true, true) => writeln!(out, r#"{{"folder":{name}}}"#)?,
            (true, false) => writeln!(out, r#"{{"file":{name},"bytes":{}}}"#, entry.len)?,
            (false, true) => writeln!(out, "{:>15}  {}/", count(entry.len), entry.name)?,
            (false, false) => writeln!(out, "{:>15}  {}", count(entry.len), entry.name)?,
        }
    }
    // A store in which nothing was ever written has no manifest, and no segments.
    if entries.iter().any(|entry| entry.name == "MANIFEST") {
        match stage.name {
            "hash-log" => list_segments(arguments, out)?,
            SORTED_STAGE => list_tables(arguments, out)?,
            _ => {}
        }
    }
    Ok(())
}

/// From outside as well. In the order in which a get asks them.
fn list_tables(arguments: &StoreArguments, out: &mut dyn Write) -> Result<()> {
    let sorted_log::Listing { first_log, last_sequence, tables, .. } = sorted_log::listing(&arguments.dir)?;
    if !arguments.json {
        let [table, level, bytes, entries] = ["table", "level", "bytes", "entries"];
        writeln!(out, "{table:>10}  {level:>5}  {bytes:>15}  {entries:>12}  {:>10}  keys", "tombstones")?;
    }
    for table in &tables {
        let sorted_log::ListedTable { number, level, bytes, entries, tombstones, .. } = table;
        let keys = [&table.smallest, &table.largest];
        if arguments.json {
            let [smallest, largest] = keys.map(|key| as_json(key));
            writeln!(
                out,
                r#"{{"table":{number},"level":{level},"bytes":{bytes},"entries":{entries},"tombstones":{tombstones},"smallest":{smallest},"largest":{largest}}}"#
            )?;
        } else {
            let [bytes, entries, tombstones] = [*bytes, *entries, *tombstones].map(count);
            let [smallest, largest] = keys.map(|key| shown(key));
            writeln!(
                out,
                "{number:>10}  {level:>5}  {bytes:>15}  {entries:>12}  {tombstones:>10}  {smallest} … {largest}"
            )?;
        }
    }
    if arguments.json {
        writeln!(out, r#"{{"first_log":{first_log},"last_sequence_in_tables":{last_sequence}}}"#)?;
    } else {
        writeln!(out, "in memory: what logs from {first_log} on say, behind write {}", count(last_sequence))?;
    }
    Ok(())
}

/// Looks from outside, so nothing is changed, and who has the store open does not notice.
fn list_segments(arguments: &StoreArguments, out: &mut dyn Write) -> Result<()> {
    let segments = hash_log::segments(&arguments.dir)?;
    if !arguments.json {
        writeln!(out, "{:>8}  {:>6}  {:>15}  {:>15}  {:>15}", "segment", "", "bytes", "live", "dead")?;
    }
    for usage in segments {
        let numbers = [usage.bytes, usage.live_bytes, usage.dead_bytes()];
        if arguments.json {
            let ([bytes, live, dead], sealed) = (numbers, usage.is_sealed);
            writeln!(
                out,
                r#"{{"segment":{},"sealed":{sealed},"bytes":{bytes},"live_bytes":{live},"dead_bytes":{dead}}}"#,
                usage.id
            )?;
        } else {
            let kind = if usage.is_sealed { "sealed" } else { "active" };
            let [bytes, live, dead] = numbers.map(count);
            writeln!(out, "{:>8}  {kind:>6}  {bytes:>15}  {live:>15}  {dead:>15}", usage.id)?;
        }
    }
    Ok(())
}

fn print_field(field: &Field, bytes: &[u8], is_json: bool, out: &mut dyn Write) -> Result<()> {
    let content = bytes.get(field.bytes.clone()).unwrap_or_default();
    let digits: Vec<String> = content.iter().take(WIDTH).map(|byte| format!("{byte:02x}")).collect();
    if is_json {
        let [name, meaning] = [field.name, &field.meaning].map(as_json_text);
        writeln!(
            out,
            r#"{{"offset":{},"length":{},"first_bytes":"{}","field":{name},"meaning":{meaning}}}"#,
            field.bytes.start,
            field.bytes.len(),
            digits.concat()
        )?;
        return Ok(());
    }
    let more = if content.len() > WIDTH { " …" } else { "" };
    let digits = format!("{}{more}", digits.join(" "));
    writeln!(out, "{:>8}  {digits:<49}  {:<16} {}", field.bytes.start, field.name, field.meaning)?;
    Ok(())
}
