//! [`Threads`]: the threads on which this port reads and writes the network.
//!
//! A connection stays on the thread that it came to, and a thread asks the system once for all of its connections that
//! have something to say. So no connection is handed from one thread to another, and none wakes a second thread, which would
//! take more time than a command does. What may wait goes to the threads of the whole server.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::gather::Gather;

/// Threads that each have a share of the connections.
#[derive(Debug)]
pub(crate) struct Threads {
    threads: Vec<Thread>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    gather: Arc<Gather>,
    /// It ends when this is dropped.
    ends: oneshot::Sender<()>,
    joins: JoinHandle<()>,
}

impl Threads {
    /// One for every two cores: the other half is for clients of this machine, for what waits, and for HTTP.
    ///
    /// # Errors
    ///
    /// The system has no thread left, or no file descriptor.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..(cores / 2).max(1)).map(Thread::start).collect::<io::Result<_>>()?;
        Ok(Self { threads, next: AtomicUsize::new(0) })
    }

    /// Runs a connection on the next thread. It is told where that thread gathers.
    pub(crate) fn spawn<C: Future<Output = ()> + Send + 'static>(
        &self,
        connection: impl FnOnce(Arc<Gather>) -> C,
    ) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(thread) = self.threads.get(next % self.threads.len().max(1)) {
            thread.runtime.spawn(connection(Arc::clone(&thread.gather)));
        }
    }

    /// Drops what still runs there, and waits for the threads.
    pub(crate) fn end(self) {
        for Thread { ends, joins, .. } in self.threads {
            drop(ends);
            // A connection that panicked took only itself with it.
            let _ = joins.join();
        }
    }
}

impl Thread {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends, ended) = oneshot::channel::<()>();
        let run = move || {
            // It says nothing; it is dropped.
            let _ = runtime.block_on(ended);
        };
        let joins = thread::Builder::new().name(format!("redis-{number}")).spawn(run)?;
        Ok(Self { runtime: handle, gather: Arc::default(), ends, joins })
    }
}
