//! SIGXFSZ, by which a system ends a process that makes a file longer than its limit allows (`ulimit -f`).
//!
//! With a handler that does nothing the write fails instead, and the store says so.

/// Lets a write past the limit be an error and not the end of the process.
#[cfg(unix)]
pub(crate) fn survive_the_limit_of_files() {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays when the runtime goes. Without one, such a write ends the process, as it would anyway.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    let _ = runtime.block_on(async { signal(SignalKind::from_raw(Signal::XFSZ.as_raw())) });
}

/// Other systems have no such signal.
#[cfg(not(unix))]
pub(crate) fn survive_the_limit_of_files() {}
