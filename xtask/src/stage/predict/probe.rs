//! A few steps on a store, and what the last of them shows.
//!
//! | step | what it does |
//! |---|---|
//! | `set K V`, `set K *N` | sets a key, to a word or to a value of N bytes |
//! | `fill N M` | sets the keys `key-0` to `key-(N-1)` to values of M bytes |
//! | `delete K`, `get K`, `sync`, `compact`, `close`, `open` | what they say; the first step opens the store by itself |
//! | `never` | as the first step: opens it with `SyncPolicy::Never` |
//! | `kill` | the process dies here |
//! | `power-loss` | the power fails here: what no sync covers is gone |
//! | `torn set K V` | the process dies when half of the first write of this set is done |
//! | `flip FILE N` | flips a bit of the byte at offset N, while the store is closed |

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use logladder::disk::crash::{Loss, Recording, Tree};
use logladder::disk::{LOCK_FILE, Op, RecordingDisk};
use logladder::{Engine, Stage, SyncPolicy};
use logladder_bench::figures;
use serde::Deserialize;

use super::super::cost::{Cost, Counter};
use super::super::lesson::STORE;

/// Steps, what is told of the last one, and what that is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probe {
    steps: Vec<String>,
    tells: Tells,
    /// What is told, as the answer claims. A test compares it with a run.
    #[cfg_attr(not(test), allow(dead_code, reason = "a run says it anew"))]
    pub(super) shows: String,
}

/// What is told of the last step, or of what it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tells {
    /// The value that was got, or `nothing`; or `refused`, where the store did not open.
    Value,
    /// How often it wrote.
    Writes,
    /// How many bytes it wrote.
    BytesWritten,
    /// How often it synced.
    Syncs,
    /// How many bytes it read.
    BytesRead,
    /// How many files the store has now, without the lock file.
    Files,
    /// How many lines they have.
    Lines,
    /// How many bytes they have.
    Length,
}

impl Probe {
    /// The steps in a line.
    pub(super) fn words(&self) -> String {
        self.steps.join("; ")
    }

    /// Does the steps, and says what the last one showed.
    pub(super) fn run(&self, stage: &Stage) -> Result<String> {
        let mut machine = Machine::new(stage);
        for step in &self.steps {
            machine.step(step).with_context(|| format!("at the step `{step}`"))?;
        }
        Ok(machine.tell(self.tells))
    }
}

/// A disk, and the store on it.
struct Machine<'s> {
    stage: &'s Stage,
    sync: SyncPolicy,
    disk: RecordingDisk,
    counter: Counter,
    engine: Option<Box<dyn Engine>>,
    /// What the last step cost.
    cost: Cost,
    value: String,
}

impl<'s> Machine<'s> {
    fn new(stage: &'s Stage) -> Self {
        let disk = RecordingDisk::new();
        Self {
            stage,
            sync: SyncPolicy::Always,
            counter: Counter::new(disk.clone()),
            disk,
            engine: None,
            cost: Cost::default(),
            value: String::new(),
        }
    }

    fn step(&mut self, step: &str) -> Result<()> {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            ["never"] => self.sync = SyncPolicy::Never,
            ["open"] => self.open(),
            ["kill"] => self.restart(RecordingDisk::from_tree(self.disk.tree())),
            ["power-loss"] => {
                let recording = Recording::of(&self.disk);
                let images = recording.images_at(recording.ops.len());
                let unsynced = images.into_iter().find(|image| image.loss == Loss::Unsynced);
                // If everything was synced, nothing is gone.
                let tree = unsynced.map_or_else(|| self.disk.tree(), |image| image.tree);
                self.restart(RecordingDisk::from_tree(tree));
            }
            ["torn", rest @ ..] => {
                let began = self.engine()?.1.op_count();
                self.step(&rest.join(" "))?;
                self.restart(RecordingDisk::from_tree(torn(&Recording::of(&self.disk), began)?));
            }
            ["flip", file, offset] => {
                let tree = flipped(self.disk.tree(), file, offset.parse()?)?;
                self.restart(RecordingDisk::from_tree(tree));
            }
            ["close"] => {
                self.engine()?;
                if let Some(engine) = self.engine.take() {
                    engine.close()?;
                }
            }
            words => self.operate(words)?,
        }
        self.cost = self.counter.take();
        Ok(())
    }

    /// A step on the open store.
    fn operate(&mut self, words: &[&str]) -> Result<()> {
        self.engine()?;
        // What opening cost is not the step's.
        self.counter.take();
        let Some(engine) = &self.engine else { bail!("the store did not open") };
        match words {
            ["set", key, value] => {
                let value = match value.strip_prefix('*') {
                    Some(len) => vec![b'v'; len.parse()?],
                    None => value.as_bytes().to_vec(),
                };
                engine.set(key.as_bytes(), &value)?;
            }
            ["fill", count, len] => {
                let value = vec![b'v'; len.parse()?];
                for number in 0..count.parse::<u32>()? {
                    engine.set(format!("key-{number}").as_bytes(), &value)?;
                }
            }
            ["delete", key] => engine.delete(key.as_bytes())?,
            ["get", key] => {
                let value = engine.get(key.as_bytes())?;
                self.value =
                    value.map_or("nothing".to_owned(), |value| String::from_utf8_lossy(&value).into_owned());
            }
            ["sync"] => engine.sync()?,
            ["compact"] => {
                engine.as_compact().context("it cannot compact")?.compact()?;
            }
            other => bail!("there is no step `{}`", other.join(" ")),
        }
        Ok(())
    }

    /// The store, which is opened if it is not open, and its disk.
    fn engine(&mut self) -> Result<(&dyn Engine, &RecordingDisk)> {
        if self.engine.is_none() {
            self.open();
        }
        let engine =
            self.engine.as_deref().with_context(|| format!("the store did not open: {}", self.value))?;
        Ok((engine, &self.disk))
    }

    fn open(&mut self) {
        match self.stage.open_on(self.counter.disk(), Path::new(STORE), self.sync) {
            Ok(engine) => self.engine = Some(engine),
            Err(_) => "refused".clone_into(&mut self.value),
        }
    }

    /// Goes on with another disk. The store that was open is dropped after the disk was copied: what that does to the
    /// old one is seen by nobody.
    fn restart(&mut self, disk: RecordingDisk) {
        self.counter = Counter::new(disk.clone());
        self.disk = disk;
        self.engine = None;
    }

    fn tell(&self, tells: Tells) -> String {
        let tree = self.disk.tree();
        let files: Vec<&[u8]> =
            tree.files().filter(|(path, _)| !path.ends_with(LOCK_FILE)).map(|(_, bytes)| bytes).collect();
        let lines = || files.iter().flat_map(|bytes| bytes.iter()).filter(|byte| **byte == b'\n').count();
        let number = match tells {
            Tells::Value => return self.value.clone(),
            Tells::Writes => self.cost.writes,
            Tells::BytesWritten => self.cost.bytes_written,
            Tells::Syncs => self.cost.syncs,
            Tells::BytesRead => self.cost.bytes_read,
            Tells::Files => files.len() as u64,
            Tells::Lines => lines() as u64,
            Tells::Length => files.iter().map(|bytes| bytes.len() as u64).sum(),
        };
        figures::count(number)
    }
}

/// What is on the disk when half of the first write since `began` is done.
fn torn(recording: &Recording, began: usize) -> Result<Tree> {
    let is_write = |op: &Op| matches!(op, Op::Write { bytes, .. } if bytes.len() > 1);
    let write =
        recording.ops[began..].iter().position(is_write).context("it writes nothing that can be torn")?;
    let images = recording.images_at(began + write);
    let torn: Vec<_> = images.into_iter().filter(|image| matches!(image.loss, Loss::Torn { .. })).collect();
    let middle = torn.len() / 2;
    Ok(torn.into_iter().nth(middle).context("it cannot be torn")?.tree)
}

fn flipped(mut tree: Tree, file: &str, offset: usize) -> Result<Tree> {
    let path = PathBuf::from(STORE).join(file);
    let bytes = tree.files().find(|(other, _)| **other == path).map(|(_, bytes)| bytes.to_vec());
    let mut bytes = bytes.with_context(|| format!("there is no file {file}"))?;
    *bytes.get_mut(offset).with_context(|| format!("{file} has no byte {offset}"))? ^= 1;
    tree.put(&path, bytes);
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stage: &str, steps: &[&str], tells: Tells) -> String {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        Probe { steps, tells, shows: String::new() }.run(logladder::stage(stage).unwrap()).unwrap()
    }

    #[test]
    fn a_power_loss_takes_what_was_not_synced_and_a_kill_does_not() {
        let never = ["never", "set a 1", "sync", "set a 2"];
        assert_eq!(shown("replay-log", &[&never[..], &["kill", "get a"]].concat(), Tells::Value), "2");
        assert_eq!(shown("replay-log", &[&never[..], &["power-loss", "get a"]].concat(), Tells::Value), "1");
    }

    #[test]
    fn a_step_that_is_not_known_is_an_error_and_a_damaged_store_refuses() {
        let steps = vec!["leap".to_owned()];
        let probe = Probe { steps, tells: Tells::Value, shows: String::new() };
        let error = probe.run(logladder::stage("memory").unwrap()).unwrap_err();
        assert!(format!("{error:#}").contains("leap"), "{error:#}");
        let steps = ["set a 1", "set b 2", "close", "flip store.json 2", "open"];
        assert_eq!(shown("scan-log", &steps, Tells::Value), "refused");
    }
}
