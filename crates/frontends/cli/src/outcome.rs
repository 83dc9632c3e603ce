//! How a command ends: its exit code, and its message.

use std::fmt;
use std::io;

use logladder::Error;

/// A command that did what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done: exit code 0.
    Yes,
    /// Done, and the answer is no: the key has no value, the store is damaged. Exit code 1.
    No,
}

/// Why a command was not done, where that is no error of the store.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The words make no sense together: exit code 2.
    Usage(String),
    /// There is nothing to work on, or something stands in the way: exit code 3.
    Store(String),
    /// The input is bad: exit code 4.
    Input(String),
    /// The stage cannot do that: exit code 5.
    Lacks(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Store(what) | Self::Input(what) | Self::Lacks(what) => {
                f.write_str(what)
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// The exit code of a failure.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return match refusal {
            Refusal::Usage(_) => 2,
            Refusal::Store(_) => 3,
            Refusal::Input(_) => 4,
            Refusal::Lacks(_) => 5,
        };
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Unsupported { .. }) => 5,
        Some(
            Error::InvalidKey { .. }
            | Error::EmptyKey
            | Error::NoCollection { .. }
            | Error::NoMember { .. }
            | Error::TooLarge { .. }
            | Error::InvalidPosition { .. },
        ) => 2,
        _ => 3,
    }
}

/// Whether whoever read the output has gone, as `head` does. Then there is nobody to tell, and nothing is wrong.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
