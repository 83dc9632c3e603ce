//! What panicked, and where: a `todo!()` that is reached is the next step and no crash.

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// What `todo!` puts before its message.
const TODO: &str = "not yet implemented";

/// A panic in a learner's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// The file and the line.
    pub(crate) place: String,
}

impl Panic {
    /// The name in a `todo!("name")`; empty in one without.
    pub(crate) fn todo(&self) -> Option<&str> {
        self.message.strip_prefix(TODO).map(|rest| rest.trim_start_matches(": "))
    }
}

static NOTED: Mutex<Vec<Panic>> = Mutex::new(Vec::new());
/// How many checks are running.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// While this lives, panics of the whole process are noted, and not printed.
#[derive(Debug)]
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // The contract puts a hook of its own before the one it finds. It must not be before ours.
            logladder_contract::quietly(|| ());
            let loud = panic::take_hook();
            panic::set_hook(Box::new(move |info| match WATCHES.load(Ordering::SeqCst) {
                0 => loud(info),
                _ => note(info),
            }));
        });
        WATCHES.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::SeqCst);
    }
}

fn note(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = (payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let place = info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
    NOTED.lock().unwrap_or_else(PoisonError::into_inner).push(Panic { message, place });
}

/// What panicked since the last time this was asked.
pub(crate) fn take() -> Vec<Panic> {
    std::mem::take(&mut *NOTED.lock().unwrap_or_else(PoisonError::into_inner))
}
