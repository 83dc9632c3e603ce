//! The process that measures one engine: it reads a [`Request`] from its standard input, writes [`Event`]s
//! to its standard output, a line each, and ends.
//!
//! The binary that wants to measure is its own worker: the parent starts it again with [`WORKER_ARGUMENT`].
//! So the worker knows every engine that the binary knows, a learner's included.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::exit;

use serde::{Deserialize, Serialize};

use crate::climb::Plan;
use crate::input::Source;
use crate::report::Run;
use crate::{Contestant, Crowd, Failure, Heap, Progress, Workload};

/// The hidden first argument that turns a binary into a worker.
pub const WORKER_ARGUMENT: &str = "--logladder-worker";

/// What to measure an engine with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// A synthetic workload.
    Workload(Workload),
    /// A crowd of threads.
    Crowd(Crowd),
    /// Real records.
    Climb {
        /// Where they are read from; the worker reads them itself.
        source: Source,
        /// The time for each step.
        plan: Plan,
    },
}

impl Job {
    /// The workload's name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Workload(workload) => &workload.name,
            Self::Crowd(crowd) => &crowd.name,
            Self::Climb { .. } => "climb",
        }
    }

    /// Does the job in this process, in a folder that is empty.
    ///
    /// # Errors
    ///
    /// The engine failed, or answered wrongly; or the input cannot be read.
    pub fn run(
        &self,
        contestant: &Contestant,
        folder: &Path,
        heap: Option<&'static Heap>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Failure> {
        match self {
            Self::Workload(workload) => workload.run(contestant, folder, heap, progress),
            Self::Crowd(crowd) => crowd.run(contestant, folder, heap, progress),
            Self::Climb { source, plan } => plan.run(contestant, &source.read()?, folder, heap, progress),
        }
    }
}

/// What the parent asks of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) contestant: String,
    pub(crate) folder: PathBuf,
    pub(crate) job: Job,
}

/// What a worker answers. After a `Done` or a `Failed` comes nothing more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Progress(Progress),
    Done(Box<Run>),
    Failed(Failure),
}

/// Call this first in `main` of a binary that measures.
///
/// If the binary was started as a worker, this does the work and ends the process. Else it returns at once.
/// `find` knows the engines by name; `heap` is the binary's counting allocator
/// ([`counted_heap!`](crate::counted_heap)), if it has one.
///
/// ```no_run
/// use logladder_bench::{Contestant, worker_entry};
///
/// logladder_bench::counted_heap!(HEAP);
///
/// worker_entry(|name| logladder::stage(name).map(Contestant::stage), Some(&HEAP));
/// // … the program itself
/// ```
pub fn worker_entry(find: impl Fn(&str) -> Option<Contestant>, heap: Option<&'static Heap>) {
    if env::args_os().nth(1).is_none_or(|argument| argument != WORKER_ARGUMENT) {
        return;
    }
    let told = match serve(find, heap) {
        Ok(run) => tell(&Event::Done(Box::new(run))).is_ok(),
        // The parent decides what a failure means; telling it is all there is to do here.
        Err(failure) => tell(&Event::Failed(failure)).is_ok(),
    };
    exit(i32::from(!told));
}

fn serve(find: impl Fn(&str) -> Option<Contestant>, heap: Option<&'static Heap>) -> Result<Run, Failure> {
    let request: Request = serde_json::from_reader(io::stdin().lock())
        .map_err(|error| Failure::system("read the worker's request from standard input", &error))?;
    let Some(contestant) = find(&request.contestant) else {
        let what = "does not know an engine of this name".to_owned();
        return Err(Failure::Worker { engine: request.contestant, what });
    };
    request.job.run(&contestant, &request.folder, heap, &mut |progress| {
        // If nobody listens any more, the last event will not be heard either, and that one is an error.
        let _ = tell(&Event::Progress(progress));
    })
}

fn tell(event: &Event) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // An engine may have printed the beginning of a line.
    out.write_all(b"\n")?;
    serde_json::to_writer(&mut out, event)?;
    out.write_all(b"\n")?;
    out.flush()
}
