//! [`Runner`]: starts a worker process for each measurement, in a fresh folder, and listens to it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::report::{Report, Run};
use crate::worker::{Event, Job, Request, WORKER_ARGUMENT};
use crate::{Failure, Progress, memory};

/// Memory that is touched before the first measurement.
const WARM_BYTES: usize = 256 << 20;

/// Measures engines, each in a process and a folder of its own.
#[derive(Debug)]
pub struct Runner {
    program: PathBuf,
    scratch: PathBuf,
}

impl Runner {
    /// A runner whose workers are this program, started again, and whose stores lie in the folder of
    /// reports while they are measured.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if the system does not tell which program this is.
    pub fn new() -> Result<Self, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        memory::touch(WARM_BYTES);
        Ok(Self { program, scratch: reports_folder() })
    }

    /// Lets the workers be another program, which calls [`worker_entry`](crate::worker_entry) as well: an engine that this
    /// one does not know, such as a learner's, is then measured in the same way.
    #[must_use]
    pub fn of_program(&self, program: &Path) -> Self {
        Self { program: program.to_path_buf(), scratch: self.scratch.clone() }
    }

    /// Puts the stores into another folder, such as one on the disk that is to be measured.
    #[must_use]
    pub fn in_folder(mut self, scratch: &Path) -> Self {
        self.scratch = scratch.to_path_buf();
        self
    }

    /// Does every job with every engine, job by job. What went wrong is in the report's failures.
    pub fn measure(
        &self,
        title: &str,
        engines: &[&str],
        jobs: &[Job],
        progress: &mut dyn FnMut(Progress),
    ) -> Report {
        let mut report = Report::begin(title);
        for job in jobs {
            for engine in engines {
                match self.run(engine, job, progress) {
                    Ok(run) => report.runs.push(run),
                    Err(failure) => report.failures.push(failure),
                }
            }
        }
        report
    }

    /// Does one job with one engine.
    ///
    /// # Errors
    ///
    /// The engine failed or answered wrongly; or its process ended otherwise, or did not end in time.
    pub fn run(&self, engine: &str, job: &Job, progress: &mut dyn FnMut(Progress)) -> Result<Run, Failure> {
        let failed = |doing: &str, error: &dyn std::error::Error| {
            Failure::system(format!("{doing} in {}", self.scratch.display()), error)
        };
        fs::create_dir_all(&self.scratch).map_err(|error| failed("make a folder", &error))?;
        let folder = tempfile::Builder::new()
            .prefix("store-")
            .tempdir_in(&self.scratch)
            .map_err(|error| failed("make a folder", &error))?;
        let request =
            Request { contestant: engine.to_owned(), folder: folder.path().to_path_buf(), job: job.clone() };
        let outcome = self.ask(&request, progress);
        folder.close().map_err(|error| failed("remove a store", &error))?;
        outcome
    }

    fn ask(&self, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Run, Failure> {
        let mut child = Command::new(&self.program)
            .arg(WORKER_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::system(format!("start {}", self.program.display()), &error))?;
        let lines = converse(&mut child, request)?;
        let limit = time_limit(&request.job);
        let outcome = listen(&lines, limit, progress);
        if outcome.is_none() {
            // It is still running, or gone already: then there is nothing to end.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| Failure::system("wait for a worker", &error))?;
        match outcome {
            Some(Event::Done(run)) => Ok(*run),
            Some(Event::Failed(failure)) => Err(failure),
            _ => {
                Err(Failure::Worker { engine: request.contestant.clone(), what: how_it_ended(status, limit) })
            }
        }
    }
}

/// Hands the request over and returns the lines that come back.
fn converse(child: &mut Child, request: &Request) -> Result<Receiver<String>, Failure> {
    let text = serde_json::to_vec(request).map_err(|error| Failure::system("write a request", &error))?;
    if let Some(mut input) = child.stdin.take() {
        // A worker that does not read has ended, and how it ended says more.
        let _ = input.write_all(&text);
    }
    let (sender, lines) = channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let heard = BufReader::new(output).lines().map_while(Result::ok);
            heard.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
    }
    Ok(lines)
}

/// Waits for the last event. None if the worker ended without one, or the time is over.
fn listen(lines: &Receiver<String>, limit: Duration, progress: &mut dyn FnMut(Progress)) -> Option<Event> {
    let deadline = Instant::now() + limit;
    loop {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str(&line) {
            Ok(Event::Progress(told)) => progress(told),
            Ok(last) => return Some(last),
            // An engine under construction may print what its author wants to see.
            Err(_) => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
}

/// How long a worker may take before it is ended: thrice what its phases may, and half a minute for opening,
/// closing and single operations that do not end.
fn time_limit(job: &Job) -> Duration {
    let budget = match job {
        Job::Workload(workload) => workload.budget(),
        Job::Crowd(crowd) => crowd.budget(),
        Job::Climb { plan, .. } => plan.budget(),
    };
    budget.saturating_mul(3) + Duration::from_secs(30)
}

fn how_it_ended(status: ExitStatus, limit: Duration) -> String {
    match status.code() {
        Some(code) => format!("ended with code {code} and without a result; what it said is above"),
        None => format!("was ended by a signal ({status}), or did not end within {} s", limit.as_secs()),
    }
}

/// Where reports are written: `logladder` in the folder that Cargo builds into.
#[must_use]
pub fn reports_folder() -> PathBuf {
    // Cargo marks that folder with this file, wherever it is.
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(is_target).unwrap_or(Path::new("target"));
    target.join("logladder")
}
