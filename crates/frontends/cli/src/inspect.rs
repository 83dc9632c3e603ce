//! `inspect`: the files of a store, and their bytes field by field.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use logladder::disk::RealDisk;
use logladder::{Engine, Field, Open, hash_log};

use crate::arguments::StoreArguments;
use crate::bytes::count;
use crate::outcome::{Answer, Refusal};

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
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let stage = arguments.stage()?;
        let fields = stage.describe(&name, &bytes);
        if fields.is_empty() && !bytes.is_empty() {
            let what = format!("stage {} has no fields for a file of the name {name}", stage.name);
            return Err(Refusal::Usage(what).into());
        }
        let mut shown = fields.iter().filter(|field| field.bytes.start >= self.from);
        for field in shown.by_ref().take(self.limit) {
            print_field(field, &bytes, out)?;
        }
        if let Some(next) = shown.next() {
            writeln!(out, "more with --from {}", next.bytes.start)?;
        }
        Ok(())
    }
}

fn list(arguments: &StoreArguments, out: &mut dyn Write) -> Result<()> {
    let stage = arguments.stage()?;
    writeln!(out, "stage {} {}", stage.number, stage.name)?;
    for entry in RealDisk::shared().list(&arguments.dir)? {
        let kind = if entry.is_dir { "/" } else { "" };
        writeln!(out, "{:>15}  {}{kind}", count(entry.len), entry.name)?;
    }
    if stage.name == "hash-log" {
        let options = hash_log::Options::default().with_compaction(hash_log::Compaction::OnDemand);
        let store = arguments.wait_for(|| hash_log::HashLog::open(&arguments.dir, options))?;
        writeln!(out, "{:>8}  {:>6}  {:>15}  {:>15}  {:>15}", "segment", "", "bytes", "live", "dead")?;
        for usage in store.segments() {
            let kind = if usage.is_sealed { "sealed" } else { "active" };
            let [bytes, live, dead] = [usage.bytes, usage.live_bytes, usage.dead_bytes()].map(count);
            writeln!(out, "{:>8}  {kind:>6}  {bytes:>15}  {live:>15}  {dead:>15}", usage.id)?;
        }
        Box::new(store).close()?;
    }
    Ok(())
}

fn print_field(field: &Field, bytes: &[u8], out: &mut dyn Write) -> Result<()> {
    let content = bytes.get(field.bytes.clone()).unwrap_or_default();
    let digits: Vec<String> = content.iter().take(WIDTH).map(|byte| format!("{byte:02x}")).collect();
    let more = if content.len() > WIDTH { " …" } else { "" };
    let digits = format!("{}{more}", digits.join(" "));
    writeln!(out, "{:>8}  {digits:<49}  {:<16} {}", field.bytes.start, field.name, field.meaning)?;
    Ok(())
}
