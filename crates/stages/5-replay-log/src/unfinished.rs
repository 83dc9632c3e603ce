//! [`Unfinished`]: a base that is being written. Who finds no room for a line can have its space: the lines are still
//! there, and another base can be made from them later.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use logladder_disk::File;
use logladder_engine::{Error, Result};

/// A file that grows until it is whole, or is given up.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: Box<dyn File>,
    /// Held while a piece is appended.
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Growing,
    GivenUp,
    Whole,
}

impl Unfinished {
    pub(crate) fn new(file: Box<dyn File>) -> Self {
        Self { file, state: Mutex::new(State::Growing) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // One word, so a panic cannot have left it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn growing(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        if *state == State::GivenUp {
            let why =
                io::Error::new(io::ErrorKind::StorageFull, "the disk is full, and a write had its space");
            return Err(Error::io("finish", self.file.path(), why));
        }
        Ok(state)
    }

    pub(crate) fn append(&self, piece: &[u8]) -> Result<()> {
        let _growing = self.growing()?;
        self.file.append(piece).map(drop)
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    /// Says that it is whole: from now on it is not given up.
    pub(crate) fn finish(&self) -> Result<()> {
        *self.growing()? = State::Whole;
        Ok(())
    }

    /// Gives its space back, unless it is whole: `false`. Whoever writes it is told.
    pub(crate) fn give_up(&self) -> bool {
        let mut state = self.state();
        if *state == State::Whole {
            return false;
        }
        *state = State::GivenUp;
        self.file.truncate(0).is_ok()
    }
}
