//! [`Refused`]: why a command was not done, in the words of Redis where it has some.

use std::borrow::Cow;
use std::fmt;

use logladder_engine::Error;

use crate::answer::Refusal;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The command is at fault: a code such as `ERR`, and a sentence.
    Command(Cow<'static, str>),
    /// The store cannot do it, or failed.
    Store(Refusal),
}

impl Refused {
    pub(crate) const SYNTAX: Self = Self::Command(Cow::Borrowed("ERR syntax error"));
    pub(crate) const NO_INTEGER: Self =
        Self::Command(Cow::Borrowed("ERR value is not an integer or out of range"));

    pub(crate) fn command(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Command(text.into())
    }

    /// What is no request. The connection ends with it.
    pub(crate) fn protocol(why: impl fmt::Display) -> Self {
        Self::Command(format!("ERR Protocol error: {why}").into())
    }

    pub(crate) fn arguments(command: impl fmt::Display) -> Self {
        Self::Command(format!("ERR wrong number of arguments for '{command}' command").into())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Store(error.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(text) => f.write_str(text),
            Self::Store(refusal) => {
                write!(f, "ERR {}", refusal.problem.error)?;
                match refusal.problem.stages.as_deref() {
                    None => Ok(()),
                    Some([]) => f.write_str("; no stage can"),
                    Some(stages) => write!(f, "; these stages can: {}", stages.join(", ")),
                }
            }
        }
    }
}
