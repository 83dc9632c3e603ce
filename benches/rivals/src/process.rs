//! The processes: each measurement runs in one of its own, which is this same program, started again.
//!
//! The parent writes a [`Request`] as a line to the worker's standard input, which it keeps open; the worker
//! writes [`Event`]s to its standard output, a line each. The common benchmark's runner does the same with one
//! engine and one workload; this one also has jobs with several threads, and one that ends by being killed.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio, exit};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use logladder_bench::{Failure, Heap, reports_folder};
use serde::{Deserialize, Serialize};

use crate::entrant::Entrant;
use crate::kill::Kill;
use crate::latency::{Latency, Tail};
use crate::scale::{Filled, Opened, Scale};
use crate::scans::{self, Scanned};
use crate::session::{Session, Timed};
use crate::space::{Occupied, Space};

/// The hidden first argument that turns a binary into a worker.
const WORKER_ARGUMENT: &str = "--logladder-rivals-worker";
/// What opening, closing and syncing may take, beside thrice what is budgeted.
const GRACE: Duration = Duration::from_mins(1);

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Job {
    Measure(Session),
    /// Set keys, say how many were acknowledged, and wait for the end.
    SetAndIdle(Kill),
    Recount {
        kill: Kill,
        acknowledged: u64,
    },
    Space(Space),
    Latency(Latency),
    /// Fill a store, say what it holds in memory, and wait for the end.
    FillAndIdle(Scale),
    Reopen {
        scale: Scale,
        filled: u64,
    },
    Scan(scans::Session),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    entrant: String,
    folder: PathBuf,
    job: Job,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Event {
    Doing(String),
    Done(Outcome),
    Failed(Failure),
}

/// What a worker found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Measured(Vec<Timed>),
    Acknowledged(u64),
    Recounted { kept: u64, wrong: u64 },
    Occupied(Occupied),
    Tails(Vec<Tail>),
    Filled(Filled),
    Opened(Opened),
    Scanned(Scanned),
}

/// Starts workers.
#[derive(Debug)]
pub struct Launcher {
    program: PathBuf,
    /// The same with an allocator that counts.
    counting: Option<PathBuf>,
    scratch: PathBuf,
}

/// A worker that has told its outcome, or is about to. It is killed when this is dropped.
#[derive(Debug)]
struct Worker {
    child: Child,
    /// Open as long as the parent lives: its end is how an idling worker learns that nobody will kill it.
    input: Option<ChildStdin>,
}

impl Launcher {
    /// A launcher whose workers are this program, and whose stores lie in the folder of reports.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if the system does not tell which program this is.
    pub fn new() -> Result<Self, Failure> {
        let program = env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        Ok(Self { program, counting: None, scratch: reports_folder() })
    }

    /// Puts the stores into another folder, such as one on the disk that is to be measured.
    #[must_use]
    pub fn in_folder(mut self, scratch: &Path) -> Self {
        self.scratch = scratch.to_path_buf();
        self
    }

    /// Names a program that calls [`worker_entry`] with an allocator that counts. Heap is looked at in that one
    /// alone, because counting costs an engine time that allocates much. Without it no heap is counted.
    #[must_use]
    pub fn counting_heap_with(mut self, program: impl Into<PathBuf>) -> Self {
        self.counting = Some(program.into());
        self
    }

    /// An empty folder, removed with everything in it when the value is dropped.
    pub(crate) fn fresh_folder(&self) -> Result<tempfile::TempDir, Failure> {
        fs::create_dir_all(&self.scratch)
            .and_then(|()| tempfile::Builder::new().prefix("rival-").tempdir_in(&self.scratch))
            .map_err(|error| Failure::system(format!("make a folder in {}", self.scratch.display()), &error))
    }

    /// Has a worker do a job, and kills it as soon as it has told the outcome.
    pub(crate) fn run(
        &self,
        entrant: Entrant,
        folder: &Path,
        job: Job,
        doing: &mut dyn FnMut(&str),
    ) -> Result<Outcome, Failure> {
        let limit = job.budget().saturating_mul(3).saturating_add(GRACE);
        let request = Request { entrant: entrant.name().to_owned(), folder: folder.to_path_buf(), job };
        let (mut worker, lines) = self.start(&request)?;
        let outcome = listen(&lines, limit, doing);
        // SIGKILL. A worker that has only measured is about to end, and has nothing left to lose.
        let _ = worker.child.kill();
        let status = worker.child.wait().map_err(|error| Failure::system("wait for a worker", &error))?;
        outcome.unwrap_or_else(|| {
            Err(Failure::Worker { engine: request.entrant, what: how_it_ended(status, limit) })
        })
    }

    fn start(&self, request: &Request) -> Result<(Worker, Receiver<String>), Failure> {
        let counting = self.counting.as_ref().filter(|_| matches!(request.job, Job::FillAndIdle(_)));
        let program = counting.unwrap_or(&self.program);
        let mut child = Command::new(program)
            .arg(WORKER_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::system(format!("start {}", program.display()), &error))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut worker = Worker { child, input };
        let mut text =
            serde_json::to_vec(request).map_err(|error| Failure::system("write a request", &error))?;
        text.push(b'\n');
        if let Some(input) = &mut worker.input {
            // A worker that does not read has ended, and how it ended says more.
            let _ = input.write_all(&text);
        }
        let (sender, lines) = channel();
        if let Some(output) = output {
            thread::spawn(move || {
                let heard = BufReader::new(output).lines().map_while(Result::ok);
                heard.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
            });
        }
        Ok((worker, lines))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the last event. None if the worker ended without one, or the time is over.
fn listen(
    lines: &Receiver<String>,
    limit: Duration,
    doing: &mut dyn FnMut(&str),
) -> Option<Result<Outcome, Failure>> {
    let deadline = Instant::now() + limit;
    loop {
        let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        match serde_json::from_str(&line) {
            Ok(Event::Doing(what)) => doing(&what),
            Ok(Event::Done(outcome)) => return Some(Ok(outcome)),
            Ok(Event::Failed(failure)) => return Some(Err(failure)),
            // An engine may print what it likes.
            Err(_) => {
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
    }
}

fn how_it_ended(status: ExitStatus, limit: Duration) -> String {
    match status.code() {
        Some(code) => format!("ended with code {code} and without a result"),
        None => format!("was ended by a signal ({status}), or did not end within {} s", limit.as_secs()),
    }
}

impl Job {
    fn budget(&self) -> Duration {
        match self {
            Self::Measure(session) => session.budget(),
            Self::SetAndIdle(kill) | Self::Recount { kill, .. } => Duration::from_millis(kill.budget_millis),
            Self::Space(space) => space.budget(),
            Self::Latency(latency) => latency.budget(),
            Self::FillAndIdle(scale) | Self::Reopen { scale, .. } => scale.budget(),
            Self::Scan(session) => session.limit(),
        }
    }
}

/// Call this first in `main` of a binary that has a [`Launcher`]. If the binary was started as a worker, this does
/// the work and ends the process; else it returns at once. `heap` is the binary's counting allocator, if it has one.
pub fn worker_entry(heap: Option<&'static Heap>) {
    if env::args_os().nth(1).is_none_or(|argument| argument != WORKER_ARGUMENT) {
        return;
    }
    let outcome = serve(heap);
    let told = tell(&match outcome {
        Ok(outcome) => Event::Done(outcome),
        Err(failure) => Event::Failed(failure),
    });
    exit(i32::from(told.is_err()));
}

fn serve(heap: Option<&'static Heap>) -> Result<Outcome, Failure> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| Failure::system("read a request", &error))?;
    let Request { entrant, folder, job } =
        serde_json::from_str(&line).map_err(|error| Failure::system("understand a request", &error))?;
    let Some(entrant) = Entrant::find(&entrant) else {
        return Err(Failure::Worker { engine: entrant, what: "does not know an engine of this name".into() });
    };
    let contestant = entrant.contestant();
    let mut doing = |what: &str| {
        // If nobody listens any more, the last event will not be heard either, and that one counts.
        let _ = tell(&Event::Doing(what.to_owned()));
    };
    match job {
        Job::Measure(session) => session.run(&contestant, &folder, &mut doing).map(Outcome::Measured),
        Job::SetAndIdle(kill) => {
            let (_still_open, acknowledged) = kill.set(&contestant, &folder)?;
            idle(Outcome::Acknowledged(acknowledged))
        }
        Job::Recount { kill, acknowledged } => {
            let (kept, wrong) = kill.recount(&contestant, &folder, acknowledged)?;
            Ok(Outcome::Recounted { kept, wrong })
        }
        Job::Space(space) => space.run(&contestant, &folder, &mut doing).map(Outcome::Occupied),
        Job::Latency(latency) => latency.run(&folder, &mut doing).map(Outcome::Tails),
        Job::FillAndIdle(scale) => {
            let (_still_open, filled) = scale.fill(&contestant, &folder, heap, &mut doing)?;
            idle(Outcome::Filled(filled))
        }
        Job::Reopen { scale, filled } => scale.reopen(&contestant, &folder, filled).map(Outcome::Opened),
        Job::Scan(session) => {
            let contestant = scans::contestant(entrant, session.budget);
            session.run(&contestant, &folder, &mut doing).map(Outcome::Scanned)
        }
    }
}

/// Tells the outcome and waits to be killed.
fn idle(outcome: Outcome) -> ! {
    // Whoever cannot be told will not kill this process; then it ends without closing, which is alike.
    let _ = tell(&Event::Done(outcome));
    let _ = io::stdin().read_line(&mut String::new());
    exit(1);
}

fn tell(event: &Event) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, event)?;
    out.write_all(b"\n")?;
    out.flush()
}
