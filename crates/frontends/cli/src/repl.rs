//! `repl`: commands one after the other, from a terminal or a pipe.
//!
//! On a terminal there is a prompt, a history and completion. From a pipe there are only the answers, and the first
//! line that is wrong does not end the rest; it makes the exit code 2.

mod completion;
mod words;

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use logladder::Engine;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use self::completion::Completion;
use self::words::{Deed, parse};
use crate::arguments::StoreArguments;
use crate::bytes::{Typed, as_json, count, counted, shown};
use crate::capability;
use crate::care::in_words;
use crate::keys::{DELETED, Listing, for_each_entry, for_each_version, print_stats};
use crate::outcome::{Answer, Refusal, is_broken_pipe};
use crate::store::News;

const PROMPT: &str = "> ";
/// How many keys `scan` prints at most.
const SCANNED: usize = 100;
/// Where the lines of earlier sessions are kept, in the user's home.
const HISTORY_FILE: &str = ".logladder_history";

const HELP: &str = "\
set KEY VALUE    the value: a word, several words, or JSON or text in single quotes; also db_set
get KEY          prints the value as JSON, or (nil); also db_get
del KEY          deletes the key
scan [PREFIX]    prints the first keys and values, sorted
history KEY      prints the versions of the key that are kept, the newest first
stats            prints how large the store is
compact          gives back the space of what was overwritten or deleted
check            reads each key and its value, and says whether all are whole
help             prints this
exit             ends; so does the end of the input
";

/// What `logladder repl` takes.
#[derive(Debug, Args)]
pub(crate) struct Repl {
    /// Print the prompt and each line that is read from a pipe, as a terminal would
    #[arg(long)]
    echo: bool,
}

/// Whether to read another line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Line,
    End,
}

impl Repl {
    pub(crate) fn run(&self, arguments: &StoreArguments, out: &mut dyn Write) -> Result<Answer> {
        let engine = arguments.open_saying(News::remark)?;
        let is_typed = io::stdin().is_terminal();
        let refused = if is_typed { typed(&*engine, out).map(|()| 0) } else { self.piped(&*engine, out) };
        engine.close()?;
        match refused? {
            0 => Ok(Answer::Yes),
            refused => Err(Refusal::Usage(format!("{} could not be done", counted(refused, "line"))).into()),
        }
    }

    /// Says how many lines could not be done.
    fn piped(&self, engine: &dyn Engine, out: &mut dyn Write) -> Result<u64> {
        let mut refused = 0;
        let (mut input, mut bytes) = (io::stdin().lock(), Vec::new());
        loop {
            bytes.clear();
            if input.read_until(b'\n', &mut bytes).context("cannot read standard input")? == 0 {
                break;
            }
            let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let Ok(line) = str::from_utf8(text) else {
                refused += 1;
                writeln!(out, "error: the line is not UTF-8: write such bytes as b\"\\xff\"")?;
                out.flush()?;
                continue;
            };
            if self.echo {
                writeln!(out, "{PROMPT}{line}")?;
            }
            match one(engine, line, out) {
                Ok(Next::Line) => out.flush()?,
                Ok(Next::End) => break,
                Err(error) if is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    refused += 1;
                    writeln!(out, "error: {error:#}")?;
                    out.flush()?;
                }
            }
        }
        Ok(refused)
    }
}

/// Reads lines from a terminal.
fn typed(engine: &dyn Engine, out: &mut dyn Write) -> Result<()> {
    let mut editor =
        Editor::<Completion<'_>, FileHistory>::with_config(Config::builder().auto_add_history(true).build())?;
    editor.set_helper(Some(Completion::new(engine)));
    let history = std::env::home_dir().map(|home| home.join(HISTORY_FILE));
    load(&mut editor, history.as_ref());
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            // Ctrl-C gives up the line, Ctrl-D the session.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        match one(engine, &line, out) {
            Ok(Next::Line) => {}
            Ok(Next::End) => break,
            Err(error) if is_broken_pipe(&error) => return Err(error),
            Err(error) => writeln!(out, "error: {error:#}")?,
        }
        out.flush()?;
    }
    if let Some(path) = history {
        // A session is not worth less because its lines could not be kept.
        let _ = editor.save_history(&path);
    }
    Ok(())
}

fn load(editor: &mut Editor<Completion<'_>, FileHistory>, history: Option<&PathBuf>) {
    if let Some(path) = history {
        // There is none before the first session.
        let _ = editor.load_history(path);
    }
}

/// Does what one line says.
fn one(engine: &dyn Engine, line: &str, out: &mut dyn Write) -> Result<Next> {
    match parse(line).map_err(Refusal::Usage)? {
        None => {}
        Some(Deed::Set(key, value)) => engine.set(&key, &value)?,
        Some(Deed::Get(key)) => match engine.get(&key)? {
            Some(value) => writeln!(out, "{}", seen(&value))?,
            None => writeln!(out, "(nil)")?,
        },
        Some(Deed::Del(key)) => engine.delete(&key)?,
        Some(Deed::Scan(prefix)) => scan(engine, prefix, out)?,
        Some(Deed::History(key)) => history(engine, &key, out)?,
        Some(Deed::Stats) => print_stats(engine, out)?,
        Some(Deed::Compact) => writeln!(out, "{}", in_words(&capability::compact(engine)?.compact()?))?,
        Some(Deed::Check) => {
            let keys = for_each_entry(engine, &Listing::default(), &mut |_, _| Ok(()))?;
            writeln!(out, "{} read\nhealthy", counted(keys, "key"))?;
        }
        Some(Deed::Help) => out.write_all(HELP.as_bytes())?,
        Some(Deed::Exit) => return Ok(Next::End),
    }
    Ok(Next::Line)
}

/// A value as JSON for a terminal, which JSON leaves some control characters to.
fn seen(value: &[u8]) -> String {
    let mut text = String::new();
    for letter in as_json(value).chars() {
        if letter.is_control() {
            // Writing to a string cannot fail. Such a letter stands inside a JSON string.
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
    }
    text
}

fn history(engine: &dyn Engine, key: &[u8], out: &mut dyn Write) -> Result<()> {
    let is_known = for_each_version(engine, key, &mut |number, value| {
        match value {
            Some(value) => writeln!(out, "{number}\t{}", seen(value))?,
            None => writeln!(out, "{number}\t{DELETED}")?,
        }
        Ok(())
    })?;
    if !is_known {
        writeln!(out, "(nil)")?;
    }
    Ok(())
}

fn scan(engine: &dyn Engine, prefix: Vec<u8>, out: &mut dyn Write) -> Result<()> {
    let listing =
        Listing { prefix: Some(Typed(prefix)), limit: Some(SCANNED), sorted: true, ..Listing::default() };
    let all = for_each_entry(engine, &listing, &mut |key, value| {
        writeln!(out, "{}\t{}", shown(key), seen(value))?;
        Ok(())
    })?;
    if all > SCANNED as u64 {
        // A stage that has its keys in order was not asked for all of them.
        let of_all = engine.as_ordered().map_or_else(|| format!(" of {}", count(all)), |_| String::new());
        writeln!(out, "the first {SCANNED}{of_all} keys: name a prefix to see others")?;
    }
    Ok(())
}
