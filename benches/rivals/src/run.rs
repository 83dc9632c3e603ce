//! [`Schedule::run`]: from the list of measurements to [`Results`], with a word on how far it is.

use std::time::Instant;

use logladder_bench::Job as CommonJob;
use logladder_bench::{Failure, Runner};
use logladder_engine::SyncPolicy;

use crate::entrant::Entrant;
use crate::kill::Kill;
use crate::process::{Job, Launcher, Outcome};
use crate::results::{Figure, Kept, Observed, Of, Results, Scaled, Spaced};
use crate::scale::{Opened, Scale};
use crate::schedule::{Schedule, Step, Task};
use crate::session::Session;

impl Schedule {
    /// Does everything, step by step. What went wrong is in the results' failures. `progress` is told which step
    /// it is, and what of it is being done.
    pub fn run(&self, launcher: &Launcher, runner: &Runner, progress: &mut dyn FnMut(&str, &str)) -> Results {
        let started = Instant::now();
        let mut results = Results::begin(self.test);
        (results.targets, results.keys, results.rounds) = (self.targets, self.keys, 1);
        let mut round_began = started;
        for (place, step) in self.steps.iter().enumerate() {
            if step.round > results.rounds {
                // The first round has more to do than the others, so this errs on the safe side.
                let ends = started.elapsed() + round_began.elapsed();
                if self.limit.is_some_and(|limit| ends > limit) {
                    progress("end", "the time does not suffice for another round");
                    break;
                }
                (results.rounds, round_began) = (step.round, Instant::now());
            }
            let (round, rounds, steps) = (step.round, self.rounds, self.steps.len());
            let (task, name) = (step.task.name(), step.entrant.name());
            let head = format!("{:>3}/{steps} · round {round} of {rounds} · {task} · {name}", place + 1);
            let mut doing = |what: &str| progress(&head, what);
            doing("start");
            if let Err(failure) = step.run(launcher, runner, &mut results, &mut doing) {
                progress(&head, &format!("FAILED: {failure}"));
                results.failures.push(failure);
            }
        }
        results.seconds = started.elapsed().as_secs_f64();
        results
    }
}

impl Step {
    fn run(
        &self,
        launcher: &Launcher,
        runner: &Runner,
        results: &mut Results,
        doing: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        match &self.task {
            Task::Measure(session) => results.figures.extend(self.measure(session, launcher, doing)?),
            Task::Kill(kill) => results.kills.push(self.kill(kill, launcher, doing)?),
            Task::Space(space) => {
                let folder = launcher.fresh_folder()?;
                let job = Job::Space(space.clone());
                let Outcome::Occupied(occupied) = launcher.run(self.entrant, folder.path(), job, doing)?
                else {
                    return Err(unexpected(self.entrant));
                };
                results.spaces.push(Spaced { of: of(self.entrant, false), round: self.round, occupied });
            }
            Task::Latency(latency) => {
                let folder = launcher.fresh_folder()?;
                let job = Job::Latency(latency.clone());
                let Outcome::Tails(tails) = launcher.run(self.entrant, folder.path(), job, doing)? else {
                    return Err(unexpected(self.entrant));
                };
                let observed = |tail| Observed { of: of(self.entrant, false), round: self.round, tail };
                results.tails.extend(tails.into_iter().map(observed));
            }
            Task::Scale(scale) => results.scales.push(self.scale(scale, launcher, doing)?),
            Task::Cost(workload) => {
                let job = CommonJob::Workload(workload.clone());
                let run = runner.run(self.entrant.name(), &job, &mut |progress| doing(&progress.step))?;
                results.cost.runs.push(run);
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        session: &Session,
        launcher: &Launcher,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Vec<Figure>, Failure> {
        let folder = launcher.fresh_folder()?;
        let job = Job::Measure(session.clone());
        let Outcome::Measured(timed) = launcher.run(self.entrant, folder.path(), job, doing)? else {
            return Err(unexpected(self.entrant));
        };
        let of = of(self.entrant, session.synced);
        let figure = |timed: crate::session::Timed| Figure {
            of,
            round: self.round,
            keys: session.keys,
            value_len: session.value_len,
            measure: timed.measure,
            per_second: timed.per_second,
            operations: timed.operations,
            cut_off: timed.cut_off,
        };
        Ok(timed.into_iter().map(figure).collect())
    }

    fn scale(
        &self,
        scale: &Scale,
        launcher: &Launcher,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Scaled, Failure> {
        let folder = launcher.fresh_folder()?;
        let job = Job::FillAndIdle(scale.clone());
        let Outcome::Filled(filled) = launcher.run(self.entrant, folder.path(), job, doing)? else {
            return Err(unexpected(self.entrant));
        };
        let mut reopen = |what: &str| -> Result<Opened, Failure> {
            doing(what);
            let job = Job::Reopen { scale: scale.clone(), filled: filled.keys };
            match launcher.run(self.entrant, folder.path(), job, doing)? {
                Outcome::Opened(opened) => Ok(opened),
                _ => Err(unexpected(self.entrant)),
            }
        };
        let after_a_crash = reopen("open after a crash")?;
        let after_a_clean_close = reopen("open after a clean close")?;
        let of = of(self.entrant, false);
        Ok(Scaled { of, round: self.round, filled, after_a_crash, after_a_clean_close })
    }

    fn kill(&self, kill: &Kill, launcher: &Launcher, doing: &mut dyn FnMut(&str)) -> Result<Kept, Failure> {
        let folder = launcher.fresh_folder()?;
        doing("set, until it is killed");
        let job = Job::SetAndIdle(kill.clone());
        let Outcome::Acknowledged(acknowledged) = launcher.run(self.entrant, folder.path(), job, doing)?
        else {
            return Err(unexpected(self.entrant));
        };
        doing("open and count");
        let job = Job::Recount { kill: kill.clone(), acknowledged };
        let Outcome::Recounted { kept, wrong } = launcher.run(self.entrant, folder.path(), job, doing)?
        else {
            return Err(unexpected(self.entrant));
        };
        Ok(Kept { of: of(self.entrant, kill.synced), acknowledged, kept, wrong })
    }
}

fn of(entrant: Entrant, synced: bool) -> Of {
    Of::under(entrant, if synced { SyncPolicy::Always } else { SyncPolicy::Never })
}

/// A worker answered another question than it was asked.
pub(crate) fn unexpected(entrant: Entrant) -> Failure {
    Failure::Worker { engine: entrant.name().to_owned(), what: "answered something else".to_owned() }
}
