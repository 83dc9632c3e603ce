//! A real process that is killed while it writes to a store on the real disk.
//!
//! The process is this very program, started again. It says each write that the engine acknowledged on a line of its
//! own, which is one write into a pipe: what it said before it died can still be read afterwards.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use logladder::{Durability, Stage, SyncPolicy};

use super::{POLICIES, Row, Verdict};

/// So many writes are waited for before the process is killed.
const WRITES: usize = 40;

/// Kills a process that writes, opens its store, and counts.
pub(super) fn row(stage: &'static Stage, policy: &'static str, durability: Durability) -> Result<Row> {
    let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
    let dir = folder.path().join("store");
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut child = Command::new(program)
        .args(["stage", stage.name, "--write-until-killed"])
        .arg(&dir)
        .args(["--policy", policy])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a second process")?;
    let output = child.stdout.take().context("the second process has no output")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let said = lines.by_ref().take(WRITES).count();
    child.kill().context("cannot kill the second process")?;
    // What it said before it died counts as well.
    let said = said + lines.count();
    child.wait().context("the second process does not end")?;
    if said < WRITES {
        bail!("the second process wrote {said} times and no more");
    }
    count(stage, &dir, policy, durability, said)
}

fn count(stage: &Stage, dir: &Path, policy: &str, durability: Durability, said: usize) -> Result<Row> {
    let mut row = Row::new("a real process, killed while it writes");
    let engine = stage.open(dir, policy_of(policy)?)?;
    let mut lost = 0;
    // One more may have been under way.
    for number in 0..=said {
        match engine.get(&key(number))? {
            Some(found) if found != value(number) => {
                row.verdict = Verdict::Broken(format!("a wrong value of write {number}"));
            }
            Some(_) => row.under_way_kept += usize::from(number == said),
            None => lost += usize::from(number < said),
        }
    }
    row.count(lost, said);
    if lost > 0 && durability >= Durability::ProcessCrash {
        row.verdict = Verdict::Broken(format!("{lost} acknowledged writes are gone"));
    }
    engine.close()?;
    Ok(row)
}

/// Writes until it is killed, or nobody listens any more.
pub(in crate::stage) fn write_until_killed(stage: &Stage, dir: &Path, policy: &str) -> Result<()> {
    let engine = stage.open(dir, policy_of(policy)?)?;
    let mut output = std::io::stdout().lock();
    for number in 0.. {
        engine.set(&key(number), &value(number))?;
        if writeln!(output, "{number}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    Ok(())
}

fn key(number: usize) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    format!("value-{number}").into_bytes()
}

fn policy_of(name: &str) -> Result<SyncPolicy> {
    let policy = POLICIES.iter().find(|(other, _)| *other == name);
    Ok(policy.with_context(|| format!("there is no sync policy `{name}`"))?.1)
}
