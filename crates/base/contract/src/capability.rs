//! [`Capability`]: what some engines can do and others cannot.

use logladder_engine::{Engine, Iterate};

/// What some engines can do and others cannot. The cases, scripts and operations that need it are left out where it
/// is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Capability {
    /// [`Iterate`].
    Iterate,
    /// [`Iterate::is_consistent`].
    ConsistentView,
    /// [`Ordered`](logladder_engine::Ordered).
    Ordered,
    /// [`Atomic`](logladder_engine::Atomic).
    Atomic,
    /// [`History`](logladder_engine::History).
    History,
    /// [`Changes`](logladder_engine::Changes).
    Changes,
    /// [`Expire`](logladder_engine::Expire).
    Expire,
    /// [`Collections`](logladder_engine::Collections).
    Collections,
    /// [`Compact`](logladder_engine::Compact).
    Compact,
    /// [`Backup`](logladder_engine::Backup).
    Backup,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Iterate,
        Self::ConsistentView,
        Self::Ordered,
        Self::Atomic,
        Self::History,
        Self::Changes,
        Self::Expire,
        Self::Collections,
        Self::Compact,
        Self::Backup,
    ];

    /// Whether `engine` has it.
    #[must_use]
    pub fn is_of(self, engine: &dyn Engine) -> bool {
        match self {
            Self::Iterate => engine.as_iterate().is_some(),
            Self::ConsistentView => engine.as_iterate().is_some_and(Iterate::is_consistent),
            Self::Ordered => engine.as_ordered().is_some(),
            Self::Atomic => engine.as_atomic().is_some(),
            Self::History => engine.as_history().is_some(),
            Self::Changes => engine.as_changes().is_some(),
            Self::Expire => engine.as_expire().is_some(),
            Self::Collections => engine.as_collections().is_some(),
            Self::Compact => engine.as_compact().is_some(),
            Self::Backup => engine.as_backup().is_some(),
        }
    }

    /// What is said of an engine without it.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::Iterate => "it cannot show every key",
            Self::ConsistentView => "it promises no consistent view",
            Self::Ordered => "its keys have no order",
            Self::Atomic => "it has no batches",
            Self::History => "opened as it is here, it keeps no history",
            Self::Changes => "its changes cannot be followed",
            Self::Expire => "its values have no end",
            Self::Collections => "its keys have no collections",
            Self::Compact => "it cannot compact",
            Self::Backup => "it makes no copies",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_no_history_is_kept_is_said_of_the_store_as_it_was_opened() {
        assert_eq!(Capability::History.missing(), "opened as it is here, it keeps no history");
    }
}
