//! [`Subject`]: an engine under test, and what it claims of itself.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::sabotage::Rule;
use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Durability, Engine, Result};

use crate::Capability;

type Opener = dyn Fn(Arc<dyn Disk>, &Path) -> Result<Box<dyn Engine>> + Send + Sync;

/// An engine under test: how to open it, and what it claims.
///
/// The claims decide what is asserted. A store that survives nothing must come back empty; one that claims to
/// survive a power loss is held to that at every operation of every script.
#[derive(Clone)]
pub struct Subject {
    name: String,
    durability: Durability,
    capabilities: BTreeSet<Capability>,
    /// How many versions of a key it keeps, if it says so.
    versions: Option<u64>,
    /// How many bytes a batch may have, if it says so.
    batch_limit: Option<usize>,
    /// Whether its data is with a service, and not in its folder.
    is_elsewhere: bool,
    open: Arc<Opener>,
    rules: Vec<Rule>,
    allowances: Vec<Allowance>,
}

/// What the bit flips may find in a store whose format cannot do better, and why it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What may be found.
    pub what: Allowed,
    /// Why the format cannot do better. It is printed with the figures.
    pub why: &'static str,
}

/// Something that damage to a file may do to a store, if its contract says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// A flipped bit makes a value wrong, and nothing says so.
    WrongValues,
    /// A flipped bit takes a key away, or brings an old value back, and nothing says so.
    SilentLosses,
    /// A file cut short loses other writes than the newest, and nothing says so.
    SilentCuts,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WrongValues => "wrong values",
            Self::SilentLosses => "silent losses",
            Self::SilentCuts => "silent cuts of older writes",
        })
    }
}

impl Subject {
    /// The engine `E`, opened with `options`.
    #[must_use]
    pub fn of<E: OpenOn>(options: E::Options) -> Self
    where
        E::Options: Send + Sync,
    {
        Self::new(std::any::type_name::<E>(), move |disk, dir| {
            Ok(Box::new(E::open_on(disk, dir, options.clone())?))
        })
    }

    /// Whatever `open` opens. It is asked for its name, its durability and its capabilities at once; one that
    /// does not open keeps `name` and claims everything, and so fails the cases.
    #[must_use]
    pub fn new(
        name: &str,
        open: impl Fn(Arc<dyn Disk>, &Path) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        let mut subject = Self {
            name: name.to_owned(),
            durability: Durability::PowerLoss,
            capabilities: BTreeSet::from(Capability::ALL),
            versions: None,
            batch_limit: None,
            is_elsewhere: false,
            open: Arc::new(open),
            rules: Vec::new(),
            allowances: Vec::new(),
        };
        if let Ok(engine) = subject.open(Arc::new(RecordingDisk::new()), Path::new("/store")) {
            engine.name().clone_into(&mut subject.name);
            subject.durability = engine.durability();
            subject.capabilities.retain(|capability| capability.is_of(&*engine));
        }
        subject
    }

    /// Names the rules that the engine asks `logladder_disk::sabotage::skips` about. Each is left out in turn,
    /// and the crash images, the damage or the faults must notice.
    ///
    /// Only rules that matter to who uses the engine through its trait: one that takes more to break, such as the
    /// compaction of a few files of the stage's choice, is left to the stage's own tests.
    #[must_use]
    pub fn rules(mut self, rules: &[Rule]) -> Self {
        self.rules = rules.to_vec();
        self
    }

    /// Allows what the engine's format cannot prevent. `why` is printed with the figures.
    #[must_use]
    pub fn allows(mut self, what: Allowed, why: &'static str) -> Self {
        self.allowances.push(Allowance { what, why });
        self
    }

    /// Says that the newest `kept` versions of each key are kept, and after a compaction no others. Without it, only
    /// the newest is expected.
    #[must_use]
    pub fn keeps_versions(mut self, kept: u64) -> Self {
        self.versions = Some(kept);
        self
    }

    /// Says that a batch whose keys and values have more than `bytes` together is refused. One like that is made, so
    /// let it be some megabytes at most.
    #[must_use]
    pub fn refuses_batches_over(mut self, bytes: usize) -> Self {
        self.batch_limit = Some(bytes);
        self
    }

    /// Says that the store's data is with a service, such as a cluster of other machines, and not in the folder that it
    /// is opened in. It has no files to damage and no lock: several processes may have it open at once, and each sees
    /// what the others write. What survives a crash is then up to the service.
    #[must_use]
    pub fn elsewhere(mut self) -> Self {
        self.is_elsewhere = true;
        self
    }

    /// Opens the store in the folder `dir` of `disk`.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn open(&self, disk: Arc<dyn Disk>, dir: &Path) -> Result<Box<dyn Engine>> {
        (self.open)(disk, dir)
    }

    /// What the engine calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The crash that it says its writes survive.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether anything of it is left when it is closed.
    #[must_use]
    pub fn persists(&self) -> bool {
        self.durability > Durability::Never
    }

    /// Whether what is left of it then lies in files of its own, in its folder.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.persists() && !self.is_elsewhere
    }

    /// Whether it has this capability.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// How many versions of each key it keeps, if it says so.
    #[must_use]
    pub fn versions_kept(&self) -> Option<u64> {
        self.versions
    }

    /// How many bytes a batch may have, if it says so.
    #[must_use]
    pub fn batch_limit(&self) -> Option<usize> {
        self.batch_limit
    }

    /// The rules that it can be made to leave out.
    #[must_use]
    pub fn breakable_rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What it is allowed, and why.
    #[must_use]
    pub fn allowances(&self) -> &[Allowance] {
        &self.allowances
    }

    pub(crate) fn is_allowed(&self, what: Allowed) -> bool {
        self.allowances.iter().any(|allowance| allowance.what == what)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.name)
            .field("durability", &self.durability)
            .field("capabilities", &self.capabilities)
            .field("versions", &self.versions)
            .field("batch_limit", &self.batch_limit)
            .field("is_elsewhere", &self.is_elsewhere)
            .field("rules", &self.rules)
            .field("allowances", &self.allowances)
            .finish_non_exhaustive()
    }
}
