//! [`Iterate`]: every key of a store.

use std::ops::ControlFlow;

use crate::Result;

/// What a visitor is: it is shown a key and its value, and says whether to go on.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Visiting every key of a store.
pub trait Iterate {
    /// Shows every key and its value to `visit`, in no particular order, until it breaks.
    ///
    /// The keys are those present when the call began. Each is shown once, with the value it had then or, in a
    /// stage that promises no [consistent view](Iterate::is_consistent), the one it has at the moment it is shown;
    /// there, one deleted in the meantime is left out. One added in the meantime does not appear. The visitor runs
    /// under no lock: it may call the engine, to read or to write.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get); what was shown before the error was right.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()>;

    /// Whether what is shown is the store as it was when the call began, whatever is written meanwhile. A
    /// [batch](crate::Batch) is then in it whole or not at all.
    fn is_consistent(&self) -> bool {
        false
    }
}
