//! [`Poison`]: an engine whose write failed takes no more of them.

use std::sync::OnceLock;

use logladder_engine::{Error, Result};

/// Remembers the first failed write, and refuses every later one.
///
/// After a failed append the file may hold any part of it, and good records must not follow garbage. After a
/// failed sync the kernel may have dropped the pages and marked them clean, so a second sync proves nothing.
/// Only opening the store again, which reads what is really there, can tell.
///
/// ```
/// use logladder_disk::Poison;
/// use logladder_engine::Error;
///
/// let poison = Poison::default();
/// poison.check()?;
/// let failed = poison.guard::<()>(Err(Error::panicked()));
/// assert!(failed.is_err());
/// assert!(matches!(poison.check(), Err(Error::Poisoned { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Poison {
    why: OnceLock<String>,
}

impl Poison {
    /// Refuses if a write has failed.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`], with the first failure's message.
    pub fn check(&self) -> Result<()> {
        match self.why.get() {
            None => Ok(()),
            Some(why) => Err(Error::Poisoned { why: why.clone() }),
        }
    }

    /// Passes on the outcome of a write, and remembers a failure.
    ///
    /// # Errors
    ///
    /// That of `outcome`.
    pub fn guard<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            // A second failure adds nothing: the first one is the cause.
            let _ = self.why.set(error.to_string());
        }
        outcome
    }
}
