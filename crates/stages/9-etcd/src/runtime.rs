//! [`Runtime`]: the thread on which the engine talks to the cluster.
//!
//! The trait waits and the client of etcd does not: it is a state machine that someone must drive. The engine drives it
//! with a small runtime of its own, for three reasons. Its callers may have none, as the command has not. They may have one
//! of their own and call from one of its threads, where waiting in another runtime is a panic; so they wait on a channel of
//! the standard library, which knows nothing of runtimes. And connections live as long as the runtime that made
//! them: those of this engine must outlive whichever call came first.
//!
//! One thread is enough: it only moves bytes between the callers and the sockets.

use std::sync::mpsc;

use logladder_engine::{Error, Result};
use tokio::runtime::{Builder, Handle};

#[derive(Debug)]
pub(crate) struct Runtime {
    /// Taken when it is dropped.
    inner: Option<tokio::runtime::Runtime>,
    handle: Handle,
}

impl Runtime {
    pub(crate) fn start() -> Result<Self> {
        let started = Builder::new_multi_thread().worker_threads(1).thread_name("etcd").enable_all().build();
        let inner = started
            .map_err(|error| Error::Cluster { why: format!("no thread could be started: {error}") })?;
        let handle = inner.handle().clone();
        Ok(Self { inner: Some(inner), handle })
    }

    /// Where work can be left that nobody waits for here.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Does the work there and waits here.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Whoever asked is still there.
            let _ = sender.send(work.await);
        });
        // Without an answer, the work has panicked.
        receiver.recv().map_err(|_| Error::panicked())
    }
}

impl Drop for Runtime {
    /// Without waiting: nothing that was acknowledged is in its hands, and waiting is a panic on a thread of a runtime.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.shutdown_background();
        }
    }
}
