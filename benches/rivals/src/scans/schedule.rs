//! [`ScanSchedule`]: from the command line to [`ScanResults`], session by session.

use std::time::{Duration, Instant};

use logladder_bench::{Failure, SEED};

use super::results::{ScanResults, Seen};
use super::{ScanFlags, Session, USUAL, VALUE_LEN};
use crate::entrant::Entrant;
use crate::process::{Job, Launcher, Outcome};
use crate::results::Of;
use crate::rivals::Budget;

/// Which engines are measured, how, and how often.
#[derive(Debug)]
pub struct ScanSchedule {
    entrants: Vec<Entrant>,
    rounds: u32,
    session: Session,
    /// Whether this is only to show that it works, or a first look.
    kind: Kind,
}

/// What the figures of a run are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Measured,
    Quick,
    Test,
}

impl ScanSchedule {
    /// What the flags ask for.
    #[must_use]
    pub fn of(flags: &ScanFlags) -> Self {
        let usual = || Entrant::all().filter(|entrant| USUAL.contains(&entrant.name())).collect();
        let entrants = if flags.engines.is_empty() { usual() } else { flags.engines.clone() };
        let (kind, keys, rounds, read_millis) = if flags.test {
            (Kind::Test, flags.keys.min(300), 1, 20)
        } else if flags.quick {
            (Kind::Quick, flags.keys / 10, flags.rounds.min(2), 250)
        } else {
            (Kind::Measured, flags.keys, flags.rounds, u64::from(flags.seconds) * 1000)
        };
        let settle_millis = if flags.test { 0 } else { u64::from(flags.settle_seconds) * 1000 };
        let mebibytes = |count: u32| u64::from(count) << 20;
        let session = Session {
            keys: keys.max(8),
            value_len: VALUE_LEN,
            write_millis: u64::from(flags.write_seconds) * 1000,
            read_millis,
            settle_millis,
            budget: Budget { write_buffer: mebibytes(flags.write_buffer), cache: mebibytes(flags.cache) },
            seed: SEED,
        };
        Self { entrants, rounds, session, kind }
    }

    /// The longest it should take, without opening, closing and syncing.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let sessions = self.rounds.saturating_mul(u32::try_from(self.entrants.len()).unwrap_or(u32::MAX));
        self.session.limit().saturating_mul(sessions)
    }

    /// Does everything. What went wrong is in the results' failures. `progress` is told which session it is, and what of it is
    /// being done.
    pub fn run(&self, launcher: &Launcher, progress: &mut dyn FnMut(&str, &str)) -> ScanResults {
        let started = Instant::now();
        let Session { keys, budget, .. } = self.session;
        let mut results = ScanResults::begin(self.kind, keys, self.rounds, budget, &self.entrants);
        for round in 1..=self.rounds {
            let mut entrants = self.entrants.clone();
            // Whoever comes first finds the machine as whoever came last has left it.
            entrants.rotate_left(round as usize % self.entrants.len().max(1));
            for entrant in entrants {
                let head = format!("round {round} of {} · {}", self.rounds, entrant.name());
                let session = Session { seed: SEED + u64::from(round), ..self.session.clone() };
                match Self::session(launcher, entrant, session, &mut |what| progress(&head, what)) {
                    Ok(scanned) => results.seen.push(Seen { of: Of::relaxed(entrant), round, scanned }),
                    Err(failure) => {
                        progress(&head, &format!("FAILED: {failure}"));
                        results.failures.push(failure);
                    }
                }
            }
        }
        results.seconds = started.elapsed().as_secs_f64();
        results
    }

    fn session(
        launcher: &Launcher,
        entrant: Entrant,
        session: Session,
        doing: &mut dyn FnMut(&str),
    ) -> Result<super::Scanned, Failure> {
        doing("start");
        let folder = launcher.fresh_folder()?;
        match launcher.run(entrant, folder.path(), Job::Scan(session), doing)? {
            Outcome::Scanned(scanned) => Ok(scanned),
            _ => Err(crate::run::unexpected(entrant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn schedule(flags: &[&str]) -> ScanSchedule {
        ScanSchedule::of(&ScanFlags::parse_from(std::iter::once("scans").chain(flags.iter().copied())))
    }

    #[test]
    fn without_a_selection_every_engine_with_an_order_is_measured_and_all_of_it_is_bounded() {
        let all = schedule(&[]);
        let names: Vec<_> = all.entrants.iter().map(|entrant| entrant.name()).collect();
        for name in ["heed", "redb", "fjall", "sorted-log"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.contains(&"hash-log"), "{names:?}");
        assert!(all.limit() < Duration::from_hours(3), "{:?}", all.limit());
        assert_eq!((all.session.keys, all.rounds, all.kind), (1_000_000, 5, Kind::Measured));
    }

    #[test]
    fn a_test_and_a_first_look_are_smaller() {
        let (test, quick) = (schedule(&["--test"]), schedule(&["--quick", "--engines", "sorted-log"]));
        assert_eq!((test.session.keys, test.rounds, test.kind), (300, 1, Kind::Test));
        assert_eq!((quick.session.keys, quick.rounds, quick.kind), (100_000, 2, Kind::Quick));
        assert_eq!(quick.entrants.len(), 1);
    }
}
