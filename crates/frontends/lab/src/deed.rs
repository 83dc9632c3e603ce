//! [`Deed`]: one call of an engine, so that it can be told and done again.

use std::fmt;
use std::ops::Bound;

use logladder_engine::Direction;

use crate::call::Call;

/// A byte string up to this length is remembered whole. A check that uses longer ones cannot be repeated.
const LONGEST: usize = 64 * 1024;
/// What a write may take beside its key and value.
const AROUND: usize = 16;

/// One call of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Open,
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Get(Vec<u8>),
    GetInto(Vec<u8>),
    GetWith(Vec<u8>),
    GetMany(Vec<Vec<u8>>),
    Stats,
    Visit,
    Scan(Bound<Vec<u8>>, Bound<Vec<u8>>, Direction),
    Sync,
    Compact,
    Close,
    Drop,
}

impl Deed {
    /// What is asked of an engine by it. Dropping asks nothing.
    pub(crate) fn call(&self) -> Option<Call> {
        Some(match self {
            Self::Open => Call::Open,
            Self::Set(..) => Call::Set,
            Self::Delete(_) => Call::Delete,
            Self::Get(_) | Self::GetInto(_) | Self::GetWith(_) | Self::GetMany(_) => Call::Get,
            Self::Stats => Call::Stats,
            Self::Visit => Call::Visit,
            Self::Scan(..) => Call::Scan,
            Self::Sync | Self::Close => Call::Sync,
            Self::Compact => Call::Compact,
            Self::Drop => return None,
        })
    }

    /// How many bytes it writes, at most.
    pub(crate) fn written(&self) -> usize {
        match self {
            Self::Set(key, value) => key.len() + value.len() + AROUND,
            Self::Delete(key) => key.len() + AROUND,
            _ => 0,
        }
    }

    pub(crate) fn is_short(&self) -> bool {
        match self {
            Self::Set(key, value) => key.len().max(value.len()) <= LONGEST,
            Self::Delete(key) | Self::Get(key) | Self::GetInto(key) | Self::GetWith(key) => {
                key.len() <= LONGEST
            }
            Self::GetMany(keys) => keys.iter().all(|key| key.len() <= LONGEST),
            Self::Scan(start, end, _) => {
                [start, end].into_iter().filter_map(in_bound).all(|key| key.len() <= LONGEST)
            }
            _ => true,
        }
    }

    /// The keys and values that it is about.
    pub(crate) fn strings(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Set(key, value) => vec![key.clone(), value.clone()],
            Self::Delete(key) | Self::Get(key) | Self::GetInto(key) | Self::GetWith(key) => vec![key.clone()],
            Self::GetMany(keys) => keys.clone(),
            Self::Scan(start, end, _) => [start, end].into_iter().filter_map(in_bound).cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// The same with `short` wherever it has `long`.
    pub(crate) fn with(&self, long: &[u8], short: &[u8]) -> Self {
        let new = |old: &Vec<u8>| if old == long { short.to_vec() } else { old.clone() };
        match self {
            Self::Set(key, value) => Self::Set(new(key), new(value)),
            Self::Delete(key) => Self::Delete(new(key)),
            Self::Get(key) => Self::Get(new(key)),
            Self::GetInto(key) => Self::GetInto(new(key)),
            Self::GetWith(key) => Self::GetWith(new(key)),
            Self::GetMany(keys) => Self::GetMany(keys.iter().map(new).collect()),
            Self::Scan(start, end, direction) => {
                Self::Scan(start.as_ref().map(new), end.as_ref().map(new), *direction)
            }
            other => other.clone(),
        }
    }
}

/// The key of an end of a range, if it has one.
fn in_bound(end: &Bound<Vec<u8>>) -> Option<&Vec<u8>> {
    match end {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

/// A byte string as a reader can take it in.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    if bytes.len() <= SHOWN {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    format!("\"{}…\" ({} bytes)", bytes[..SHOWN / 2].escape_ascii(), bytes.len())
}

/// A value, or that there is none.
pub(crate) fn show_value(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "no value".to_owned(), show)
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Set(key, value) => write!(f, "set {} = {}", show(key), show(value)),
            Self::Delete(key) => write!(f, "delete {}", show(key)),
            Self::Get(key) => write!(f, "get {}", show(key)),
            Self::GetInto(key) => write!(f, "get_into {}, with a buffer that is not empty", show(key)),
            Self::GetWith(key) => write!(f, "get_with {}", show(key)),
            Self::GetMany(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| show(key)).collect();
                write!(f, "get_many {}", keys.join(", "))
            }
            Self::Stats => f.write_str("stats"),
            Self::Visit => f.write_str("for_each"),
            Self::Scan(start, end, direction) => {
                f.write_str("scan")?;
                match start {
                    Bound::Included(key) => write!(f, " from {}", show(key))?,
                    Bound::Excluded(key) => write!(f, " from behind {}", show(key))?,
                    Bound::Unbounded => {}
                }
                match end {
                    Bound::Included(key) => write!(f, " to {}", show(key))?,
                    Bound::Excluded(key) => write!(f, " to before {}", show(key))?,
                    Bound::Unbounded => {}
                }
                f.write_str(if *direction == Direction::Backward { ", backward" } else { "" })
            }
            Self::Sync => f.write_str("sync"),
            Self::Compact => f.write_str("compact"),
            Self::Close => f.write_str("close"),
            Self::Drop => f.write_str("drop"),
        }
    }
}
