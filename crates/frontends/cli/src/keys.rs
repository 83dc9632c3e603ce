//! `get`, `set`, `del`, `scan`, `stats`, `history` and `stages`: what is asked of a store every day.

mod listing;

use std::io::Write;
use std::ops::ControlFlow;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use logladder::{Engine, STAGES, Stats as Sizes, json};

pub(crate) use self::listing::{Listing, for_each_entry};
use crate::arguments::StoreArguments;
use crate::bytes::{Typed, as_json, count, shown, shown_as_text};
use crate::outcome::{Answer, Refusal};
use crate::{bytes, capability, remark};

/// What `logladder get` takes.
#[derive(Debug, Args)]
pub(crate) struct Get {
    key: Typed,
    /// Print the bytes as they are, without a line break
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// The value in this version of the key
    #[arg(long, value_name = "VERSION")]
    at: Option<u64>,
}

impl Get {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let engine = arguments.open()?;
        let Typed(key) = &self.key;
        let value = match self.at {
            None => engine.get(key)?,
            Some(version) => capability::history(&*engine)?.get_at(key, version)?.flatten(),
        };
        engine.close()?;
        match &value {
            _ if arguments.json => {
                let value = value.as_deref().map_or_else(|| "null".to_owned(), as_json);
                writeln!(out, r#"{{"key":{},"value":{value}}}"#, as_json(key))?;
            }
            Some(value) if self.raw => out.write_all(value)?,
            Some(value) => writeln!(out, "{}", shown_as_text(value))?,
            None => remark("(nil)"),
        }
        Ok(if value.is_some() { Answer::Yes } else { Answer::No })
    }
}

/// What `logladder set` takes.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The key
    key: Typed,
    /// The value; `-` to read it from standard input, as it is; behind `--` if it begins with a dash
    value: String,
    /// Let the value end after this time, such as 30s or 2h
    #[arg(long, value_name = "TIME", value_parser = bytes::some_time)]
    ttl: Option<std::time::Duration>,
}

impl Set {
    pub(crate) fn run(&self, arguments: &StoreArguments) -> Result<Answer> {
        let Typed(key) = &self.key;
        let value = self.value(arguments.json)?;
        let engine = arguments.open_or_make()?;
        match self.ttl {
            None => engine.set(key, &value)?,
            Some(ttl) => {
                let end = SystemTime::now().checked_add(ttl);
                let end = end.ok_or_else(|| Refusal::Usage("that is too long to come".to_owned()))?;
                capability::expire(&*engine)?.set_until(key, &value, end)?;
            }
        }
        engine.close()?;
        Ok(Answer::Yes)
    }

    fn value(&self, is_json: bool) -> Result<Vec<u8>> {
        let usage = |what: String| Refusal::Usage(format!("the value cannot be taken: {what}"));
        let value = match self.value.as_str() {
            "-" => crate::transfer::whole_input()?,
            text if is_json => text.as_bytes().to_vec(),
            text => return Ok(bytes::taken(text).map_err(usage)?.into_owned()),
        };
        if is_json {
            return Ok(json::decode(&value).map_err(|error| usage(error.to_string()))?.into_owned());
        }
        Ok(value)
    }
}

/// What `logladder del` takes.
#[derive(Debug, Args)]
pub(crate) struct Del {
    /// The keys; one that has no value is fine
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<Typed>,
}

impl Del {
    pub(crate) fn run(&self, arguments: &StoreArguments) -> Result<Answer> {
        let engine = arguments.open_to_change()?;
        for Typed(key) in &self.keys {
            engine.delete(key)?;
        }
        engine.close()?;
        Ok(Answer::Yes)
    }
}

/// What `logladder scan` takes.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    listing: Listing,
    /// Print the keys alone
    #[arg(long)]
    keys: bool,
}

impl Scan {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let engine = arguments.open()?;
        for_each_entry(&*engine, &self.listing, &mut |key, value| {
            match (arguments.json, self.keys) {
                (true, true) => writeln!(out, "{}", as_json(key))?,
                (true, false) => writeln!(out, "{}", entry_as_json(key, value))?,
                (false, true) => writeln!(out, "{}", shown(key))?,
                (false, false) => writeln!(out, "{}\t{}", shown(key), shown(value))?,
            }
            Ok(())
        })?;
        engine.close()?;
        Ok(Answer::Yes)
    }
}

/// A key and its value as a line of JSON Lines.
pub(crate) fn entry_as_json(key: &[u8], value: &[u8]) -> String {
    format!(r#"{{"key":{},"value":{}}}"#, as_json(key), as_json(value))
}

/// What `logladder stats` takes.
#[derive(Debug, Args)]
pub(crate) struct Stats {}

impl Stats {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let Self {} = self;
        let engine = arguments.open()?;
        if arguments.json {
            let sizes = engine.stats()?;
            let numbers: Vec<String> = rows(&sizes)
                .iter()
                .map(|(name, number)| format!(r#""{}":{number}"#, name.replace(' ', "_")))
                .collect();
            let (name, durability) = (engine.name(), engine.durability());
            writeln!(out, r#"{{"stage":"{name}","durability":"{durability}",{}}}"#, numbers.join(","))?;
        } else {
            print_stats(&*engine, out)?;
        }
        engine.close()?;
        Ok(Answer::Yes)
    }
}

/// Prints the sizes of a store, a line each.
pub(crate) fn print_stats(engine: &dyn Engine, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{:<18}{}", "stage", engine.name())?;
    writeln!(out, "{:<18}{}", "survives", engine.durability())?;
    for (name, number) in rows(&engine.stats()?) {
        writeln!(out, "{name:<18}{}", count(number))?;
    }
    Ok(())
}

fn rows(sizes: &Sizes) -> Vec<(&'static str, u64)> {
    let mut rows = vec![
        ("live keys", sizes.live_keys),
        ("live bytes", sizes.live_bytes),
        ("disk bytes", sizes.disk_bytes),
        ("index bytes", sizes.index_bytes),
        ("unreserved files", sizes.unreserved_files),
        ("unwritten keys", sizes.unwritten_keys),
        ("failed writes", sizes.failed_writes),
    ];
    if let Some(stalls) = sizes.stalls {
        let milliseconds = u64::try_from(stalls.time.as_millis()).unwrap_or(u64::MAX);
        rows.extend([("stalls", stalls.count), ("stalled ms", milliseconds)]);
    }
    rows
}

/// What `logladder history` takes.
#[derive(Debug, Args)]
pub(crate) struct History {
    key: Typed,
}

impl History {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let engine = arguments.open()?;
        let Typed(key) = &self.key;
        let is_known = for_each_version(&*engine, key, &mut |number, value| {
            match (arguments.json, value) {
                (true, value) => {
                    let value = value.map_or_else(|| "null".to_owned(), as_json);
                    writeln!(out, r#"{{"version":{number},"value":{value}}}"#)?;
                }
                (false, Some(value)) => writeln!(out, "{number}\t{}", shown(value))?,
                (false, None) => writeln!(out, "{number}\t{DELETED}")?,
            }
            Ok(())
        })?;
        engine.close()?;
        Ok(if is_known { Answer::Yes } else { Answer::No })
    }
}

/// What is printed for a version in which a key was deleted.
pub(crate) const DELETED: &str = "(deleted)";

/// Is shown a version: its number, and its value if it is not a delete.
type VisitNumbered<'v> = dyn FnMut(u64, Option<&[u8]>) -> Result<()> + 'v;

/// Shows the versions of a key, the newest first, to `visit`: their numbers and values. Says whether there is any.
///
/// # Errors
///
/// The stage keeps none as it was opened, or a read failed; or those of `visit`.
pub(crate) fn for_each_version(
    engine: &dyn Engine,
    key: &[u8],
    visit: &mut VisitNumbered<'_>,
) -> Result<bool> {
    let (mut outcome, mut is_known) = (Ok(()), false);
    capability::history(engine)?.versions(key, &mut |version| {
        is_known = true;
        outcome = visit(version.number, version.value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome.map(|()| is_known)
}

/// What `logladder stages` takes.
#[derive(Debug, Args)]
pub(crate) struct Stages {}

impl Stages {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let Self {} = self;
        for stage in STAGES {
            let able = capability::CAPABILITIES.iter().filter(|capability| capability.is_of(stage));
            let able: Vec<&str> = able.map(|capability| capability.name).collect();
            if arguments.json {
                let able = able.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
                writeln!(out, r#"{{"number":{},"name":"{}","can":[{able}]}}"#, stage.number, stage.name)?;
            } else {
                writeln!(out, "{} {}: {}", stage.number, stage.name, stage.summary)?;
                writeln!(out, "    {}", able.join(", "))?;
            }
        }
        Ok(Answer::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_writers_are_rows_where_a_stage_has_them() {
        let mut sizes = Sizes::default();
        let without = rows(&sizes);
        assert!(without.iter().all(|(name, _)| !name.contains("stall")), "{without:?}");
        sizes.stalls = Some(logladder::Stalls::new(3, std::time::Duration::from_millis(1_500)));
        assert_eq!(rows(&sizes)[without.len()..], [("stalls", 3), ("stalled ms", 1_500)]);
    }
}
