//! [`Schedule`]: from the command line to the list of measurements, in the order they run.
//!
//! Rounds are the outer loop, so that a disturbance of the machine meets a round of all engines and not all rounds of
//! one, and so that a run whose time is over has whole rounds.

use std::time::Duration;

use logladder::STAGES;
use logladder_bench::{Data, SEED, Workload};
use logladder_engine::{Durability, SyncPolicy};

use crate::entrant::{Entrant, Side};
use crate::flags::{Flags, Part};
use crate::kill::Kill;
use crate::latency::{self, Latency};
use crate::measure::Measure;
use crate::scale::Scale;
use crate::session::Session;
use crate::space::Space;
use crate::targets;

/// Bytes of the values of the main workload.
pub(crate) const SMALL: u32 = 100;
pub(crate) const KIBIBYTE: u32 = 1024;
/// 64 KB and not KiB: candystore's values end a little below 64 KiB.
pub(crate) const LARGE: u32 = 64_000;
/// Keys of the store that is opened, in the table of targets.
const MANY: u32 = 10_000_000;
/// How long the table of targets may take, on a machine that can do a round of it in half the time.
const MINUTES: u32 = 25;

/// Everything there is to do.
#[derive(Debug)]
pub struct Schedule {
    pub(crate) steps: Vec<Step>,
    pub(crate) rounds: u32,
    pub(crate) keys: u32,
    pub(crate) test: bool,
    /// Whether every row of the table of targets is to be measured.
    pub(crate) targets: bool,
    /// No round is begun, after the first, that would probably end later.
    pub(crate) limit: Option<Duration>,
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
    Space(Space),
    Latency(Latency),
    Scale(Scale),
}

/// Amounts and times, as the flags say or small ones for a test.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    keys: u32,
    scale_keys: u32,
    rounds: u32,
    write_millis: u64,
    scale_millis: u64,
    read_millis: u64,
    wait_millis: u64,
    kill_sets: u32,
    kill_millis: u64,
}

impl Amounts {
    fn of(flags: &Flags) -> Self {
        if flags.test {
            return Self {
                keys: flags.keys.min(300),
                scale_keys: flags.keys.min(300),
                rounds: 1,
                write_millis: 150,
                scale_millis: 150,
                read_millis: 30,
                wait_millis: 30,
                kill_sets: flags.kill_sets.min(300),
                kill_millis: 300,
            };
        }
        Self {
            keys: flags.keys,
            scale_keys: flags.scale_keys.unwrap_or(if flags.targets { MANY } else { flags.keys }),
            rounds: flags.rounds,
            write_millis: u64::from(flags.write_seconds) * 1000,
            scale_millis: u64::from(flags.scale_seconds) * 1000,
            read_millis: u64::from(flags.seconds) * 1000,
            wait_millis: 10_000,
            kill_sets: flags.kill_sets,
            kill_millis: 10_000,
        }
    }

    fn session(&self, measures: Vec<Measure>, value_len: u32, round: u32) -> Task {
        let keys = match value_len {
            SMALL => self.keys,
            KIBIBYTE => self.keys / 5,
            _ => self.keys / 250,
        };
        Task::Measure(Session {
            synced: measures.iter().any(|measure| measure.is_durable()),
            measures,
            keys: keys.max(8),
            value_len,
            write_millis: self.write_millis,
            read_millis: self.read_millis,
            seed: SEED + u64::from(round),
        })
    }

    fn space(&self, round: u32) -> Task {
        let (write_millis, wait_millis) = (self.write_millis, self.wait_millis);
        let seed = SEED + u64::from(round);
        Task::Space(Space { keys: self.keys, value_len: SMALL, write_millis, wait_millis, seed })
    }

    fn latency(&self, round: u32) -> Task {
        let (write_millis, read_millis) = (self.write_millis, self.read_millis);
        let seed = SEED + u64::from(round);
        Task::Latency(Latency { keys: self.keys, value_len: SMALL, write_millis, read_millis, seed })
    }

    fn scale(&self, round: u32) -> Task {
        let seed = SEED + u64::from(round);
        Task::Scale(Scale { keys: self.scale_keys, value_len: SMALL, write_millis: self.scale_millis, seed })
    }
}

impl Schedule {
    /// What the flags ask for.
    #[must_use]
    pub fn of(flags: &Flags) -> Self {
        let amounts = Amounts::of(flags);
        let chosen = flags.engines.clone();
        let entrants = if chosen.is_empty() { usual_entrants() } else { chosen };
        let ranked = entrants.iter().filter(|entrant| matches!(entrant.side(), Side::Ours | Side::Rival));
        let ranked: Vec<Entrant> = ranked.copied().collect();

        let mut steps = sessions(flags, &amounts, &entrants);
        if flags.wants(Part::Compaction)
            && let Some(entrant) = entrants.iter().find(|entrant| entrant.name() == latency::ENGINE)
        {
            steps.extend(each_round(amounts.rounds, &[*entrant], |round| amounts.latency(round)));
        }
        if flags.wants(Part::Disk) {
            steps.extend(each_round_of_ours(amounts.rounds, &ranked, |round| amounts.space(round)));
        }
        if flags.wants(Part::Cost) {
            steps.extend(each_round(1, &ranked, |_| Task::Cost(cost(&amounts))));
        }
        if flags.wants(Part::Kill) {
            let chosen = if flags.engines.is_empty() && !flags.targets { killed() } else { ranked.clone() };
            let synced: &[bool] = if flags.targets { &[false] } else { &[false, true] };
            steps.extend(kills(&chosen, amounts.kill_sets, amounts.kill_millis, synced));
        }
        if flags.wants(Part::Open) {
            steps.extend(each_round_of_ours(amounts.rounds, &ranked, |round| amounts.scale(round)));
        }
        steps.sort_by_key(|step| step.round);
        let minutes = flags.minutes.or(flags.targets.then_some(MINUTES));
        Self {
            steps,
            rounds: amounts.rounds,
            keys: amounts.keys,
            test: flags.test,
            targets: flags.targets && flags.only.is_empty(),
            limit: minutes.map(|minutes| Duration::from_mins(u64::from(minutes))),
        }
    }

    /// One kill of each stage and rival, with `sets` sets or what `budget` suffices for.
    #[must_use]
    pub fn of_kills(sets: u32, budget: Duration) -> Self {
        let millis = u64::try_from(budget.as_millis()).unwrap_or(u64::MAX);
        let steps = kills(&killed(), sets, millis, &[false, true]);
        Self { steps, rounds: 1, keys: sets, test: true, targets: false, limit: None }
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
            Self::Space(space) => space.budget(),
            Self::Latency(latency) => latency.budget(),
            Self::Scale(scale) => scale.budget(),
        }
    }

    /// What it is, for progress.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Measure(session) if session.synced => "durable".to_owned(),
            Self::Measure(session) => format!("16/{}", session.value_len),
            Self::Cost(_) => "cost".to_owned(),
            Self::Kill(_) => "kill".to_owned(),
            Self::Space(_) => "disk".to_owned(),
            Self::Latency(_) => "compaction".to_owned(),
            Self::Scale(_) => "open".to_owned(),
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

/// The sessions of each kind of values, round by round.
fn sessions(flags: &Flags, amounts: &Amounts, entrants: &[Entrant]) -> Vec<Step> {
    let if_wanted =
        |part: Part, measures: &[Measure]| if flags.wants(part) { measures.to_vec() } else { vec![] };
    let durable: Vec<_> = Measure::ALL.into_iter().filter(|measure| measure.is_durable()).collect();
    let kinds = [
        (relaxed(flags), SMALL),
        (if_wanted(Part::Durable, &durable), SMALL),
        (if_wanted(Part::Values, &[Measure::Fill, Measure::Get]), KIBIBYTE),
        (
            if_wanted(Part::Values, &[Measure::Fill, Measure::Get, Measure::GetInPlace, Measure::GetUnread]),
            LARGE,
        ),
    ];
    let mut steps = Vec::new();
    for (measures, value_len) in kinds {
        for round in 1..=amounts.rounds {
            for &entrant in entrants {
                let mut measures = measures.clone();
                measures.retain(|&measure| entrant.enters(measure));
                // In the table of targets a limit stands beside synced sets alone.
                let is_shown = !flags.targets
                    || match entrant.side() {
                        Side::Limit => {
                            entrant.name() == targets::RAW && measures.contains(&Measure::DurableSet)
                        }
                        Side::Aside => value_len == SMALL,
                        Side::Ours | Side::Rival => true,
                    };
                if is_shown && !measures.is_empty() {
                    let task = amounts.session(measures, value_len, round);
                    steps.push(Step { entrant, round, task });
                }
            }
        }
    }
    steps
}

/// A task for each of these in each round.
fn each_round(rounds: u32, entrants: &[Entrant], task: impl Fn(u32) -> Task) -> Vec<Step> {
    let of_round = |round| entrants.iter().map(move |&entrant| (round, entrant));
    let step = |(round, entrant)| Step { entrant, round, task: task(round) };
    (1..=rounds).flat_map(of_round).map(step).collect()
}

/// The same, but for the rivals in the first round alone: they stand beside ours and are not ranked.
fn each_round_of_ours(rounds: u32, entrants: &[Entrant], task: impl Fn(u32) -> Task) -> Vec<Step> {
    let mut steps = each_round(rounds, entrants, task);
    steps.retain(|step| step.round == 1 || step.entrant.side() == Side::Ours);
    steps
}

fn relaxed(flags: &Flags) -> Vec<Measure> {
    let parts = [
        (Part::Fill, &[Measure::Fill][..]),
        (Part::Overwrite, &[Measure::Overwrite]),
        (Part::Get, &[Measure::Get]),
        (Part::GetTwoThreads, &[Measure::GetTwoThreads]),
        (Part::GetAbsent, &[Measure::GetAbsent]),
        (Part::GetMany, &[Measure::Get, Measure::GetMany]),
        (Part::Mixed, &[Measure::WriteBesideRead, Measure::ReadBesideWrite]),
        (Part::Delete, &[Measure::Delete]),
    ];
    let wanted = parts.into_iter().filter(|(part, _)| flags.wants(*part));
    let mut measures: Vec<_> = wanted.flat_map(|(_, measures)| measures).copied().collect();
    // In the order in which a session goes through them, each once.
    measures.sort_unstable();
    measures.dedup();
    measures
}

fn cost(amounts: &Amounts) -> Workload {
    Workload {
        name: "cost".into(),
        data: Data::Text { value_len: SMALL },
        keys: amounts.keys,
        each_key_once: true,
        most_sets: Some(u64::from(amounts.keys)),
        // Its phases last as long as they may, unless everything is done.
        phase_millis: amounts.read_millis,
        ..Workload::sixteen_hundred()
    }
}

fn kills(entrants: &[Entrant], sets: u32, budget_millis: u64, synced: &[bool]) -> Vec<Step> {
    let each = |&entrant: &Entrant| {
        synced.iter().map(move |&synced| {
            let kill = Kill { sets, budget_millis, synced, seed: SEED };
            Step { entrant, round: 1, task: Task::Kill(kill) }
        })
    };
    entrants.iter().flat_map(each).collect()
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
        assert!(schedule(&["--targets"]).steps.is_sorted_by_key(|step| step.round));
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
    fn the_targets_are_what_they_ask_for_and_no_more() {
        let steps = schedule(&["--targets"]).steps;
        let of = |name: &str, of_kind: fn(&Task) -> bool| {
            steps.iter().filter(|step| step.entrant.name() == name && of_kind(&step.task)).count()
        };
        let is_session = |task: &Task| matches!(task, Task::Measure(_));
        // Small, synced, 1 KiB, 64 KB; three rounds.
        assert_eq!([of("hash-log", is_session), of("heed", is_session)], [12, 12]);
        assert_eq!([of("heed-long-read", is_session), of("raw-write", is_session)], [3, 3]);
        assert_eq!(of("raw-map", is_session), 0);
        let is_scale = |task: &Task| matches!(task, Task::Scale(scale) if scale.keys == MANY);
        assert_eq!([of("hash-log", is_scale), of("fjall", is_scale)], [3, 1]);
        assert_eq!(of("hash-log", |task| matches!(task, Task::Latency(_))), 3);
        assert!(!steps.iter().any(|step| matches!(step.task, Task::Cost(_))));
        assert!(steps.iter().all(|step| match &step.task {
            Task::Measure(session) => !session.measures.contains(&Measure::Delete),
            Task::Kill(kill) => !kill.synced,
            _ => true,
        }));
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
