//! [`Entrant`]: a rival, a stage of the ladder or a raw limit, by its name.

use logladder::{STAGES, Stage};
use logladder_bench::Contestant;
use logladder_engine::{Durability, SyncPolicy};
use serde::Serialize;

use crate::measure::Measure;
use crate::raw::{LIMITS, Limit};
use crate::rivals::{RIVALS, Rival};

/// What takes part.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Entrant {
    /// A stage of the ladder.
    Ours(&'static Stage),
    /// Another project's engine.
    Rival(&'static Rival),
    /// A limit of the machine.
    Limit(&'static Limit),
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Side {
    /// The ladder's.
    Ours,
    /// Another project's.
    Rival,
    /// Another project's, called as no application would call it: shown, and not ranked.
    Aside,
    /// The machine's.
    Limit,
}

impl Entrant {
    /// The rivals, the raw limits, and the stages of the ladder, in this order.
    pub fn all() -> impl Iterator<Item = Self> {
        let rivals = RIVALS.iter().map(Self::Rival);
        rivals.chain(LIMITS.iter().map(Self::Limit)).chain(STAGES.iter().map(Self::Ours))
    }

    /// The entrant of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|entrant| entrant.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours(stage) => stage.name,
            Self::Rival(rival) => rival.name,
            Self::Limit(limit) => limit.name,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn side(self) -> Side {
        match self {
            Self::Ours(_) => Side::Ours,
            Self::Rival(Rival { aside: true, .. }) => Side::Aside,
            Self::Rival(_) => Side::Rival,
            Self::Limit(_) => Side::Limit,
        }
    }

    /// How it is opened and called under this policy.
    #[must_use]
    pub fn opened_with(self, sync: SyncPolicy) -> &'static str {
        let synced = matches!(sync, SyncPolicy::Always);
        match self {
            Self::Ours(_) if synced => "SyncPolicy::Always",
            Self::Ours(_) => "SyncPolicy::Never",
            Self::Rival(rival) => rival.opened(sync).with,
            Self::Limit(limit) if synced => limit.synced,
            Self::Limit(limit) => limit.summary,
        }
    }

    /// What a write that it acknowledged survives.
    #[must_use]
    pub fn durability(self, sync: SyncPolicy) -> Durability {
        match self {
            Self::Ours(stage) => stage.durability(sync),
            Self::Rival(rival) => rival.durability(sync),
            Self::Limit(limit) => limit.durability(sync),
        }
    }

    /// Whether this measure of it says something.
    #[must_use]
    pub fn enters(self, measure: Measure) -> bool {
        match self {
            // Memory does not become durable by being asked to.
            Self::Ours(stage) => {
                !measure.is_durable() || stage.durability(SyncPolicy::Always) > Durability::Never
            }
            // Others look for many keys one by one.
            Self::Rival(_) if measure == Measure::GetMany => false,
            Self::Rival(rival) => !rival.aside || measure == Measure::Get,
            Self::Limit(limit) => limit.enters(measure),
        }
    }

    /// The way to open it.
    #[must_use]
    pub fn contestant(self) -> Contestant {
        match self {
            Self::Ours(stage) => Contestant::stage(stage),
            Self::Rival(rival) => Contestant::other(rival.name, |dir, sync| rival.open(dir, sync)),
            Self::Limit(limit) => Contestant::other(limit.name, |dir, sync| limit.open(dir, sync)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_unique_and_found() {
        for entrant in Entrant::all() {
            assert_eq!(Entrant::all().filter(|other| other.name() == entrant.name()).count(), 1);
            assert_eq!(Entrant::find(entrant.name()).map(Entrant::name), Some(entrant.name()));
            assert_eq!(entrant.contestant().name(), entrant.name());
        }
    }
}
