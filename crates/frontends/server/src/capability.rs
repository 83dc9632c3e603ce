//! What a stage cannot do: 501, with the stages that can.

use std::sync::OnceLock;

use logladder::STAGES;
use logladder_engine::{Durability, Engine};

use axum::http::StatusCode;

use crate::answer::Refusal;

/// Something that some stages can do and others cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    Iterate,
    Atomic,
    History,
    Changes,
    Compact,
    Expire,
    Backup,
    /// Has its data on the disk, at the latest after a sync.
    Keep,
}

impl Capability {
    fn of(self, engine: &dyn Engine) -> bool {
        match self {
            Self::Iterate => engine.as_iterate().is_some(),
            Self::Atomic => engine.as_atomic().is_some(),
            Self::History => engine.as_history().is_some(),
            Self::Changes => engine.as_changes().is_some(),
            Self::Compact => engine.as_compact().is_some(),
            Self::Expire => engine.as_expire().is_some(),
            Self::Backup => engine.as_backup().is_some(),
            Self::Keep => engine.durability() != Durability::Never,
        }
    }

    /// What a stage says for itself, without it: one that could have been opened with it, or not.
    fn in_words(self, could: bool) -> &'static str {
        match self {
            Self::Iterate => "cannot list its keys",
            Self::Atomic => "can neither write several keys as one nor compare before it writes",
            Self::History if could => "keeps no earlier versions as it was opened",
            Self::History => "keeps no earlier versions",
            Self::Changes => "keeps no log of changes that can be followed",
            Self::Compact => "has nothing to compact",
            Self::Expire => "has no values that end by themselves",
            Self::Backup => "cannot copy itself while it is in use",
            Self::Keep => "keeps nothing on the disk that could be synced",
        }
    }

    /// The answer of a stage without it.
    pub(crate) fn lacking(self, engine: &dyn Engine) -> Refusal {
        let having = samples().iter().filter(|sample| sample.has.contains(&self));
        let having: Vec<&'static str> = having.map(|sample| sample.stage).collect();
        let why = format!("the stage {} {}", engine.name(), self.in_words(having.contains(&engine.name())));
        let mut refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, why);
        refusal.problem.stages = Some(having);
        refusal
    }
}

/// A stage, and what it can do.
#[derive(Debug)]
struct Sample {
    stage: &'static str,
    has: Vec<Capability>,
}

/// Every stage of the table, asked once.
fn samples() -> &'static [Sample] {
    use Capability::{Atomic, Backup, Changes, Compact, Expire, History, Iterate, Keep};
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let ask = |stage: &logladder::Stage| {
            let engine = stage.open_to_ask().ok()?;
            let all = [Iterate, Atomic, History, Changes, Compact, Expire, Backup, Keep];
            Some(Sample { stage: stage.name, has: all.into_iter().filter(|one| one.of(&*engine)).collect() })
        };
        STAGES.iter().filter_map(ask).collect()
    })
}
