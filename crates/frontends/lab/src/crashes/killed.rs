//! A real process that is killed while it writes to a store on the real disk.
//!
//! The process is the engine's own program, started again. It says each write that the engine acknowledged on a line of its
//! own, which is one write into a pipe: what it said before it died can still be read afterwards.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use logladder_disk::RealDisk;
use logladder_engine::{Durability, Engine, SyncPolicy};

use super::{Crashed, POLICIES, Row, Verdict};

/// So many writes are waited for before the process is killed.
const WRITES: usize = 40;

/// Kills a process that writes, opens its store, and counts.
pub(super) fn row(crashed: &Crashed, policy: &str, durability: Durability) -> Result<Row> {
    let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
    let dir = folder.path().join("store");
    let mut child = (crashed.writer)(&dir, policy)
        .context("cannot find this program")?
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
    count(crashed, &dir, policy, durability, said)
}

fn count(crashed: &Crashed, dir: &Path, policy: &str, durability: Durability, said: usize) -> Result<Row> {
    let mut row = Row::new("a real process, killed while it writes");
    let engine = open(crashed, dir, policy)?;
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

fn open(crashed: &Crashed, dir: &Path, policy: &str) -> Result<Box<dyn Engine>> {
    let disk: Arc<dyn logladder_disk::Disk> = RealDisk::shared();
    Ok((crashed.open)(disk, dir, policy_of(policy)?)?)
}

/// Writes until it is killed, or nobody listens any more.
pub(super) fn write_until_killed(crashed: &Crashed, dir: &Path, policy: &str) -> Result<()> {
    let engine = open(crashed, dir, policy)?;
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
