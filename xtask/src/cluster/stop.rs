//! [`Stop`]: whether Ctrl-C was pressed, or SIGTERM came. Whatever waits here, waits so that it ends at once then, and the
//! processes that were started are ended in order.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Shared by all that wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Listens for the signals from now on: they no longer end this program by themselves.
    pub(crate) fn listen() -> Result<Self> {
        let stop = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let context = runtime.enter();
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .map(|kind| signal(kind).context("cannot wait for signals"));
        drop(context);
        let asked = stop.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else { return };
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                    _ = hangup.recv() => (),
                }
            });
            let (is_asked, changed) = &*asked.0;
            *is_asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
            changed.notify_all();
        });
        Ok(stop)
    }

    /// Waits until it is asked for.
    pub(crate) fn wait(&self) {
        let (is_asked, changed) = &*self.0;
        let guard = is_asked.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(guard, |is_asked| !*is_asked));
    }

    /// Waits for this time.
    ///
    /// # Errors
    ///
    /// If it is asked for before that.
    pub(crate) fn pause(&self, time: Duration) -> Result<()> {
        let (is_asked, changed) = &*self.0;
        let guard = is_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, time, |is_asked| !*is_asked);
        let (is_asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *is_asked {
            bail!("interrupted");
        }
        Ok(())
    }
}
