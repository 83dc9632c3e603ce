//! [`Schedule`]: from the command line to the list of measurements, in the order they run.
//!
//! Rounds are the outer loop of each kind of measurement, so that a disturbance of the machine meets a round of
//! all engines and not all rounds of one.

use std::time::Duration;

use logladder::STAGES;
use logladder_bench::{Data, SEED, Workload};
use logladder_engine::{Durability, SyncPolicy};

use crate::entrant::{Entrant, Side};
use crate::flags::{Flags, Part};
use crate::kill::Kill;
use crate::measure::Measure;
use crate::session::Session;

/// Bytes of the values of the main workload.
pub(crate) const SMALL: u32 = 100;
const KIBIBYTE: u32 = 1024;
/// 64 KB and not KiB: candystore's values end a little below 64 KiB.
const LARGE: u32 = 64_000;

/// Everything there is to do.
#[derive(Debug)]
pub struct Schedule {
    pub(crate) steps: Vec<Step>,
    pub(crate) rounds: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) entrant: Entrant,
    /// From 1.
    pub(crate) round: u32,
    pub(crate) task: Task,
}

#[derive(Debug, Clone)]
pub(crate) enum Task {
    Measure(Session),
    Cost(Workload),
    Kill(Kill),
}

/// Amounts and times, as the flags say or small ones for a test.
#[derive(Debug, Clone, Copy)]
struct Scale {
    keys: u32,
    rounds: u32,
    write_millis: u64,
    read_millis: u64,
    kill_sets: u32,
    kill_millis: u64,
}

impl Scale {
    fn of(flags: &Flags) -> Self {
        if flags.test {
            let (keys, kill_sets) = (flags.keys.min(300), flags.kill_sets.min(300));
            return Self { keys, rounds: 1, write_millis: 150, read_millis: 30, kill_sets, kill_millis: 300 };
        }
        Self {
            keys: flags.keys,
            rounds: flags.rounds,
            write_millis: u64::from(flags.write_seconds) * 1000,
            read_millis: u64::from(flags.seconds) * 1000,
            kill_sets: flags.kill_sets,
            kill_millis: 10_000,
        }
    }

    fn session(&self, measures: Vec<Measure>, value_len: u32, round: u32) -> Session {
        let keys = match value_len {
            SMALL => self.keys,
            KIBIBYTE => self.keys / 5,
            _ => self.keys / 250,
        };
        Session {
            synced: measures.iter().any(|measure| measure.is_durable()),
            measures,
            keys: keys.max(8),
            value_len,
            write_millis: self.write_millis,
            read_millis: self.read_millis,
            seed: SEED + u64::from(round),
        }
    }
}

impl Schedule {
    /// What the flags ask for.
    #[must_use]
    pub fn of(flags: &Flags) -> Self {
        let scale = Scale::of(flags);
        let chosen = flags.engines.clone();
        let entrants = if chosen.is_empty() { usual_entrants() } else { chosen };

        let mut steps = Vec::new();
        let kinds = [
            (relaxed(flags), SMALL),
            (if flags.wants(Part::Durable) { durable() } else { vec![] }, SMALL),
            (if flags.wants(Part::Values) { vec![Measure::Fill, Measure::Get] } else { vec![] }, KIBIBYTE),
            (if flags.wants(Part::Values) { vec![Measure::Fill, Measure::Get] } else { vec![] }, LARGE),
        ];
        for (measures, value_len) in kinds {
            for round in 1..=scale.rounds {
                for &entrant in &entrants {
                    let mut measures = measures.clone();
                    measures.retain(|&measure| entrant.enters(measure));
                    if !measures.is_empty() {
                        let task = Task::Measure(scale.session(measures, value_len, round));
                        steps.push(Step { entrant, round, task });
                    }
                }
            }
        }
        let ranked = entrants.iter().filter(|entrant| matches!(entrant.side(), Side::Ours | Side::Rival));
        if flags.wants(Part::Cost) {
            let step = |&entrant| Step { entrant, round: 1, task: Task::Cost(cost(&scale)) };
            steps.extend(ranked.clone().map(step));
        }
        if flags.wants(Part::Kill) {
            let chosen: Vec<Entrant> =
                if flags.engines.is_empty() { killed() } else { ranked.copied().collect() };
            steps.extend(kills(&chosen, scale.kill_sets, scale.kill_millis));
        }
        Self { steps, rounds: scale.rounds }
    }

    /// One kill of each stage and rival, with `sets` sets or what `budget` suffices for.
    #[must_use]
    pub fn of_kills(sets: u32, budget: Duration) -> Self {
        let millis = u64::try_from(budget.as_millis()).unwrap_or(u64::MAX);
        Self { steps: kills(&killed(), sets, millis), rounds: 1 }
    }

    /// The longest it should take, without opening, closing and syncing.
    #[must_use]
    pub fn budget(&self) -> Duration {
        self.steps.iter().map(|step| step.task.budget()).sum()
    }
}

impl Task {
    fn budget(&self) -> Duration {
        match self {
            Self::Measure(session) => session.budget(),
            Self::Cost(workload) => workload.budget(),
            Self::Kill(kill) => Duration::from_millis(kill.budget_millis),
        }
    }

    /// What it is, for progress.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Measure(session) if session.synced => "durable".to_owned(),
            Self::Measure(session) => format!("16/{}", session.value_len),
            Self::Cost(_) => "cost".to_owned(),
            Self::Kill(_) => "kill".to_owned(),
        }
    }
}

fn usual_entrants() -> Vec<Entrant> {
    Entrant::all().filter(|entrant| entrant.side() != Side::Ours || entrant.name() == "hash-log").collect()
}

/// The rivals, and every stage that says that it survives.
fn killed() -> Vec<Entrant> {
    let rivals = Entrant::all().filter(|entrant| entrant.side() == Side::Rival);
    let ours = STAGES.iter().filter(|stage| stage.durability(SyncPolicy::Never) >= Durability::ProcessCrash);
    rivals.chain(ours.map(Entrant::Ours)).collect()
}

fn relaxed(flags: &Flags) -> Vec<Measure> {
    let parts = [
        (Part::Fill, &[Measure::Fill][..]),
        (Part::Overwrite, &[Measure::Overwrite]),
        (Part::Get, &[Measure::Get]),
        (Part::GetTwoThreads, &[Measure::GetTwoThreads]),
        (Part::GetAbsent, &[Measure::GetAbsent]),
        (Part::Mixed, &[Measure::WriteBesideRead, Measure::ReadBesideWrite]),
        (Part::Delete, &[Measure::Delete]),
    ];
    let wanted = parts.into_iter().filter(|(part, _)| flags.wants(*part));
    wanted.flat_map(|(_, measures)| measures).copied().collect()
}

fn durable() -> Vec<Measure> {
    Measure::ALL.into_iter().filter(|measure| measure.is_durable()).collect()
}

fn cost(scale: &Scale) -> Workload {
    Workload {
        name: "cost".into(),
        data: Data::Text { value_len: SMALL },
        keys: scale.keys,
        each_key_once: true,
        most_sets: Some(u64::from(scale.keys)),
        // Its phases last as long as they may, unless everything is done.
        phase_millis: scale.read_millis,
        ..Workload::sixteen_hundred()
    }
}

fn kills(entrants: &[Entrant], sets: u32, budget_millis: u64) -> Vec<Step> {
    let both = |&entrant: &Entrant| {
        [false, true].map(|synced| {
            let kill = Kill { sets, budget_millis, synced, seed: SEED };
            Step { entrant, round: 1, task: Task::Kill(kill) }
        })
    };
    entrants.iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn schedule(flags: &[&str]) -> Schedule {
        Schedule::of(&Flags::parse_from(std::iter::once("rivals").chain(flags.iter().copied())))
    }

    #[test]
    fn a_selection_is_exactly_what_runs() {
        let steps =
            schedule(&["--only", "get", "--engines", "heed,hash-log", "--keys", "500", "--rounds", "2"])
                .steps;
        let names: Vec<_> = steps.iter().map(|step| (step.round, step.entrant.name())).collect();
        assert_eq!(names, [(1, "heed"), (1, "hash-log"), (2, "heed"), (2, "hash-log")]);
        let Task::Measure(session) = &steps[0].task else { panic!("{steps:?}") };
        assert_eq!(
            (session.measures.as_slice(), session.keys, session.synced),
            (&[Measure::Get][..], 500, false)
        );
    }

    #[test]
    fn without_a_selection_every_rival_is_measured_and_killed_and_all_of_it_is_bounded() {
        let all = schedule(&[]);
        for entrant in Entrant::all().filter(|entrant| entrant.side() == Side::Rival) {
            let of_it = || all.steps.iter().filter(|step| step.entrant.name() == entrant.name());
            assert!(of_it().any(|step| matches!(step.task, Task::Kill(_))), "{}", entrant.name());
            assert!(of_it().any(|step| matches!(step.task, Task::Measure(_))), "{}", entrant.name());
        }
        assert!(all.budget() < Duration::from_hours(3), "{:?}", all.budget());
        assert!(schedule(&["--test"]).budget() < Duration::from_mins(1));
    }

    #[test]
    fn durable_and_relaxed_measures_never_share_a_session() {
        for step in schedule(&[]).steps {
            if let Task::Measure(session) = step.task {
                assert!(session.measures.iter().all(|measure| measure.is_durable() == session.synced));
            }
        }
    }
}
