//! [`Deed`]: one call of an engine, as it is remembered, repeated and told.

use std::fmt;
use std::ops::Bound;

use logladder_engine::Direction;

use crate::call::Call;

/// A byte string up to this length is remembered whole. A check that uses longer ones cannot be repeated.
const LONGEST: usize = 2 << 20;
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
    Visit(Visited),
    Scan(Bound<Vec<u8>>, Bound<Vec<u8>>, Direction),
    Sync,
    Compact,
    Close,
    Drop,
}

/// What a visitor did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Visited {
    /// For each key that it was shown, its own calls of the engine.
    pub(crate) calls: Vec<Vec<Deed>>,
    pub(crate) end: VisitorEnd,
}

/// How a visit came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum VisitorEnd {
    /// The visitor would have looked at more.
    #[default]
    Through,
    /// The visitor stopped at the last key that it was shown.
    Stops,
    /// It panicked there.
    Panics,
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
            Self::Visit(_) => Call::Visit,
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

    /// Every key and value in it.
    pub(crate) fn strings(&self) -> Vec<&[u8]> {
        match self {
            Self::Set(key, value) => vec![key.as_slice(), value.as_slice()],
            Self::Delete(key) | Self::Get(key) | Self::GetInto(key) | Self::GetWith(key) => {
                vec![key.as_slice()]
            }
            Self::GetMany(keys) => keys.iter().map(Vec::as_slice).collect(),
            Self::Visit(visited) => visited.calls.iter().flatten().flat_map(Self::strings).collect(),
            Self::Scan(start, end, _) => {
                [start, end].into_iter().filter_map(in_bound).map(Vec::as_slice).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn is_short(&self) -> bool {
        self.strings().iter().all(|string| string.len() <= LONGEST)
    }

    /// The same with another string in place of one.
    pub(crate) fn with(&self, old: &[u8], new: &[u8]) -> Self {
        let other = |string: &Vec<u8>| if string == old { new.to_vec() } else { string.clone() };
        match self {
            Self::Set(key, value) => Self::Set(other(key), other(value)),
            Self::Delete(key) => Self::Delete(other(key)),
            Self::Get(key) => Self::Get(other(key)),
            Self::GetInto(key) => Self::GetInto(other(key)),
            Self::GetWith(key) => Self::GetWith(other(key)),
            Self::GetMany(keys) => Self::GetMany(keys.iter().map(other).collect()),
            Self::Visit(Visited { calls, end }) => {
                let of_key = |calls: &Vec<Self>| calls.iter().map(|deed| deed.with(old, new)).collect();
                Self::Visit(Visited { calls: calls.iter().map(of_key).collect(), end: *end })
            }
            Self::Scan(start, end, direction) => {
                Self::Scan(start.as_ref().map(other), end.as_ref().map(other), *direction)
            }
            deed => deed.clone(),
        }
    }

    /// A line for the call itself, and one for each that a visitor made.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if let Self::Visit(Visited { calls, end }) = self {
            for (key, calls) in calls.iter().enumerate() {
                let inside = calls.iter().flat_map(Self::lines);
                lines.extend(inside.map(|line| format!("  at key {}: {line}", key + 1)));
            }
            match end {
                VisitorEnd::Through => {}
                VisitorEnd::Stops => lines.push(format!("  at key {}: stop", calls.len())),
                VisitorEnd::Panics => lines.push(format!("  at key {}: the visitor panics", calls.len())),
            }
        }
        lines
    }

    /// The keys that it deletes, also as a visitor.
    pub(crate) fn deleted(&self) -> Vec<&[u8]> {
        match self {
            Self::Delete(key) => vec![key.as_slice()],
            Self::Visit(visited) => visited.deleted(),
            _ => Vec::new(),
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

impl Visited {
    /// The keys that the visitor deletes.
    pub(crate) fn deleted(&self) -> Vec<&[u8]> {
        self.calls.iter().flatten().flat_map(Deed::deleted).collect()
    }

    /// Visits that ask less, those that ask the least first.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let Self { calls, end } = self;
        let mut simpler = Vec::new();
        if *self != Self::default() {
            simpler.push(Self::default());
        }
        if *end != VisitorEnd::Through {
            simpler.push(Self { calls: calls.clone(), end: VisitorEnd::Through });
        }
        if calls.len() > 1 {
            let half = calls.len() / 2;
            simpler.push(Self { calls: calls[..half].to_vec(), end: *end });
            simpler.push(Self { calls: calls[half..].to_vec(), end: *end });
            for key in 0..calls.len() {
                let mut calls = calls.clone();
                calls.remove(key);
                simpler.push(Self { calls, end: *end });
            }
        }
        for (key, inside) in calls.iter().enumerate() {
            let with = |inside: Vec<Deed>| {
                let mut calls = calls.clone();
                calls[key] = inside;
                Self { calls, end: *end }
            };
            if inside.len() > 1 {
                let half = inside.len() / 2;
                simpler.extend([Vec::new(), inside[..half].to_vec(), inside[half..].to_vec()].map(&with));
            }
            for (place, deed) in inside.iter().enumerate() {
                let without = inside.iter().enumerate().filter(|(other, _)| *other != place);
                simpler.push(with(without.map(|(_, deed)| deed.clone()).collect()));
                let Deed::Visit(visited) = deed else { continue };
                for visited in visited.simpler() {
                    let mut inside = inside.clone();
                    inside[place] = Deed::Visit(visited);
                    simpler.push(with(inside));
                }
            }
        }
        simpler
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

/// The first of some pairs, and whether there are more.
pub(crate) fn show_pairs(pairs: &[(&Vec<u8>, &Vec<u8>)]) -> String {
    const SHOWN: usize = 5;
    let first = pairs.iter().take(SHOWN).map(|(key, value)| format!("{} = {}", show(key), show(value)));
    let first: Vec<String> = first.collect();
    let more = if pairs.len() > SHOWN { ", …" } else { "" };
    if first.is_empty() { "no key".to_owned() } else { format!("{}{more}", first.join(", ")) }
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
            Self::Visit(_) => f.write_str("for_each"),
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
