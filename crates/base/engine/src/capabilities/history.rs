//! [`History`]: what a key was before.

use std::ops::ControlFlow;

use crate::Result;

/// One version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version<'v> {
    /// Its number. It goes up by one with each write of the key, deletes included, and begins at 1. Deleting a key
    /// that has no value may count as a write or not; a refused
    /// [`compare_and_set`](crate::Atomic::compare_and_set) does not.
    pub number: u64,
    /// The value, or `None` where the key was deleted. Where it [ended](crate::Expire), which is no version of its
    /// own, it is either.
    pub value: Option<&'v [u8]>,
}

impl<'v> Version<'v> {
    /// A version with this number and value.
    #[must_use]
    pub fn new(number: u64, value: Option<&'v [u8]>) -> Self {
        Self { number, value }
    }
}

/// What a visitor of versions is: it is shown one, and says whether to go on.
pub type VisitVersion<'v> = dyn FnMut(&Version<'_>) -> ControlFlow<()> + 'v;

/// What a key was before. How many versions are kept is a matter of the stage and its options: of each key that was
/// ever written at least the newest, and never one without those after it. Numbers stay what they are when older
/// versions go, and when the store is opened again.
pub trait History {
    /// Shows the versions of `key` that are kept to `visit`, the newest first, until it breaks. A key that was
    /// deleted has its delete as its newest version; one that was never written has none.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get).
    fn versions(&self, key: &[u8], visit: &mut VisitVersion<'_>) -> Result<()>;

    /// The value of `key` in that version: `Some(None)` if it was deleted then, `None` if there is no such
    /// version, or none any more.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](crate::Engine::get).
    fn get_at(&self, key: &[u8], version: u64) -> Result<Option<Option<Vec<u8>>>> {
        let mut found = None;
        self.versions(key, &mut |shown| {
            if shown.number == version {
                found = Some(shown.value.map(<[u8]>::to_vec));
            }
            // They go down.
            if shown.number <= version { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}
