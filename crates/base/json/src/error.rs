//! [`DecodeError`]: text that stands for no byte string.

use std::{error, fmt};

/// Why a text stands for no byte string.
#[derive(Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is not one JSON value, or a string in it names half a surrogate pair.
    NotJson(serde_json::Error),
    /// It is wrapped as base64, and what is wrapped is not base64 with its padding.
    NotBase64,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(source) => write!(f, "it is not JSON: {source}"),
            Self::NotBase64 => f.write_str("what follows `$base64` is not padded base64"),
        }
    }
}

impl error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::NotJson(source) => Some(source),
            Self::NotBase64 => None,
        }
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(source: serde_json::Error) -> Self {
        Self::NotJson(source)
    }
}
