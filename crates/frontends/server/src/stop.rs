//! [`stop_signal`]: when a server is told to stop; and [`drained`], the time that its clients have then.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{info, warn};

/// Waits until all `most` places are free: every connection has one, and who has them all is alone. Gives up after
/// `longest`, or as soon as `at_once` is ready. Returns how many connections are left.
pub(crate) async fn drained(
    places: &Arc<Semaphore>,
    most: usize,
    longest: Duration,
    at_once: impl Future<Output = ()>,
) -> usize {
    /// Most connections are idle, and end before there is anything to say.
    const SILENCE: Duration = Duration::from_millis(200);
    let left = || most - places.available_permits();
    let alone = async {
        if all_free(places, most, longest.min(SILENCE)).await {
            return;
        }
        let rest = longest.saturating_sub(SILENCE);
        info!(
            "Waiting for {} connections that have not ended, for {} s at most; another signal ends this at once",
            left(),
            rest.as_secs_f64().round()
        );
        if !all_free(places, most, rest).await {
            warn!("{} connections did not end in time, and are cut off", left());
        }
    };
    tokio::select! {
        () = alone => {}
        () = at_once => warn!("Told to stop again: {} connections are cut off", left()),
    }
    left()
}

/// Whether all places become free in time.
pub(crate) async fn all_free(places: &Arc<Semaphore>, most: usize, longest: Duration) -> bool {
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    timeout(longest, places.acquire_many(all)).await.is_ok()
}

/// Ready at a SIGINT or SIGTERM that comes after the call, which is made where tokio runs.
#[cfg(unix)]
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
    let [interrupt, terminate] = kinds.map(signal).map(|signal| async {
        match signal {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                warn!("cannot listen for a signal: {error}");
                std::future::pending::<()>().await;
            }
        }
    });
    async {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

/// Ready when the process is interrupted.
#[cfg(not(unix))]
pub async fn stop_signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        warn!("cannot listen for an interruption: {error}");
        std::future::pending::<()>().await;
    }
}
