//! A process that writes is killed at a random moment, over and over, and the store is opened again.
//!
//! Two threads of a second process set, overwrite, delete and write batches; after some hundred writes the store is closed
//! or dropped, and opened with other options. Each write is acknowledged through a pipe. The first process kills the second
//! at a random moment, sometimes kills a third and a fourth while they open the store, and then opens it itself:
//!
//! - every acknowledged write is there;
//! - of the one write of each thread that may have been under way, all or nothing is there;
//! - nothing else: no overwritten value, and nothing that was deleted, at any later opening.
//!
//! A stage says in a [`KillLoop`] how it is opened, with files so small that they are replaced all the time, and calls
//! [`run`](KillLoop::run) in a test. It kills some dozens of times, on a file system in memory. So often as you like, on the
//! disk: `LOGLADDER_KILLS=1000`. `LOGLADDER_SEED` repeats the writes of a run, but not the moments of its kills, which are
//! the machine's.

use std::path::Path;
use std::thread;
use std::time::Duration;

use logladder_engine::{Engine, Result};

use super::draw::{below, one_of, seed};
use super::ledger::Ledger;
use super::steps::{perform, step};
use super::{Running, cheap_folder, must, number, say, task};

/// Threads that write at once.
const WRITERS: u64 = 2;

/// One opening of the store: the seed, how many processes came before, and how many openings of this one. What is chosen for
/// it is drawn with [`one_of`](Self::one_of).
#[derive(Debug, Clone, Copy)]
pub struct Session {
    seed: u64,
    life: u64,
    opening: u64,
}

impl Session {
    /// One of `choices`, for `what`.
    #[must_use]
    pub fn one_of<T: Copy>(self, choices: &[T], what: &str) -> T {
        one_of(choices, (self.seed, self.life, self.opening, what))
    }

    fn below(self, end: u64, what: &str) -> u64 {
        below(end, (self.seed, self.life, self.opening, what))
    }
}

/// What a stage says of itself.
#[derive(Debug)]
pub struct KillLoop<E> {
    /// The test that calls [`run`](Self::run), by its path in its crate.
    pub test: &'static str,
    /// So often a process is killed, unless the environment says otherwise.
    pub kills: u64,
    /// Opens the store, with options that are drawn for the session.
    pub open: fn(&Path, Session) -> Result<E>,
    /// What one more thread may do at any time while the others write: compact.
    pub compact: fn(&E, Session) -> Result<()>,
    /// Brings what was written last into files that no longer change.
    pub seal: fn(&E) -> Result<()>,
    /// Looks at the store that was opened after a kill, before its contents are looked at.
    pub look: fn(&E, &str),
}

impl<E: Engine> KillLoop<E> {
    /// Kills and looks, or is killed.
    ///
    /// # Panics
    ///
    /// The store does not open, or is not what was acknowledged.
    pub fn run(&self) {
        match task().as_deref() {
            Some([deed, dir, seed, life, next @ ..]) => {
                let next: Vec<u64> = next.iter().map(|word| number(word)).collect();
                let first = Session { seed: number(seed), life: number(life), opening: 0 };
                if deed == "write" {
                    self.write(Path::new(dir), first, next);
                } else {
                    self.reopen(Path::new(dir), first);
                }
            }
            Some(other) => panic!("a task of another kind: {other:?}"),
            None => {
                // Syncs take most of the time, so in the ordinary run they cost nothing.
                match std::env::var("LOGLADDER_KILLS") {
                    Ok(kills) => {
                        let folder = must("a temporary folder", tempfile::tempdir());
                        self.kill_over_and_over(number(&kills), seed(), folder.path());
                    }
                    Err(_) => self.kill_over_and_over(self.kills, seed(), cheap_folder().path()),
                }
            }
        }
    }

    /// The second process: one session after the other, until it is killed.
    fn write(&self, dir: &Path, first: Session, mut next: Vec<u64>) {
        for opening in 0.. {
            let session = Session { opening, ..first };
            if opening == 0 {
                say("opening");
            }
            let store = must("the store opens", (self.open)(dir, session));
            let steps = 1 + session.below(400, "steps");
            thread::scope(|scope| {
                for (writer, &first) in (0_u64..).zip(&next) {
                    let store = &store;
                    scope.spawn(move || {
                        for number in first..first + steps {
                            let changes = step(session.seed, writer, number);
                            must("the step is done", perform(store, &changes));
                            say(&format!("done {writer} {number}"));
                        }
                    });
                }
                for _ in 0..session.below(4, "compactions") {
                    must("the store is compacted", (self.compact)(&store, session));
                }
            });
            for number in &mut next {
                *number += steps;
            }
            match session.below(4, "end") {
                0 => drop(store),
                1 => must("the store is synced", store.sync()),
                2 => must("what was written last is sealed", (self.seal)(&store)),
                _ => must("the store is closed", Box::new(store).close()),
            }
        }
    }

    /// The third: it opens the store and gives it back, until it is killed.
    fn reopen(&self, dir: &Path, first: Session) {
        say("opening");
        for opening in 0.. {
            let session = Session { opening, ..first };
            let store = must("the store opens", (self.open)(dir, session));
            if opening == 0 {
                say("opened");
            }
            if session.below(2, "end") == 0 {
                must("the store is closed", Box::new(store).close());
            }
        }
    }

    #[allow(clippy::print_stdout, reason = "a test prints what it counted")]
    fn kill_over_and_over(&self, kills: u64, seed: u64, folder: &Path) {
        println!("{kills} kills; to write the same again: {}={seed}", crate::SEED);
        let dir = folder.join("store");
        let session = |life| Session { seed, life, opening: 0 };
        drop(must("a new store", (self.open)(&dir, session(0))));
        let mut ledger = Ledger::new(seed, WRITERS);
        let (mut killed, mut while_opening, mut life) = (0, 0, 0);
        while killed < kills {
            let first = session(life);
            let when = format!("seed {seed}, kill {killed}");
            let mut writer = self.start("write", &dir, first, ledger.next());
            writer.wait_for("opening");
            kill_at_a_random_moment(&mut writer, &mut ledger, first);
            (killed, life) = (killed + 1, life + 1);
            // What is put in order by the next opening must not hang on that one's being left alone.
            for _ in 0..first.below(6, "again").saturating_sub(3) {
                let session = session(life);
                let mut opener = self.start("reopen", &dir, session, &[]);
                opener.wait_for("opening");
                thread::sleep(Duration::from_micros(session.below(3_000, "moment")));
                opener.kill();
                while_opening += u64::from(opener.next_line().is_none());
                opener.end();
                (killed, life) = (killed + 1, life + 1);
            }
            let store = must(&format!("{when}: the store opens"), (self.open)(&dir, session(life)));
            (self.look)(&store, &when);
            ledger.settle(&store, &when);
            ledger.count(&store, &when);
            if first.below(2, "end of the check") == 0 {
                must("the store is closed", Box::new(store).close());
            }
        }
        println!(
            "{killed} kills, {while_opening} of them while the store was opened a first time; {} acknowledged steps, \
             none lost; of the steps under way {} done and the others absent",
            ledger.acknowledged(),
            ledger.taken(),
        );
    }

    fn start(&self, deed: &str, dir: &Path, Session { seed, life, .. }: Session, next: &[u64]) -> Running {
        let mut task = vec![deed.to_owned(), dir.display().to_string()];
        task.extend([seed, life].iter().chain(next).map(u64::to_string));
        let task: Vec<&str> = task.iter().map(String::as_str).collect();
        Running::start(self.test, &task)
    }
}

/// Some time after the opening began, or once so many steps are acknowledged, of which the pipe then holds more.
fn kill_at_a_random_moment(writer: &mut Running, ledger: &mut Ledger, session: Session) {
    if session.below(3, "by time") == 0 {
        thread::sleep(Duration::from_micros(session.below(20_000, "moment")));
    } else {
        let awaited = session.below(1 + session.below(4_000, "at most"), "awaited");
        let mut heard = 0;
        while heard < awaited {
            let said = writer.next_line();
            let said = said.unwrap_or_else(|| panic!("it ended by itself: {:?}", writer.end()));
            heard += u64::from(ledger.hear(&said));
        }
    }
    writer.kill();
    // What it said before it died counts, heard or not.
    while let Some(said) = writer.next_line() {
        ledger.hear(&said);
    }
    let status = writer.end();
    assert!(status.code().is_none(), "the second process was not killed but ended with {status}");
}
