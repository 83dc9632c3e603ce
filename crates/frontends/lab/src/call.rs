//! [`Call`]: what can be asked of an engine, as far as a step of a starter can be about it.

use std::fmt;

/// What a check asks of an engine, and a step of a starter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Open a store that is not there yet.
    Open,
    /// Open one that was there before.
    Reopen,
    /// Set a key.
    Set,
    /// Get a value, in any of the ways there are.
    Get,
    /// Delete a key.
    Delete,
    /// Ask for sizes and counts.
    Stats,
    /// Visit every key.
    Visit,
    /// Visit the keys of a range, in their order or against it.
    Scan,
    /// Sync or close.
    Sync,
    /// Compact.
    Compact,
    /// Take more than half a KiB of writes: more than one file of an engine with many small ones may have.
    Much,
}

impl Call {
    /// All of them, by the word that names each.
    const WORDS: [(&'static str, Self); 11] = [
        ("open", Self::Open),
        ("reopen", Self::Reopen),
        ("set", Self::Set),
        ("get", Self::Get),
        ("delete", Self::Delete),
        ("stats", Self::Stats),
        ("visit", Self::Visit),
        ("scan", Self::Scan),
        ("sync", Self::Sync),
        ("compact", Self::Compact),
        ("much", Self::Much),
    ];

    /// The call of this name.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, call)| *call)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, call)| call == self);
        f.pad(word.map_or("", |(word, _)| word))
    }
}
